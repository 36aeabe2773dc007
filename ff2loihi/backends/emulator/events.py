"""More of processes.rate_kernel: events of recorded spikes, and what they drive."""

import numpy as np

from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning_kernels import add_rows
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.rate_kernel import encode

NO_BYTE = np.int16(0)


@in_place
def take(q, phases, events):
    """A sample's input spikes: of rates q (pixels,), accumulators starting at phases; without phases q is the spikes.

    Those are int16, a byte each: of every step its inputs, packed by numpy.packbits. They come round again until all
    steps have some.
    """
    if phases.shape[0]:
        encode(q, phases, RATE_ONE, events)
        return
    row = (events.idx.shape[1] + 7) // 8
    once = q.shape[0] // row
    for step in range(events.counts.shape[0]):
        if step >= once:
            events.counts[step] = events.counts[step - once]
            for k in range(events.counts[step]):
                events.idx[step, k] = events.idx[step - once, k]
            continue
        count, found = 0, events.idx[step]
        for place in range(row):
            byte = q[step * row + place]
            if byte == NO_BYTE:
                continue
            for bit in range(8):
                if byte >> (7 - bit) & 1:
                    found[count] = 8 * place + bit
                    count += 1
        events.counts[step] = count


@in_place
def list_spikes(spikes, events):
    """Spikes (steps, n) int32 0/1 as events."""
    for step in range(spikes.shape[0]):
        count, found, z = 0, events.idx[step], spikes[step]
        for j in range(z.shape[0]):
            found[count] = j
            count += z[j]
        events.counts[step] = count


@in_place
def mark(spikes, fired):
    """fired (n,) int32 becomes other than 0 where one of spikes (steps, n) is."""
    for step in range(spikes.shape[0]):
        z = spikes[step]
        for j in range(z.shape[0]):
            fired[j] |= z[j]


@in_place
def copy_spikes(spikes, first, events):
    """Spikes (steps, inputs) bool as they are; first: the index of their first input."""
    events.counts[:] = 0
    for step in range(spikes.shape[0]):
        for i in range(spikes.shape[1]):
            if spikes[step, i]:
                events.idx[step, events.counts[step]] = first + i
                events.counts[step] += 1


@in_place
def merge(events, more, out):
    """The events of two groups of inputs in one list."""
    for step in range(events.counts.shape[0]):
        n, m, found = events.counts[step], more.counts[step], out.idx[step]
        for k in range(n):
            found[k] = events.idx[step, k]
        for k in range(m):
            found[n + k] = more.idx[step, k]
        out.counts[step] = n + m


@in_place
def drives(w, events, steps, out):
    """out[:steps] (steps, n) int32: the sum of the rows that spike in each of the first steps."""
    for step in range(steps):
        out[step] = 0
        add_rows(w, events.idx[step], events.counts[step], out[step])

"""Spiking layers in numba, from the events of their inputs to those of their outputs: lif_kernel.integrate's LIF.

In integers of 32 bits, as sums before their shift stay below 2^24 (compilers.inference.integer_forward decides that),
v and what is added to it in a step, too.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.graded_kernel import list_nonzero
from ff2loihi.processes.learning_kernels import add_rows
from ff2loihi.processes.limits import ALIGN, V_LIMIT
from ff2loihi.processes.rate_kernel import Events, encode

TOP, UNIT, ZERO = np.int32(V_LIMIT), np.int32(ALIGN), np.int32(0)


class Lif(NamedTuple):
    """A layer's neurons: bias (n,) int32, first v, threshold << 6, right shift of the sums, soft: 1 or 0; all int32."""

    bias: np.ndarray
    start: np.int32
    threshold: np.int32
    shift: np.int32
    soft: np.int32


@in_place
def integrate_step(a, more, lif, v, count, spikes):
    """v += ((a + more) >> shift << 6) + bias, a spike where v > threshold, then the reset; all (n,)."""
    left = lif.threshold if lif.soft else ZERO
    for j in range(v.shape[0]):
        drive = np.int32(np.int32(np.int32(a[j] + more[j]) >> lif.shift) << UNIT)
        x = np.int32(min(TOP, max(-TOP, np.int32(np.int32(v[j] + drive) + lif.bias[j]))))
        fired = x > lif.threshold
        reset = np.int32(x - left) if lif.soft else ZERO
        v[j] = reset if fired else x
        count[j] = np.int32(count[j] + np.int32(fired))
        spikes[j] = np.uint8(fired)


@njit(cache=True, nogil=True)
def rate_layer(pixels, rates, phases, full, w, more, lif, counts, trains):
    """The first layer: what an image's spikes add in each step is summed up once for all its labels.

    pixels (samples, inputs) uint8; rates (256,) int32: the q of each, see rate_kernel.encode; w (inputs, n) int16; more
    (steps, labels, n) int32. counts (samples, labels, n) int32 become the spikes of a sample; trains (samples, labels,
    steps, n) uint8 those of each step, or the last of them alone where it holds one step.
    """
    steps, labels, n = more.shape
    events, q = (
        Events(np.empty((steps, w.shape[0]), np.int32), np.empty(steps, np.int32)),
        np.empty(w.shape[0], np.int32),
    )
    a, v = np.empty((steps, n), np.int32), np.empty(n, np.int32)
    for sample in range(counts.shape[0]):
        for i in range(q.shape[0]):
            q[i] = rates[pixels[sample, i]]
        encode(q, phases, full, events)
        a[:] = 0
        for step in range(steps):
            add_rows(w, events.idx[step], events.counts[step], a[step])
        for label in range(labels):
            v[:] = lif.start
            counts[sample, label] = 0
            for step in range(steps):
                spikes = trains[sample, label, min(step, trains.shape[2] - 1)]
                integrate_step(a[step], more[step, label], lif, v, counts[sample, label], spikes)


@njit(cache=True, nogil=True)
def spike_layer(events, w, more, lif, counts, trains):
    """A layer above the first, as rate_layer.

    events (samples, labels, steps, inputs) uint8: the spikes of the layer below; more (1, labels or 1, n) int32.
    """
    ones = np.ones(256, np.int32)
    ones[0] = 0
    idx, x = np.empty(w.shape[0] + 1, np.int32), np.empty(w.shape[0] + 1, np.int32)
    a, v = np.empty(w.shape[1], np.int32), np.empty(w.shape[1], np.int32)
    for sample in range(counts.shape[0]):
        for label in range(counts.shape[1]):
            v[:] = lif.start
            counts[sample, label] = 0
            adds = more[0, label if more.shape[1] > 1 else 0]
            for step in range(events.shape[2]):
                count = list_nonzero(events[sample, label, step], ones, idx, x)
                a[:] = 0
                add_rows(w, idx, count, a)
                spikes = trains[sample, label, min(step, trains.shape[2] - 1)]
                integrate_step(a, adds, lif, v, counts[sample, label], spikes)

"""The first layer under every label at once, nothing learned, in numba: exactly what `presentation.present` gives.

A sample's pixels drive it alike under each label, so their sums are formed once. A label's own drive changes only when
the layer learns, and is kept until then. Where no drive is so low that v left may leave 32 bits, two steps of a neuron
are computed in one pass, without its membrane's saturation.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.backends.emulator.events import drives, list_spikes, mark
from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning_kernels import NeuronConstants, integrate, sums, trace_step
from ff2loihi.processes.limits import ALIGN, POST_TRACE_MAX, V_LIMIT
from ff2loihi.processes.rate_kernel import Events

HIGH = np.int32(1 << 30)  # above every drive
TRACE_BITS, TRACE, SPIKED = np.int32(7), np.int32(POST_TRACE_MAX), np.int32(POST_TRACE_MAX + 1)
HALF_LEAK = 11  # bits: v left 2^-12 of an even left is v (left / 2) 2^-11
LEAK, LOST, SIGN, DRIVE = np.int32(HALF_LEAK), np.int32((1 << HALF_LEAK) - 1), np.int32(31), np.int32(ALIGN)


class Labels(NamedTuple):
    """The labels' events, idx (classes, steps, inputs), and what they drive.

    drive (classes, steps, n) int32; low (classes, n) int32, its smallest; stale (classes,)
    uint8: whose drive has changed; apart: no input belongs to two labels, so to learn one leaves the others alone.
    floor: the smallest drive of pixels and label with which two steps may be computed in one pass, see lowest_drive.
    """

    events: Events
    drive: np.ndarray
    low: np.ndarray
    stale: np.ndarray
    apart: bool
    floor: int

    @classmethod
    def of(cls, events: Events, n: int, floor: int = int(HIGH)) -> "Labels":
        """All drives still to be formed. The label inputs are told apart by who spikes at all."""
        classes, steps = events.counts.shape
        spikes = np.arange(events.idx.shape[2]) < events.counts[:, :, None]
        used = [np.unique(idx[mask]) for idx, mask in zip(events.idx, spikes, strict=True)]
        apart = len(np.unique(np.concatenate(used))) == sum(map(len, used))
        drive, low = np.zeros((classes, steps, n), np.int32), np.zeros((classes, n), np.int32)
        return cls(events, drive, low, np.ones(classes, np.uint8), apart, floor)


def lowest_drive(neuron: NeuronConstants, steps: int) -> int:
    """Of Labels; HIGH where one pass for two steps has no form, or spikes of such a threshold might be missed."""
    left, half = int(neuron.left), max(1, int(neuron.left) // 2)
    most = min(V_LIMIT, ((1 << 31) - (1 << HALF_LEAK)) // half)  # of |v|
    if left % 2 or neuron.threshold > most:
        return int(HIGH)
    reach = sum((left / 4096) ** step for step in range(steps))
    return -int(most / reach / (1 << ALIGN))


@in_place
def refresh(w, labels):
    """Form the drives that are stale."""
    for label in range(labels.stale.shape[0]):
        if labels.stale[label]:
            events = Events(labels.events.idx[label], labels.events.counts[label])
            drives(w, events, events.counts.shape[0], labels.drive[label])
            smallest(labels.drive[label], labels.low[label])
            labels.stale[label] = 0


@in_place
def smallest(drive, low):
    """low (n,): of drive (steps, n)."""
    low[:] = HIGH
    for step in range(drive.shape[0]):
        row = drive[step]
        for j in range(low.shape[0]):
            low[j] = min(low[j], row[j])


@njit(cache=True, nogil=True, inline="always")
def _leak(v, a, half):
    """learning_kernels.membrane where v (left / 2) fits in int32."""
    product = np.int32(v * half)
    kept = np.int32(np.int32(product + np.int32((product >> SIGN) & LOST)) >> LEAK)
    return np.int32(kept + np.int32(a << DRIVE))


@in_place
def _in_pairs(base, drive, neuron, v, r):
    """The traces r (n,) under one label, from the drives of pixels and label; and SPIKED where a neuron did."""
    half, threshold, one = np.int32(neuron.left // 2), neuron.threshold, np.int32(1)
    hard, impulse, keep, top = neuron.hard, neuron.impulse, neuron.keep, neuron.top
    steps = base.shape[0]
    counts = not hard and impulse == 1 and keep == 256 and top >= steps
    v[:], r[:] = 0, 0
    for step in range(0, steps - 1, 2):
        pixels, label, pixels_then, label_then = base[step], drive[step], base[step + 1], drive[step + 1]
        for j in range(v.shape[0]):
            x = _leak(v[j], np.int32(pixels[j] + label[j]), half)
            spike = np.int32(x > threshold)
            x = _leak(x & np.int32(spike - one), np.int32(pixels_then[j] + label_then[j]), half)
            then = np.int32(x > threshold)
            v[j] = x & np.int32(then - one)
            if counts:
                r[j] = np.int32(r[j] + spike + then)
            else:
                kept = trace_step(r[j] & TRACE, spike, hard, impulse, keep, top)
                kept = trace_step(kept, then, hard, impulse, keep, top)
                r[j] = kept | (r[j] & SPIKED) | np.int32((spike | then) << TRACE_BITS)
    if steps % 2:
        pixels, label = base[steps - 1], drive[steps - 1]
        for j in range(v.shape[0]):
            x = _leak(v[j], np.int32(pixels[j] + label[j]), half)
            spike = np.int32(x > threshold)
            if counts:
                r[j] = np.int32(r[j] + spike)
            else:
                kept = trace_step(r[j] & TRACE, spike, hard, impulse, keep, top)
                r[j] = kept | (r[j] & SPIKED) | np.int32(spike << TRACE_BITS)


@in_place
def _every_step(base, drive, layer, v, r, a):
    """The same a step at a time, for every neuron and trace; a (n,): space for its drive."""
    v[:], r[:] = 0, 0
    for step in range(layer.spikes.shape[0]):
        pixels, label = base[step], drive[step]
        for j in range(a.shape[0]):
            a[j] = np.int32(pixels[j] + label[j])
        integrate(v, r, a, layer.spikes[step], layer.neuron)
    mark(layer.spikes, layer.fired)


@in_place
def _lowest(one, other):
    low = one[0] + other[0]
    for j in range(one.shape[0]):
        low = min(low, one[j] + other[j])
    return low


@in_place
def first_layer(layer, base, labels, begin, goodness, spikes):
    """(G+, G-) under the labels begin.. in goodness (classes, 2), from the pixels' drives base (steps, n).

    spikes: events with an axis of labels in front, for the layer above, or of no steps.
    """
    n = base.shape[1]
    refresh(layer.w, labels)
    low, v, a, r = layer.state[0], layer.state[1], layer.state[2], layer.state[3:4]
    smallest(base, low)
    kept = spikes.counts.shape[1] > 0
    for label in range(begin, labels.stale.shape[0]):
        drive = labels.drive[label]
        if not kept and _lowest(low, labels.low[label]) >= labels.floor:
            _in_pairs(base, drive, layer.neuron, v, r[0])
            mark(r, layer.fired)
            for j in range(n):
                r[0, j] &= TRACE
        else:
            _every_step(base, drive, layer, v, r[0], a)
        if kept:
            list_spikes(layer.spikes, Events(spikes.idx[label], spikes.counts[label]))
        goodness[label, 0], goodness[label, 1] = sums(r[0], layer.signs)

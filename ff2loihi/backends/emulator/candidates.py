"""The first layer under every label at once, nothing learned, in numba: exactly what `presentation.present` gives.

A sample's pixels drive it alike under each label, so their sums are formed once. A label's own drive changes only when
the layer learns, and is kept until then. With the largest drive of any label in each step, and without a reset, a
membrane is never below what it is under one label: a step is monotone in v and in its drive, and a reset lowers v. A
neuron that does not spike so is silent under every label. The others are computed for 16 labels side by side.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.backends.emulator.events import Events
from ff2loihi.processes.learning_kernels import add_rows, membrane

LANES = 16  # labels that are computed side by side
NEVER = np.int32(-(1 << 24))  # the drive of a lane that is no label: it never spikes


class Labels(NamedTuple):
    """The labels' events, idx (classes, steps, inputs), and what they drive.

    drive (n, steps, lanes) int32; top (steps, n) int32, the largest; stale (classes,) uint8: whose drive has changed;
    apart: no input belongs to two labels, so to learn one leaves the others as they are.
    """

    events: Events
    drive: np.ndarray
    top: np.ndarray
    stale: np.ndarray
    apart: bool

    @classmethod
    def of(cls, events: Events, n: int) -> "Labels":
        """All drives still to be formed. The label inputs are told apart by who spikes at all."""
        classes, steps = events.counts.shape
        spikes = np.arange(events.idx.shape[2]) < events.counts[:, :, None]
        used = [np.unique(idx[mask]) for idx, mask in zip(events.idx, spikes, strict=True)]
        apart = len(np.unique(np.concatenate(used))) == sum(map(len, used))
        drive = np.full((n, steps, -(-classes // LANES) * LANES), NEVER)
        return cls(events, drive, np.zeros((steps, n), np.int32), np.ones(classes, np.uint8), apart)


@njit(cache=True, nogil=True)
def refresh(w, labels):
    """Form the drives that are stale."""
    changed, row = False, np.zeros(w.shape[1], np.int32)
    for label in range(labels.stale.shape[0]):
        if not labels.stale[label]:
            continue
        for step in range(labels.top.shape[0]):
            row[:] = 0
            add_rows(w, labels.events.idx[label, step], labels.events.counts[label, step], row)
            for j in range(row.shape[0]):
                labels.drive[j, step, label] = row[j]
        labels.stale[label], changed = 0, True
    if changed:
        for j in range(labels.drive.shape[0]):
            for step in range(labels.top.shape[0]):
                top = labels.drive[j, step, 0]
                for label in range(1, labels.stale.shape[0]):
                    top = max(top, labels.drive[j, step, label])
                labels.top[step, j] = top


@njit(cache=True, nogil=True)
def _may_spike(base, top, neuron, v, found):
    """found (n,) int32: 0 for the neurons that are silent under every label."""
    v[:], found[:] = 0, 0
    for step in range(base.shape[0]):
        pixels, most = base[step], top[step]
        for j in range(v.shape[0]):
            x = membrane(v[j], np.int32(pixels[j] + most[j]), neuron.left)
            found[j] |= np.int32(x > neuron.threshold)
            v[j] = x


@njit(cache=True, nogil=True)
def _lanes(base, drive, first, neuron, v, r, seen, train):
    """A neuron under the labels first.. in LANES lanes: v, r, its spikes train (steps, LANES), seen where any."""
    left, threshold = neuron.left, neuron.threshold
    keep, impulse, top = neuron.keep, neuron.impulse, neuron.top
    for c in range(v.shape[0]):
        v[c], r[c], seen[c] = 0, 0, 0
    for step in range(base.shape[0]):
        pixels, labels, spikes = base[step], drive[step, first : first + LANES], train[step]
        for c in range(v.shape[0]):
            x = membrane(v[c], np.int32(pixels + labels[c]), left)
            spike = np.int32(x > threshold)
            spikes[c] = spike
            seen[c] |= spike
            v[c] = x & np.int32(spike - np.int32(1))
        if neuron.hard:
            for c in range(v.shape[0]):
                r[c] = top if spikes[c] else np.int32((r[c] * keep) >> np.int32(8))
        else:
            for c in range(v.shape[0]):
                r[c] = np.int32(min(top, np.int32(np.int32((r[c] * keep) >> np.int32(8)) + impulse * spikes[c])))


@njit(cache=True, nogil=True)
def first_layer(layer, base, labels, begin, goodness, spikes):
    """(G+, G-) under the labels begin.. in goodness (classes, 2), from the pixels' drives base (steps, n).

    spikes: events with an axis of labels in front, for the layer above; of none there, nothing is kept.
    """
    classes, n, steps = labels.stale.shape[0], base.shape[1], base.shape[0]
    refresh(layer.w, labels)
    bound, alive = np.zeros(n, np.int32), np.zeros(n, np.int32)
    _may_spike(base, labels.top, layer.neuron, bound, alive)
    v, r, seen = np.zeros(LANES, np.int32), np.zeros(LANES, np.int32), np.zeros(LANES, np.int32)
    train, kept = np.zeros((steps, LANES), np.int32), spikes.counts.shape[0] > 0
    column = np.zeros(steps, np.int32)
    goodness[begin:] = 0
    spikes.counts[:] = 0
    for j in range(n):
        if not alive[j]:
            continue
        for step in range(steps):
            column[step] = base[step, j]
        side = 0 if layer.signs[j] else 1
        for first in range(0, labels.drive.shape[2], LANES):
            _lanes(column, labels.drive[j], first, layer.neuron, v, r, seen, train)
            for label in range(max(first, begin), min(first + LANES, classes)):
                c = label - first
                if not seen[c]:
                    continue
                layer.fired[j] = 1
                goodness[label, side] += r[c] * r[c]
                for step in range(steps if kept else 0):
                    if train[step, c]:
                        spikes.idx[label, step, spikes.counts[label, step]] = j
                        spikes.counts[label, step] += 1

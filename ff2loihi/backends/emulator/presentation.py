"""One presentation to a learning layer, event by event, in numba: only the rows of inputs that spike are touched.

The arithmetic is that of processes.learning_kernels.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.backends.emulator.events import Events
from ff2loihi.processes.learning_kernels import (
    NeuronConstants,
    add_rows,
    apply_tags,
    decay_post_traces,
    integrate,
    modulation,
    round_step,
    sums,
    update_rows,
    update_tags,
)
from ff2loihi.processes.limits import POST_TRACE_MAX, WEIGHT_MAX, WEIGHT_MIN

DIRECT, TAG = 1, 2  # what an update goes into: the weights, or their tags


class Layer(NamedTuple):
    """A layer's arrays. w (inputs, n) int16, C order; signs (n,) int64: 1 for + neurons; factor, table: of P.

    tag (inputs, n) int16 and active (inputs,) uint8, the inputs that hold one; of one element without the tag rule.
    fired (n,) uint8 becomes 1 where a neuron spikes; spikes: of the last presentation, for the layer above.
    """

    w: np.ndarray
    signs: np.ndarray
    neuron: NeuronConstants
    factor: tuple
    table: np.ndarray
    tag: np.ndarray
    active: np.ndarray
    fired: np.ndarray
    spikes: Events


class Rule(NamedTuple):
    """What the update of all layers shares. kind: DIRECT or TAG; window: the last steps, that learn.

    exponent: of dw; trace_shift: of the post traces, to the right; tag_exponent, tag_decay: of dt; on_chip: each
    synapse is rounded by itself, on the even grid.
    """

    kind: int
    window: int
    exponent: int
    trace_shift: int
    tag_exponent: int
    tag_decay: int
    on_chip: bool


class Draws(NamedTuple):
    """The rounding draws of a presentation's steps: u (period,) int64, floor(128 u); traces (period,) float64. Without
    any nothing is learned, nor do tags move weights.

    chip (1,) uint64: the generator of the draws on the chip, which goes on.
    """

    u: np.ndarray
    traces: np.ndarray
    chip: np.ndarray


class Record(NamedTuple):
    """Where a presentation's states go, if it is on.

    states (steps + 1, 6, n): v, z, r, y2, y3 and a; matrices (2, period, inputs, n): the weights and tags at the end of
    each step.
    """

    on: bool
    states: np.ndarray
    matrices: np.ndarray


@njit(cache=True, nogil=True)
def _bits(state):
    """7 random bits of a 64-bit linear congruential generator (Knuth, MMIX); state (1,) uint64."""
    state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return np.int64(state[0] >> np.uint64(57))


@njit(cache=True, nogil=True)
def _update_rows_on_chip(w, idx, n, delta, state):
    """w on the even 8-bit grid, a rounding draw for each synapse: delta (n,) in 2^-7 LSB."""
    for k in range(n):
        row = w[idx[k]]
        for j in range(row.shape[0]):
            if delta[j]:
                fraction = (_bits(state) << 1) | (_bits(state) & 1)
                moved = row[j] + (((delta[j] + 255 - fraction) >> 8) << 1)
                row[j] = min(WEIGHT_MAX, max(WEIGHT_MIN, moved))


@njit(cache=True, nogil=True)
def _record_weights(record, step, layer):
    tags = layer.tag.shape[0] == layer.w.shape[0]
    for i in range(layer.w.shape[0]):
        for j in range(layer.w.shape[1]):
            record.matrices[0, step, i, j] = layer.w[i, j]
            if tags:
                record.matrices[1, step, i, j] = layer.tag[i, j]


@njit(cache=True, nogil=True)
def _idle(layer, rule, draws, record, spiked, y, first, end):
    """Steps without input, y = 0: tags move weights and decay."""
    for step in range(first, end):
        if rule.kind == TAG:
            apply_tags(layer.w, layer.tag, layer.active, rule.exponent, draws.u[step])
            update_tags(layer.tag, layer.active, spiked, y, rule.tag_exponent, rule.tag_decay, draws.u[step])
        if record.on:
            _record_weights(record, step, layer)


@njit(cache=True, nogil=True)
def present(layer, late, below, label, base, known, rule, phase, draws, record):
    """One presentation, one layer: (G+, G-) at its end; the layer's spikes become events for the layer above.

    late: steps by which the layer is behind the input, idle ones. below, label: the events of two groups of inputs;
    of the first the drive base (steps, n) is known in the first `known` steps. phase: +1, -1, or 0, no learning.
    """
    w, signs, n = layer.w, layer.signs, layer.w.shape[1]
    steps, end = below.counts.shape[0], draws.u.shape[0]
    v, r, z, a = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    y, shared = np.zeros(n, np.int64), np.zeros(n, np.int16)
    tagged = rule.kind == TAG and end > 0
    spiked = np.zeros(w.shape[0] if tagged else 1, np.uint8)
    older, old = (0, 0), (0, 0)  # goodness of the traces two steps and one step ago
    _idle(layer, rule, draws, record, spiked, y, 0, late)
    for i in range(steps + 1):
        if i:
            integrate(v, r, a, z, layer.neuron)
            m = 0
            for j in range(n):
                if z[j]:
                    layer.fired[j] = 1
                    layer.spikes.idx[i - 1, m] = j
                    m += 1
            layer.spikes.counts[i - 1] = m
        in_window = phase != 0 and steps - rule.window <= i < steps
        learns = False
        if in_window:
            plus, minus = modulation(older[0], older[1], phase, layer.factor, layer.table)
            for j in range(n):
                m = plus if signs[j] else minus
                q = min(POST_TRACE_MAX, (r[j] * abs(m) + 32) >> 6) >> rule.trace_shift
                y[j] = q if m > 0 else -q
                learns |= q != 0
            if record.on:
                for j in range(n):
                    record.states[i, 3, j], record.states[i, 4, j] = max(y[j], 0), max(-y[j], 0)
        if i < steps:
            if i < known:
                a[:] = base[i]
            else:
                a[:] = 0
                add_rows(w, below.idx[i], below.counts[i], a)
            add_rows(w, label.idx[i], label.counts[i], a)
        if record.on:
            for j in range(n):
                states = record.states[i]
                states[0, j], states[1, j], states[2, j], states[5, j] = v[j], z[j], r[j], a[j]
        if i < steps and tagged:
            apply_tags(w, layer.tag, layer.active, rule.exponent, draws.u[late + i])
        if learns:
            decay_post_traces(y, draws.traces[late + i])
            if not tagged:
                round_step(y, rule.exponent, draws.u[late + i], shared)
                for group in (below, label):
                    if rule.on_chip:
                        _update_rows_on_chip(w, group.idx[i], group.counts[i], y, draws.chip)
                    else:
                        update_rows(w, group.idx[i], group.counts[i], shared)
        if i < steps and tagged:
            if not in_window:
                y[:] = 0
            for group in (below, label):
                for k in range(group.counts[i]):
                    spiked[group.idx[i, k]] = 1
            update_tags(layer.tag, layer.active, spiked, y, rule.tag_exponent, rule.tag_decay, draws.u[late + i])
            for group in (below, label):
                for k in range(group.counts[i]):
                    spiked[group.idx[i, k]] = 0
        older, old = old, sums(r, signs)
        if record.on and i < steps:
            _record_weights(record, late + i, layer)
    y[:] = 0
    _idle(layer, rule, draws, record, spiked, y, late + steps, end)
    return old

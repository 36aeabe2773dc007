"""One presentation to a learning layer, event by event, in numba: only the rows of inputs that spike are touched.

The arithmetic is that of processes.learning_kernels.
"""

from typing import NamedTuple

import numpy as np

from ff2loihi.backends.emulator.events import mark
from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_kernels import (
    NeuronConstants,
    add_rows,
    apply_tags,
    clear_absent,
    decay_post_traces,
    integrate,
    modulation,
    post_traces,
    round_step,
    sums,
    update_rows,
    update_tags,
)
from ff2loihi.processes.limits import WEIGHT_MAX, WEIGHT_MIN
from ff2loihi.processes.pcg64 import Stream, leap, leap_of, uniform
from ff2loihi.processes.rate_kernel import Events

DIRECT, TAG = 1, 2  # what an update goes into: the weights, or their tags


class Layer(NamedTuple):
    """A layer's arrays. w (inputs, n) int16, C order; signs (n,) int32: 1 for + neurons; factor, table: of P.

    mask: which synapses exist, see learning_kernels.synapse_mask.
    tag (inputs, n) int16 and active (inputs,) uint8, the inputs that hold one; of one element without the tag rule.
    fired (n,) int32 becomes other than 0 where a neuron spikes. spikes (steps, n) int32: of the last presentation;
    listed: the same as events for the layer above, which asks for them. state (5, n) int32, shared (n,) int16, spiked
    (inputs,) uint8, the last of one element without the tag rule: space for a presentation; spiked is 0 between two.
    """

    w: np.ndarray
    mask: np.ndarray
    signs: np.ndarray
    neuron: NeuronConstants
    factor: tuple
    table: np.ndarray
    tag: np.ndarray
    active: np.ndarray
    fired: np.ndarray
    spikes: np.ndarray
    listed: Events
    state: np.ndarray
    shared: np.ndarray
    spiked: np.ndarray


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
    """The rounding draws: Lava's two streams, one value a step whatever is presented, each layer at its own time step.

    u (period,) int64, floor(128 draw), of dw and dt in the steps of one presentation; traces (period,) float64: of the
    post traces' decay, of which Lava draws two and takes the second; without any nothing is learned, nor do tags move
    weights. weights, decays: where the streams stand; weights_leap, decays_leap: over a presentation; passed (1,)
    int64: steps. chip (1,) uint64: the generator of the draws on the chip, which goes on.
    """

    u: np.ndarray
    traces: np.ndarray
    weights: Stream
    decays: Stream
    weights_leap: np.ndarray
    decays_leap: np.ndarray
    passed: np.ndarray
    chip: np.ndarray

    @classmethod
    def of(cls, period: int, passed: int, chip: np.ndarray) -> "Draws":
        """Where so many steps are passed."""
        weights, decays = (np.random.PCG64(ENGINE_SEED).advance(1 + each * passed) for each in (1, 2))
        increment = weights.state["state"]["inc"]
        return cls(
            np.zeros(period, np.int64), np.zeros(period), Stream.of(weights), Stream.of(decays),
            leap_of(increment, period), leap_of(increment, 2 * period), np.array([passed]), chip,
        )  # fmt: skip


@in_place
def draw(draws):
    """The draws of the next presentation."""
    for step in range(draws.u.shape[0]):
        draws.u[step] = np.int64(128 * uniform(draws.weights))
        uniform(draws.decays)
        draws.traces[step] = uniform(draws.decays)
    draws.passed[0] += draws.u.shape[0]


@in_place
def draw_nothing(draws, presentations):
    """Pass the draws of presentations that need none."""
    for _ in range(presentations):
        leap(draws.weights.state, draws.weights_leap)
        leap(draws.decays.state, draws.decays_leap)
    draws.passed[0] += presentations * draws.u.shape[0]


class Record(NamedTuple):
    """Where a presentation's states go, if it is on.

    states (steps + 1, 6, n): v, z, r, y2, y3 and a; matrices (2, period, inputs, n): the weights and tags at the end of
    each step.
    """

    on: bool
    states: np.ndarray
    matrices: np.ndarray


@in_place
def _bits(state):
    """7 random bits of a 64-bit linear congruential generator (Knuth, MMIX); state (1,) uint64."""
    state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return np.int64(state[0] >> np.uint64(57))


@in_place
def _update_rows_on_chip(w, idx, n, delta, state):
    """w on the even 8-bit grid, a rounding draw for each synapse: delta (n,) in 2^-7 LSB."""
    for k in range(n):
        row = w[idx[k]]
        for j in range(row.shape[0]):
            if delta[j]:
                fraction = (_bits(state) << 1) | (_bits(state) & 1)
                moved = row[j] + (((delta[j] + 255 - fraction) >> 8) << 1)
                row[j] = min(WEIGHT_MAX, max(WEIGHT_MIN, moved))


@in_place
def _record_weights(record, step, layer):
    tags = layer.tag.shape[0] == layer.w.shape[0]
    for i in range(layer.w.shape[0]):
        for j in range(layer.w.shape[1]):
            record.matrices[0, step, i, j] = layer.w[i, j]
            if tags:
                record.matrices[1, step, i, j] = layer.tag[i, j]


@in_place
def _idle(layer, rule, draws, record, spiked, y, first, end):
    """Steps without input, y = 0: tags move weights and decay."""
    for step in range(first, end):
        if rule.kind == TAG:
            apply_tags(layer.w, layer.tag, layer.active, rule.exponent, draws.u[step])
            update_tags(layer.tag, layer.active, spiked, y, rule.tag_exponent, rule.tag_decay, draws.u[step])
        if record.on:
            _record_weights(record, step, layer)


@in_place
def present(layer, late, below, label, base, known, rule, phase, draws, record):
    """One presentation, one layer: (G+, G-) at its end.

    late: steps by which the layer is behind the input, idle ones. below, label: the events of two groups of inputs;
    of the first the drive base (steps, n) is known in the first `known` steps. phase: +1, -1, or 0, no learning.
    """
    w, signs, n = layer.w, layer.signs, layer.w.shape[1]
    steps, end = below.counts.shape[0], draws.u.shape[0]
    v, r, z, a, y = layer.state[0], layer.state[1], layer.state[2], layer.state[3], layer.state[4]
    shared, spiked = layer.shared, layer.spiked
    layer.state[:] = 0
    tagged, some_absent = rule.kind == TAG and end > 0, layer.mask.shape[0] > 0
    older, old = (0, 0), (0, 0)  # goodness of the traces two steps and one step ago
    _idle(layer, rule, draws, record, spiked, y, 0, late)
    for i in range(steps + 1):
        if i:
            z = layer.spikes[i - 1]
            integrate(v, r, a, z, layer.neuron)
        in_window = phase != 0 and steps - rule.window <= i < steps
        learns = False
        if in_window:
            plus, minus = modulation(older[0], older[1], phase, layer.factor, layer.table)
            post_traces(r, signs, plus, minus, rule.trace_shift, y)
            learns = y.any()
            if record.on:
                for j in range(n):
                    record.states[i, 3, j], record.states[i, 4, j] = max(y[j], 0), max(-y[j], 0)
        if i < steps:
            if i < known:
                from_pixels = base[i]
                for j in range(n):  # to assign a row costs six times as much
                    a[j] = from_pixels[j]
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
                    if some_absent:
                        clear_absent(w, layer.mask, group.idx[i], group.counts[i])
        if i < steps and tagged:
            if not in_window:
                y[:] = 0
            for group in (below, label):
                for k in range(group.counts[i]):
                    spiked[group.idx[i, k]] = 1
            update_tags(layer.tag, layer.active, spiked, y, rule.tag_exponent, rule.tag_decay, draws.u[late + i])
            for group in (below, label):
                if some_absent:
                    clear_absent(layer.tag, layer.mask, group.idx[i], group.counts[i])
                for k in range(group.counts[i]):
                    spiked[group.idx[i, k]] = 0
        if i == steps or (phase != 0 and i >= steps - rule.window - 2):
            older, old = old, sums(r, signs)
        if record.on and i < steps:
            _record_weights(record, late + i, layer)
    mark(layer.spikes, layer.fired)
    y[:] = 0
    _idle(layer, rule, draws, record, spiked, y, late + steps, end)
    return old

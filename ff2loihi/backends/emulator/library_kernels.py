"""The network of library neurons event by event, in numba: what Lava computes in each of a step's four time steps.

See processes.library_rule for the slots A1, A2, B1, B2. A link takes one time step: a thermometer sees the squares of
the counts two steps ago, a gate the counts of one step before its thermometer's spike, a neuron its gate's spike of the
step before.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning_kernels import BITS, CLIP_HIGH, UP, V_TOP, W_HIGH, W_LOW, add_rows, sums
from ff2loihi.processes.limits import UPDATE_BITS, V_LIMIT

FALL = 4 << UPDATE_BITS  # of a weight that falls, in 2^-7 LSB
WRAP = float(V_LIMIT + 1)  # u beyond it continues at the other end of 24 bits

V, Z, R, GATE, DRIVE = 0, 1, 2, 3, 4  # columns of the recorded states
# What a presentation sends: messages of the neurons, counts (as many squares), thermometers, products and gates; and
# the synapses of forced neurons whose input has just spiked
NEURON, COUNT, THERMOMETER, PRODUCT, GATES, TAUGHT = range(6)


class Layer(NamedTuple):
    """A layer's arrays. w (inputs, n) int16, C order; signs (n,) int64: 1 for + neurons.

    mask: which synapses exist, see learning_kernels.synapse_mask.
    neuron: (1 - dv / 4096, vth << 6, a gate's force << 6). factor: (shift, E, gain, gate's vth << 6). pairs (GROUPS, 2)
    int64: the thermometers' weights; thresholds (GROUPS, K). gate (n,) float64: the gates' v, which lives on. fired
    (n,) int64 becomes other than 0 where a neuron spikes by itself. space: of a presentation.
    """

    w: np.ndarray
    mask: np.ndarray
    signs: np.ndarray
    neuron: tuple[float, float, float]
    factor: tuple[int, int, int, float]
    pairs: np.ndarray
    thresholds: np.ndarray
    gate: np.ndarray
    fired: np.ndarray
    space: "Space"


class Space(NamedTuple):
    """What a presentation works in. v (n,) float64, a (n,) int32; neurons (9, n) int64, of which the last row stays 0.

    t (GROUPS, K) float64, groups (3, GROUPS) int64: of the thermometers; off (GROUPS,) uint8 stays 0.
    """

    v: np.ndarray
    a: np.ndarray
    neurons: np.ndarray
    t: np.ndarray
    groups: np.ndarray
    off: np.ndarray

    @classmethod
    def of(cls, n: int, thresholds: np.ndarray) -> "Space":
        """For n neurons and thermometers of those thresholds (GROUPS, K)."""
        groups = len(thresholds)
        return cls(
            np.zeros(n), np.zeros(n, np.int32), np.zeros((9, n), np.int64), np.zeros(thresholds.shape),
            np.zeros((3, groups), np.int64), np.zeros(groups, np.uint8),
        )  # fmt: skip


class Record(NamedTuple):
    """Where a presentation's states go, if it is on; then no step of it is quiet.

    states (4 steps, 5, n): v, z, r, gate and a of each time step; units (4 steps, GROUPS, K): the thermometers' v;
    matrices (steps, inputs, n): the weights after each logical step.
    """

    on: bool
    states: np.ndarray
    units: np.ndarray
    matrices: np.ndarray


@njit(cache=True, nogil=True, inline="always")
def _current(a):
    """u = a << 6, wrapped at 24 bits as Lava does."""
    u = 64.0 * a
    u -= 2 * WRAP if u > WRAP else 0.0
    u += 2 * WRAP if u <= -WRAP else 0.0
    return u


@in_place
def _force(v, gates, share, threshold, force, z):
    """A time step whose only input is the gates' spikes: z, the spikes that they force."""
    for j in range(v.shape[0]):
        x = np.trunc(v[j] * share)
        z[j] = 0
        if gates[j]:
            x = min(V_TOP, x + force)
            if x > threshold:
                x, z[j] = 0.0, 1
        v[j] = x


@in_place
def _decay(v, share, times):
    for _ in range(times):
        for j in range(v.shape[0]):
            v[j] = np.trunc(v[j] * share)


@in_place
def _integrate(v, a, share, threshold, z):
    """Slot B1: the drive of the inputs, and the neurons' own spikes."""
    for j in range(v.shape[0]):
        x = min(V_TOP, max(-V_TOP, np.trunc(v[j] * share) + _current(a[j])))
        z[j] = x > threshold
        v[j] = 0.0 if z[j] else x


@in_place
def _active(r):
    found = 0
    for j in range(r.shape[0]):
        found += r[j] > 0
    return found


@in_place
def _products(r, spikes, signs):
    """How many products r m are not 0; spikes (groups,): of the thermometers, m by the neurons' signs."""
    found = 0
    for j in range(r.shape[0]):
        found += r[j] * (spikes[0] + spikes[2] if signs[j] else spikes[1] + spikes[3]) > 0
    return found


@in_place
def _thermometers(t, goodness, enabled, weights, shift, thresholds, enable, spikes):
    """A time step of all units, t (groups, K) their v; spikes (groups,): how many of each group spike."""
    for group in range(t.shape[0]):
        a = (weights[group, 0] * goodness[0] + weights[group, 1] * goodness[1]) >> shift
        a += enable if enabled[group] else 0
        u = _current(a)
        spikes[group] = 0
        for k in range(t.shape[1]):
            x = np.trunc(t[group, k] / 4096.0) + u - 64.0 * thresholds[group, k]
            x = min(V_TOP, max(-V_TOP, x))
            if x > 64.0 * enable:
                x = 0.0
                spikes[group] += 1
            t[group, k] = x


@in_place
def _gather(gate, r, m_plus, m_minus, signs, gain, threshold, fired):
    """A time step of the gates: v += (gain r m) << 6, a spike above the threshold, then 0."""
    for j in range(gate.shape[0]):
        x = min(V_TOP, gate[j] + 64.0 * (gain * r[j] * (m_plus if signs[j] else m_minus)))
        fired[j] = x > threshold
        gate[j] = 0.0 if fired[j] else x


@in_place
def _teach(w, mask, idx, n, grow, fall, u):
    """dw = 2^1 x0 y0 - 2^-2 y0 x1: w + 2 of neurons that grow; of those that fall w + 2, clipped in 16 bits of 2^-7
    LSB, then - 4, which leaves a weight of 254 or 255 a fraction to be rounded by u = floor(128 draw). Returns how many
    synapses of forced neurons there are."""
    taught, some_absent = 0, mask.shape[0] > 0
    for j in range(grow.shape[0]):
        if not (grow[j] or fall[j]):
            continue
        for k in range(n):
            if some_absent and not mask[idx[k], j]:
                continue
            taught += 1
            x = np.int64(w[idx[k], j])
            if grow[j]:
                w[idx[k], j] = min(W_HIGH, x + 2)
            else:
                w[idx[k], j] = max(W_LOW, (min(CLIP_HIGH, (x + 2) << BITS) - FALL + UP - u) >> BITS)
    return taught


@in_place
def _copy(of, to):
    for i in range(of.shape[0]):
        for j in range(of.shape[1]):
            to[i, j] = of[i, j]


@in_place
def _record_states(states, t, v, z, r, gate, a):
    for j in range(v.shape[0]):
        states[t, 0, j], states[t, 1, j], states[t, 2, j], states[t, 3, j] = v[j], z[j], r[j], gate[j]
        states[t, 4, j] = a[j]


@in_place
def _quiet_step(v, a, b, share, threshold, z):
    """The four slots of a step that no gate forces anything in, from the drive a + b of inputs and label: spikes z."""
    for j in range(v.shape[0]):
        x = np.trunc(np.trunc(np.trunc(v[j] * share) * share) * share) + _current(np.float64(np.int32(a[j] + b[j])))
        x = min(V_TOP, max(-V_TOP, x))
        spike = x > threshold
        z[j] = np.int64(spike)
        v[j] = 0.0 if spike else np.trunc(x * share)


@in_place
def counts(pixels, label, layer, r):
    """r (n,) int64: the spikes of each neuron in a presentation that teaches nothing, from drives (steps, n).

    Works in layer.space: in its v and the first of its neurons' rows.
    """
    share, threshold, _ = layer.neuron
    v, z = layer.space.v, layer.space.neurons[0]
    v[:], r[:] = 0, 0
    for i in range(pixels.shape[0]):
        _quiet_step(v, pixels[i], label[i], share, threshold, z)
        for j in range(r.shape[0]):
            r[j] += z[j]


@in_place
def present(layer, pixels, label, base, quiet, enabled, u, sent, record):
    """One presentation with all its gates: (G+, G-) at its end.

    pixels, label: the events of two groups of inputs; of the first the drive base (steps, n) is known in the first
    `quiet` steps, in which no thermometer is enabled, so that no gate spikes.
    enabled (steps, 2, GROUPS) uint8: the thermometers' enables of a step, in A2 (for slot A1) and in B1 (for A2).
    u (steps,) int64: floor(128 draw) of the epochs A1, A2. sent (6,) int64, or None: grows by what is sent in steps
    that are not quiet, see NEURON.
    """
    w, signs, weights, thresholds, gate = layer.w, layer.signs, layer.pairs, layer.thresholds, layer.gate
    steps, n = pixels.counts.shape[0], w.shape[1]
    share, threshold, force = layer.neuron
    shift, enable, gain, gate_threshold = layer.factor
    v, a, t, neurons = layer.space.v, layer.space.a, layer.space.t, layer.space.neurons
    r, nothing = neurons[0], neurons[8]
    grow, fall, own = neurons[1], neurons[2], neurons[3]  # forced in A1, in A2; in B1
    grown, fallen = neurons[4], neurons[5]  # gates that spiked for A1, for A2
    late_r, early_r = neurons[6], neurons[7]
    late, early, spikes = layer.space.groups[0], layer.space.groups[1], layer.space.groups[2]
    v[:], t[:], neurons[:], layer.space.groups[:] = 0, 0, 0, 0
    before_b1, before_b2 = (0, 0), (0, 0)  # goodness of the counts in B1 and B2 of the step before
    for i in range(quiet):
        a[:] = 0
        add_rows(w, label.idx[i], label.counts[i], a)
        _quiet_step(v, base[i], a, share, threshold, own)
        for goodness in (before_b1, before_b2, before_b2, before_b2):
            _thermometers(t, goodness, layer.space.off, weights, shift, thresholds, enable, spikes)
        for j in range(n):
            r[j] += own[j]
            layer.fired[j] |= own[j]
        before_b1, before_b2 = before_b2, sums(r, signs)
    for i in range(quiet, steps):
        # A1: gates of the step before force, the late gates gather
        _force(v, grown, share, threshold, force, grow)
        for j in range(n):
            r[j] -= grown[j]
        _thermometers(t, before_b1, layer.space.off, weights, shift, thresholds, enable, spikes)
        _gather(gate, late_r, late[0] + late[2], late[1] + late[3], signs, gain, gate_threshold, fallen)
        in_a1 = sums(r, signs)
        if sent is not None:
            sent[COUNT] += _active(r)
            sent[PRODUCT] += _products(late_r, late, signs)
        if record.on:
            _record_states(record.states, 4 * i, v, grow, r, gate, nothing)
            _copy(t, record.units[4 * i])
        # A2: the input's drive, from weights that this step has not taught yet; what the gates teach
        _force(v, fallen, share, threshold, force, fall)
        for j in range(n):
            r[j] += grow[j] - fallen[j]
        _thermometers(t, before_b2, enabled[i, 0], weights, shift, thresholds, enable, early)
        a[:] = 0
        for group in (pixels, label):
            add_rows(w, group.idx[i], group.counts[i], a)
        taught = 0
        for group in (pixels, label):
            taught += _teach(w, layer.mask, group.idx[i], group.counts[i], grow, fall, u[i])
        in_a2 = sums(r, signs)
        if sent is not None:
            sent[COUNT] += _active(r)
            sent[PRODUCT] += _products(r, early, signs)
        for j in range(n):
            early_r[j] = r[j]
        if record.on:
            _record_states(record.states, 4 * i + 1, v, fall, r, gate, a)
            _copy(t, record.units[4 * i + 1])
        # B1: own spikes
        _integrate(v, a, share, threshold, own)
        for j in range(n):
            r[j] += fall[j]
            late_r[j] = r[j]
            layer.fired[j] |= own[j]
        _thermometers(t, in_a1, enabled[i, 1], weights, shift, thresholds, enable, late)
        if sent is not None:
            sent[COUNT] += _active(r)
        before_b1 = sums(r, signs)
        if record.on:
            _record_states(record.states, 4 * i + 2, v, own, r, gate, nothing)
            _copy(t, record.units[4 * i + 2])
        # B2: they are counted, the early gates gather
        _decay(v, share, 1)
        for j in range(n):
            r[j] += own[j]
        _thermometers(t, in_a2, layer.space.off, weights, shift, thresholds, enable, spikes)
        _gather(gate, early_r, early[0] + early[2], early[1] + early[3], signs, gain, gate_threshold, grown)
        before_b2 = sums(r, signs)
        if sent is not None:
            sent[NEURON] += grow.sum() + fall.sum() + own.sum()
            sent[COUNT] += _active(r)
            sent[THERMOMETER] += early.sum() + late.sum()
            sent[GATES] += grown.sum() + fallen.sum()
            sent[TAUGHT] += taught
        if record.on:
            _record_states(record.states, 4 * i + 3, v, nothing, r, gate, nothing)
            _copy(t, record.units[4 * i + 3])
            _copy(w, record.matrices[i])
    if sent is not None:
        sent[COUNT] += _active(r)  # in the time step before they are cleared
    return before_b2

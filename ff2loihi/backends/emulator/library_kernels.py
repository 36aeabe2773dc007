"""The network of library neurons event by event, in numba: what Lava computes in each of a step's four time steps.

See processes.library_rule for the slots A1, A2, B1, B2. A link takes one time step: a thermometer sees the squares of
the counts two steps ago, a gate the counts of one step before its thermometer's spike, a neuron its gate's spike of the
step before.
"""

import numpy as np
from numba import njit

from ff2loihi.processes.learning_kernels import BITS, CLIP_HIGH, UP, V_TOP, W_HIGH, W_LOW, add_rows, sums
from ff2loihi.processes.limits import UPDATE_BITS, V_LIMIT

FALL = 4 << UPDATE_BITS  # of a weight that falls, in 2^-7 LSB
WRAP = float(V_LIMIT + 1)  # u beyond it continues at the other end of 24 bits

V, Z, R, GATE, DRIVE = 0, 1, 2, 3, 4  # columns of the recorded states
# What a presentation sends: messages of the neurons, counts (as many squares), thermometers, products and gates; and
# the synapses of forced neurons whose input has just spiked
NEURON, COUNT, THERMOMETER, PRODUCT, GATES, TAUGHT = range(6)


@njit(cache=True, nogil=True)
def _current(a):
    """u = a << 6, wrapped at 24 bits as Lava does."""
    u = 64.0 * a
    if u > WRAP:
        return u - 2 * WRAP
    if u <= -WRAP:
        return u + 2 * WRAP
    return u


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _decay(v, share, times):
    for _ in range(times):
        for j in range(v.shape[0]):
            v[j] = np.trunc(v[j] * share)


@njit(cache=True, nogil=True)
def _integrate(v, a, share, threshold, z):
    """Slot B1: the drive of the inputs, and the neurons' own spikes."""
    for j in range(v.shape[0]):
        x = min(V_TOP, max(-V_TOP, np.trunc(v[j] * share) + _current(a[j])))
        z[j] = x > threshold
        v[j] = 0.0 if z[j] else x


@njit(cache=True, nogil=True)
def _active(r):
    found = 0
    for j in range(r.shape[0]):
        found += r[j] > 0
    return found


@njit(cache=True, nogil=True)
def _products(r, spikes, signs):
    """How many products r m are not 0; spikes (groups,): of the thermometers, m by the neurons' signs."""
    found = 0
    for j in range(r.shape[0]):
        found += r[j] * (spikes[0] + spikes[2] if signs[j] else spikes[1] + spikes[3]) > 0
    return found


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _gather(gate, r, m_plus, m_minus, signs, gain, threshold, fired):
    """A time step of the gates: v += (gain r m) << 6, a spike above the threshold, then 0."""
    for j in range(gate.shape[0]):
        x = min(V_TOP, gate[j] + 64.0 * (gain * r[j] * (m_plus if signs[j] else m_minus)))
        fired[j] = x > threshold
        gate[j] = 0.0 if fired[j] else x


@njit(cache=True, nogil=True)
def _teach(w, idx, n, grow, fall, u):
    """dw = 2^1 x0 y0 - 2^-2 y0 x1: w + 2 of neurons that grow; of those that fall w + 2, clipped in 16 bits of 2^-7
    LSB, then - 4, which leaves a weight of 254 or 255 a fraction to be rounded by u = floor(128 draw)."""
    for j in range(grow.shape[0]):
        if not (grow[j] or fall[j]):
            continue
        for k in range(n):
            x = np.int64(w[idx[k], j])
            if grow[j]:
                w[idx[k], j] = min(W_HIGH, x + 2)
            else:
                w[idx[k], j] = max(W_LOW, (min(CLIP_HIGH, (x + 2) << BITS) - FALL + UP - u) >> BITS)


@njit(cache=True, nogil=True)
def _record_states(states, t, v, z, r, gate, a):
    for j in range(v.shape[0]):
        states[t, 0, j], states[t, 1, j], states[t, 2, j], states[t, 3, j] = v[j], z[j], r[j], gate[j]
        states[t, 4, j] = a[j]


@njit(cache=True, nogil=True)
def counts(w, base, idx, count, share, threshold):
    """The spikes of each neuron in a presentation that teaches nothing, (n,) int64.

    base (steps, n): drive that the rows of the events add to.
    """
    n = w.shape[1]
    v, a, z, r = np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i in range(count.shape[0]):
        a[:] = base[i]
        add_rows(w, idx[i], count[i], a)
        _integrate(v, a, share, threshold, z)
        for j in range(n):
            r[j] += z[j]
        _decay(v, share, 3)
    return r


@njit(cache=True, nogil=True)
def classify(w, base, idx, count, signs, share, threshold, counted):
    """A presentation that teaches nothing, see counts: (G+, G-). counted (n,) uint8 becomes 1 where a neuron spikes."""
    r = counts(w, base, idx, count, share, threshold)
    for j in range(r.shape[0]):
        if r[j]:
            counted[j] = 1
    return sums(r, signs)


@njit(cache=True, nogil=True)
def candidates(w, base, label_idx, label_count, signs, share, threshold, counted, result):
    """`classify` under every label: result (labels, 2)."""
    for label in range(label_idx.shape[0]):
        result[label, 0], result[label, 1] = classify(
            w, base, label_idx[label], label_count[label], signs, share, threshold, counted
        )


@njit(cache=True, nogil=True)
def present(
    w, idx, count, signs, neuron, factor, weights, thresholds, enabled, u, gate, counted, sent, record, states,
    units, matrices,
):  # fmt: skip
    """One presentation with all its gates: (G+, G-) at its end.

    neuron: (1 - dv / 4096, vth << 6, a gate's force << 6). factor: (shift, E, gain, gate's vth << 6).
    enabled (steps, 2, GROUPS) uint8: the thermometers' enables of a step, in A2 (for slot A1) and in B1 (for A2).
    u (steps,) int64: floor(128 draw) of the epochs A1, A2. gate (n,) float64: the gates' v, which lives on.
    counted (n,) uint8 becomes 1 where a neuron spikes by itself. sent (6,) int64, or None: grows by what is sent, see
    NEURON.
    record: states (4 steps, 5, n): v, z, r, gate and a of each time step; units (4 steps, GROUPS, K): the
    thermometers' v; matrices (steps, inputs, n): the weights after each logical step.
    """
    steps, n, groups = count.shape[0], w.shape[1], weights.shape[0]
    share, threshold, force = neuron
    shift, enable, gain, gate_threshold = factor
    v, a, r = np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int64)
    grow, fall, own = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)  # forced in A1, in A2; in B1
    nothing, off = np.zeros(n, np.int64), np.zeros(groups, np.uint8)
    grown, fallen = np.zeros(n, np.int64), np.zeros(n, np.int64)  # gates that spiked for A1, for A2
    t, late, early, spikes = (
        np.zeros(thresholds.shape), np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int64),
    )  # fmt: skip
    before_b1, before_b2 = (0, 0), (0, 0)  # goodness of the counts in B1 and B2 of the step before
    late_r = np.zeros(n, np.int64)
    for i in range(steps):
        # A1: gates of the step before force, the late gates gather
        _force(v, grown, share, threshold, force, grow)
        for j in range(n):
            r[j] -= grown[j]
        _thermometers(t, before_b1, off, weights, shift, thresholds, enable, spikes)
        _gather(gate, late_r, late[0] + late[2], late[1] + late[3], signs, gain, gate_threshold, fallen)
        in_a1 = sums(r, signs)
        if sent is not None:
            sent[COUNT] += _active(r)
            sent[PRODUCT] += _products(late_r, late, signs)
        if record:
            _record_states(states, 4 * i, v, grow, r, gate, nothing)
            units[4 * i] = t
        # A2: the input's drive, from weights that this step has not taught yet; what the gates teach
        _force(v, fallen, share, threshold, force, fall)
        for j in range(n):
            r[j] += grow[j] - fallen[j]
        _thermometers(t, before_b2, enabled[i, 0], weights, shift, thresholds, enable, early)
        a[:] = 0
        add_rows(w, idx[i], count[i], a)
        _teach(w, idx[i], count[i], grow, fall, u[i])
        in_a2 = sums(r, signs)
        if sent is not None:
            sent[COUNT] += _active(r)
            sent[PRODUCT] += _products(r, early, signs)
        early_r = r.copy()
        if record:
            _record_states(states, 4 * i + 1, v, fall, r, gate, a)
            units[4 * i + 1] = t
        # B1: own spikes
        _integrate(v, a, share, threshold, own)
        for j in range(n):
            r[j] += fall[j]
            if own[j]:
                counted[j] = 1
        _thermometers(t, in_a1, enabled[i, 1], weights, shift, thresholds, enable, late)
        late_r[:] = r
        if sent is not None:
            sent[COUNT] += _active(r)
        before_b1 = sums(r, signs)
        if record:
            _record_states(states, 4 * i + 2, v, own, r, gate, nothing)
            units[4 * i + 2] = t
        # B2: they are counted, the early gates gather
        _decay(v, share, 1)
        for j in range(n):
            r[j] += own[j]
        _thermometers(t, in_a2, off, weights, shift, thresholds, enable, spikes)
        _gather(gate, early_r, early[0] + early[2], early[1] + early[3], signs, gain, gate_threshold, grown)
        before_b2 = sums(r, signs)
        if sent is not None:
            forced = grow.sum() + fall.sum()
            sent[NEURON] += forced + own.sum()
            sent[COUNT] += _active(r)
            sent[THERMOMETER] += early.sum() + late.sum()
            sent[GATES] += grown.sum() + fallen.sum()
            sent[TAUGHT] += forced * count[i]
        if record:
            _record_states(states, 4 * i + 3, v, nothing, r, gate, nothing)
            units[4 * i + 3] = t
            matrices[i] = w
    if sent is not None:
        sent[COUNT] += _active(r)  # in the time step before they are cleared
    return before_b2

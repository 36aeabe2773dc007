"""The learning layer event by event, in numba: only the rows of inputs that spike are touched.

The arithmetic is that of processes.learning_kernels.
"""

import numpy as np
from numba import njit

from ff2loihi.processes.learning_kernels import (
    add_rows,
    apply_tags,
    hold,
    integrate,
    modulation,
    round_step,
    sums,
    update_rows,
    update_tags,
)

NO_LEARNING, DIRECT, TAG = 0, 1, 2


@njit(cache=True, nogil=True)
def encode(q, phases, full, idx, count):
    """Spikes of inputs at rate q / full: idx[step, :count[step]] are the inputs that spike. Sorted."""
    count[:] = 0
    for i in range(q.shape[0]):
        if q[i] == 0:
            continue
        acc = phases[i]
        for step in range(count.shape[0]):
            acc += q[i]
            if acc >= full:
                acc -= full
                idx[step, count[step]] = i
                count[step] += 1


@njit(cache=True, nogil=True)
def events(spikes, first, idx, count):
    """Spikes (steps, inputs) bool in the form of `encode`; first: the index of their first input."""
    count[:] = 0
    for step in range(spikes.shape[0]):
        for i in range(spikes.shape[1]):
            if spikes[step, i]:
                idx[step, count[step]] = first + i
                count[step] += 1


@njit(cache=True, nogil=True)
def merge(idx, count, more_idx, more_count, out_idx, out_count):
    """The events of two groups of inputs in one list."""
    for step in range(count.shape[0]):
        n, m = count[step], more_count[step]
        out_idx[step, :n] = idx[step, :n]
        out_idx[step, n : n + m] = more_idx[step, :m]
        out_count[step] = n + m


@njit(cache=True, nogil=True)
def drives(w, idx, count, out):
    """out (steps, n): the sum of the rows that spike in each step."""
    out[:] = 0
    for step in range(count.shape[0]):
        add_rows(w, idx[step], count[step], out[step])


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
                row[j] = min(254, max(-256, row[j] + (((delta[j] + 255 - fraction) >> 8) << 1)))


@njit(cache=True, nogil=True)
def _keep(matrices, i, w, tag):
    matrices[0, i] = w
    if tag.shape[0] == w.shape[0]:
        matrices[1, i] = tag


@njit(cache=True, nogil=True)
def _idle(w, tag, active, spiked, y, exponent, tag_exponent, tag_decay, learning, u, first, end, keep_states, matrices):
    """Steps without input, y = 0: tags move weights and decay."""
    for step in range(first, end):
        if learning == TAG:
            apply_tags(w, tag, active, exponent, u[step])
            update_tags(tag, active, spiked, y, tag_exponent, tag_decay, u[step])
        if keep_states:
            _keep(matrices, step, w, tag)


@njit(cache=True, nogil=True)
def layer(
    w, late, idx, count, base, signs, neuron, factor, table, learning, phase, window, exponent, halve, u, draws,
    tag, active, tag_exponent, tag_decay, on_chip, state, fired, out_idx, out_count, keep_states, states, matrices,
):  # fmt: skip
    """One presentation, one layer: (G+, G-) at its end; the layer's spikes as events for the layer above.

    base (steps, n) or (0, n): drive to which the events' rows are added. signs (n,): 1 for + neurons.
    neuron: (1 - dv / 4096, vth << 6, trace hard, impulse, keep, top). factor: (sigmoid, gain, theta, target, shift).
    late: steps by which the layer is behind the input; u, draws (period,): the rounding draws of each of the input's
    steps, u as floor(128 u): the first `late` of them are idle.
    fired (n,): becomes 1 where a neuron spikes. keep_states: states (steps + 1, 6, n) takes v, z, r, y2, y3 and a;
    matrices (2, period, inputs, n) the weights and tags at the end of each step.
    """
    steps, n = count.shape[0], w.shape[1]
    v, r, z, a = np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    y, shared = np.zeros(n, np.int64), np.zeros(n, np.int16)
    spiked = np.zeros(w.shape[0] if learning == TAG else 1, np.uint8)
    older, old = (0, 0), (0, 0)  # goodness of the traces two steps and one step ago
    _idle(w, tag, active, spiked, y, exponent, tag_exponent, tag_decay, learning, u, 0, late, keep_states, matrices)
    for i in range(steps + 1):
        if i:
            integrate(v, r, a, z, neuron[0], neuron[1], neuron[2], neuron[3], neuron[4], neuron[5])
            m = 0
            for j in range(n):
                if z[j]:
                    fired[j] = 1
                    out_idx[i - 1, m] = j
                    m += 1
            out_count[i - 1] = m
        in_window = phase != 0 and steps - window <= i < steps
        if in_window:
            plus, minus = modulation(older[0], older[1], phase, factor, table)
            for j in range(n):
                m = plus if signs[j] else minus
                q = min(127, (r[j] * abs(m) + 32) >> 6) >> halve
                y[j] = q if m > 0 else -q
            if keep_states:
                for j in range(n):
                    states[i, 3, j], states[i, 4, j] = max(y[j], 0), max(-y[j], 0)
        if i < steps:
            a[:] = 0
            if base.shape[0]:
                a[:] = base[i]
            add_rows(w, idx[i], count[i], a)
        if keep_states:
            for j in range(n):
                states[i, 0, j], states[i, 1, j], states[i, 2, j], states[i, 5, j] = v[j], z[j], r[j], a[j]
        if i < steps and learning == TAG:
            apply_tags(w, tag, active, exponent, u[late + i])
        if in_window:
            hold(y, draws[late + i])
            if learning == DIRECT:
                round_step(y, exponent, u[late + i], shared)
                if on_chip:
                    _update_rows_on_chip(w, idx[i], count[i], y, state)
                else:
                    update_rows(w, idx[i], count[i], shared)
        if i < steps and learning == TAG:
            if not in_window:
                y[:] = 0
            for k in range(count[i]):
                spiked[idx[i, k]] = 1
            update_tags(tag, active, spiked, y, tag_exponent, tag_decay, u[late + i])
            for k in range(count[i]):
                spiked[idx[i, k]] = 0
        older, old = old, sums(r, signs)
        if keep_states and i < steps:
            _keep(matrices, late + i, w, tag)
    y[:] = 0
    begin, end = late + steps, u.shape[0]
    _idle(w, tag, active, spiked, y, exponent, tag_exponent, tag_decay, learning, u, begin, end, keep_states, matrices)
    return old


@njit(cache=True, nogil=True)
def first_layer(
    w, base, label_idx, label_count, signs, neuron, factor, table, u, draws, tag, active, state, fired, spikes, counts,
    result,
):  # fmt: skip
    """`layer` under every label without learning: result (labels, 2); the spikes of label c in spikes[c], counts[c]."""
    states, matrices = np.zeros((1, 6, 1), np.int64), np.zeros((2, 1, 1, 1), np.int16)
    for label in range(label_idx.shape[0]):
        result[label, 0], result[label, 1] = layer(
            w, 0, label_idx[label], label_count[label], base, signs, neuron, factor, table, NO_LEARNING, 0, 0, 0, 0, u,
            draws, tag, active, 0, 0, False, state, fired, spikes[label], counts[label], False, states, matrices,
        )  # fmt: skip

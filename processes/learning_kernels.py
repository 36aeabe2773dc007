"""The learning layer's arithmetic in numba: processes.learning_rule stated a second time, in loops over integers.

The emulator and the fused process models run these; a test holds both statements together.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning_rule import (
    BALANCE_MAX,
    SIGMOID_ONE,
    SYMMETRIC_ONE,
    TABLE_SIZE,
    Neuron,
    OutputTrace,
    ThirdFactor,
)
from ff2loihi.processes.limits import (
    ALIGN,
    POST_TRACE_MAX,
    TAG_MAX,
    TAG_MIN,
    TRACE_DECAY_TAU,
    UPDATE_BITS,
    V_LIMIT,
    WEIGHT_MIN,
)

V_TOP = float(V_LIMIT)
DECAY = np.exp(-1 / TRACE_DECAY_TAU)
KEPT = DECAY * np.arange(POST_TRACE_MAX + 1)
LOSES_AT = KEPT - np.floor(KEPT)  # of each trace: the smallest draw at which it loses a unit
LOSES_AT[0] = 1  # no draw
LOSES = LOSES_AT[POST_TRACE_MAX]  # the smallest of them
Y_TOP = np.int32(POST_TRACE_MAX)
W_LOW, W_HIGH = np.int32(WEIGHT_MIN), np.int32(-WEIGHT_MIN - 1)  # of a weight after an update, which may be odd
T_LOW, T_HIGH = np.int32(TAG_MIN), np.int32(TAG_MAX)
BITS, UP = np.int32(UPDATE_BITS), np.int32((1 << UPDATE_BITS) - 1)  # of an update's fraction; what rounds it up
CLIP_LOW, CLIP_HIGH = np.int32((WEIGHT_MIN << UPDATE_BITS) - 1), np.int32(-(WEIGHT_MIN << UPDATE_BITS) - 1)
LIMIT, SHIFT, FRACTION = np.int32(V_LIMIT), np.int32(12), np.int32(4095)  # of v; of the leak's 4096ths


class NeuronConstants(NamedTuple):
    """What the kernels take of a neuron and its trace: 4096 - dv, vth << 6, and the trace's numbers; all int32."""

    left: np.int32
    threshold: np.int32
    hard: np.int32  # 1: a spike sets the trace to its top
    impulse: np.int32
    keep: np.int32
    top: np.int32


def neuron_constants(neuron: Neuron, trace: OutputTrace) -> NeuronConstants:
    """The constants of a layer's neurons."""
    numbers = (
        4096 - neuron.dv, neuron.vth << ALIGN, trace.kind == "hard-li", trace.impulse, trace.keep, trace.top,
    )  # fmt: skip
    return NeuronConstants(*map(np.int32, numbers))


def factor_constants(factor: ThirdFactor) -> tuple:
    """What the kernels take beside the table: (sigmoid, gain, theta, target, shift)."""
    return (int(factor.probability == "sigmoid"), factor.gain, factor.theta, factor.target, factor.balance_shift)


def synapse_mask(exists: np.ndarray | None) -> np.ndarray:
    """What `clear_absent` takes: -1 where a synapse exists (n, inputs) and 0 elsewhere, (inputs, n) int16.

    Empty where all of them exist.
    """
    return np.zeros((0, 0), np.int16) if exists is None else np.array(-exists.T.astype(np.int16), order="C")


@in_place
def clear_absent(matrix, mask, idx, n):
    """Weights or tags that an update of the rows that spiked gave to synapses that do not exist are 0 again."""
    for k in range(n):
        row, exists = matrix[idx[k]], mask[idx[k]]
        for j in range(row.shape[0]):
            row[j] &= exists[j]


@in_place
def add_rows(w, idx, n, out):
    """out (int32) += the rows of w that spike, eight at a time: their sum fits in int16, and out is passed once."""
    k = 0
    while k + 7 < n:
        first, second, third, fourth = w[idx[k]], w[idx[k + 1]], w[idx[k + 2]], w[idx[k + 3]]
        fifth, sixth, seventh, eighth = w[idx[k + 4]], w[idx[k + 5]], w[idx[k + 6]], w[idx[k + 7]]
        for j in range(out.shape[0]):
            half = np.int16(first[j] + second[j] + third[j] + fourth[j])
            out[j] = np.int32(out[j] + np.int16(half + fifth[j] + sixth[j] + seventh[j] + eighth[j]))
        k += 8
    while k + 1 < n:
        first, second = w[idx[k]], w[idx[k + 1]]
        for j in range(out.shape[0]):
            out[j] = np.int32(out[j] + np.int16(first[j] + second[j]))
        k += 2
    if k < n:
        row = w[idx[k]]
        for j in range(out.shape[0]):
            out[j] = np.int32(out[j] + row[j])


@njit(cache=True, nogil=True, inline="always")
def membrane(v, a, left):
    """v' = v left 2^-12 toward 0, + (a << 6), saturated; all int32, exact for |v| < 2^23 and |a| <= 2^24.

    With v = 4096 high + low the product is 4096 high left + low left, and only low left < 2^24 is shifted. A negative v
    is rounded up, toward 0: by 4095 more before the shift.
    """
    low = np.int32((v & FRACTION) * left)
    up = np.int32((v >> np.int32(31)) & FRACTION)
    kept = np.int32(np.int32((v >> SHIFT) * left) + np.int32(np.int32(low + up) >> SHIFT))
    return np.int32(min(LIMIT, max(-LIMIT, np.int32(kept + np.int32(a << np.int32(6))))))


@njit(cache=True, nogil=True, inline="always")
def trace_step(r, spike, hard, impulse, keep, top):
    """r' of a spike 0 or 1, all int32: learning_rule.output_trace."""
    kept = np.int32(np.int32(r * keep) >> np.int32(8))
    if hard:
        return top if spike else kept
    return np.int32(min(top, np.int32(kept + np.int32(impulse * spike))))


@in_place
def integrate(v, r, a, z, neuron):
    """A step of neurons v, r from the drive a, all int32: their spikes z."""
    left, threshold = neuron.left, neuron.threshold
    for j in range(v.shape[0]):
        x = membrane(v[j], a[j], left)
        spike = np.int32(x > threshold)
        z[j] = spike
        v[j] = x & np.int32(spike - np.int32(1))
    hard, impulse, keep, top = neuron.hard, neuron.impulse, neuron.keep, neuron.top
    for j in range(r.shape[0]):
        r[j] = trace_step(r[j], z[j], hard, impulse, keep, top)


@in_place
def sums(r, signs):
    """(G+, G-) of traces r (n,) int32: the sum of all squares fits in int32, see compilers.learning.fit."""
    plus, total = np.int32(0), np.int32(0)
    for j in range(r.shape[0]):
        square = np.int32(r[j] * r[j])
        total = np.int32(total + square)
        plus = np.int32(plus + np.int32(square * np.int32(signs[j])))
    return np.int64(plus), np.int64(total - plus)


@in_place
def modulation(plus, minus, phase, factor, table):
    sigmoid, gain, theta, target, shift = factor
    total = plus + minus
    if sigmoid:
        p = table[min(TABLE_SIZE - 1, max(0, ((total - theta) >> shift) + TABLE_SIZE // 2))]
        error = SIGMOID_ONE - p if phase > 0 else p
        m_plus, m_minus = gain * error >> 8, gain * error >> 8
        sign_plus, sign_minus = phase, phase
    else:
        p = table[SYMMETRIC_ONE * plus // (total + 1)]
        error = SYMMETRIC_ONE - p if phase > 0 else p
        m_plus, m_minus = gain * error // (plus + theta), gain * error // (minus + theta)
        sign_plus, sign_minus = phase, -phase
    balance = min(BALANCE_MAX, max(-BALANCE_MAX, (target - total) >> shift))
    m_plus = m_plus * (256 + sign_plus * balance) >> 8
    m_minus = m_minus * (256 + sign_minus * balance) >> 8
    return sign_plus * m_plus, sign_minus * m_minus


@in_place
def post_traces(r, signs, m_plus, m_minus, trace_shift, y):
    """y (n,) int32: min(127, (r |m| + 32) >> 6) >> trace_shift, negative where m is; |m| has 24 bits at most."""
    plus, minus = np.int32(m_plus), np.int32(m_minus)
    for j in range(r.shape[0]):
        m = plus if signs[j] else minus
        q = min(Y_TOP, np.int32(np.int32(np.int32(r[j] * np.int32(abs(m))) + np.int32(32)) >> np.int32(6)))
        y[j] = q if m > 0 else -q
    if trace_shift:
        for j in range(r.shape[0]):
            size = abs(y[j]) >> trace_shift
            y[j] = size if y[j] > 0 else -size


@in_place
def update_rows(w, idx, n, shared):
    """w of the rows that spiked, one rounding draw for all: shared (n,) is the rounded update."""
    for k in range(n):
        row = w[idx[k]]
        for j in range(row.shape[0]):
            row[j] = np.int16(min(np.int16(W_HIGH), max(np.int16(W_LOW), np.int16(row[j] + shared[j]))))


@in_place
def _clip16(acc):
    return np.int32(min(CLIP_HIGH, max(CLIP_LOW, acc)))


@in_place
def apply_tags(w, tag, active, exponent, u):
    """Without a branch in the inner loop, so that it runs on vectors: a tag of 0 moves nothing, since u < 128.

    Shifts by a variable are products, here and below: numba shifts in 64 bits.
    """
    scale, up = np.int32(1 << (BITS - exponent)), np.int32(UP - u)
    for i in range(w.shape[0]):
        if not active[i]:
            continue
        row, tags = w[i], tag[i]
        if exponent:  # what a tag moves fits in 16 bits, and nothing is clipped but the weight
            for j in range(row.shape[0]):
                moved = np.int16(row[j] + np.int16(np.int16(np.int16(tags[j] * scale) + up) >> BITS))
                row[j] = min(np.int16(W_HIGH), max(np.int16(W_LOW), moved))
        else:
            for j in range(row.shape[0]):
                moved = np.int32(row[j] + (np.int32(_clip16(np.int32(tags[j] * scale)) + up) >> BITS))
                row[j] = min(W_HIGH, max(W_LOW, moved))


@in_place
def update_tags(tag, active, spiked, y, exponent, decay, u):
    """A row whose input did not spike decays, in 16 bits: the lowest tag alone clips what is summed on the way."""
    up, fall, scale = np.int32(UP - u), np.int32(1 << (BITS - decay)), np.int32(1 << (BITS - exponent))
    kept = np.int16((1 << BITS) - fall)
    for i in range(tag.shape[0]):
        if not (active[i] or spiked[i]):
            continue
        row, lowest, left = tag[i], np.int16(0), np.int16(0)
        for j in range(row.shape[0]):
            lowest = np.int16(min(lowest, row[j]))
        if not spiked[i] and lowest > T_LOW:
            for j in range(row.shape[0]):
                t = np.int16(np.int16(np.int16(row[j] * kept) + up) >> BITS)
                row[j] = t
                left = np.int16(left | t)
        else:
            x0 = np.int32(-1 if spiked[i] else 0)  # as a mask
            for j in range(row.shape[0]):
                old = np.int32(row[j])
                acc = _clip16(np.int32(old << BITS) + np.int32(x0 & np.int32(y[j] * scale)))
                acc = _clip16(np.int32(acc - np.int32(old * fall)))
                t = np.int16(min(T_HIGH, max(T_LOW, np.int32(acc + up) >> BITS)))
                row[j] = t
                left = np.int16(left | t)
        active[i] = left != 0


@in_place
def decay_post_traces(y, draw):
    """Signed post traces (n,) as LearningDense holds them: any of them loses one unit now and then.

    The larger a trace, the sooner: most draws are too small for any.
    """
    if draw < LOSES:
        return
    for j in range(y.shape[0]):
        if draw >= LOSES_AT[abs(y[j])]:
            y[j] -= 1 if y[j] > 0 else -1


@in_place
def round_step(y, exponent, u, shared):
    """y (n,) int32 becomes the update in 2^-7 LSB, `shared` (n,) int16 the same rounded with u, for all rows alike."""
    scale, up = np.int32(1 << (UPDATE_BITS - exponent)), np.int32(UP - u)
    for j in range(y.shape[0]):
        y[j] = np.int32(y[j] * scale)
        shared[j] = np.int32(y[j] + up) >> BITS


@in_place
def send_spikes(a, v, r, y2, y3, g, z, signs, neuron, factor, table, reset, phase, m_plus, m_minus, trace_shift):
    """A step's spikes z, from the drive a, the control and the modulation of the step before: the next (m+, m-)."""
    plus, minus = sums(r, signs)
    g[0], g[1] = plus, minus
    if reset:
        v[:] = 0
        r[:] = 0
    integrate(v, r, a, z, neuron)
    post_traces(r, signs, m_plus, m_minus, trace_shift, y2)
    for j in range(r.shape[0]):
        y2[j], y3[j] = max(y2[j], 0), max(-y2[j], 0)
    if phase == 0:
        return 0, 0
    return modulation(plus, minus, phase, factor, table)


@in_place
def list_inputs(spikes, idx):
    """idx becomes the inputs that spike, of spikes (inputs,) of any type: how many."""
    count = 0
    for i in range(spikes.shape[0]):
        if spikes[i]:
            idx[count] = i
            count += 1
    return count


@in_place
def receive_spikes(
    w, mask, tag, active, spikes, idx, a, y2, y3, y, shared, exponent, tags, tag_exponent, tag_decay, u, draw
):
    """a of the input spikes (inputs,), and what they teach; idx, y, shared: space for the events and the update."""
    count = list_inputs(spikes, idx)
    a[:] = 0
    add_rows(w, idx, count, a)
    learns = False
    for j in range(y.shape[0]):
        y[j] = y2[j] - y3[j]
        learns |= y[j] != 0
    if tags:
        decay_post_traces(y, draw)
        apply_tags(w, tag, active, exponent, u)
        update_tags(tag, active, spikes, y, tag_exponent, tag_decay, u)
        if mask.shape[0]:
            clear_absent(tag, mask, idx, count)
    elif learns:
        decay_post_traces(y, draw)
        round_step(y, exponent, u, shared)
        update_rows(w, idx, count, shared)
        if mask.shape[0]:
            clear_absent(w, mask, idx, count)

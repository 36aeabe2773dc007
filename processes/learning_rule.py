"""The learning layer's arithmetic: output trace, third factor and weight update, in the chip's integers.

Pure functions of numpy integers, shared by the process models; the emulator's kernels state them a second time.
Right shifts floor, // is exact, every bound is checked by compilers.learning.fit.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ff2loihi.processes.limits import (
    ALIGN,
    POST_TRACE_MAX,
    TAG_MAX,
    TAG_MIN,
    TRACE_DECAY_TAU,
    UPDATE_BITS,
    V_LIMIT,
    WEIGHT_MIN,
    Int,
)

RATE_ONE = 256  # the rate, in 1/256 a step, at which an input spikes in every step
BALANCE_MAX = 64  # of 256: the balance changes an update by a quarter at most
SYMMETRIC_ONE = 256  # P = 1
CONTROL_STEPS = 3  # of a presentation before its window: reset, goodness and third factor are on their way
SIGMOID_ONE = 255  # P = 1, of the sigmoid's table
TABLE_SIZE = 256  # entries of the sigmoid's table; the symmetric probability's has one more


@dataclass(frozen=True)
class OutputTrace:
    """r, what stands for the neuron's activity in goodness and update (Terres-Escudero 2024, eq. 11 to 13).

    r' = min(top, (r keep >> 8) + impulse z) for spike z: relu (impulse 1, keep 256), li; hard-li sets r' = top where
    z = 1 and r keep >> 8 elsewhere (eq. 12).
    """

    kind: Literal["relu", "li", "hard-li"]
    impulse: Int
    keep: Int
    top: Int


@dataclass(frozen=True)
class ThirdFactor:
    """The constants of M(t) (eq. 4 to 6): see `third_factor`.

    table: the probability: symmetric (257,) 0..256, of 256 G+ / (G+ + G-); sigmoid (256,) 0..255, of the goodness.
    """

    probability: Literal["symmetric", "sigmoid"]
    gain: Int  # K: the modulation of a neuron is K (1 - P) / (G + theta), with the sigmoid K (1 - P)
    theta: Int  # of r^2: keeps the division finite and silent neurons alive; the sigmoid's threshold
    target: Int  # GT: the layer's goodness that balance holds
    balance_shift: Int  # d = (GT - G) >> balance_shift; with the sigmoid also the scale of its table
    table: tuple[Int, ...]


@dataclass(frozen=True)
class Neuron:
    """LIF without current memory: v' = v (4096 - dv) 2^-12 toward 0, + (a << 6); spike where v' > vth << 6, then 0.

    v saturates at +-(2^23 - 1).
    """

    vth: Int
    dv: Int


def input_rates(pixels: np.ndarray, code: str, factor: int) -> np.ndarray:
    """Spikes in 256 steps of each pixel input: pixel factor >> 8, or of |pixel - the image's median| (contrast).

    pixels (..., pixels) uint8, the rates int16; the contrast of an image and of its negative are the same.
    """
    values = pixels.astype(np.uint16)
    if code == "contrast":
        twice = (2 * np.median(values, axis=-1, keepdims=True)).astype(np.int64)  # a median may lie between two values
        values = (np.abs(2 * values.astype(np.int64) - twice) >> 1).astype(np.uint16)
    return (values * np.uint16(factor) >> 8).astype(np.int16)


def lif(v, a, neuron: Neuron):
    """(v', z): Lava's LIF in fixed point with du = 4095; v [v LSB], a [accumulator LSB], z bool."""
    kept = v.astype(np.int64) * (4096 - neuron.dv)
    v = (np.sign(kept) * (np.abs(kept) >> 12)) + (a.astype(np.int64) << ALIGN)
    v = np.clip(v, -V_LIMIT, V_LIMIT)
    z = v > neuron.vth << ALIGN
    return np.where(z, 0, v), z


def output_trace(r, z, trace: OutputTrace):
    """r' of spikes z; r in 0..trace.top."""
    kept = (r * trace.keep) >> 8
    if trace.kind == "hard-li":
        return np.where(z, trace.top, kept)
    return np.minimum(trace.top, kept + trace.impulse * z)


def goodness(r, positive) -> tuple[int, int]:
    """(G+, G-): the sums of r^2 over the neurons of each polarity."""
    squares = r.astype(np.int64) ** 2
    plus = int(squares[positive].sum())
    return plus, int(squares.sum()) - plus


def third_factor(plus: int, minus: int, phase: int, factor: ThirdFactor) -> tuple[int, int]:
    """The signed modulation (m+, m-) of the two polarities; positive: potentiates. phase: +1, -1, or 0: no learning.

    symmetric (eq. 6): p = table[256 G+ // (G+ + G- + 1)], e = 256 - p for a positive sample, p for a negative one,
        m+- = K e // (G+- + theta); a positive sample potentiates + neurons and depresses - neurons, a negative one
        the other way round.
    sigmoid (eq. 5): p = table[clip(((G - theta) >> shift) + 128, 0, 255)] with G = G+ + G-, e = 255 - p or p,
        m+ = m- = K e >> 8; a positive sample potentiates, a negative one depresses.
    balance: d = clip((GT - G+ - G-) >> shift, -64, 64); potentiation m (256 + d) >> 8, depression m (256 - d) >> 8.
    """
    if phase == 0:
        return 0, 0
    total = plus + minus
    if factor.probability == "symmetric":
        p = factor.table[SYMMETRIC_ONE * plus // (total + 1)]
        error = SYMMETRIC_ONE - p if phase > 0 else p
        sizes = (factor.gain * error // (plus + factor.theta), factor.gain * error // (minus + factor.theta))
        signs = (phase, -phase)
    else:
        index = ((total - factor.theta) >> factor.balance_shift) + TABLE_SIZE // 2
        p = factor.table[min(TABLE_SIZE - 1, max(0, index))]
        error = SIGMOID_ONE - p if phase > 0 else p
        sizes, signs = (factor.gain * error >> 8,) * 2, (phase, phase)
    balance = min(BALANCE_MAX, max(-BALANCE_MAX, (factor.target - total) >> factor.balance_shift))
    m_plus, m_minus = (sign * (size * (256 + sign * balance) >> 8) for size, sign in zip(sizes, signs, strict=True))
    return m_plus, m_minus


def post_traces(r, m, trace_shift: int):
    """(y2, y3) of neurons with trace r and signed modulation m: q = min(127, (r |m| + 32) >> 6) >> trace_shift.

    y2 potentiates, y3 depresses: the chip's traces are unsigned.
    """
    q = np.minimum(POST_TRACE_MAX, (r * np.abs(m) + 32) >> 6) >> trace_shift
    return np.where(m > 0, q, 0), np.where(m < 0, q, 0)


def decayed(y, draw: float):
    """y as LearningDense holds it a step later: y exp(-1 / tau), rounded stochastically by one shared draw."""
    kept = np.exp(-1 / TRACE_DECAY_TAU) * y
    return np.where((y > 0) & (draw >= kept - np.floor(kept)), y - 1, y)


def clip16(acc):
    """Lava's clip of the update's accumulator, in 2^-7 weight LSB."""
    low = WEIGHT_MIN << UPDATE_BITS
    return np.clip(acc, low - 1, -low - 1)


def rounded(acc, draw, low: int, high: int):
    """An accumulator in 2^-7 LSB, rounded stochastically by draw in [0, 1), clipped to low..high."""
    return np.clip((acc + 127 - np.floor(128 * draw).astype(np.int64)) >> UPDATE_BITS, low, high)


def update(w, y2, y3, exponent: int, draw):
    """w' of the rows whose input spiked: dw = 2^-exponent x0 y2 - 2^-exponent x0 y3. w (rows, n), y (n,)."""
    step = UPDATE_BITS - exponent
    acc = clip16(
        clip16((w.astype(np.int64) << UPDATE_BITS) + (y2.astype(np.int64) << step)) - (y3.astype(np.int64) << step)
    )
    return rounded(acc, draw, WEIGHT_MIN, -WEIGHT_MIN - 1)


def apply_tag(w, tag, exponent: int, draw):
    """w' of every synapse: dw = 2^-exponent t u0 (eq. 8)."""
    acc = (w.astype(np.int64) << UPDATE_BITS) + clip16(tag.astype(np.int64) << (UPDATE_BITS - exponent))
    return rounded(acc, draw, WEIGHT_MIN, -WEIGHT_MIN - 1)


def update_tag(tag, x0, y2, y3, exponent: int, decay: int, draw):
    """t' = t + 2^-exponent x0 (y2 - y3) - 2^-decay t (eq. 7). tag (inputs, n), x0 (inputs, 1) 0/1."""
    step = UPDATE_BITS - exponent
    acc = (tag.astype(np.int64) << UPDATE_BITS) + x0 * (y2.astype(np.int64) << step)
    acc = clip16(clip16(acc) - x0 * (y3.astype(np.int64) << step))
    acc = clip16(acc - (tag.astype(np.int64) << (UPDATE_BITS - decay)))
    return rounded(acc, draw, TAG_MIN, TAG_MAX)


def learn_tags(w, tag, spiked, y2, y3, exponent: int, tag_exponents: tuple[int, int], draw) -> None:
    """A step of the tag rule in place: apply_tag of the old tag, then update_tag; w, tag (n, inputs).

    spiked: indices of the inputs that spiked. Only the inputs that hold a tag, or get one, are touched.
    """
    held = tag.any(axis=0)
    columns = np.flatnonzero(held)
    w[:, columns] = apply_tag(w[:, columns], tag[:, columns], exponent, draw)
    x0 = np.zeros(len(held), np.int64)
    if y2.any() or y3.any():
        x0[spiked] = 1
    columns = np.flatnonzero(held | (x0 > 0))
    tag[:, columns] = update_tag(tag[:, columns].T, x0[columns, None], y2, y3, *tag_exponents, draw).T

"""The chip's arithmetic on arrays: pure functions, shared by the process models, the compiler and the emulator.

Each takes numpy arrays or torch tensors, of integers or of floats that hold integers below 2^24: then every
operation is exact, and matrix products are fast. Right shifts floor toward minus infinity, as on the chip.
"""

from collections.abc import Iterator

import numpy as np

from ff2loihi.processes.limits import ALIGN, DECAY_ONE, V_LIMIT


def floor(a):
    """The largest integer not above each element."""
    return np.floor(a) if isinstance(a, np.ndarray) else a.floor()


def floor_clip(a, top: int):
    """min(max(floor(a), 0), top) of floats, in place."""
    if isinstance(a, np.ndarray):
        return np.clip(np.floor(a, out=a), 0, top, out=a)
    return a.floor_().clamp_(0, top)


def graded_relu(a, bias, shift: int, top: int):
    """h = min(max((a + bias) >> shift, 0), top) of integers; a, bias [accumulator LSB], h in 0..top."""
    return ((a + bias) >> shift).clip(0, top)


def leaked(x, decay: int):
    """x (1 - decay / 4096), rounded toward 0; x holds integers in float64, as their product needs."""
    rest = x * (DECAY_ONE - decay) / DECAY_ONE
    return np.trunc(rest) if isinstance(rest, np.ndarray) else rest.trunc()


def integrate(v, a, bias):
    """v' = clip(v + (a << 6) + bias, +-(2^23 - 1)): a LIF without current memory and without leak."""
    return (v + a * (1 << ALIGN) + bias).clip(-V_LIMIT, V_LIMIT)


def rate_step(acc, q, full: int):
    """One step of an input's integrate-and-fire code at rate q / full: (spikes, acc').

    s = [acc + q >= full], acc' = acc + q - full s; acc in 0..full - 1, q in 0..full, so s is 0 or 1.
    """
    acc = acc + q
    spikes = acc >= full
    return spikes, acc - full * spikes


def rate_code(acc, q, full: int, steps: int) -> Iterator:
    """The spikes of each of so many steps, see rate_step."""
    for _ in range(steps):
        spikes, acc = rate_step(acc, q, full)
        yield spikes


def start_phases(n: int, full: int) -> np.ndarray:
    """Start of each input's accumulator, (n,) int32, spread evenly over 0..full - 1.

    phase_i = floor(full frac(i / golden ratio)), in integers: Weyl's sequence, 2^32 / golden ratio = 2654435769.
    """
    weyl = (np.arange(n, dtype=np.uint64) * np.uint64(2654435769)) & np.uint64(0xFFFFFFFF)
    return ((weyl * np.uint64(full)) >> np.uint64(32)).astype(np.int32)


def normalize(h, norm, power: int, table, shift: int, top: int, xp):
    """y = min((h table[m]) >> (e + shift), top), a division by norm^(1/power) without dividing.

    h (..., n) in 0..255; norm (..., 1) float64, the exact sum of h^power. With 2^(power e) <= norm < 2^(power (e + 1)),
    m = floor(norm 2^q / 2^(power e)) - 2^q indexes a table of (2^power - 1) 2^q entries; norm = 0 gives 0.
    xp: numpy or torch.
    """
    entries = table.shape[0] // ((1 << power) - 1)
    exponent = (xp.frexp(xp.clip(norm, 1, None))[1] - 1) // power
    index = xp.floor(xp.ldexp(xp.clip(norm, 1, None) * entries, -power * exponent)) - entries
    factor = table[index.astype(np.int64) if xp is np else index.long()]
    return xp.floor(xp.ldexp(h * factor, -(exponent + shift))).clip(0, top)

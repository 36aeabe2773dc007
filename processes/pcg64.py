"""numpy's PCG64 in numba: what a numpy.random.Generator draws, one by one or leapt over; tests hold both together.

A state is 128 bits, high and low word. A leap of n draws is state * multiplier + increment, modulo 2^128.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import in_place

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
ONE = 1 << 128
WORD = (1 << 64) - 1
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
MANTISSA, UNIT = np.uint64(11), 2.0**-53
TOP, ROTATION = np.uint64(58), np.uint64(63)


class Stream(NamedTuple):
    """A generator. state (2,) uint64; step (4,) uint64: its leap of one draw.

    spare (2,) uint64: whether half of a draw of 64 bits is kept for the next one of 32, and that half.
    """

    state: np.ndarray
    step: np.ndarray
    spare: np.ndarray

    @classmethod
    def of(cls, bits: np.random.BitGenerator) -> "Stream":
        """Where a PCG64 stands."""
        facts = bits.state
        spare = np.array([facts["has_uint32"], facts["uinteger"]], np.uint64)
        return cls(_words(facts["state"]["state"]), leap_of(facts["state"]["inc"], 1), spare)

    def put_into(self, bits: np.random.BitGenerator) -> None:
        """Let the generator that this came from go on from here."""
        high, low = map(int, self.state)
        kept, half = map(int, self.spare)
        state = {"state": high << 64 | low, "inc": bits.state["state"]["inc"]}
        bits.state = {"bit_generator": "PCG64", "state": state, "has_uint32": kept, "uinteger": half}


def _words(*numbers: int) -> np.ndarray:
    return np.array([word for number in numbers for word in (number >> 64, number & WORD)], np.uint64)


def leap_of(increment: int, draws: int) -> np.ndarray:
    """The leap (4,) uint64 over so many draws of a generator with that increment."""
    multiplier, added = 1, 0
    for _ in range(draws):
        multiplier, added = multiplier * MULTIPLIER % ONE, (added * MULTIPLIER + increment) % ONE
    return _words(multiplier, added)


@njit(cache=True, nogil=True, inline="always")
def _high(a, b):
    """The upper 64 bits of a product, from its factors' halves."""
    lower = (a & LOW) * (b & LOW)
    middle = (a >> HALF) * (b & LOW) + (lower >> HALF)
    return (a >> HALF) * (b >> HALF) + (middle >> HALF) + (((a & LOW) * (b >> HALF) + (middle & LOW)) >> HALF)


@njit(cache=True, nogil=True, inline="always")
def leapt(high, low, by):
    """The state, high and low word, after a leap."""
    product = low * by[1]
    total = product + by[3]
    return _high(low, by[1]) + high * by[1] + low * by[0] + by[2] + np.uint64(total < product), total


@njit(cache=True, nogil=True, inline="always")
def output(high, low):
    """The 64 bits that a state gives."""
    mixed, turn = high ^ low, high >> TOP
    return (mixed >> turn) | (mixed << ((~turn + np.uint64(1)) & ROTATION))


@njit(cache=True, nogil=True, inline="always")
def unit(bits):
    """64 bits as a number in [0, 1)."""
    return np.float64(bits >> MANTISSA) * UNIT


@in_place
def leap(state, by):
    """Pass the draws of a leap."""
    state[0], state[1] = leapt(state[0], state[1], by)


@in_place
def bits64(stream):
    """The next 64 bits."""
    leap(stream.state, stream.step)
    return output(stream.state[0], stream.state[1])


@in_place
def bits32(stream):
    """The next 32 bits, a half of 64: the lower one first."""
    if stream.spare[0]:
        stream.spare[0] = 0
        return stream.spare[1]
    both = bits64(stream)
    stream.spare[0], stream.spare[1] = 1, both >> HALF
    return both & LOW


@in_place
def below(stream, count):
    """integers(count) of a count up to 2^32 - 1, after Lemire; of one it draws nothing."""
    if count == 1:
        return np.int64(0)
    size = np.uint64(count)
    product = bits32(stream) * size
    if (product & LOW) < size:
        refused = (LOW - size + np.uint64(1)) % size
        while (product & LOW) < refused:
            product = bits32(stream) * size
    return np.int64(product >> HALF)


@in_place
def uniform(stream):
    """random(): in [0, 1)."""
    return unit(bits64(stream))

"""numpy's PCG64 in numba: whatever is drawn, in any order and after any leap, is what numpy's Generator draws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.processes.pcg64 import Stream, below, leap, leap_of, uniform

COUNT = st.one_of(st.sampled_from([1, 2, 3, 10, 256, 2**31 + 1, 2**32 - 1]), st.integers(1, 2**32 - 1))


@given(seed=st.integers(0, 2**64), draws=st.lists(st.one_of(COUNT, st.none(), st.integers(-99, -1)), max_size=60))
def test_the_draws_are_numpys(seed, draws):
    """None: a float; a count: an integer below it; a negative number: a leap over so many."""
    rng = np.random.default_rng(seed)
    bits = np.random.default_rng(seed).bit_generator
    stream, increment = Stream.of(bits), bits.state["state"]["inc"]
    for kind in draws:
        if kind is None:
            assert uniform(stream) == rng.random()
        elif kind > 0:
            assert below(stream, kind) == rng.integers(kind)
        else:
            leap(stream.state, leap_of(increment, -kind))
            rng.random(-kind)
    stream.put_into(bits)
    assert bits.state == rng.bit_generator.state


def test_a_count_that_is_no_power_of_two_refuses_what_would_favour_some():
    """The states whose next draw is refused are rare: a fresh one is looked for among many."""
    count, refused = 2**32 - 2**30 - 1, 0
    rng, bits = np.random.default_rng(3), np.random.default_rng(3).bit_generator
    stream = Stream.of(bits)
    for _ in range(200):
        before = stream.state[1], int(stream.spare[0])
        assert below(stream, count) == rng.integers(count)
        refused += (stream.state[1] == before[0]) == (before[1] == 0)
    assert refused

"""The Process Goodness against its equation in Python's own integers."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
PARTS = np.array([0, 1, 1, 2, 0, 2])
CASES = {
    "spikes": {"period": 7, "offset": 3, "powers": (2,), "top": 1},
    "both powers, an offset of 0": {"period": 5, "offset": 0, "powers": (1, 2), "top": 255},
    "payloads, one step a sample": {"period": 1, "offset": 0, "powers": (2, 1), "top": 1 << 20},
    "the largest of each part, too": {"period": 5, "offset": 2, "powers": (1,), "largest": (1, 2), "top": 255},
    "the largest alone": {"period": 7, "offset": 0, "powers": (), "largest": (2, 1), "top": 9},
}


def expected(s: np.ndarray, parts: int, period: int, offset: int, powers: tuple[int, ...], largest=None):
    """(g_out, r) of each step; largest: (k, power)."""
    r, spikes, sent, held = [0] * len(PARTS), 0, [], []
    for t, row in enumerate(s.tolist(), start=1):
        if t % period == offset:
            r, spikes = [0] * len(PARTS), 0
        r = [a + b for a, b in zip(r, row, strict=True)]
        spikes += sum(value != 0 for value in row)
        sums = [
            sum(a**power for a, p in zip(r, PARTS, strict=True) if p == i) for power in powers for i in range(parts)
        ]
        if largest:
            k, power = largest
            members = [[a**power for a, p in zip(r, PARTS, strict=True) if p == i] for i in range(parts)]
            sums += [sum(sorted(found, reverse=True)[:k]) for found in members]
        sent.append([*sums, spikes])
        held.append(r)
    return np.array(sent), np.array(held)


@pytest.mark.parametrize("case", CASES)
def test_the_activities_of_a_sample_are_summed_over_each_part(run_process, rng, case):
    options = dict(CASES[case])
    top = options.pop("top")
    s = rng.integers(0, top + 1, (23, len(PARTS))) * (rng.random((23, len(PARTS))) < 0.6)
    s[3], s[4] = 0, top
    own = {"top" if name == "largest" else name: value for name, value in options.items()}
    found = run_process(
        "inference.goodness.Goodness", {"part_of": PARTS, "parts": 3, **own}, steps=23, inputs={"s_in": s},
        ports=["g_out"], states=["r"],
    )  # fmt: skip
    sums, r = expected(s, 3, **options)
    assert (found["g_out"] == sums).all()
    assert (found["r"] == r).all()
    assert sums.any(axis=0).all()
    assert (np.diff(sums[:, -1]) < 0).any(), "no sample ended"
    assert top < 1 << 20 or sums.max() > 1 << 31  # a sum that 32 bits do not hold


@pytest.mark.parametrize("offset", [-1, 5])
def test_an_offset_outside_the_period_is_refused(run_process, offset):
    with pytest.raises(ValueError, match=rf"offset must be in 0..4 \(the period\), got {offset}"):
        run_process(
            "inference.goodness.Goodness", {"part_of": PARTS, "parts": 3, "powers": (2,), "period": 5, "offset": offset}
        )

"""The Process SoftLIF against its equation in Python's own integers."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
LIMIT = (1 << 23) - 1
CASES = {
    "a small threshold": {"vth": 1, "v0": 0, "reset_interval": 9, "reset_offset": 2, "drive": 3},
    "a usual threshold": {"vth": 300, "v0": 9600, "reset_interval": 7, "reset_offset": 0, "drive": 500},
    "the largest threshold": {"vth": (1 << 17) - 1, "v0": 0, "reset_interval": 16, "reset_offset": 5, "drive": 1 << 15},
}


def expected(a: np.ndarray, bias: list[int], vth: int, v0: int, reset_interval: int, reset_offset: int):
    """(s, u, v) of each step."""
    v, rows = [v0] * len(bias), []
    for t, row in enumerate(a.tolist(), start=1):
        if t % reset_interval == reset_offset:
            v = [v0] * len(bias)
        u = [64 * value for value in row]
        v = [max(-LIMIT, min(LIMIT, x + y + b)) for x, y, b in zip(v, u, bias, strict=True)]
        s = [int(x > 64 * vth) for x in v]
        v = [x - 64 * vth * spike for x, spike in zip(v, s, strict=True)]
        rows.append((s, u, v))
    return np.array(rows).transpose(1, 0, 2)


@pytest.mark.parametrize("case", CASES)
def test_what_is_above_the_threshold_stays_for_the_next_spike(run_process, rng, case):
    options = dict(CASES[case])
    drive, vth, v0 = options.pop("drive"), options["vth"], options["v0"]
    bias = np.array([0, 1, 64, -64, 524160, -524160, 0])  # the largest that a chip's bias holds, at both ends
    a = rng.integers(-drive, drive, (40, len(bias)))
    a[:, 0], a[:, 6] = drive - 1, -drive
    start = options["reset_offset"] + options["reset_interval"] - 1  # the row in which v is v0 anew
    a[start], a[start + 1, 2] = (64 * vth - v0) // 64, -1  # v is at the threshold, below and above it
    found = run_process(
        "inference.soft_lif.SoftLIF",
        {"bias": bias, **options},
        steps=40,
        inputs={"a_in": a},
        ports=["s_out"],
        states=["u", "v"],
    )
    s, u, v = expected(a, bias.tolist(), **options)
    assert (found["s_out"] == s).all()
    assert (found["u"] == u).all()
    assert (found["v"] == v).all()
    assert s[start].tolist()[:4] == [0, 1, 1, 0]  # a voltage at the threshold is not above it
    assert s.any(axis=0)[[0, 1, 2, 4]].all()
    assert (v < 0).any()
    assert (v[s > 0] > 0).any(), "nothing was above the threshold"
    assert drive < 1 << 15 or v.min() == -LIMIT  # saturates


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_outside_the_interval_is_refused(run_process, offset):
    parameters = {"bias": np.zeros(2, int), "vth": 5, "v0": 0, "reset_interval": 4, "reset_offset": offset}
    with pytest.raises(ValueError, match=rf"reset_offset must be in 0..3 \(the interval\), got {offset}"):
        run_process("inference.soft_lif.SoftLIF", parameters)

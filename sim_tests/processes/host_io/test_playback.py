"""The Process Playback: the rows of a file, packed or not, and zeros around them."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava


@pytest.mark.parametrize(("packed", "late"), [(False, 0), (False, 3), (True, 0), (True, 2)])
def test_the_rows_come_one_a_step_with_zeros_before_and_behind(run_process, rng, tmp_path, packed, late):
    rows = rng.integers(1, 256, (5, 11)).astype(np.uint8)
    rows[0, 0], rows[1, 10] = 0, 255
    if packed:  # eight a byte, the first in its highest bit
        rows &= 1
        held = np.zeros((5, 2), np.uint8)
        for i in range(11):
            held[:, i // 8] |= rows[:, i] << (7 - i % 8)
    np.save(tmp_path / "rows.npy", held if packed else rows)
    found = run_process(
        "host_io.playback.Playback", {"n": 11, "file": str(tmp_path / "rows.npy"), "packed": packed, "late": late},
        steps=10, ports=["s_out"],
    )["s_out"]  # fmt: skip
    assert (found[late : late + 5] == rows).all()
    assert not found[:late].any()
    assert not found[late + 5 :].any()
    assert rows.any(axis=1).all()


def test_rows_that_come_again_are_those_of_a_period(run_process, rng, tmp_path):
    rows, late = rng.integers(1, 256, (5, 11)).astype(np.uint8), 2
    np.save(tmp_path / "rows.npy", rows)
    found = run_process(
        "host_io.playback.Playback",
        {"n": 11, "file": str(tmp_path / "rows.npy"), "packed": False, "late": late, "again": True},
        steps=12, ports=["s_out"],
    )["s_out"]  # fmt: skip
    assert (found == rows[(np.arange(12) - late) % 5]).all()

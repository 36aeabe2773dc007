"""The Process Normalize against its equation in Python's own integers."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
ENTRIES = 16  # of the table for each power of two that the norm's root passes


def expected(h: list[int], power: int, table: list[int], shift: int, top: int) -> list[int]:
    norm = sum(value**power for value in h)
    if norm == 0:
        return [0] * len(h)
    e = (norm.bit_length() - 1) // power
    factor = table[norm * ENTRIES // 2 ** (power * e) - ENTRIES]
    return [min(value * factor // 2 ** (e + shift), top) for value in h]


@pytest.mark.parametrize(("power", "shift", "top"), [(1, 3, 255), (2, 6, 255), (2, 0, 1 << 14)])
def test_a_layer_is_divided_by_its_norm(run_process, rng, power, shift, top):
    table = rng.integers(1 << 14, (1 << 15) + 1, (2**power - 1) * ENTRIES).astype(np.int32)
    h = rng.integers(0, 256, (30, 9)) * (rng.random((30, 9)) < rng.random((30, 1)))
    h[:4] = np.zeros(9), np.eye(9)[0], 255 * np.eye(9)[8], np.full(9, 255)
    h[4:8, 0], h[4:8, 1:] = [1, 2, 3, 4], 0  # norms just below and at a power of two
    found = run_process(
        "inference.normalize.Normalize", {"n": 9, "power": power, "table": table, "shift": shift, "top": top}, steps=30,
        inputs={"s_in": h}, ports=["s_out"], states=["y"],
    )  # fmt: skip
    y = [expected(row, power, table.tolist(), shift, top) for row in h.tolist()]
    assert found["s_out"].tolist() == y
    assert found["y"].tolist() == y
    assert not any(y[0])
    assert len(np.unique(y)) > 20
    assert np.max(y) == top  # a single active neuron's share is cut

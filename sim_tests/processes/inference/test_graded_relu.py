"""The Process GradedRelu against its equation in Python's own integers."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
LIMIT = (1 << 23) - 1


@pytest.mark.parametrize(("shift", "top"), [(0, 255), (5, 255), (13, 15)])
def test_a_payload_is_the_shifted_sum_cut_at_0_and_at_the_top(run_process, rng, shift, top):
    bias = np.array([0, 1, -1, 1 << 20, -(1 << 20), 37])
    edge = (top << shift) - bias  # a sum whose payload is just the top
    a = rng.integers(-(1 << shift), (top + 9) << shift, (20, len(bias)))
    a[:9] = [np.full(len(bias), LIMIT), np.full(len(bias), -LIMIT), -bias - 1, -bias, -bias + 1,
             edge - 1, edge, edge + (1 << shift) - 1, edge + (1 << shift)]  # fmt: skip
    found = run_process(
        "inference.graded_relu.GradedRelu", {"bias": bias, "shift": shift, "top": top}, steps=20, inputs={"a_in": a},
        ports=["s_out"], states=["h"],
    )  # fmt: skip
    h = [
        [min(max((value + b) // 2**shift, 0), top) for value, b in zip(row, bias.tolist(), strict=True)]
        for row in a.tolist()
    ]
    assert found["s_out"].tolist() == h
    assert found["h"].tolist() == h
    assert {0, top} < set(np.unique(h))
    assert set(h[6]) == set(h[7]) == {top}
    assert set(h[5]) == {top - 1}

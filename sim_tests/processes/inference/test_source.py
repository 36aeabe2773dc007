"""The Process Source: every sample under every label, by counting."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
FULL = 15


def parameters(rng, **changes) -> dict:
    """Three samples of six inputs; inputs 2 and 3 are the label's, of two classes."""
    samples = rng.integers(0, FULL + 1, (3, 6))
    samples[0] = 0, FULL, 1, FULL - 1, FULL, 0
    codes = np.array([[FULL, 0], [3, 1]])
    phases = np.array([0, FULL - 1, 0, FULL - 1, 7, 0])
    plain = {"samples": samples, "codes": codes, "label_columns": slice(2, 4), "phases": phases, "full": FULL}
    return {
        name: np.int32(value) if isinstance(value, np.ndarray) else value for name, value in plain.items()
    } | changes


def shown(p: dict) -> list[list[int]]:
    return [[*image[:2], *code, *image[4:]] for image in p["samples"].tolist() for code in p["codes"].tolist()]


def test_a_graded_source_sends_each_sample_under_each_label_and_then_zeros(run_process, rng):
    p = parameters(rng, steps=1, graded=True)
    found = run_process("inference.source.Source", p, steps=8, ports=["s_out"])["s_out"]
    assert found.tolist() == [*shown(p), [0] * 6, [0] * 6]


def test_a_spiking_source_sends_each_input_as_often_as_its_value_says(run_process, rng):
    p = parameters(rng, steps=9, graded=False)
    found = run_process("inference.source.Source", p, steps=58, ports=["s_out"])["s_out"]
    phases = p["phases"].tolist()
    spikes = [
        [(a + x * (i + 1)) // FULL - (a + x * i) // FULL for a, x in zip(phases, row, strict=True)]
        for row in shown(p)
        for i in range(9)
    ]
    assert found.tolist() == [*spikes, *[[0] * 6] * 4]
    assert found[:9, 1].all()  # full: in every step
    assert not found[:9, 0].any()  # 0: in none
    assert set(found[9:18, 2]) == {0, 1}  # 3 of 15


def test_a_graded_source_of_several_steps_is_refused(run_process, rng):
    with pytest.raises(ValueError, match="a graded source shows each sample for 1 step, got steps=3"):
        run_process("inference.source.Source", parameters(rng, steps=3, graded=True))

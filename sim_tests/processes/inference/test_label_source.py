"""The Process LabelSource: each label's payloads in every step of its pass, as late as its layer."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
PAYLOADS = np.array([[255, 0, 7], [0, 9, 1]], np.int32)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("late", [1, 2])
def test_each_label_is_sent_in_every_step_of_its_pass_and_zeros_around_them(run_process, steps, late):
    p = {"payloads": PAYLOADS, "samples": 2, "steps": steps, "late": late}
    found = run_process("inference.label_source.LabelSource", p, steps=4 * steps + late + 2, ports=["s_out"])["s_out"]
    passes = np.repeat(np.tile(PAYLOADS, (2, 1)), steps, axis=0)
    none = np.zeros((2, 3), int)
    assert found.tolist() == [*none[:1].repeat(late, 0).tolist(), *passes.tolist(), *none.tolist()]

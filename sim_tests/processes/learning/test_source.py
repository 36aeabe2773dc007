"""The Process LearningSource: spikes by counting, control signals by the steps at which they are due."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
N, LAYERS, STEPS, WINDOW, PERIOD = 6, 3, 12, 4, 16
PLAN = {"n": N, "layers": LAYERS, "steps": STEPS, "window": WINDOW, "period": PERIOD, "events": False}
ROWS = 3  # presentations in the file, of which the fourth is the first again


@pytest.fixture
def file(tmp_path, rng):
    """Three presentations: positive, negative, and one that teaches nothing."""
    q, starts = rng.integers(0, 257, (ROWS, N)), rng.integers(0, 256, (ROWS, N))
    q[0], starts[0] = [0, 1, 255, 256, 256, 128], [255, 255, 0, 0, 255, 127]
    np.save(tmp_path / "input.npy", np.column_stack([[1, -1, 0], q, starts]).astype(np.int32))
    return str(tmp_path / "input.npy")


def test_each_presentation_is_its_spikes_and_each_layers_reset_and_phase(run_process, file):
    rows = np.load(file).tolist()
    found = run_process(
        "learning.source.LearningSource", {"file": file, **PLAN}, steps=4 * PERIOD, ports=["s_out", "c_out"]
    )
    spikes, control = np.zeros((4 * PERIOD, N), int), np.zeros((4 * PERIOD + LAYERS, 2 * LAYERS), int)
    for k in range(4):
        phase, *values = rows[k % ROWS]
        for i in range(STEPS):
            for j, (q, start) in enumerate(zip(values[:N], values[N:], strict=True)):
                spikes[k * PERIOD + i, j] = (start + q * (i + 1)) // 256 - (start + q * i) // 256
        for layer in range(LAYERS):
            control[k * PERIOD + layer, 2 * layer] = 1
            for i in range(STEPS - WINDOW - 2, STEPS - 2):
                control[k * PERIOD + layer + i, 2 * layer + 1] = phase
    assert (found["s_out"] == spikes).all()
    assert (found["c_out"] == control[: 4 * PERIOD]).all()
    assert spikes[:STEPS].sum(axis=0).tolist() == [0, 1, 11, 12, 12, 6]
    assert set(control[:, 1]) == {-1, 0, 1}


def test_events_are_sent_as_they_are_and_nothing_after_them(run_process, tmp_path, rng):
    events = rng.integers(0, 2, (2, STEPS, N))
    np.save(tmp_path / "input.npy", np.column_stack([[1, -1], events.reshape(2, -1)]).astype(np.int32))
    plan = {**PLAN, "file": str(tmp_path / "input.npy"), "events": True}
    found = run_process("learning.source.LearningSource", plan, steps=2 * PERIOD, ports=["s_out", "c_out"])
    sent = found["s_out"].reshape(2, PERIOD, N)
    assert events.any()
    assert (sent[:, :STEPS] == events).all()
    assert not sent[:, STEPS:].any()
    assert [set(part) for part in found["c_out"][:, 1].reshape(2, PERIOD)] == [{0, 1}, {0, -1}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": 0}, "window must be in 1..9, got 0"),
        ({"window": 10}, "window must be in 1..9, got 10"),
        ({"period": 14}, r"period must be at least 15 \(steps \+ layers\), got 14"),
    ],
)
def test_a_window_or_period_that_does_not_fit_the_steps_is_refused(run_process, file, changes, said):
    with pytest.raises(ValueError, match=said):
        run_process("learning.source.LearningSource", {"file": file, **PLAN, **changes})


@pytest.mark.parametrize("changes", [{"window": 1}, {"window": 9}, {"period": 15}])
def test_what_just_fits_is_taken(run_process, file, changes):
    assert run_process("learning.source.LearningSource", {"file": file, **PLAN, **changes}, ports=["s_out"])

"""The Process LibrarySource: spikes by counting, in the slots of the rule, and the rule's control rows."""

import numpy as np
import pytest

from ff2loihi.processes.library_rule import controls

pytestmark = pytest.mark.needs_lava
N, STEPS, WINDOW, PERIOD = 5, 6, 3, 32  # 6 logical steps of four time steps and a tail of four: 28


@pytest.mark.parametrize(
    ("phase", "stride", "probability"), [(1, 1, "symmetric"), (-1, 2, "sigmoid"), (0, 1, "symmetric")]
)
def test_spikes_come_in_the_second_slot_of_each_logical_step(run_process, tmp_path, phase, stride, probability):
    q, starts = [0, 1, 255, 256, 100], [255, 255, 0, 0, 17]
    np.save(tmp_path / "input.npy", np.array([[phase, stride, *q, *starts]], np.int32))
    parameters = {"file": str(tmp_path / "input.npy"), "n": N, "steps": STEPS, "window": WINDOW, "events": False}
    found = run_process(
        "library.source.LibrarySource", {**parameters, "probability": probability}, steps=2 * PERIOD,
        ports=["s_out", "c_out"],
    )  # fmt: skip
    spikes = np.zeros((2 * PERIOD, N), int)
    for start in (0, PERIOD):  # the same presentation twice: each period reads it anew
        for i in range(STEPS):
            for j in range(N):
                spikes[start + 4 * i + 1, j] = (starts[j] + q[j] * (i + 1)) // 256 - (starts[j] + q[j] * i) // 256
    assert (found["s_out"] == spikes).all()
    assert spikes.sum(axis=0).tolist() == [0, 2, 10, 12, 4]
    rows = controls(probability, STEPS, WINDOW, stride, phase)
    assert (found["c_out"] == np.concatenate([rows, rows])).all()
    assert rows[:, 1:].any() == (phase != 0)


@pytest.mark.parametrize("window", [0, STEPS])
def test_a_window_that_does_not_fit_the_steps_is_refused(run_process, window):
    parameters = {"file": "", "n": N, "steps": STEPS, "window": window, "probability": "symmetric", "events": False}
    with pytest.raises(ValueError, match=f"window must be in 1..5, got {window}"):
        run_process("library.source.LibrarySource", parameters)


def test_events_come_in_the_second_slot_of_their_logical_step(run_process, tmp_path, rng):
    events = rng.integers(0, 2, (STEPS, N))
    np.save(tmp_path / "input.npy", np.array([[1, 1, *events.ravel()]], np.int32))
    parameters = {"file": str(tmp_path / "input.npy"), "n": N, "steps": STEPS, "window": WINDOW, "events": True}
    found = run_process(
        "library.source.LibrarySource", {**parameters, "probability": "symmetric"}, steps=PERIOD, ports=["s_out"]
    )
    sent = found["s_out"]
    assert events.any()
    assert (sent[1 : 4 * STEPS : 4] == events).all()
    assert sent.sum() == events.sum()

"""The Processes Recorder and Probe: rows of a file against what was sent, and against what Lava itself reads."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava
STEPS, N = 11, 3


@pytest.mark.parametrize("rows", [STEPS, 4])
def test_a_recorder_writes_each_steps_row_and_starts_anew_behind_the_last(run_process, rng, tmp_path, rows):
    sent = rng.integers(-(1 << 31), 1 << 31, (STEPS, N))
    sent[0] = 0, -1, (1 << 31) - 1
    file = tmp_path / "rows.npy"
    np.save(file, np.full((rows, N), -7))
    run_process("host_io.record.Recorder", {"n": N, "file": str(file)}, steps=STEPS, inputs={"s_in": sent})
    last = {(t - 1) % rows: sent[t - 1] for t in range(1, STEPS + 1)}
    assert np.load(file).tolist() == [last[row].tolist() for row in range(rows)]


@pytest.mark.parametrize(("every", "rows"), [(1, STEPS), (1, 4), (3, 2), (3, 5)])
def test_a_probe_writes_what_a_var_holds_at_the_end_of_the_steps_that_it_is_for(
    run_process, rng, tmp_path, every, rows
):
    a, file = rng.integers(-200, 200, (STEPS, N)), tmp_path / "rows.npy"
    np.save(file, np.full((rows, N), -7))
    found = run_process(
        "inference.graded_relu.GradedRelu", {"bias": np.zeros(N, int), "shift": 0, "top": 150}, steps=STEPS,
        inputs={"a_in": a},
        states=["h"], probes={"h": {"file": str(file), "every": every}},
    )  # fmt: skip
    wanted = np.full((rows, N), -7)
    for k, t in enumerate(range(every, STEPS + 1, every)):
        wanted[k % rows] = found["h"][t - 1]
    assert (np.load(file) == wanted).all()
    assert np.ptp(found["h"], axis=0).all()

"""Trials that learn at once on a device have the outcomes that each has alone."""

import pytest

from ff2loihi.backends.gpu.device import Gpu, Processor
from ff2loihi.compilers.errors import BackendError, FF2LoihiError
from ff2loihi.sweeps import execution, run, together
from ff2loihi.sweeps.space import read_space
from ff2loihi.sweeps.trial import OUTCOME, Measured, content, splits, trial_of

pytestmark = pytest.mark.xdist_group("gpu")  # the loop is compiled once
LEARNS = {
    "train": {"data": "digits:600", "epochs": 0, "widths": 40},
    "compile": {"learning": "on", "field": 6, "curve": ["linear", "stretched"]},
    "learn": {"epochs": 6, "margin": [0.1, 0.3]},
    "seed": [0, 1],
}


def tasks(space: dict) -> list[str]:
    trials = list(read_space(space).trials())
    data = content(splits(trials[0].train.data, None))
    return [trial_of(settings, data, None).model_dump_json() for settings in trials]


def accuracies(found: list[str]) -> list[float]:
    outcomes = [OUTCOME.validate_json(text) for text in found]
    return [outcome.accuracy for outcome in outcomes if isinstance(outcome, Measured)]


def test_they_are_the_lines_of_each_trial_alone():
    given = tasks(LEARNS)
    found = list(together.outcomes(given, Processor()))
    assert len(found) == 8
    assert sorted(found) == sorted(map(execution.run_trial, given))
    assert len(set(accuracies(found))) > 2
    assert max(accuracies(found)) > 0.5


def test_more_trials_than_the_device_holds_go_one_lot_after_the_other(monkeypatch):
    monkeypatch.setattr(Processor, "most", 3)
    given = tasks(LEARNS)[:4]
    assert sorted(together.outcomes(given, Processor())) == sorted(map(execution.run_trial, given))


def test_whoever_takes_an_outcome_may_run_a_trial(monkeypatch):
    """The lock of the process's one trial, and its single thread, are given up before the outcome is handed over."""
    monkeypatch.setattr(together, "learn_together", lambda jobs, device: [job.program for job in jobs])
    locked = [execution._ALONE.locked() for _ in together.outcomes(tasks(LEARNS)[:2], Processor())]
    assert locked == [False, False]


@pytest.mark.parametrize(
    "changed",
    [
        {"compile": {"learning": "off"}, "learn": None},
        {"compile": {"learning": "on", "eligibility": "tag"}},
        {"train": {"data": "digits:150", "epochs": 0, "widths": "20-10"}},
        {"learn": {"epochs": 2, "rounding": "chip"}},
        {"learn": {"epochs": 2, "margin": 0.1, "single": True}},
        {"compile": {"learning": "on", "field": 90}},
    ],
    ids=["nothing to learn", "tags", "two layers", "chip rounding", "a schedule that is refused", "no such net"],
)
def test_what_no_lane_learns_goes_its_own_way(changed):
    space = {**LEARNS, "seed": 3, "compile": {"learning": "on"}, "learn": {"epochs": 2}} | changed
    given = tasks({name: part for name, part in space.items() if part is not None})
    assert list(together.outcomes(given, Processor())) == list(map(execution.run_trial, given))


def test_without_a_gpu_no_folder_is_made(tmp_path):
    try:
        Gpu()
    except BackendError:
        with pytest.raises(BackendError, match="--device cuda"):
            run.sweep(LEARNS, tmp_path / "out", device="cuda")
        assert not (tmp_path / "out").exists()
    else:
        pytest.skip("there is a CUDA device here")


@pytest.mark.parametrize("given", [{"count": 2}, {"scheduler": "tcp://localhost:8786"}])
def test_the_gpu_is_the_one_worker(given, tmp_path):
    with pytest.raises(FF2LoihiError, match="--device cuda: the GPU is the one worker"):
        run.sweep(LEARNS, tmp_path / "out", device="cuda", **given)

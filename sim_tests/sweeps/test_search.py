"""Optuna's search: rounds that follow from results alone, so that it goes on, and is the same with any workers."""

import importlib.util
import json
import signal
import statistics
import subprocess
import sys
import time

import pytest
import yaml

from ff2loihi import api
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.sweeps import execution, run
from ff2loihi.sweeps.search import BATCH, rounds
from ff2loihi.sweeps.settings import Settings
from ff2loihi.sweeps.space import read_space

needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="Optuna is not installed: the extra sweep"
)
SPACE = {
    "train": {"epochs": {"low": 1, "high": 30}, "widths": 24},
    "compile": {"learning": "on", "trace": ["relu", "li", "hard-li"]},
    "learn": {"margin": {"low": 0.01, "high": 1, "log": True}},
    "draw": {"points": 45, "by": "optuna"},
}
QUICK = {
    "train": {"quick": True, "epochs": 1, "widths": [8, 16, 24], "recipe": ["ffa-symmetric", "ffa-sigmoid"]},
    "compile": {"weight_bits": {"low": 2, "high": 8}},
    "draw": {"points": BATCH + 5, "by": "optuna"},
}


def accuracy(one: Settings) -> float:
    """Best at 12 epochs with the trace li and a margin of 0.1."""
    assert one.learn
    assert one.learn.margin
    return 0.9 - abs(one.train.epochs - 12) / 50 - abs(one.learn.margin - 0.1) / 2 - (one.compile.trace != "li") / 5


def searched(space: dict, judge=accuracy) -> list[list[Settings]]:
    return [trials for trials, _ in rounds(read_space(space), judge)]


@needs_optuna
def test_a_round_follows_from_the_results_before_it_and_finds_what_is_better():
    found = searched(SPACE)
    assert [len(each) for each in found] == [10, 10, 10, 10, 5]
    assert found == searched(SPACE)
    means = [statistics.mean(map(accuracy, trials)) for trials in found]
    assert means[3] > means[0] + 0.1
    other = searched(SPACE, lambda one: 1 - accuracy(one))
    assert other[0] == found[0]
    assert other[1] != found[1]
    assert searched({**SPACE, "draw": {**SPACE["draw"], "seed": 1}})[0] != found[0]
    settings = [one for trials in found for one in trials]
    assert {one.compile.trace for one in settings} == {"relu", "li", "hard-li"}
    assert all(1 <= one.train.epochs <= 30 and 0.01 <= one.learn.margin <= 1 for one in settings)
    assert all(one.learn.margin == float(f"{one.learn.margin:.6g}") for one in settings)


@needs_optuna
def test_a_search_of_more_points_begins_with_that_of_fewer():
    fewer = searched({**SPACE, "draw": {"points": 14, "by": "optuna"}})
    more = searched(SPACE)
    assert fewer[0] == more[0]
    assert len(fewer[1]) == 4
    assert fewer[1] == more[1][:4]


@needs_optuna
def test_a_point_is_worth_its_mean_over_the_seeds():
    space = {**SPACE, "seed": [0, 4]}
    found = searched(space, lambda one: accuracy(one) + (0.5 if one.seed else -0.5))
    couples = [couple for each in found for couple in zip(each[::2], each[1::2], strict=True)]
    assert all((one.seed, other) == (0, one.model_copy(update={"seed": 4})) for one, other in couples)
    assert found == searched(space)
    assert [one for each in searched(SPACE) for one in each] == [one for one, _ in couples]


@needs_optuna
def test_what_means_nothing_beside_the_others_makes_no_second_trial():
    space = {
        "compile": {"neuron": ["graded", "lif"], "reset": ["soft", "hard"]},
        "draw": {"points": 30, "by": "optuna"},
    }
    found = [(one.compile.neuron, one.compile.reset) for each in searched(space, lambda one: 0.5) for one in each]
    assert set(found) == {("graded", "soft"), ("lif", "soft"), ("lif", "hard")}
    [(first, later), *_] = rounds(read_space(space), lambda one: 0.5)
    assert len(first) == len(set(first)) < 10
    assert later == 20


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(run.Pool, "outcomes", lambda pool, tasks: enumerate(map(execution.run_trial, tasks)))


@needs_optuna
def test_a_search_that_is_killed_goes_on_to_the_same_bytes_with_any_number_of_workers(
    tmp_path, in_this_process, monkeypatch
):
    whole = api.sweep(QUICK, tmp_path / "whole")
    lines = (tmp_path / "whole" / "results.jsonl").read_bytes()
    assert whole.complete
    assert whole.finished == lines.count(b"\n") > BATCH + 1
    assert len({one.accuracy for one in whole.configurations}) > 5
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(QUICK, sort_keys=False))
    words = [sys.executable, "-m", "ff2loihi", "sweep", "s.yaml", "--workers", "2"]
    results = tmp_path / "s-sweep" / "results.jsonl"
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as command:
        while not results.exists() or results.read_bytes().count(b"\n") < BATCH:  # in the second round
            assert command.poll() is None
            time.sleep(0.01)
        command.send_signal(signal.SIGKILL)
    seen = results.read_bytes().count(b"\n")
    assert BATCH <= seen < whole.finished
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f" trials, {seen} of them finished already; results in s-sweep\n" in done.stdout
    assert results.read_bytes() == lines
    monkeypatch.delattr(run.Pool, "outcomes")  # nothing is run again
    assert api.sweep(QUICK, tmp_path / "s-sweep") == whole


@needs_optuna
def test_options_that_cannot_be_compiled_are_worth_nothing(tmp_path, in_this_process):
    space = {
        "train": {"recipe": ["ff-mlp", "ffa-symmetric"], "epochs": 0, "widths": 12},
        "compile": {"learning": "on"},
        "draw": {"points": 3 * BATCH, "by": "optuna"},
        "seed": list(range(2)),
    }
    found = api.sweep(space, tmp_path)
    assert (found.finished, len(found.errors)) == (4, 2)
    assert [one.options for one in found.configurations] == [{"train.recipe": "ffa-symmetric"}]


def test_without_optuna_the_extra_is_named_and_no_folder_is_made(monkeypatch, refused, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    (tmp_path / "s.yaml").write_text(json.dumps(SPACE))
    code, text = refused("sweep", tmp_path / "s.yaml")
    assert code == 3
    assert "draw.by: optuna: Optuna is not installed. Install the extra `sweep`, as pip install '.[sweep]'" in text
    assert not (tmp_path / "s-sweep").exists()


def test_a_search_is_not_cut_into_parts(refused, tmp_path):
    (tmp_path / "s.yaml").write_text(json.dumps(SPACE))
    code, text = refused("sweep", tmp_path / "s.yaml", "--part", "1/2")
    assert code == 2
    assert "--part 1/2: draw.by: optuna: a search goes on from all results so far" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"draw": {"points": 60_000, "by": "optuna"}, "seed": [0, 1]}, "120,000 trials, at most 100,000 are run"),
        ({"compile": {"learning": "on", "neuron": "lif"}}, "compile.neuron: has no meaning beside the other options"),
        ({"compile": {"learning": "off"}}, "learn: no trial learns"),
        ({"draw": {**SPACE["draw"], "seed": 1 << 32}}, "draw.seed: must be at most 4,294,967,295 by optuna, got"),
    ],
)
def test_a_space_that_has_no_meaning_is_told_before_the_search(changed, said):
    with pytest.raises(FF2LoihiError, match=said):
        next(rounds(read_space({**SPACE, **changed}), accuracy))


def test_nothing_to_search_is_told():
    with pytest.raises(FF2LoihiError, match="draw: no option has a range"):
        read_space({"train": {"epochs": 3}, "draw": {"points": 2, "by": "optuna"}})

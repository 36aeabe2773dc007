"""`ff2loihi reproduce`: the names, the options, and a report that grows cell by cell."""

import json
from dataclasses import dataclass

import pytest

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.reproduce.experiment import Experiment, Table
from ff2loihi.reproduce.experiments import EXPERIMENTS


@dataclass(frozen=True)
class Cell:
    name: str
    ours: float


@pytest.fixture
def broken(monkeypatch):
    """An experiment without options whose second cell fails."""

    def cells(progress):
        yield Cell("first", 1.5)
        raise FF2LoihiError("the second cell is broken")

    table = Table("broken", ("name", "ours"), {"fact": 7}, cells, lambda cell: (cell.name, str(cell.ours)))
    monkeypatch.setitem(EXPERIMENTS, "broken", Experiment("nobody", frozenset(), lambda request: table))


def test_cells_that_were_finished_before_a_failure_are_in_the_json(broken, refused, tmp_path):
    code, line = refused("reproduce", "broken", "--json", tmp_path / "r.json")
    assert (code, line) == (2, "ff2loihi: the second cell is broken\n")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["cells"] == [{"name": "first", "ours": 1.5}]
    assert report["fact"] == 7
    assert report["complete"] is False


@pytest.mark.parametrize(("option", "value"), [("--table", 1), ("--data", "digits"), ("--epochs", 3)])
def test_an_option_that_means_nothing_to_the_experiment_is_refused(broken, refused, option, value):
    code, line = refused("reproduce", "broken", option, value)
    assert code == 2
    assert f"{option}: no meaning with reproduce broken" in line


def test_an_unknown_experiment_is_answered_with_the_known_ones(refused):
    code, line = refused("reproduce", "nothing")
    assert code == 2
    assert all(name in line for name in EXPERIMENTS)

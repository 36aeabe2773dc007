"""`ff2loihi reproduce`: the names, the options, and a report that grows cell by cell."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.networks.plain import Plain, PlainNetwork
from ff2loihi.reproduce import tosato
from ff2loihi.reproduce.experiment import Experiment, Table
from ff2loihi.reproduce.experiments import EXPERIMENTS


@dataclass(frozen=True)
class Cell:
    name: str
    ours: float


@pytest.fixture
def broken(monkeypatch):
    """In place of an experiment, one without options whose second cell fails."""

    def cells(progress):
        yield Cell("first", 1.5)
        raise FF2LoihiError("the second cell is broken")

    table = Table("tosato", ("name", "ours"), {"fact": 7}, cells, lambda cell: (cell.name, str(cell.ours)))
    monkeypatch.setitem(EXPERIMENTS, "tosato", Experiment("nobody", frozenset(), lambda request: table))


def test_cells_that_were_finished_before_a_failure_are_in_the_json(broken, refused, tmp_path):
    code, line = refused("reproduce", "tosato", "--json", tmp_path / "r.json")
    assert (code, line) == (2, "ff2loihi: the second cell is broken\n")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["cells"] == [{"name": "first", "ours": 1.5}]
    assert report["fact"] == 7
    assert report["complete"] is False


@pytest.mark.parametrize(("option", "value"), [("--table", 1), ("--data", "digits"), ("--epochs", 3)])
def test_an_option_that_means_nothing_to_the_experiment_is_refused(broken, refused, option, value):
    code, line = refused("reproduce", "tosato", option, value)
    assert code == 2
    assert f"{option}: no meaning with reproduce tosato" in line


def test_an_unknown_experiment_is_answered_with_the_known_ones(refused):
    code, line = refused("reproduce", "nothing")
    assert code == 2
    assert all(name in line for name in EXPERIMENTS)


def test_sparsity_is_that_of_the_images_classified_correctly():
    """Two neurons that show two pixels, and a head that calls the larger one: S of (1, 0) is 1, of (1, 1) is 0."""
    net = PlainNetwork(2, (2,), 2, Plain(read=(0,), raw=True), False, {})
    for layer in (net.layers[0], net.head):
        torch.nn.init.eye_(layer.weight)
    torch.nn.init.zeros_(net.head.bias)
    images = np.array([[255, 0], [0, 255], [200, 200], [0, 255]], np.uint8)
    data = Dataset("four", "test", images, np.array([0, 1, 0, 0]), 2)  # the last label is wrong
    right, found = tosato.right_and_sparsity(net, data)
    assert right == 0.75
    assert found == pytest.approx((2 / 3,))


@pytest.mark.parametrize(
    ("line", "rows"),
    [(("tosato", "--epochs", 3), ("tosato-ff", "tosato-bp-ff", "tosato-bp")),
     (("hinton", "--epochs", 3), ("ff-hinton", "hinton-unsupervised"))],
)  # fmt: skip
@pytest.mark.slow
def test_a_quick_table_is_filled(ff2loihi, tmp_path, line, rows):
    code, out, _ = ff2loihi("reproduce", *line, "--quick", "--json", tmp_path / "r.json")
    assert code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["complete"] is True
    assert tuple(cell["recipe"] for cell in report["cells"]) == rows
    for cell in report["cells"]:
        right = cell["ours"] if line[0] == "tosato" else 100 - cell["ours"]
        assert right > 50  # chance is 10
        assert abs(cell["ours"] - cell["compiled"]) < 3
        assert cell["epochs"] == 3
        assert f"{cell['ours']:.2f}" in out


def test_a_data_set_that_is_not_there_is_refused_before_anything_is_trained(refused, tmp_path):
    code, line = refused("reproduce", "tosato", "--data", "svhn", "--data-root", tmp_path)
    assert code == 2
    assert f"svhn: not in {tmp_path}, which has no test_32x32.mat" in line

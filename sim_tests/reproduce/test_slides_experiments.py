"""The slides' tables: every row in its quick form, and JSON that grows row by row."""

import json

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import RECIPES, train
from ff2loihi.reproduce import negatives, transfer
from ff2loihi.reproduce.experiment import filled


def test_the_tables_name_recipes_that_exist():
    named = {cell.recipe for cell in (*negatives.ROWS, *transfer.ROWS)}
    assert named <= set(RECIPES)


def test_negatives_on_a_few_digits_shows_ours_beside_the_slides(ff2loihi, tmp_path, monkeypatch):
    monkeypatch.setattr(negatives, "ROWS", [negatives.ROWS[0], negatives.ROWS[-1]])
    code, _, _ = ff2loihi("reproduce", "negatives", "--quick", "--epochs", 2, "--json", tmp_path / "t.json")
    assert code == 0
    report = json.loads((tmp_path / "t.json").read_text())
    assert (report["complete"], report["epochs"], report["data"]) == (True, 2, "digits")
    assert [cell["slides"] for cell in report["cells"]] == [94.5, 99.2]
    assert all(20 < cell["ours"] <= 100 for cell in report["cells"])
    assert all(abs(cell["compiled"] - cell["ours"]) < 5 for cell in report["cells"])


def test_workers_fill_the_table_as_one_does(ff2loihi, tmp_path, monkeypatch):
    monkeypatch.setattr(negatives, "ROWS", [negatives.ROWS[0], negatives.ROWS[-1], negatives.ROWS[1]])
    reports = []
    for workers in (1, 2):
        file = tmp_path / f"{workers}.json"
        code, out, err = ff2loihi(
            "reproduce", "negatives", "--quick", "--epochs", 1, "--workers", workers, "--json", file
        )
        assert code == 0, err
        report = json.loads(file.read_text())
        assert f"{report['cells'][2]['ours']:.2f}" in out
        reports.append({key: value for key, value in report.items() if key != "seconds"})
    assert reports[0] == reports[1]
    assert reports[0]["complete"]
    assert [cell["recipe"] for cell in reports[0]["cells"]] == [cell.recipe for cell in negatives.ROWS]
    assert all(15 < cell["ours"] <= 100 for cell in reports[0]["cells"])


def test_what_a_worker_cannot_make_is_told_in_one_line_after_the_cells_before_it():
    digits = load_data("digits", "train", limit=100)
    parts = [(cell, digits, digits, 0, 0) for cell in (negatives.ROWS[0], negatives.Cell("x", "no-recipe"))]
    made = filled(negatives.finished_cells, parts, 1, lambda done, total, note: None)
    assert next(made).recipe == negatives.ROWS[0].recipe
    with pytest.raises(FF2LoihiError, match="no-recipe") as raised:
        next(made)
    assert "\n" not in str(raised.value)


def test_a_probe_reads_what_a_frozen_net_tells_and_leaves_it_alone():
    digits, test = load_data("digits", "train"), load_data("digits", "test")
    net = train("ff-negatives-random", digits, epochs=3, widths=(60, 60))
    before = [layer.weight.clone() for layer in net.layers]
    last, both = (transfer.transfer(net, "mean", layers, digits, test, 0) for layers in (slice(-1, None), slice(None)))
    assert both > last > 0.2
    assert all(torch.equal(a, layer.weight) for a, layer in zip(before, net.layers, strict=True))


def test_neurons_that_never_fire_are_silent():
    digits = load_data("digits", "test", limit=3)
    net = train("ff-negatives-random", digits, epochs=0, widths=(10, 30))
    with torch.no_grad():
        net.layers[1].weight[:12] = -1
        net.layers[1].weight[12:] = 1
    x = digits.images / 255
    x[:, :10] = np.eye(10)[digits.labels]
    dead = (x @ net.layers[0].weight.detach().numpy().T <= 0).all(0).sum()
    assert dead > 0
    assert transfer.silent_share(net, digits) == pytest.approx((dead + 12) / 40)


@pytest.mark.parametrize(("label", "ones"), [("mean", 1.0), ("zeros", 0.0), ("label 0", 1.0)])
def test_a_probed_net_sees_the_label_that_was_asked_for(label, ones):
    net = train("ff-negatives-random", load_data("digits", "train", limit=20), epochs=0, widths=(10, 10))
    code = transfer.label_code(net, label)
    assert code.sum() == pytest.approx(ones)
    assert (code[0] == 1) == (label == "label 0")


@pytest.mark.slow
def test_the_quick_negatives_table_runs(ff2loihi, tmp_path):
    code, _, _ = ff2loihi("reproduce", "negatives", "--quick", "--json", tmp_path / "t.json")
    assert code == 0
    report = json.loads((tmp_path / "t.json").read_text())
    assert [cell["what"] for cell in report["cells"]] == [cell.what for cell in negatives.ROWS]


@pytest.mark.slow
def test_the_quick_transfer_table_runs(ff2loihi, mnist_root, tmp_path):
    code, _, _ = ff2loihi("reproduce", "transfer", "--quick", "--data-root", mnist_root, "--json", tmp_path / "t.json")
    assert code == 0
    report = json.loads((tmp_path / "t.json").read_text())
    assert [cell["what"] for cell in report["cells"]] == [cell.what for cell in transfer.ROWS]

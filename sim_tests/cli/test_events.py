"""`--log-dir`: what TensorBoard's own reader finds of a run, and that a run with it ends as one without."""

import json
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ff2loihi import api
from ff2loihi.ff.steps import Kept


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    return found.Reload()


def curve(found, name):
    return [(event.step, event.value) for event in found.Scalars(name)]


def test_training_writes_loss_accuracy_goodness_and_weights(ff2loihi, tmp_path):
    line = ["train", "--recipe", "ff-mlp", "--epochs", 3, "--widths", "30-20"]
    assert ff2loihi(*line, "-o", tmp_path / "plain.pt")[0] == 0
    assert (
        ff2loihi(*line, "-o", tmp_path / "x.pt", "--log-dir", tmp_path / "log", "--json", tmp_path / "x.json")[0] == 0
    )
    assert (tmp_path / "x.pt").read_bytes() == (tmp_path / "plain.pt").read_bytes()
    found = read(tmp_path / "log")
    steps = [step for step, _ in curve(found, "goodness/layer 2, true label")]
    assert [3 * step for step in steps] == [steps[2], 2 * steps[2], 3 * steps[2]]
    loss = curve(found, "loss")
    assert {step for step, _ in loss} == {*range(10, steps[2] + 1, 10), *steps}
    assert loss[-1][1] < loss[0][1]
    for layer in (1, 2):
        true, wrong = (curve(found, f"goodness/layer {layer}, {of}")[-1][1] for of in ("true label", "wrong labels"))
        assert true > wrong > 0
    assert curve(found, "accuracy/training images")[-1][1] > 0.8
    [(step, accuracy)] = curve(found, "accuracy/test images")
    assert step == steps[-1]
    assert accuracy == pytest.approx(json.loads((tmp_path / "x.json").read_text())["test_accuracy"])
    weight = torch.load(tmp_path / "x.pt", weights_only=True)["tensors"]["layers.1.weight"]
    last = found.Histograms("weights/layers.1.weight")[-1].histogram_value
    assert (last.num, last.min, last.max) == (600, float(weight.min()), float(weight.max()))
    assert sum(last.bucket) == 600
    assert last.sum == pytest.approx(float(weight.double().sum()))


@pytest.mark.parametrize("recipe", ["cwc-ff-bn", "rbm", "hinton-unsupervised", "tosato-bp", "random-features"])
def test_a_log_changes_nothing_whatever_the_recipe(ff2loihi, tmp_path, recipe):
    widths = ["--widths", 20] if "cwc" not in recipe else []
    line = ["train", "--recipe", recipe, "--epochs", 1, *widths]
    assert ff2loihi(*line, "-o", tmp_path / "plain.pt")[0] == 0
    assert ff2loihi(*line, "-o", tmp_path / "x.pt", "--log-dir", tmp_path / "log")[0] == 0
    assert (tmp_path / "x.pt").read_bytes() == (tmp_path / "plain.pt").read_bytes()
    found = read(tmp_path / "log").Tags()
    assert "accuracy/test images" in found["scalars"]
    assert ("loss" in found["scalars"]) == bool(found["histograms"]) == (recipe != "random-features")


class Cut(Exception):
    """Ends a training."""


def test_a_resumed_training_says_each_step_once(ff2loihi, tmp_path, monkeypatch):
    line = ["train", "--epochs", 3, "--widths", 20, "-o", tmp_path / "x.pt", "--log-dir", tmp_path / "log"]
    real = Kept.keep

    def keep(self, here):
        if here.done == 35:
            self.written = -1e9
            real(self, here)
        if here.done == 50:
            raise Cut

    monkeypatch.setattr(Kept, "keep", keep)
    ff2loihi(*line)
    monkeypatch.undo()
    assert ff2loihi(*line, "--resume")[0] == 0
    assert len(list((tmp_path / "log").iterdir())) == 2
    steps = [step for step, _ in curve(read(tmp_path / "log"), "loss")]
    assert steps == sorted(set(steps))
    assert {30, 40, 50, 60} < set(steps)


def test_learning_writes_its_log_as_curves_and_its_weights(ff2loihi, networks, tmp_path):
    line = ["learn", networks["on.ffl"], "--epochs", 2, "--limit", 150, "--evaluate", "test:50"]
    assert ff2loihi(*line, "-o", tmp_path / "plain.ffl")[0] == 0
    assert ff2loihi(*line, "-o", tmp_path / "x.ffl", "--log-dir", tmp_path / "log")[0] == 0
    assert (tmp_path / "x.ffl").read_bytes() == (tmp_path / "plain.ffl").read_bytes()
    layer = api.load(networks["on.ffl"]).network.layers[0].name
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    found = read(tmp_path / "log")
    for name, key in (
        ("accuracy/online", "online_accuracy"), ("accuracy/held out", "held_out_accuracy"),
        ("images learned from", "learned"),
    ):  # fmt: skip
        assert curve(found, name) == [(entry["epoch"], pytest.approx(entry[key])) for entry in lines]
        assert curve(found, name)[-1][1] > 0
    first, second = (event.histogram_value for event in found.Histograms(f"weights/{layer}"))
    assert first.num == second.num == 12 * 164
    assert first.sum_squares != second.sum_squares


@pytest.mark.parametrize("command", ["train", "learn"])
def test_where_no_events_can_go_is_told_at_the_start(refused, networks, tmp_path, monkeypatch, command):
    line = [*(["learn", networks["on.ffl"]] if command == "learn" else ["train"]), "-o", tmp_path / "x", "--log-dir"]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "events").write_text("mine")
    for folder, words in (
        ("file", "file: not a folder. Name one with --log-dir"),
        ("full", "full: exists and is not an empty folder. Name another, or remove it"),
        ("no/where", "does not exist. Choose another --log-dir"),
    ):
        code, text = refused(*line, tmp_path / folder)
        assert code == 2
        assert words in text
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    code, text = refused(*line, tmp_path / "new")
    assert code == 2
    assert "--log-dir needs the package tensorboard. Install the extra `tensorboard`, as pip install" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("command", ["train", "learn"])
def test_a_run_that_is_refused_leaves_no_events(refused, networks, tmp_path, command, made):
    """Else the same command, put right, would be refused for the folder that the first one left."""
    line = ["train", "--recipe", "tosato-ff", "--bias"] if command == "train" else ["learn", networks["on.ffl"]]
    bad = [] if command == "train" else ["--jitter", -1]
    if made:
        (tmp_path / "log").mkdir()
    code, text = refused(*line, *bad, "-o", tmp_path / "x", "--log-dir", tmp_path / "log")
    assert code == 2
    assert ("--bias: no meaning" if command == "train" else "--jitter must be at least 0") in text
    assert [path.name for path in tmp_path.rglob("*")] == (["log"] if made else [])

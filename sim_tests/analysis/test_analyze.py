"""Latents out of every form of a network, and the command that analyses them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.analysis.analyze import forms
from ff2loihi.analysis.latents import latents
from ff2loihi.backends.classification import PHASE_SEED
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.emulator.library_learner import LibraryLearner
from ff2loihi.cli import kinds
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import rates
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.ff.train import tensor_of

SAMPLES = 130


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """m.pt (two layers, digits without class 3), its checkpoint, g.ffl, and the data sets."""
    folder = tmp_path_factory.mktemp("made")
    data, test = load_data("digits", "train"), load_data("digits", "test", limit=SAMPLES)
    known = replace(data, images=data.images[data.labels != 3], labels=data.labels[data.labels != 3])
    train("ffa-symmetric", known, widths=(24, 16), epochs=4, seed=1).save(folder / "m.pt")
    checkpoint = pipeline.load_checkpoint(folder / "m.pt", None)
    program = api.compile(checkpoint, load_data("digits", "train", limit=200))
    api.save(program, folder / "g.ffl")
    return SimpleNamespace(folder=folder, checkpoint=checkpoint, data=data, test=test, program=program)


def test_the_true_labels_row_of_every_form_is_what_the_emulator_computes(made):
    """States of a run under all labels, from which the true label's row is picked here."""
    found, refused = forms(made.checkpoint, made.data)
    assert refused == []
    assert [form.network.neuron for form in found[1:]] == ["graded", "lif"]
    for form in found[1:]:
        mine = latents(form, made.test.images, made.test.labels)
        trace = Emulator().run(form, made.test.images, states=True)
        rows = np.arange(SAMPLES), made.test.labels
        for index, name in enumerate(mine.names):
            state = (
                trace.states[f"{name}.h"] if form.network.neuron == "graded" else trace.states[f"{name}.r"][:, :, -1]
            )
            assert np.array_equal(mine.true[index], state[rows])
            assert mine.neutral[index].shape == mine.true[index].shape
            assert not np.array_equal(mine.neutral[index], mine.true[index])
        assert np.array_equal(mine.predictions, trace.predictions)


def test_float_latents_are_the_torch_networks_activities(made):
    data = load_data("digits", "train", limit=50)
    network = train("ff-mlp", data, widths=(12, 8), epochs=1)
    network.save(made.folder / "f.pt")
    form = forms(pipeline.load_checkpoint(made.folder / "f.pt", None), data)[0][0]
    found = latents(form, data.images, data.labels)
    images = tensor_of(data.images)
    drive = network.image_drive(images) + network.label_drive(network.embedding.codes[data.labels])
    neutral = network.image_drive(images) + network.label_drive(network.embedding.codes.mean(0))
    for mine, drives in ((found.true, drive), (found.neutral, neutral)):
        for layer, h in zip(mine, network.activities(drives), strict=True):
            assert layer == pytest.approx(h.detach().numpy(), abs=1e-4)
    assert np.array_equal(found.predictions, network.scores(images).argmax(1).numpy())


def test_a_learning_networks_latents_are_the_spikes_of_its_recorded_states(made):
    program = api.compile(made.checkpoint, load_data("digits", "train", limit=200), LearningOptions())
    images, labels = made.test.images[:6], made.test.labels[:6]
    found = latents(program, images, labels)
    learner = Learner(program.network, record=True)
    for label in set(labels.tolist()):
        rng = np.random.default_rng(PHASE_SEED)
        for index in np.flatnonzero(labels == label):
            learner.show(rates(program.network, images[index]), rng.integers(0, 256, program.network.pixels))
            learner.present(label, 0)
            for layer, states in zip(found.true, learner.states, strict=True):
                assert layer[index].tolist() == states[1:, 1].sum(0).tolist()  # z of each step
    assert sum(layer.sum() for layer in found.true) > 0


@pytest.fixture(scope="module")
def library(made):
    """A network of library neurons, one layer, and its file."""
    train("ffa-symmetric", made.data, widths=(20,), epochs=0).save(made.folder / "u.pt")
    program = api.compile(made.folder / "u.pt", load_data("digits", "train", limit=200), LearningOptions(library=True))
    api.save(program, made.folder / "library.ffl")
    return program, made.folder / "library.ffl"


def test_the_latents_of_library_neurons_are_what_their_counters_hold_at_the_end(made, library):
    """r of a recorded presentation with all gates and thermometers, none of which is enabled."""
    network, images, labels = library[0].network, made.test.images[:6], made.test.labels[:6]
    found = latents(library[0], images, labels)
    learner = LibraryLearner(network, record=True)
    for label in set(labels.tolist()):
        rng = np.random.default_rng(PHASE_SEED)
        for index in np.flatnonzero(labels == label):
            learner.show(rates(network, images[index]), rng.integers(0, 256, network.pixels))
            learner.present(label, 0)
            assert found.true[0][index].tolist() == learner.states[-1, 2].tolist()
    assert found.true[0].sum() > 0
    assert not np.array_equal(found.true[0], found.neutral[0])


def test_analyze_of_library_neurons_that_learn_shows_their_form(ff2loihi, library, tmp_path):
    line = ("--samples", SAMPLES, "-o", tmp_path / "p", "--json", tmp_path / "a.json")
    code, _, err = ff2loihi("analyze", library[1], *line)
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["representations"] == [["learning", "hidden1"]]


def test_any_number_of_workers_measures_and_draws_the_same(ff2loihi, made, tmp_path):
    found = []
    for workers in (1, 2):
        folder, file = tmp_path / str(workers), tmp_path / f"{workers}.json"
        code, _, err = ff2loihi(
            "analyze", made.folder / "m.pt", "--samples", SAMPLES, "--workers", workers, "--json", file, "-o", folder
        )
        assert (code, err) == (0, "")
        drawn = {path.name: path.read_bytes() for path in folder.iterdir()}
        found.append((json.loads(file.read_text()), drawn))
    assert found[0] == found[1]
    report, drawn = found[0]
    assert set(report["pictures"]) == set(drawn)
    assert {"tsne-float-hidden1.png", "tsne-lif-hidden2.png"} <= set(drawn)
    probes = [layer["probe"] for form in report["forms"] for layer in form["layers"]]
    assert len(probes) == 6
    assert min(probes) > 0.2


def test_analyze_writes_tables_json_and_pictures_of_three_forms(ff2loihi, made, tmp_path):
    code, out, err = ff2loihi(
        "analyze", made.folder / "m.pt", "--samples", SAMPLES, "--layers", "hidden1", "--unseen", 3,
        "--json", tmp_path / "a.json", "-o", tmp_path / "pictures",
    )  # fmt: skip
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert [form["name"] for form in report["forms"]] == ["float", "graded", "LIF"]
    assert report["representations"] == [["float", "hidden1"], ["graded", "hidden1"], ["LIF", "hidden1"]]
    run = api.run(made.program, made.test, Emulator())
    assert report["forms"][1]["accuracy"] == run.accuracy
    for form in report["forms"]:
        [layer] = form["layers"]
        assert f"{layer['sparsity']['mean']:.3f}" in out
        assert 3 not in layer["classes"]
        assert len(layer["unseen"]["jaccard"]) == len(layer["classes"])
        assert layer["separability"] > 0.8
    assert report["similarity"]["CKA"][0][1] > 0.99
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(report["pictures"])
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "pictures").iterdir())
    assert len(report["pictures"]) == 3 * 3 + 2


def test_a_silent_layer_is_reported_and_not_a_crash(ff2loihi, made, tmp_path):
    """A dead net: no Hoyer index, no ensembles, no similarity."""
    held = torch.load(made.folder / "m.pt", weights_only=True)
    for name in ("layers.0.weight", "layers.1.weight"):
        held["tensors"][name] = -held["tensors"][name].abs()
    torch.save(held, tmp_path / "dead.pt")
    line = ("analyze", tmp_path / "dead.pt", "--samples", SAMPLES, "--layers", "hidden2", "--json", tmp_path / "a.json")
    code, _, err = ff2loihi(*line)
    assert code == 0, err
    report = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    layer = report["forms"][0]["layers"][0]
    assert (layer["sparsity"]["mean"], layer["sparsity"]["silent"], layer["ensembles"]) == (None, 1, None)


def test_analyze_of_an_artifact_shows_its_own_form(ff2loihi, made, tmp_path):
    line = ("--samples", SAMPLES, "--layers", "hidden2", "-o", tmp_path / "p", "--json", tmp_path / "a.json")
    assert ff2loihi("analyze", made.folder / "g.ffl", *line, "--format", "svg")[0] == 0
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["representations"] == [["graded", "hidden2"]]
    assert "tsne-graded-hidden2.svg" in report["pictures"]
    assert {kinds.kind(tmp_path / "p" / name) for name in report["pictures"]} == {kinds.SVG}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--samples", 30), "need more than 5 of each class. Use a larger --samples"),
        (("--layers", "hidden1,h2"), "--layers must be some of hidden1, hidden2, got h2"),
        (("--split", "train"), "'train' is not one of 'test', 'validation'"),
        (("--unseen", 10), "--unseen must be one of the classes of digits, 0, 1, 2"),
        (("-o", "no/such/folder"), "the folder no/such does not exist"),
        (("-o", __file__), "not a folder. Name one with --output"),
        (("--calibrate", "digits"), "--spec and --calibrate are for a checkpoint"),
    ],
)
def test_what_analyze_cannot_do_is_one_line(refused, made, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    code, err = refused("analyze", made.folder / "g.ffl", "--samples", SAMPLES, *options)
    assert code == 2
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_other_images_are_refused_by_their_size(refused, made, mnist_root, tmp_path):
    code, err = refused("analyze", made.folder / "g.ffl", "--data", "mnist", "-o", tmp_path / "p")
    assert code == 2
    assert "images must be (samples, 64) uint8 for this model, got (1000, 784)" in err
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_leaves_no_half_written_picture(refused, made, tmp_path, monkeypatch):
    from ff2loihi.cli.commands import analyze
    from ff2loihi.compilers.errors import FF2LoihiError

    def full(path, data, error):
        raise FF2LoihiError(f"{path}: not written: No space left on device")

    monkeypatch.setattr(analyze, "write_atomic", full)
    code, err = refused(
        "analyze", made.folder / "g.ffl", "--samples", SAMPLES, "--layers", "hidden2", "-o", tmp_path / "p"
    )
    assert code == 2
    assert "No space left" in err
    assert list((tmp_path / "p").iterdir()) == []


def test_a_checkpoint_that_spikes_has_one_form_the_network_that_learns(made, tmp_path):
    rng = np.random.default_rng(0)
    torch.save(torch.from_numpy(rng.normal(0, 0.2, (74, 8)).astype(np.float32)), tmp_path / "w.pt")
    spec = {
        "pixels": 64,
        "label": {"kind": "append", "codes": "one_hot", "classes": 10},
        "layers": [{"weight": ".", "orientation": "in_out", "polarity": "half"}],
        "probability": {"kind": "symmetric"},
        "neuron": {"kind": "lif", "steps": 8},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    [form], refused = forms(pipeline.load_checkpoint(tmp_path / "w.pt", tmp_path / "spec.yaml"), made.test)
    assert (type(form.network), refused) == (LearningNetwork, [])


def test_a_form_that_does_not_compile_is_left_out_and_named(made, monkeypatch):
    def refuse(checkpoint, calibration, options):
        if options.neuron == "lif":
            raise CompileError("hidden1: too wide")
        return compile_checkpoint(checkpoint, calibration, options)

    compile_checkpoint = pipeline.compile_checkpoint
    monkeypatch.setattr(pipeline, "compile_checkpoint", refuse)
    found, refused = forms(made.checkpoint, made.test)
    assert len(found) == 2
    assert refused == ["no lif form: hidden1: too wide"]


def test_the_lif_form_of_large_convolutions_is_left_out_with_the_way_to_it(tmp_path, monkeypatch):
    data = load_data("digits", "train", limit=60)
    train("cwc-ff", data, epochs=0).save(tmp_path / "c.pt")
    checkpoint = pipeline.load_checkpoint(tmp_path / "c.pt", None)
    monkeypatch.setattr("ff2loihi.analysis.analyze.LIF_WORK", 1e6)
    found, [line] = forms(checkpoint, data)
    assert len(found) == 2
    assert line.startswith("no lif form: its threshold sweep takes ")
    assert line.endswith("1e+06 are made here. Compile with --neuron lif, and analyze the artifact")

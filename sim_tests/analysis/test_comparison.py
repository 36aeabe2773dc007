"""compare: float beside integers, layer by layer; a layer that was made worse is the one that is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from ff2loihi import api
from ff2loihi.analysis.canvas import canvas, image
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.cli import kinds
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CompileError, FF2LoihiError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train

FORMS = {
    "deferred": ("ff-mlp", {}),
    "tables": ("ff-mlp", {"bias": True}),
    "head": ("ff-mlp", {"head": True}),
    "raw head": ("tosato-bp", {}),
    "symmetric": ("ffa-symmetric", {}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """name -> the checkpoint's file, of three layers, trained a little on digits."""
    folder, data = tmp_path_factory.mktemp("made"), load_data("digits", "train")
    for name, (recipe, options) in FORMS.items():
        epochs = 60 if name == "raw head" else 6
        train(recipe, data, epochs=epochs, widths=(40, 30, 20), **options).save(folder / f"{name}.pt")
    return {name: folder / f"{name}.pt" for name in FORMS}


@pytest.fixture(scope="module")
def data():
    return load_data("digits", "train", limit=300), load_data("digits", "test")


@pytest.mark.parametrize("neuron", ["graded", "lif"])
@pytest.mark.parametrize("name", FORMS)
def test_its_ends_are_the_float_net_and_the_emulator(made, data, name, neuron):
    if (name, neuron) == ("tables", "lif"):
        pytest.skip("normalisation tables have no spiking form")
    program, (_, test) = api.compile(made[name], data[0], Options(neuron=neuron)), data
    found = api.compare(made[name], program, test)
    assert [stage.name for stage in found.stages] == ["float", "hidden1", "hidden2", "hidden3", "read-out"]
    net = network.build(pipeline.load_checkpoint(made[name]))
    floats = readout.float_scores(net, float_forward.all_labels(net, test.images)).argmax(1)
    integers = Emulator().run(program, test.images).predictions
    assert found.stages[0].accuracy == (floats == test.labels).mean() > 0.3
    assert found.stages[-1].accuracy == (integers == test.labels).mean()
    assert found.stages[-1].same == (integers == floats).mean()
    if net.head is None:  # the read-out of integers is the float one, of the same activities
        assert found.stages[-2].same == pytest.approx(found.stages[-1].same, abs=0.006)
    for stage, loss in zip(found.stages[1:-1], program.losses, strict=True):
        assert stage.layer.weight_db == pytest.approx(loss.weight_sqnr_db)
        assert stage.layer.correlation > (0.999 if neuron == "graded" else 0.9)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_layer_that_was_made_worse_is_the_one_that_is_named(made, data, layer):
    program = api.compile(made["raw head"], data[0])
    layers = list(program.network.layers)
    noise = np.random.default_rng(0).integers(-100, 101, layers[layer].weight.shape) * 2
    weight = np.clip(layers[layer].weight + noise, -256, 254).astype(np.int16)
    layers[layer] = replace(layers[layer], weight=weight)
    broken = replace(program, network=replace(program.network, layers=tuple(layers)))
    assert api.compare(made["raw head"], program, data[1]).first_loss is None
    found = api.compare(made["raw head"], broken, data[1])
    assert found.first_loss == f"hidden{layer + 1}"
    worst = min((stage for stage in found.stages if stage.layer), key=lambda stage: stage.layer.weight_db)
    assert worst.name == f"hidden{layer + 1}"


def test_what_the_inputs_folded_norm_loses_is_a_stage_of_its_own(made, data, tmp_path):
    spec = {
        "pixels": 64, "input": {"mean": 0.3, "std": 0.4, "norm": "l2"}, "label": {"kind": "none"},
        "layers": [{"weight": f"layers.{index}.weight", "bias": f"layers.{index}.bias"} for index in range(3)],
        "readout": {"kind": "head", "layers": [2],
                    "head": {"weights": ["head.weight"], "bias": "head.bias", "activities": "raw"}},
    }  # fmt: skip
    checkpoint = pipeline.load_checkpoint(made["raw head"])
    names = {layer.weight: layer for layer in checkpoint.spec.layers}
    spec["layers"] = [{"weight": name, "bias": names[name].bias} for name in names]
    spec["readout"]["head"] |= {
        "weights": list(checkpoint.spec.readout.head.weights), "bias": checkpoint.spec.readout.head.bias,
    }  # fmt: skip
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    checkpoint = pipeline.load_checkpoint(made["raw head"], tmp_path / "spec.yaml")
    program = api.compile(checkpoint, data[0])
    found = api.compare(checkpoint, program, data[1], calibration=data[0])
    assert [stage.name for stage in found.stages][:3] == ["float", "input folded", "hidden1"]
    assert found.stages[1].layer is None
    assert found.stages[2].layer.correlation > 0.999


def test_what_cannot_be_compared_is_refused(made, data):
    program = api.compile(made["deferred"], data[0])
    with pytest.raises(
        CompileError, match="a network 64-40-30-20 with read-out head, the artifact holds 64-40-30-20 with softmax"
    ):
        api.compare(made["raw head"], program, data[1])
    learns = api.compile(made["symmetric"], data[0], pipeline.LearningOptions())
    with pytest.raises(FF2LoihiError, match="one that learns has no float net"):
        api.compare(made["symmetric"], learns, data[1])


def test_the_command_shows_a_table_and_draws_it(ff2loihi, refused, made, data, tmp_path):
    api.save(api.compile(made["head"], data[0]), tmp_path / "m.ffl")
    line = ("compare", made["head"], tmp_path / "m.ffl", "--limit", 50)
    code, out, err = ff2loihi(*line, "-o", tmp_path / "c.png", "--json", tmp_path / "c.json")
    assert (code, err) == (0, "")
    assert "hidden3" in out
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert ff2loihi(*line, "-o", tmp_path / "c.pdf")[0] == 0
    assert kinds.kind(tmp_path / "c.pdf") == kinds.PDF
    (tmp_path / "mine.svg").write_bytes((tmp_path / "c.pdf").read_bytes())
    code, text = refused(*line, "-o", tmp_path / "mine.svg")
    assert "holds a PDF, and --output writes an SVG picture: not overwritten" in text
    report = json.loads((tmp_path / "c.json").read_text())
    found = api.compare(made["head"], api.load(tmp_path / "m.ffl"), load_data("digits", "test", limit=50))
    assert report["samples"] == 50
    assert [stage["accuracy"] for stage in report["stages"]] == [stage.accuracy for stage in found.stages]
    assert report["stages"][1]["layer"]["weight_db"] == found.stages[1].layer.weight_db
    assert report["first_loss"] == found.first_loss
    assert "would replace the input" in refused(*line, "-o", tmp_path / "m.ffl")[1]
    assert "holds a JSON report" in refused(*line, "-o", tmp_path / "c.json")[1]
    train("ff-mlp", load_data("digits", "train", limit=100), epochs=0, widths=(40, 30, 20), head=True).save(
        tmp_path / "other.pt"
    )
    code, _, err = ff2loihi("compare", tmp_path / "other.pt", tmp_path / "m.ffl", "--limit", 20)
    assert code == 0
    assert "was not compiled from" in err


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_a_picture_for_print_is_the_same_bytes_each_time_and_told_by_its_content(tmp_path, form):
    figure = canvas(3, 2)
    figure.add_subplot().bar(["first", "second"], [1, 2])
    data = image(figure, form)
    assert data == image(figure, form)
    (tmp_path / "x").write_bytes(data)
    assert kinds.kind(tmp_path / "x") == kinds.PICTURES[form]
    assert b"/Type3" not in data  # letters of a PDF as curves, which journals refuse

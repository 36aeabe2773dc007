"""One artifact of every recipe and form that compiles, from short trainings on digits."""

import dataclasses
from contextlib import suppress

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.compilers.checkpoint import load_checkpoint
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.learning import LearningOptions
from ff2loihi.compilers.quantize import Options
from ff2loihi.ff.data import load_data
from ff2loihi.ff.recipes import RECIPES, train

EXPORTED = RECIPES.keys() - {"rbm"}  # not compiled for its sigmoid units
NETS = [*((recipe, "plain") for recipe in EXPORTED), ("ff-mlp", "bias"), ("ff-mlp", "head"), ("ffa-symmetric", "bias")]
WIDTHS = {"ffa": (12,), "random": (12,), "ff-prospective": (12, 12), "cwc-ff": (10, 10, 20, 10)}
FORMS = {
    "graded": Options(),
    "soft": Options(neuron="lif", steps=4),
    "hard": Options(neuron="lif", steps=4, reset="hard", vth=60),
    "rule": LearningOptions(),
    "tag": LearningOptions(eligibility="tag"),
    "stock": LearningOptions(stock=True),
}


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    """(recipe, change, form) -> Program: every one that compiles."""
    file, found = tmp_path_factory.mktemp("artifacts") / "model.pt", {}
    images = load_data("digits", "train", limit=60)
    for recipe, change in NETS:
        widths = next((sizes for name, sizes in WIDTHS.items() if recipe.startswith(name)), (12, 10))
        changes = {} if change == "plain" else {change: True}
        for epochs, forms in (
            (1, ("graded", "soft", "hard")),
            (0, ("rule", "tag", "stock") * recipe.startswith("ffa")),
        ):
            train(recipe, images, widths=widths, epochs=epochs, seed=1, **changes).save(file)
            for form in forms:
                with suppress(CompileError):  # nets without such a form: see sim_tests/compilers
                    found[recipe, change, form] = api.compile(file, images, FORMS[form])
    assert {form for *_, form in found} == set(FORMS)
    assert {recipe for recipe, *_ in found} == EXPORTED
    return found


@pytest.fixture(scope="session")
def digits():
    """The first test images of digits."""
    return load_data("digits", "test", limit=3)


@pytest.fixture(scope="session")
def mixed_content():
    """(tensors, spec): two convolutions with groups, an oblong kernel and biases, and a dense layer, on 2 x 4 x 8."""
    made = torch.Generator().manual_seed(5)
    sizes = {"a.weight": (6, 1, 3, 2), "a.bias": (6,), "b.weight": (4, 6, 2, 2), "c.weight": (10, 32)}
    layers = [
        {"weight": "a.weight", "bias": "a.bias", "conv": {"padding": 1, "groups": 2}},
        {"weight": "b.weight", "conv": {"stride": 2}},
        {"weight": "c.weight"},
    ]
    about = {"pixels": 64, "image": [2, 4, 8], "label": {"kind": "none"}, "layers": layers}
    about["readout"] = {"kind": "channels", "layers": [2]}
    return {name: torch.randn(size, generator=made) for name, size in sizes.items()}, about


@pytest.fixture(scope="session")
def mixed(mixed_content, tmp_path_factory):
    """form -> Program of `mixed_content`; its images are those of digits, taken for another shape."""
    folder, images = tmp_path_factory.mktemp("mixed"), load_data("digits", "train", limit=60)
    torch.save(mixed_content[0], folder / "m.pt")
    (folder / "spec.yaml").write_text(yaml.safe_dump(mixed_content[1]))
    read = load_checkpoint(folder / "m.pt", folder / "spec.yaml")
    forms = {"graded": Options(), "hard": Options(neuron="lif", steps=8, reset="hard", vth=60)}
    return {form: api.compile(read, images, options) for form, options in forms.items()}


@pytest.fixture
def learned(artifacts):
    """A network that has learned: weights at both ends."""
    program = artifacts["ffa-symmetric", "plain", "rule"]
    rng, layer = np.random.default_rng(3), program.network.layers[0]
    weight = (2 * rng.integers(-128, 128, layer.weight.shape)).astype(np.int16)
    layer = dataclasses.replace(layer, weight=weight)
    return dataclasses.replace(program, network=dataclasses.replace(program.network, layers=(layer,)))

"""One artifact of every recipe and form that compiles, from short trainings on digits."""

import dataclasses
from contextlib import suppress

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.learning import LearningOptions
from ff2loihi.compilers.quantize import Options
from ff2loihi.ff.data import load_data
from ff2loihi.ff.recipes import RECIPES, train

EXPORTED = RECIPES.keys() - {"rbm", "cwc-ff"}  # not compiled for its sigmoid units; convolutions: see test_nir
NETS = [*((recipe, "plain") for recipe in EXPORTED), ("ff-mlp", "bias"), ("ff-mlp", "head"), ("ffa-symmetric", "bias")]
WIDTHS = {"ffa": (12,), "random": (12,), "ff-prospective": (12, 12)}
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


@pytest.fixture
def learned(artifacts):
    """A network that has learned: weights at both ends."""
    program = artifacts["ffa-symmetric", "plain", "rule"]
    rng, layer = np.random.default_rng(3), program.network.layers[0]
    weight = (2 * rng.integers(-128, 128, layer.weight.shape)).astype(np.int16)
    layer = dataclasses.replace(layer, weight=weight)
    return dataclasses.replace(program, network=dataclasses.replace(program.network, layers=(layer,)))

"""Which recipe compiles to which form, and with which words the others are refused."""

import re

import pytest

from ff2loihi.compilers.errors import CompileError
from ff2loihi.ff.recipes import RECIPES
from sim_tests.deployment.nets import (
    COMPILED,
    INFERENCE,
    LEARNING,
    NETS,
    NOT_COMPILED,
    NOT_SPIKING,
    REASONS,
    REFUSED,
    TOO_BIASED,
    UNLEARNABLE,
    each,
)


def test_every_recipe_is_stated():
    assert {recipe for recipe, _ in NETS} == RECIPES.keys() - NOT_COMPILED
    assert {form for *_, form in COMPILED} == {*INFERENCE, *LEARNING}


@each(COMPILED)
def test_it_compiles(artifacts, net):
    program, (*_, form) = artifacts[net], net
    if form in LEARNING:
        eligibility = {"rule": "none", "tag": "tag", "library": "gate"}[form]
        assert program.network.update.eligibility == eligibility
    else:
        assert (program.network.neuron, program.network.reset) == {
            "graded": ("graded", "soft"), "soft": ("lif", "soft"), "hard": ("lif", "hard"),
        }[form]  # fmt: skip
    assert all(layer.weight.any() for layer in program.network.layers)


@each(REFUSED)
def test_it_is_refused_with_all_its_reasons(artifacts, net):
    with pytest.raises(CompileError) as caught:
        artifacts[net]
    if net[2] in LEARNING:
        said = str(caught.value).replace("; symmetric and sigmoid have", "").split("; ")
        assert {name for name, words in REASONS.items() if any(words in part for part in said)} == UNLEARNABLE[net[:2]]
        assert len(said) == len(UNLEARNABLE[net[:2]]), "a reason that REASONS does not name"
    elif net in TOO_BIASED:
        assert re.match(r"hidden3: a bias of [\d,]+ v units a step, the chip holds 524,160", str(caught.value))
    else:
        assert re.match(NOT_SPIKING, str(caught.value))

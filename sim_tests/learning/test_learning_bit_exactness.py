"""The product, learning: the emulator and Lava agree on every state, weight and tag, in every form of the layer.

graph, the chip's processes with Lava's own LearningDense, is the road apart; the other forms share our kernels.
"""

from itertools import product

import pytest

from ff2loihi.verification.learning_equality import learning_equality

FAST, ALL = 4, 200
FIELDS = (0, 1, 2, 3, 6, 7)  # dw on the traces and on tags, each with hard-li, relu and li


def divergence(network, presentations, form):
    report = learning_equality(network, presentations, form)
    active = {variable.name: variable.active for variable in report.variables}
    states = ("v", "z", "r", "y2", "y3", "a", "weights", *(("tags",) if network.update.eligibility == "tag" else ()))
    names = ["goodness", *(f"{layer.name}.{state}" for layer in network.layers for state in states)]
    assert [name for name in names if not active[name]] == [], "nothing to compare"
    return report.first_divergence


@pytest.mark.needs_lava
@pytest.mark.parametrize("form", ["graph", "per_layer", "one_process"])
@pytest.mark.parametrize("seed", range(FAST))
def test_a_generated_network_learns_the_same_bits_on_lava(generate_learning, seed, form):
    assert divergence(*generate_learning(seed), form) is None


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", [4, 1])  # dw on the traces, on tags
def test_our_plastic_model_learns_the_same_bits_as_lavas_own(generate_learning, seed):
    assert divergence(*generate_learning(seed), "own_plastic") is None


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("form", "seed"),
    [*(("graph", seed) for seed in FIELDS), *product(("per_layer", "one_process"), (2, 3))],
)
def test_a_network_of_fields_learns_the_same_bits_on_lava(generate_learning, seed, form):
    assert divergence(*generate_learning(seed, fields=True), form) is None


@pytest.mark.needs_lava
@pytest.mark.parametrize(("form", "seed"), [("graph", 0), ("graph", 1), ("per_layer", 2), ("one_process", 3)])
def test_a_network_of_events_learns_the_same_bits_on_lava(generate_learning, seed, form):
    assert divergence(*generate_learning(seed, events=True), form) is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(2, 52))
def test_more_networks_of_events_learn_the_same_bits_on_lava(generate_learning, seed):
    assert divergence(*generate_learning(seed, fields=seed % 2 == 0, events=True), "graph") is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST, ALL))
def test_more_networks_of_fields_learn_the_same_bits_on_lava(generate_learning, seed):
    assert divergence(*generate_learning(seed, fields=True), "graph") is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("form", ["graph", "per_layer"])
@pytest.mark.parametrize("seed", range(FAST, ALL))
def test_more_generated_networks_learn_the_same_bits_on_lava(generate_learning, seed, form):
    assert divergence(*generate_learning(seed), form) is None

"""What the recipes of Hinton, of Tosato and the baselines do differently: negatives, gradients, schedules, sampling."""

from itertools import product

import numpy as np
import pytest
import torch

from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.descent import Training
from ff2loihi.ff.objectives.negatives import hybrid_images
from ff2loihi.ff.recipes import RECIPES, train
from ff2loihi.ff.recipes.baselines import contrastive_divergence, free_energy, gibbs
from ff2loihi.ff.recipes.recipe import Choice
from ff2loihi.ff.train import fit, fit_by_backprop
from ff2loihi.streams import torch_seed


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_hybrid_is_made_of_patches_of_two_images_of_the_batch(channels):
    n, side = 6, 28
    numbers = torch.arange(1.0, n + 1)[:, None].repeat(1, side * side * channels)  # image k is full of k
    hybrids = hybrid_images(numbers, torch.Generator().manual_seed(0), (side, side, channels))
    found = hybrids.reshape(n, side, side, channels)
    assert (found == found[..., :1]).all()  # a pixel is one image's in all its channels
    for k, image in enumerate(found[..., 0], start=1):
        values = set(image.unique().tolist())
        assert len(values | {k}) <= 2
        if len(values) == 2:
            same = (image[:, 1:] == image[:, :-1]).float().mean()
            assert same > 0.75  # coins, one a pixel: 0.5
            assert 0.3 < (image == k).float().mean() < 0.7


def test_images_of_one_row_are_mixed_too():
    numbers = torch.arange(1.0, 41)[:, None].repeat(1, 30)
    found = hybrid_images(numbers, torch.Generator().manual_seed(0), (1, 30, 1))
    assert sum(len(row.unique()) == 2 for row in found) > 20


def test_backprop_reaches_the_first_layer_through_the_second_and_ff_does_not(digits):
    few = Dataset("digits", "train", digits.images[:50], digits.labels[:50], 10)
    changed = {}
    for learn in (fit, fit_by_backprop):
        first = []
        for seed in (1, 2):  # another second layer, the same first one
            net = train("tosato-ff", few, epochs=0, widths=(20, 15))
            torch.manual_seed(seed)
            torch.nn.init.normal_(net.layers[1].weight)
            learn(net, few, Training(epochs=1, batch=50, rate=0.01), 0)
            first.append(net.layers[0].weight.detach())
        changed[learn.__name__] = not torch.equal(*first)
    assert changed == {"fit": False, "fit_by_backprop": True}


def test_tosatos_schedules_are_the_papers_and_quick_ones_are_short():
    mnist, digits = (Dataset(name, "train", np.zeros((1, 1)), np.zeros(n), 10) for name, n in (("mnist", 60000), ("digits", 1000)))  # fmt: skip  # noqa: E501
    recipe = RECIPES["tosato-ff"]
    assert recipe.training(mnist, Choice()) == Training(epochs=1200, batch=1024, rate=0.01, falling=False)
    assert recipe.training(mnist, Choice(quick=True)).epochs < 20
    assert recipe.training(mnist, Choice(quick=True, epochs=33)).epochs == 33
    assert recipe.training(digits, Choice()).batch == 50
    assert recipe.widths(mnist, Choice()) == (1000, 1000, 1000)


def test_unsupervised_layers_never_see_a_label(digits):
    shuffled = Dataset("digits", "train", digits.images, digits.labels[::-1].copy(), 10)
    first, second = (train("hinton-unsupervised", data, epochs=1, widths=(20, 20)) for data in (digits, shuffled))
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(first.layers, second.layers, strict=True))
    assert not torch.equal(first.head.weight, second.head.weight)


def test_random_features_are_the_untrained_layers(digits):
    trained = train("random-features", digits, epochs=2, widths=(20,))
    torch.manual_seed(torch_seed(0, "weights"))
    assert torch.equal(trained.layers[0].weight, torch.nn.Linear(64, 20, bias=False).weight)


def test_a_boltzmann_machine_of_two_layers_is_refused(refused):
    code, line = refused("train", "--recipe", "rbm", "--widths", "20-10")
    assert code == 2
    assert "one layer, got 20-10" in line


def machine(seed, visible=3, hidden=2):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator) for shape in ((hidden, visible), (hidden,), (visible,))]


def states(n):
    return torch.tensor(list(product((0.0, 1.0), repeat=n)))


def test_the_free_energy_is_minus_the_log_of_the_sum_over_hidden_states():
    w, c, b = machine(0)
    v, h = states(3), states(2)
    energy = -(v @ b)[:, None] - h @ c - (v @ w.T) @ h.T
    torch.testing.assert_close(free_energy(v, w, c, b), -torch.logsumexp(-energy, 1))


def test_a_long_gibbs_chain_draws_from_the_machines_distribution():
    w, c, b = machine(1)
    v = states(3)
    expected = torch.softmax(-free_energy(v, w, c, b), 0) @ v  # mean of each visible unit
    chains = torch.zeros(20000, 3)
    found = gibbs(chains, w, c, b, 30, torch.Generator().manual_seed(0)).mean(0)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)  # 5 standard errors of a coin


def test_contrastive_divergence_makes_the_data_likelier():
    data = torch.tensor([[1.0, 1, 0, 0], [0.0, 0, 1, 1]]).repeat(20, 1)
    w, c, b = (part.requires_grad_() for part in machine(2, visible=4, hidden=3))
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam([w, c, b], lr=0.05)

    def log_likelihood():
        return -(free_energy(data[:2], w, c, b).mean() + torch.logsumexp(-free_energy(states(4), w, c, b), 0)).item()

    before = log_likelihood()
    for _ in range(200):
        optimizer.zero_grad()
        contrastive_divergence(data, w, c, b, 1, generator).backward()
        optimizer.step()
    assert before < -2
    assert log_likelihood() > -1.2  # two equally likely images: log 1/2 = -0.69 at best

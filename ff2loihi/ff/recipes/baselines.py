"""Baselines on the same data and with the same softmax head: random features, and a restricted Boltzmann machine."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend
from ff2loihi.ff.networks.plain import Plain, PlainNetwork
from ff2loihi.ff.recipes.recipe import Choice, layout, settle, training_for
from ff2loihi.ff.train import HEAD, fitted_head

FIRST_SPREAD = 0.01  # standard deviation of an RBM's first weights; its visible biases start at the pixels' log odds


@dataclass(frozen=True)
class RandomFeatures:
    """See recipe.Recipe. Layers as torch draws them, frozen; the epochs are the head's."""

    source: str
    widths: tuple[int, ...]
    training: Training
    quick: Choice
    choices: frozenset[str] = frozenset({"widths", "bias"})

    @property
    def layout(self) -> str:
        return layout(self.widths)

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> PlainNetwork:
        usual = replace(self.training, epochs=self.quick.epochs if choice.quick else self.training.epochs)
        training = training_for(data, choice, usual, usual.epochs)
        widths = choice.widths or self.widths
        kind, facts = Plain(read=tuple(range(len(widths)))), {**facts, "epochs": training.epochs}
        network = PlainNetwork(data.images.shape[1], widths, data.classes, kind, choice.bias, facts)
        network.head = fitted_head(network.features, data, training, choice.seed, hooks)
        return network


@dataclass(frozen=True)
class Boltzmann:
    """See recipe.Recipe and SizedRecipe. Sigmoid units by contrastive divergence; gibbs: steps of its chain (CD-k)."""

    source: str
    widths: tuple[int, ...]
    training: Training
    gibbs: int
    small_epochs: int
    quick: Choice
    choices: frozenset[str] = frozenset({"widths"})

    @property
    def layout(self) -> str:
        return layout(self.widths)

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> PlainNetwork:
        """The head sees p(h = 1 | v). Raises FF2LoihiError for more than one layer."""
        widths, training = settle(self, data, choice)
        if len(widths) > 1:
            raise FF2LoihiError(f"--widths: a Boltzmann machine has one layer, got {layout(widths)}")
        kind, facts = Plain(read=(0,), raw=True, activation="sigmoid"), {**facts, "epochs": training.epochs}
        network = PlainNetwork(data.images.shape[1], widths, data.classes, kind, True, facts)
        (layer,), share = network.layers, torch.from_numpy(data.images.mean(0, dtype="float32") / 255)
        visible = torch.nn.Parameter(torch.logit(share, eps=1 / len(data.images)))
        torch.nn.init.normal_(layer.weight, std=FIRST_SPREAD)
        torch.nn.init.zeros_(layer.bias)

        machine = layer.weight, layer.bias, visible

        def loss(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
            return contrastive_divergence(images, *machine, self.gibbs, generator)

        descend(machine, loss, data, training, choice.seed, hooks, network=network)
        network.head = fitted_head(network.features, data, replace(HEAD, batch=training.batch), choice.seed, hooks)
        return network


def contrastive_divergence(
    v: Tensor, weight: Tensor, hidden: Tensor, visible: Tensor, steps: int, generator: torch.Generator
) -> Tensor:
    """F(v) - F(v'), v' after `steps` of Gibbs sampling from v; its gradient is CD-k's (Hinton 2002)."""
    with torch.no_grad():
        model = gibbs(v, weight, hidden, visible, steps, generator)
    positive, negative = (free_energy(sample, weight, hidden, visible).mean() for sample in (v, model))
    return positive - negative


def free_energy(v: Tensor, weight: Tensor, hidden: Tensor, visible: Tensor) -> Tensor:
    """F(v) = -b v - sum_j log(1 + exp(W_j v + c_j)) = -log sum_h exp(-E(v, h)), (samples,); v (samples, pixels)."""
    return -v @ visible - F.softplus(F.linear(v, weight, hidden)).sum(1)


def gibbs(v: Tensor, weight: Tensor, hidden: Tensor, visible: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Block Gibbs: h ~ p(h | v), v ~ p(v | h), `steps` times; the last v as its probabilities, (samples, pixels)."""
    for step in range(steps):
        h = torch.bernoulli(torch.sigmoid(F.linear(v, weight, hidden)), generator=generator)
        p = torch.sigmoid(F.linear(h, weight.T, visible))
        v = p if step == steps - 1 else torch.bernoulli(p, generator=generator)
    return v


BASELINES = {
    "random-features": RandomFeatures(
        source="the slides' baseline: a frozen random ReLU layer, softmax head",
        widths=(2000,), training=replace(HEAD, epochs=20), quick=Choice(epochs=5),
    ),
    "rbm": Boltzmann(
        source="restricted Boltzmann machine, contrastive divergence (CD-1), softmax head",
        widths=(500,), training=Training(epochs=15, batch=100, rate=3e-3), gibbs=1, small_epochs=30,
        quick=Choice(epochs=2),
    ),
}  # fmt: skip

"""Hinton's unsupervised network: real images against hybrids of two, then a softmax head on what was learned.

His supervised network is among ff.pairs.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ff2loihi.compilers.ir.options import Sigmoid
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend
from ff2loihi.ff.networks.plain import Plain, PlainNetwork
from ff2loihi.ff.objectives.goodness import phase_loss
from ff2loihi.ff.objectives.negatives import hybrid_images
from ff2loihi.ff.recipes.recipe import Choice, layout, settle
from ff2loihi.ff.train import HEAD, fitted_head


@dataclass(frozen=True)
class HybridRecipe:
    """See recipe.Recipe and SizedRecipe."""

    source: str
    widths: tuple[int, ...]
    probability: Sigmoid
    training: Training
    small_epochs: int
    quick: Choice
    choices: frozenset[str] = frozenset({"widths", "bias"})

    @property
    def layout(self) -> str:
        return layout(self.widths)

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> PlainNetwork:
        """The head sees the l2-normalised activities of all layers but the first, of a single layer those."""
        widths, training = settle(self, data, choice)
        kind = Plain(read=tuple(range(1, len(widths))) or (0,), normalization="rms")
        facts = {**facts, "epochs": training.epochs}
        network = PlainNetwork(data.images.shape[1], widths, data.classes, kind, choice.bias, facts)

        def loss(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
            samples = images, hybrid_images(images, generator, data.shape)
            losses = (
                phase_loss(h, torch.ones(h.shape[1]).bool(), "mean_squares", self.probability, is_positive).mean()
                for sample, is_positive in zip(samples, (True, False), strict=True)
                for h in network.activities(sample)
            )
            return sum(losses, torch.zeros(()))

        descend(network.layers.parameters(), loss, data, training, choice.seed, hooks, network=network)
        network.head = fitted_head(network.features, data, replace(HEAD, batch=training.batch), choice.seed, hooks)
        return network


HINTON = {
    "hinton-unsupervised": HybridRecipe(
        source="Hinton 2022, unsupervised: hybrid images as negatives, softmax head on all layers but the first",
        widths=(2000, 2000, 2000, 2000), probability=Sigmoid(kind="sigmoid", theta=0.1, alpha=100.0),
        training=Training(epochs=100, batch=200, rate=0.001), small_epochs=30,
        quick=Choice(widths=(500, 500, 500), epochs=4),
    ),
}  # fmt: skip

"""Recipes of networks that learn from pairs: an image with its label beside the same image with a wrong one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from ff2loihi.compilers.ir import fields
from ff2loihi.compilers.ir.options import Contrast, Probability, Sigmoid, Symmetric
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training
from ff2loihi.ff.networks.labels import make_embedding
from ff2loihi.ff.networks.model import FFNetwork, Rule
from ff2loihi.ff.objectives.negatives import Corruption
from ff2loihi.ff.objectives.prospective import unroll
from ff2loihi.ff.recipes.recipe import Choice, layout, settle
from ff2loihi.ff.train import HEAD, fit, fitted_head
from ff2loihi.streams import torch_seed


@dataclass(frozen=True)
class PairRecipe:
    """See recipe.Recipe and SizedRecipe.

    corrupt: what becomes of a negative sample's image; objective: of the widths, what the layers learn by in place of
    each one's own loss; iterations: of the layers whose inputs are their own neurons (ff.prospective); upper: whether
    the read-out leaves out the first of several layers.
    """

    source: str
    widths: tuple[int, ...]
    embedding: str
    goodness: str
    probability: Probability
    normalization: str
    readout: str
    training: Training
    small_epochs: int
    quick: Choice
    choices: frozenset[str] = frozenset({"widths", "head", "bias"})
    corrupt: Corruption | None = None
    objective: Callable[[tuple[int, ...]], nn.Module] | None = None
    iterations: int = 1
    upper: bool = False

    @property
    def layout(self) -> str:
        return layout(self.widths)

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> FFNetwork:
        """0 epochs give the untrained net."""
        widths, training = settle(self, data, choice)
        generator = torch.Generator().manual_seed(torch_seed(choice.seed, "label codes"))
        embedding = make_embedding(self.embedding, data.classes, generator, data.channels)
        read = tuple(range(1, len(widths))) if self.upper else None
        rule = Rule(self.goodness, self.probability, self.normalization, self.readout, read)
        facts = {**facts, "epochs": training.epochs, **({"field": list(choice.field)} if choice.field else {})}
        network = FFNetwork(data.inputs, widths, embedding, rule, choice.bias, facts, data.events)
        if choice.field:
            labels = embedding.codes.shape[1]
            exists = fields.mask(data.shape, labels, network.positive(0).numpy(), choice.field)
            network.keep_synapses(torch.from_numpy(exists))
        if self.iterations > 1:
            unroll(network, self.iterations)
        objective = self.objective(widths) if self.objective else None
        fit(network, data, training, choice.seed, hooks, self.corrupt, objective)
        if choice.head:
            training = replace(HEAD, batch=training.batch)
            network.head = fitted_head(network.features, data, training, choice.seed, hooks)
        return network


QUICK = Choice(epochs=2)
LABEL_BESIDE = frozenset({"widths", "head", "bias", "field"})  # choices where the label stands behind the image
PAIRS = {
    "ffa-sigmoid": PairRecipe(
        source="Terres-Escudero 2024, analog FFA, sigmoid probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Sigmoid(kind="sigmoid", theta=40.0),
        normalization="none", readout="goodness",
        training=Training(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60, quick=QUICK,
        choices=LABEL_BESIDE,
    ),
    "ffa-sigmoid-sparse": PairRecipe(
        source="Terres-Escudero 2024, sigmoid, alpha theta near the paper's: latents nearly as sparse as its own",
        widths=(200,), embedding="binary", goodness="sum_squares",
        probability=Sigmoid(kind="sigmoid", theta=15.0, alpha=0.3), normalization="none", readout="goodness",
        training=Training(epochs=24, batch=200, rate=0.003, hard=1.0), small_epochs=60, quick=QUICK,
        choices=LABEL_BESIDE,
    ),
    "ffa-symmetric": PairRecipe(
        source="Terres-Escudero 2024, analog FFA, symmetric probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Symmetric(kind="symmetric", epsilon=0.1),
        normalization="none", readout="goodness",
        training=Training(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60, quick=QUICK,
        choices=LABEL_BESIDE,
    ),
    "ff-mlp": PairRecipe(
        source="Tosato 2025, FF: softplus loss, l2 normalisation; the goodness squared, which did better (RESULTS.md)",
        widths=(500, 500), embedding="pixels", goodness="sum_squares", probability=Contrast(kind="contrast"),
        normalization="l2", readout="softmax",
        training=Training(epochs=15, batch=200, rate=0.002, hard=1.0), small_epochs=60, quick=QUICK,
    ),
    "ff-hinton": PairRecipe(
        source="Hinton 2022, supervised: threshold loss on the mean square, length normalisation, 4 x 2000",
        widths=(2000, 2000, 2000, 2000), embedding="pixels", goodness="mean_squares",
        probability=Sigmoid(kind="sigmoid", theta=0.1, alpha=100.0), normalization="rms", readout="goodness",
        training=Training(epochs=60, batch=200, rate=0.002, hard=1.0), small_epochs=60,
        quick=Choice(widths=(500, 500), epochs=4),
    ),
}  # fmt: skip
PAIRS["ff-hinton-jittered"] = replace(
    PAIRS["ff-hinton"],
    source="Hinton 2022, supervised, jittered images (by 1 pixel; his by 2); goodness of all layers but the first",
    training=replace(PAIRS["ff-hinton"].training, jitter=1),
    upper=True,
)

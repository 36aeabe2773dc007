"""Recipes of networks that learn from pairs: an image with its label beside the same image with a wrong one."""

from dataclasses import dataclass, replace

import torch

from ff2loihi.compilers.spec import Contrast, Probability, Sigmoid, Symmetric
from ff2loihi.ff.data import Dataset
from ff2loihi.ff.labels import make_embedding
from ff2loihi.ff.model import FFNetwork, Rule
from ff2loihi.ff.recipe import Choice
from ff2loihi.ff.train import Progress, Schedule, fit, fit_head

SMALL = 10_000  # training images below which an epoch is short, and `small_epochs` of them are run


@dataclass(frozen=True)
class PairRecipe:
    """See ff.recipe.Recipe. quick: what `--quick` changes of widths and epochs."""

    source: str
    widths: tuple[int, ...]
    embedding: str
    goodness: str
    probability: Probability
    normalization: str
    readout: str
    schedule: Schedule
    small_epochs: int
    quick: Choice
    choices: frozenset[str] = frozenset({"widths", "head", "bias"})

    def train(self, data: Dataset, choice: Choice, facts: dict, progress: Progress | None = None) -> FFNetwork:
        """0 epochs give the untrained net."""
        short = self.quick if choice.quick else Choice()
        usual = short.epochs or self.schedule.epochs if len(data.labels) > SMALL else self.small_epochs
        epochs = usual if choice.epochs is None else choice.epochs
        schedule = replace(self.schedule, epochs=epochs)
        if len(data.labels) <= SMALL:
            schedule = replace(schedule, batch=min(50, schedule.batch))
        embedding = make_embedding(self.embedding, data.classes, torch.Generator().manual_seed(choice.seed))
        rule = Rule(self.goodness, self.probability, self.normalization, self.readout)
        widths = choice.widths or short.widths or self.widths
        network = FFNetwork(data.images.shape[1], widths, embedding, rule, choice.bias, {**facts, "epochs": epochs})
        fit(network, data, schedule, choice.seed, progress)
        if choice.head:
            fit_head(network, data, schedule.batch, choice.seed, progress)
        return network


QUICK = Choice(epochs=2)
PAIRS = {
    "ffa-sigmoid": PairRecipe(
        source="Terres-Escudero 2024, analog FFA, sigmoid probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Sigmoid(kind="sigmoid", theta=40.0),
        normalization="none", readout="goodness",
        schedule=Schedule(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60, quick=QUICK,
    ),
    "ffa-symmetric": PairRecipe(
        source="Terres-Escudero 2024, analog FFA, symmetric probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Symmetric(kind="symmetric", epsilon=0.1),
        normalization="none", readout="goodness",
        schedule=Schedule(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60, quick=QUICK,
    ),
    "ff-mlp": PairRecipe(
        source="Tosato 2025, FF: softplus loss, l2 normalisation; the goodness squared, which did better (RESULTS.md)",
        widths=(500, 500), embedding="pixels", goodness="sum_squares", probability=Contrast(kind="contrast"),
        normalization="l2", readout="softmax",
        schedule=Schedule(epochs=15, batch=200, rate=0.002, hard=1.0), small_epochs=60, quick=QUICK,
    ),
    "ff-hinton": PairRecipe(
        source="Hinton 2022, threshold loss on the mean square, rms normalisation",
        widths=(500, 500), embedding="pixels", goodness="mean_squares",
        probability=Sigmoid(kind="sigmoid", theta=0.1, alpha=100.0), normalization="rms", readout="goodness",
        schedule=Schedule(epochs=10, batch=200, rate=0.002, hard=1.0), small_epochs=60, quick=QUICK,
    ),
}  # fmt: skip

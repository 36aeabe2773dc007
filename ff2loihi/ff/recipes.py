"""The recipes of `ff2loihi train`: a paper's network each, tuned on held-out training images."""

from dataclasses import dataclass, replace

import torch

from ff2loihi.compilers.spec import Contrast, Probability, Sigmoid, Symmetric
from ff2loihi.ff.data import Dataset
from ff2loihi.ff.labels import make_embedding
from ff2loihi.ff.model import FFNetwork, Rule
from ff2loihi.ff.train import Progress, Schedule, fit, fit_head

SMALL = 10_000  # training images below which an epoch is short, and `small_epochs` of them are run


@dataclass(frozen=True)
class Recipe:
    """One network and how it is trained; source: the paper it follows."""

    source: str
    widths: tuple[int, ...]
    embedding: str
    goodness: str
    probability: Probability
    normalization: str
    readout: str
    schedule: Schedule
    small_epochs: int


RECIPES = {
    "ffa-sigmoid": Recipe(
        source="Terres-Escudero 2024, analog FFA, sigmoid probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Sigmoid(kind="sigmoid", theta=40.0),
        normalization="none", readout="goodness",
        schedule=Schedule(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60,
    ),
    "ffa-symmetric": Recipe(
        source="Terres-Escudero 2024, analog FFA, symmetric probability",
        widths=(200,), embedding="binary", goodness="sum_squares", probability=Symmetric(kind="symmetric", epsilon=0.1),
        normalization="none", readout="goodness",
        schedule=Schedule(epochs=12, batch=200, rate=0.003, hard=1.0), small_epochs=60,
    ),
    "ff-mlp": Recipe(
        source="Tosato 2025, FF: softplus loss, l2 normalisation; the goodness squared, which did better (RESULTS.md)",
        widths=(500, 500), embedding="pixels", goodness="sum_squares", probability=Contrast(kind="contrast"),
        normalization="l2", readout="softmax",
        schedule=Schedule(epochs=15, batch=200, rate=0.002, hard=1.0), small_epochs=60,
    ),
    "ff-hinton": Recipe(
        source="Hinton 2022, threshold loss on the mean square, rms normalisation",
        widths=(500, 500), embedding="pixels", goodness="mean_squares",
        probability=Sigmoid(kind="sigmoid", theta=0.1, alpha=100.0), normalization="rms", readout="goodness",
        schedule=Schedule(epochs=10, batch=200, rate=0.002, hard=1.0), small_epochs=60,
    ),
}  # fmt: skip


def train(
    name: str,
    data: Dataset,
    widths: tuple[int, ...] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    head: bool = False,
    bias: bool = False,
    progress: Progress | None = None,
) -> FFNetwork:
    """Train a recipe on `data`; 0 epochs gives the untrained net. All randomness comes from `seed`."""
    recipe = RECIPES[name]
    default = recipe.schedule.epochs if len(data.labels) > SMALL else recipe.small_epochs
    schedule = replace(recipe.schedule, epochs=default if epochs is None else epochs)
    if len(data.labels) <= SMALL:
        schedule = replace(schedule, batch=min(50, schedule.batch))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        embedding = make_embedding(recipe.embedding, data.classes, torch.Generator().manual_seed(seed))
        rule = Rule(recipe.goodness, recipe.probability, recipe.normalization, recipe.readout)
        facts = {"recipe": name, "data": data.name, "split": data.split, "seed": seed, "epochs": schedule.epochs}
        network = FFNetwork(data.images.shape[1], widths or recipe.widths, embedding, rule, bias, facts)
        fit(network, data, schedule, seed, progress)
        if head:
            fit_head(network, data, schedule.batch, seed, progress)
    return network

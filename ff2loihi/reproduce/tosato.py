"""Tables 1 and 2 of Tosato 2025: accuracy of FF, BP/FF and BP, and how sparse each of their layers is.

Epochs, batches and rates are those of the recipes' short schedules: the paper's 1200 epochs are
`ff2loihi train --recipe tosato-ff --data mnist`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ff2loihi.analysis.sparsity import sparsity
from ff2loihi.compilers.errors import DataError
from ff2loihi.data.datasets import NAMES, Dataset, load_data
from ff2loihi.ff.descent import tensor_of
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.recipes import train as train_recipe
from ff2loihi.ff.recipes.recipe import Trained
from ff2loihi.ff.train import EVALUATION_BATCH
from ff2loihi.reproduce.compiled import compiled_accuracy
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent

DATA = ("mnist", "fashion-mnist")
QUICK_WIDTHS, QUICK_EPOCHS = (200, 200, 200), 10


@dataclass(frozen=True)
class Cell:
    """Accuracies in percent, of the test set; sparsity of layers 1 to 3; None where the paper has no such data set."""

    data: str
    recipe: str
    paper: float | None
    paper_sparsity: tuple[float, ...] | None
    epochs: int
    ours: float
    compiled: float
    sparsity: tuple[float, ...]


PAPER = {  # Table 1, and Table 2's layers
    "tosato-ff": {
        "mnist": (94.0, (0.922, 0.813, 0.618)),
        "fashion-mnist": (84.9, (0.850, 0.605, 0.628)),
        "svhn": (71.6, (0.830, 0.706, 0.489)),
        "cifar10": (48.4, (0.770, 0.728, 0.566)),
    },
    "tosato-bp-ff": {
        "mnist": (96.9, (0.895, 0.747, 0.131)),
        "fashion-mnist": (87.7, (0.810, 0.851, 0.065)),
        "svhn": (79.9, (0.783, 0.950, 0.133)),
        "cifar10": (52.1, (0.753, 0.932, 0.135)),
    },
    "tosato-bp": {
        "mnist": (98.2, (0.315, 0.193, 0.225)),
        "fashion-mnist": (89.2, (0.352, 0.241, 0.248)),
        "svhn": (79.3, (0.470, 0.524, 0.232)),
        "cifar10": (56.4, (0.478, 0.300, 0.164)),
    },
}


def prepare(request: Request) -> Table:
    """Raises DataError for a data set that is unknown or not there, before anything is trained."""
    names = (request.data or "digits",) if request.quick else (request.data,) if request.data else DATA
    for name in names:
        if name not in NAMES:
            raise DataError(f"--data must be one of {', '.join(NAMES)}, got {name!r}")
        load_data(name, "test", root=request.root, limit=1)
    return Table(
        title=f"Tosato 2025, tables 1 and 2, on {' and '.join(names)}",
        columns=("data", "model", "epochs", "paper", "ours", "8 bit", "paper's sparsity", "ours"),
        facts={"data": list(names)},
        cells=lambda progress: filled(
            finished_cells, [(recipe, name, request) for name in names for recipe in PAPER], request.workers, progress
        ),
        row=lambda cell: (
            cell.data, cell.recipe.removeprefix("tosato-"), str(cell.epochs), percent(cell.paper), percent(cell.ours),
            percent(cell.compiled), layers(cell.paper_sparsity), layers(cell.sparsity),
        ),
    )  # fmt: skip


EXPERIMENT = Experiment("Tosato 2025", frozenset({"data", "epochs"}), prepare)


def layers(values: tuple[float, ...] | None) -> str:
    """0.92 0.81 0.62"""
    return "-" if values is None else " ".join(f"{value:.2f}" for value in values)


def finished_cells(part: tuple[str, str, Request], progress: StepProgress) -> Iterator[Cell]:
    """A model trained on a data set, its sparsity measured, compiled, and run."""
    recipe, name, request = part
    train, test = (load_data(name, split, root=request.root, limit=request.limit) for split in ("train", "test"))
    choices = {"widths": QUICK_WIDTHS, "epochs": QUICK_EPOCHS} if request.quick else {}
    if request.epochs:
        choices["epochs"] = request.epochs
    model = train_recipe(recipe, train, progress, seed=request.seed, quick=True, **choices)
    right, found = right_and_sparsity(model, test)
    yield Cell(
        train.name,
        recipe,
        *PAPER[recipe].get(train.name, (None, None)),
        epochs=model.training_facts["epochs"],
        ours=100 * right,
        compiled=compiled_accuracy(model, train, test),
        sparsity=found,
    )


def right_and_sparsity(model: Trained, data: Dataset) -> tuple[float, tuple[float, ...]]:
    """Accuracy, and each layer's sparsity over the images that are classified correctly, under their own label."""
    latents = []
    images, labels = tensor_of(data.images), torch.from_numpy(data.labels)
    for part, label in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        right = model.scores(part).argmax(1) == label
        latents.append(activities(model, part[right], label[right]))
    columns = [torch.cat(column) for column in zip(*latents, strict=True)]
    return len(columns[0]) / len(labels), tuple(sparsity(h.numpy()).mean for h in columns)


@torch.no_grad()
def activities(model: Trained, images: Tensor, labels: Tensor) -> list[Tensor]:
    """h of each layer, (samples, n), under the images' labels where the network sees a label."""
    if isinstance(model, FFNetwork):
        return model.activities(model.image_drive(images) + model.label_drive(model.embedding.codes[labels]))
    return model.activities(images)

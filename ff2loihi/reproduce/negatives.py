"""The slides' first question: the same Forward-Forward net with each kind of negative samples, beside backprop."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.recipes import train
from ff2loihi.ff.recipes.recipe import Trained
from ff2loihi.ff.recipes.slides import STANDARD
from ff2loihi.ff.train import evaluate
from ff2loihi.reproduce.compiled import compiled_accuracy
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent

QUICK_EPOCHS = 10


@dataclass(frozen=True)
class Cell:
    """One row; accuracies in percent, None where the slides give none; compiled: graded, 8 bit."""

    what: str
    recipe: str
    slides: float | None = None
    ours: float | None = None
    compiled: float | None = None


ROWS = [
    Cell("random wrong label", "ff-negatives-random", 94.5),
    Cell("mixed: half random, half hard labels (the slides' hybrid)", "ff-negatives-mixed", 93.8),
    Cell("hard: the best-scored wrong label", "ff-negatives-hard", 91.2),
    Cell("noise: x + N(0, 0.09^2), random wrong label", "ff-negatives-noise", 88.4),
    Cell("hybrid images (Hinton's), random wrong label", "ff-negatives-hybrid"),
    Cell("masked: 30 % of the pixels, random wrong label", "ff-negatives-masked"),
    Cell("backprop", "tosato-bp", 99.2),
]


def prepare(request: Request) -> Table:
    """All rows with the widths of the slides' net and the same number of epochs."""
    data = request.data or ("digits" if request.quick else "mnist")
    images, test = (load_data(data, split, root=request.root, limit=request.limit) for split in ("train", "test"))
    epochs = request.epochs or (QUICK_EPOCHS if request.quick else STANDARD.training.epochs)
    return Table(
        title=f"Negatives, on {data}: {len(test.labels):,} test images, {epochs} epochs",
        columns=("negatives", "slides, MNIST", "float", "8 bit"),
        facts={"data": data, "epochs": epochs},
        cells=lambda progress: filled(
            finished_cells, [(cell, images, test, epochs, request.seed) for cell in ROWS], request.workers, progress
        ),
        row=lambda cell: (cell.what, *map(percent, (cell.slides, cell.ours, cell.compiled))),
    )


def finished_cells(part: tuple[Cell, Dataset, Dataset, int, int], progress: StepProgress) -> Iterator[Cell]:
    """A row, whose net is trained, compiled, and run."""
    cell, images, test, epochs, seed = part
    model = trained(cell.recipe, images, epochs, seed, progress)
    yield replace(cell, ours=100 * evaluate(model, test), compiled=compiled_accuracy(model, images, test))


def trained(recipe: str, images: Dataset, epochs: int, seed: int, progress: StepProgress) -> Trained:
    """A net of the slides' widths; backprop at the rate of its short variant, which suits so few epochs."""
    quick = recipe == "tosato-bp"
    return train(recipe, images, progress, widths=STANDARD.widths, epochs=epochs, seed=seed, quick=quick)


EXPERIMENT = Experiment("slides 2026, negative sampling", frozenset({"data", "epochs"}), prepare)

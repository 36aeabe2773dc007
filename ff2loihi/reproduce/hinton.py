"""The errors of Hinton 2022 on MNIST: the supervised network, and the unsupervised one with its softmax head."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.networks.channels import CwCNetwork
from ff2loihi.ff.recipes import train as train_recipe
from ff2loihi.ff.train import evaluate
from ff2loihi.reproduce.compiled import compiled_accuracy
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent

QUICK_EPOCHS = 15


@dataclass(frozen=True)
class Cell:
    """Errors in percent, of the test set; paper: on MNIST, 4 x 2000, 60 and 100 epochs."""

    recipe: str
    paper: float
    widths: tuple[int, ...] = ()
    epochs: int | None = None
    ours: float | None = None
    compiled: float | None = None


CELLS = (Cell("ff-hinton", 1.36), Cell("hinton-unsupervised", 1.37))


def prepare(request: Request) -> Table:
    """Widths and epochs of the recipes, --quick: of their short variants, with 15 epochs of a thousand digits."""
    data = request.data or ("digits" if request.quick else "mnist")
    train, test = (load_data(data, split, root=request.root, limit=request.limit) for split in ("train", "test"))
    return Table(
        title=f"Hinton 2022 on {data}: test error, percent",
        columns=("network", "widths", "epochs", "paper, MNIST", "ours", "8 bit"),
        facts={"data": data},
        cells=lambda progress: filled(
            finished_cells, [(cell, train, test, request) for cell in CELLS], request.workers, progress
        ),
        row=lambda cell: (
            cell.recipe, "-".join(map(str, cell.widths)), str(cell.epochs),
            *map(percent, (cell.paper, cell.ours, cell.compiled)),
        ),
    )  # fmt: skip


EXPERIMENT = Experiment("Hinton 2022", frozenset({"data", "epochs"}), prepare)


def finished_cells(part: tuple[Cell, Dataset, Dataset, Request], progress: StepProgress) -> Iterator[Cell]:
    """A network trained, compiled, and run."""
    cell, train, test, request = part
    epochs = request.epochs or (QUICK_EPOCHS if request.quick else None)
    model = train_recipe(cell.recipe, train, progress, epochs=epochs, seed=request.seed, quick=request.quick)
    assert not isinstance(model, CwCNetwork)  # neither recipe has channels
    yield replace(
        cell,
        widths=tuple(layer.out_features for layer in model.layers),
        epochs=model.training_facts["epochs"],
        ours=100 * (1 - evaluate(model, test)),
        compiled=100 - compiled_accuracy(model, train, test),
    )

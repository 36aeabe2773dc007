"""The slides' second question: what nets that learned MNIST know of Fashion-MNIST.

A net is trained on MNIST and frozen. Softmax regression on its activities is fitted on Fashion-MNIST's training images
and judged on its test images: on the last layer, and on all layers (not of CwC-FF: 19,680 activities). Each layer's
activities are divided by their root mean square, n(h) of ff.model. Nets with the label in the input see the mean code
in its place, zeros, or label 0, as the slides' published code has it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor, nn

from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.descent import Training, tensor_of
from ff2loihi.ff.networks.model import FFNetwork, normalize
from ff2loihi.ff.recipes import train
from ff2loihi.ff.recipes.recipe import Trained
from ff2loihi.ff.recipes.slides import STANDARD
from ff2loihi.ff.train import EVALUATION_BATCH, evaluate, fitted_head
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent
from ff2loihi.reproduce.negatives import trained

QUICK_EPOCHS = 5
PROBE = Training(epochs=10, batch=200, rate=0.003)


@dataclass(frozen=True)
class Cell:
    """One row; accuracies and shares in percent. label: what the net sees in the label's place while it is probed.

    silent: the share of neurons that no test image of MNIST, with its own label, makes fire.
    """

    what: str
    recipe: str
    slides_source: float | None = None
    slides: float | None = None
    label: str | None = "mean"
    source: float | None = None
    last: float | None = None
    all: float | None = None
    silent: float | None = None


ROWS = [
    Cell("random features", "random-features", None, 72.0, None),
    Cell("standard FF", "ff-negatives-random", 94.5, 54.0),
    Cell("standard FF, zeros", "ff-negatives-random", 94.5, 54.0, "zeros"),
    Cell("standard FF, label 0", "ff-negatives-random", 94.5, 54.0, "label 0"),
    Cell("backprop", "tosato-bp", 99.2, 85.2, None),
    Cell("collaboration, gamma 0.3", "ff-collaboration-0.3", 94.1, 54.8),
    Cell("collaboration, gamma 0.5", "ff-collaboration-0.5", 93.8, 55.0),
    Cell("collaboration, gamma 0.7", "ff-collaboration-0.7", 93.2, 55.2),
    Cell("collaboration, gamma 1", "ff-collaboration-1", 91.5, 53.1),
    Cell("three-factor, bottom-up", "ff-three-factor-bottom-up", None, 51.9),
    Cell("three-factor, top-down", "ff-three-factor-top-down", None, 55.5),
    Cell("three-factor, both", "ff-three-factor-both", None, 53.2),
    Cell("prospective, 3 iterations", "ff-prospective-3", None, 48.2),
    Cell("prospective, 5 iterations", "ff-prospective-5", None, 40.8),
    Cell("PCL-FF", "pcl-ff", 17.5),
    Cell("CwC-FF", "cwc-ff", 91.2, 89.0, None),
]


def prepare(request: Request) -> Table:
    """All rows but CwC-FF have the widths of the slides' net and the same number of epochs."""
    sets = {
        (name, split): load_data(name, split, root=request.root, limit=request.limit)
        for name in ("mnist", "fashion-mnist")
        for split in ("train", "test")
    }
    epochs = request.epochs or (QUICK_EPOCHS if request.quick else STANDARD.training.epochs)
    return Table(
        title=f"Transfer, MNIST to Fashion-MNIST: {len(sets['mnist', 'test'].labels):,} test images, {epochs} epochs",
        columns=("net", "label", "slides: MNIST", "transfer", "ours: MNIST", "last layer", "all layers", "silent"),
        facts={"epochs": epochs},
        cells=lambda progress: filled(
            finished_cells,
            [(recipe, tuple(cells), sets, epochs, request.seed) for recipe, cells in groupby(ROWS, _recipe)],
            request.workers,
            progress,
        ),
        row=lambda cell: (
            cell.what,
            cell.label or "-",
            *map(percent, (cell.slides_source, cell.slides, cell.source, cell.last, cell.all, cell.silent)),
        ),
    )


def _recipe(cell: Cell) -> str:
    return cell.recipe


EXPERIMENT = Experiment("slides 2026, transfer", frozenset({"epochs"}), prepare)


def finished_cells(part: tuple[str, tuple[Cell, ...], dict, int, int], progress: StepProgress) -> Iterator[Cell]:
    """The rows of a net, which is trained once."""
    recipe, cells, sets, epochs, seed = part
    fashion = sets["fashion-mnist", "train"], sets["fashion-mnist", "test"]
    model = trained_on_mnist(recipe, sets["mnist", "train"], epochs, seed, progress)
    for cell in cells:
        last = transfer(model, cell.label, slice(-1, None), *fashion, seed)
        every = None if recipe == "cwc-ff" else 100 * transfer(model, cell.label, slice(None), *fashion, seed)
        yield replace(
            cell,
            source=100 * evaluate(model, sets["mnist", "test"]) if recipe != "random-features" else None,
            last=100 * last,
            all=every,
            silent=100 * silent_share(model, sets["mnist", "test"]),
        )


def trained_on_mnist(recipe: str, images: Dataset, epochs: int, seed: int, progress: StepProgress) -> Trained:
    """Random features learn nothing here; CwC-FF has its own layers."""
    if recipe == "cwc-ff":
        return train(recipe, images, progress, epochs=epochs, seed=seed)
    return trained(recipe, images, 0 if recipe == "random-features" else epochs, seed, progress)


def transfer(model: Trained, label: str | None, layers: slice, fitted: Dataset, test: Dataset, seed: int) -> float:
    """Accuracy on `test` of a softmax layer that was fitted on the activities of `layers` to `fitted`."""

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        """(samples, n): each divided by its root mean square."""
        code = label_code(model, label) if label and isinstance(model, FFNetwork) else None
        return torch.cat([normalize(h.flatten(1), "rms") for h in latents(model, images, code)[layers]], dim=1)

    return evaluate(SoftmaxReadout(features, fitted_head(features, fitted, PROBE, seed)), test)


@dataclass(frozen=True)
class SoftmaxReadout:
    """A softmax layer on a frozen net's activities."""

    features: Callable[[Tensor], Tensor]
    head: nn.Linear

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """(samples, classes)."""
        return self.head(self.features(images))


def label_code(model: FFNetwork, label: str) -> Tensor:
    """What stands in the label's place, (n,): the mean code, zeros, or a class's code."""
    codes = model.embedding.codes
    return {"mean": codes.mean(0), "zeros": torch.zeros(codes.shape[1]), "label 0": codes[0]}[label]


def latents(model: Trained, images: Tensor, code: Tensor | None) -> list[Tensor]:
    """h of each layer that is read, (samples, n); code (n,) or (samples, n): of nets with a label in the input."""
    if not isinstance(model, FFNetwork):
        return model.activities(images)
    assert code is not None
    h = model.activities(model.image_drive(images) + model.label_drive(code))
    return [h[index] for index in model.read]


@torch.no_grad()
def silent_share(model: Trained, data: Dataset) -> float:
    """The share of neurons that no image, with its own label, makes fire."""
    images, labels = tensor_of(data.images), torch.from_numpy(data.labels)
    fires = []
    for part, own in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        code = model.embedding.codes[own] if isinstance(model, FFNetwork) else None
        fires.append(torch.cat([h.flatten(1).amax(0) > 0 for h in latents(model, part, code)]))
    return 1 - float(torch.stack(fires).any(0).float().mean())

"""What the recipes of `ff2loihi train` have in common: a source, the user's choices, and a model that comes out."""

from dataclasses import dataclass, replace
from typing import Protocol

from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import Hooks, Training
from ff2loihi.ff.networks.channels import CwCNetwork
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.networks.plain import PlainNetwork

Trained = FFNetwork | PlainNetwork | CwCNetwork

SMALL = 10_000  # training images below which an epoch is short


def layout(widths: tuple[int, ...]) -> str:
    """(500, 500) -> 500-500."""
    return "-".join(map(str, widths))


@dataclass(frozen=True)
class Choice:
    """What the user asked for. widths, epochs: None takes the recipe's; field: see compilers.ir.fields; quick: its
    shorter variant."""

    widths: tuple[int, ...] | None = None
    epochs: int | None = None
    seed: int = 0
    head: bool = False
    bias: bool = False
    field: tuple[int, ...] = ()
    quick: bool = False
    device: str = "cpu"


class Recipe(Protocol):
    """One network and how it is trained.

    source: the paper it follows; choices: which of widths, head, bias, field and device mean something here,
    and events, where it learns nothing else; layout: its layers' neurons or channels on grey images, as 500-500.
    """

    @property
    def source(self) -> str: ...

    @property
    def choices(self) -> frozenset[str]: ...

    @property
    def layout(self) -> str: ...

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks) -> Trained:
        """Train on `data`; the caller has seeded torch's generator for the weights. facts: for the checkpoint."""
        ...


class SizedRecipe(Protocol):
    """What settle() reads of a recipe. quick: what `--quick` changes of widths and epochs."""

    @property
    def widths(self) -> tuple[int, ...]: ...

    @property
    def training(self) -> Training: ...

    @property
    def small_epochs(self) -> int: ...

    @property
    def quick(self) -> Choice: ...


def settle(recipe: SizedRecipe, data: Dataset, choice: Choice) -> tuple[tuple[int, ...], Training]:
    """Widths, and how it is trained: what was asked for, else the quick variant's, else the recipe's."""
    short = recipe.quick if choice.quick else Choice()
    usual = replace(recipe.training, epochs=short.epochs or recipe.training.epochs)
    return choice.widths or short.widths or recipe.widths, training_for(data, choice, usual, recipe.small_epochs)


def training_for(data: Dataset, choice: Choice, usual: Training, small_epochs: int) -> Training:
    """`usual`, but `small_epochs` of batches of 50 or less on a small data set; with the epochs that were asked for."""
    small = len(data.labels) <= SMALL
    epochs = small_epochs if small else usual.epochs
    batch = min(50, usual.batch) if small else usual.batch
    return replace(usual, epochs=epochs if choice.epochs is None else choice.epochs, batch=batch)

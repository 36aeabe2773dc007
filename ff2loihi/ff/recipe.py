"""What the recipes of `ff2loihi train` have in common: a source, the user's choices, and a model that comes out."""

from dataclasses import dataclass
from typing import Protocol

from ff2loihi.ff.checkpoint import Model
from ff2loihi.ff.data import Dataset
from ff2loihi.ff.train import Progress


@dataclass(frozen=True)
class Choice:
    """What the user asked for. widths, epochs: None takes the recipe's; quick: its shorter variant."""

    widths: tuple[int, ...] | None = None
    epochs: int | None = None
    seed: int = 0
    head: bool = False
    bias: bool = False
    quick: bool = False


class Recipe(Protocol):
    """One network and how it is trained.

    source: the paper it follows; choices: which of widths, head and bias mean something here.
    """

    source: str
    choices: frozenset[str]

    def train(self, data: Dataset, choice: Choice, facts: dict, progress: Progress | None) -> Model:
        """Train on `data`; the caller has seeded torch's global generator. facts: to keep in the checkpoint."""

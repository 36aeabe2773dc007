"""What the experiments of `ff2loihi reproduce` have in common: a paper, the user's choices, and a table of cells."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ff2loihi.choices import PictureFormat
from ff2loihi.compilers.errors import brief
from ff2loihi.ff.descent import StepProgress
from ff2loihi.workers import spread

QUICK_IMAGES = 1000  # of `--quick`
Part = TypeVar("Part", bound=tuple)
Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Request:
    """What the user asked for. table, data, epochs: None takes the experiment's; picture: a file for its curves;
    workers: None is this process."""

    table: int | None = None
    data: str | None = None
    epochs: int | None = None
    seed: int = 0
    quick: bool = False
    root: Path | None = None
    picture: Path | None = None
    workers: int | None = None

    @property
    def limit(self) -> int | None:
        """How many images of each split are used."""
        return QUICK_IMAGES if self.quick else None


@dataclass(frozen=True)
class Table:
    """A table about to be filled. A cell is a frozen dataclass, JSON as it stands.

    facts: what the JSON says beside the cells; cells: yields each as it is finished; row: a cell, as one string a
    column; notes: what explains the differences, from all cells; picture: a file of them, where the experiment has one.
    """

    title: str
    columns: tuple[str, ...]
    facts: dict
    cells: Callable[[StepProgress], Iterator[Any]]
    row: Callable[[Any], tuple[str, ...]]
    notes: Callable[[list], list[str]] = lambda cells: []
    picture: Callable[[list, PictureFormat], bytes] | None = None


@dataclass(frozen=True)
class Experiment:
    """source: the paper; options: which of table, data, epochs and picture mean something.

    prepare: raises FF2LoihiError.
    """

    source: str
    options: frozenset[str]
    prepare: Callable[[Request], Table]


def filled(
    cells: Callable[[Part, StepProgress], Iterable[Cell]], parts: Sequence[Part], workers: int | None,
    progress: StepProgress,
) -> Iterator[Cell]:  # fmt: skip
    """The cells of independent parts, in their order, each as soon as those before it are finished.

    cells: a function of a module; a part is a tuple, whose first entry says what it is. workers: processes, or None:
    this one. Raises FF2LoihiError.
    """
    if workers is None:
        for part in parts:
            yield from cells(part, progress)
        return
    jobs = [(cells, part) for part in parts]
    for made in spread(cells_of, jobs, workers, _named, lambda done, total: progress(done, total, "parts")):
        yield from made


def cells_of(job: tuple[Callable[[Part, StepProgress], Iterable[Cell]], Part]) -> list[Cell]:
    """What a worker makes of a part."""
    cells, part = job
    return list(cells(part, lambda done, total, note: None))


def _named(job: tuple[object, tuple]) -> str:
    return f"the part {brief(job[1][0])}"


def percent(value: float | None) -> str:
    """A cell's text."""
    return "-" if value is None else f"{value:.2f}"

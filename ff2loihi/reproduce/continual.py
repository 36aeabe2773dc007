"""Continual learning: classes arrive in pairs on one network that learns on the chip, beside one that sees all at once.

Classes 0 and 1 are learned first, then 2 and 3, and so on, each pair for the same epochs and with the samples of no
other one, but those few that are stored and shown again. The reference learns all classes together for as many epochs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from ff2loihi.analysis.canvas import canvas, image
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.select import emulator_learner
from ff2loihi.choices import PictureFormat
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.recipes import train as train_recipe
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Hooks, Run
from ff2loihi.reproduce.compiled import checkpoint_of
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent
from ff2loihi.streams import stream

PAIR, SEEDS = 2, 3  # classes that arrive together; runs of each network
FEW = 50  # samples of each class in table 2
EPOCHS, FEW_EPOCHS, SMALL_EPOCHS = 2, 20, 10  # of each pair: in table 1 and 2, and of sets as small as digits
SMALL = 10_000  # training samples
# Pixels that images are moved by. Not moved, 10 stored of each class brought 69.6 % in place of 82.4 %, and 100 of them
# 91.5 in place of 95.1: validation images, one epoch of each pair, seed 0.
MOVED = {"mnist": 1}

Labels = Literal["all", "seen", "pair"]
Curve: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Cell:
    """A way to learn; accuracies in percent.

    labels: whose code is known while a pair is learned, and so which wrong labels are shown: of all classes from the
    start; of those seen so far, a code that grows; of the pair's own two, so that no old label is ever unlearned.
    stored: samples of each old class that are shown again, as often as those of a new one all together.
    curves: of each seed, after each pair, on each pair seen so far; of the offline run a single entry.
    """

    what: str
    labels: Labels | None = "seen"
    stored: int = 0
    curves: tuple[Curve, ...] = ()
    mean: float | None = None
    spread: float | None = None
    forgotten: float | None = None


ROWS = (
    Cell("all labels from the start", "all"),
    Cell("a label code that grows"),
    Cell("wrong labels of the new pair alone", "pair"),
    Cell("10 stored of each old class", stored=10),
    Cell("100 stored of each old class", stored=100),
    Cell("offline: all classes at once", None),
)


def prepare(request: Request) -> Table:
    """Table 1: every training sample; 2: FEW of each class, for more epochs."""
    table = 1 if request.table is None else request.table
    if table not in (1, 2):
        raise FF2LoihiError(f"--table must be 1 or 2, got {table}")
    data = request.data or ("digits" if request.quick else "mnist")
    train, test = (load_data(data, split, root=request.root, limit=request.limit) for split in ("train", "test"))
    pairs = len(pairs_of(train.classes))
    if pairs < 2:
        raise FF2LoihiError(f"--data {data}: {train.classes} classes are one pair, none arrives after it. Use another")
    usual = FEW_EPOCHS if table == 2 else EPOCHS if len(train.labels) >= SMALL else SMALL_EPOCHS
    plan = Schedule(epochs=request.epochs or usual, jitter=MOVED.get(data, 0))
    few = FEW if table == 2 else None
    samples = f"{few} samples of each class" if few else f"{len(train.labels):,} samples"
    return Table(
        title=f"Continual learning, on {data}: {samples}, {len(test.labels):,} test images, {plan.epochs} epochs",
        columns=("network", *(f"pair {k + 1}" for k in range(pairs)), "mean", "+-", "forgotten"),
        facts={"table": table, "data": data, "epochs": plan.epochs, "runs": SEEDS},
        cells=lambda progress: filled(
            finished_cells,
            [(cell, train, test, plan, few, request.seed) for cell in ROWS if few is None or cell.stored < few],
            request.workers,
            progress,
        ),
        row=lambda cell: (
            cell.what, *map(percent, np.mean([curve[-1] for curve in cell.curves], axis=0)),
            *map(percent, (cell.mean, cell.spread, cell.forgotten)),
        ),
        notes=lambda cells: [
            "each pair's test accuracy when all are learned, the mean of the pairs and its standard deviation over "
            f"{SEEDS} seeds, and by how much a pair but the last one fell since it was learned"
        ],
        picture=draw,
    )  # fmt: skip


EXPERIMENT = Experiment(
    "class-incremental learning on the chip", frozenset({"table", "data", "epochs", "picture"}), prepare
)


def pairs_of(classes: int) -> list[tuple[int, int]]:
    """The first class of each pair, and the one behind its last; an odd class joins the last pair."""
    firsts = range(0, max(1, classes - 1), PAIR)
    return [(first, end) for first, end in zip(firsts, (*firsts[1:], classes), strict=True)]


def finished_cells(
    row: tuple[Cell, Dataset, Dataset, Schedule, int | None, int], progress: StepProgress
) -> Iterator[Cell]:
    """A row with its curves; few: samples of each class, None for all."""
    cell, train, test, plan, few, seed = row
    curves = tuple(
        learned_curve(cell, few_of_each(train, few, run), test, replace(plan, seed=run), progress)
        for run in range(seed, seed + SEEDS)
    )
    means = [float(np.mean(curve[-1])) for curve in curves]
    falls = [
        curve[pair][pair] - curve[-1][pair] for curve in curves for pair in range(len(curve) - 1)
    ]  # of an offline run there are none
    yield replace(
        cell, curves=curves, mean=float(np.mean(means)), spread=float(np.std(means, ddof=1)),
        forgotten=float(np.mean(falls)) if falls else None,
    )  # fmt: skip


def learned_curve(cell: Cell, train: Dataset, test: Dataset, plan: Schedule, progress: StepProgress) -> Curve:
    """Percent of `test` right, after each pair, on each pair seen so far; all randomness from the plan's seed."""
    program, pairs, drawn = untrained(train, plan.seed), pairs_of(train.classes), stream(plan.seed, "stored samples")
    codes = program.network.label_codes
    stored, curve = np.zeros(0, np.int64), []
    for first, end in pairs if cell.labels else [(0, train.classes)]:
        samples = part(train, shown(train.labels, first, end, stored))
        begin, beyond = first if cell.labels == "pair" else 0, train.classes if cell.labels == "all" else end
        network = replace(program.network, label_codes=codes[begin:beyond])
        hooks = Hooks(progress=lambda done, total, note, end=end: progress(done, total, f"{cell.what}, {end} classes"))
        samples = replace(samples, labels=samples.labels - begin)
        program = Run(replace(program, network=network), samples, plan, emulator_learner(network), hooks).go()
        for own in range(first, end):
            stored = np.append(stored, drawn.permutation(np.flatnonzero(train.labels == own))[: cell.stored])
        read = replace(program, network=replace(program.network, label_codes=codes[:beyond]))
        curve.append(accuracies(read, test, [pair for pair in pairs if pair[0] < end]))
    return tuple(curve)


def shown(labels: np.ndarray, first: int, end: int, stored: np.ndarray) -> np.ndarray:
    """Places of a pair's samples, and those of stored ones, so often that an old class has about as many as a new."""
    new = np.flatnonzero((labels >= first) & (labels < end))
    again = max(1, len(new) * first // (max(1, len(stored)) * (end - first)))
    return np.concatenate([new, np.tile(stored, again)])


def untrained(data: Dataset, seed: int) -> Program[LearningNetwork]:
    """A network for `data` before it learns."""
    model = train_recipe("ffa-symmetric", data, epochs=0, seed=seed)
    images = pipeline.CALIBRATION_IMAGES
    few = pipeline.Calibration(data.images[:images], data.labels[:images], events=data.events)
    return pipeline.compile_learning(checkpoint_of(model), few, LearningOptions())


def part(data: Dataset, samples: np.ndarray) -> Dataset:
    """Those samples, by their places."""
    return replace(data, images=data.images[samples], labels=data.labels[samples])


def few_of_each(data: Dataset, few: int | None, seed: int) -> Dataset:
    """So many samples of each class, drawn; None: all of them."""
    if few is None:
        return data
    drawn = stream(seed, "stored samples")
    own = [drawn.permutation(np.flatnonzero(data.labels == label))[:few] for label in range(data.classes)]
    return part(data, np.concatenate(own))


def accuracies(program: Program[LearningNetwork], test: Dataset, pairs: list[tuple[int, int]]) -> tuple[float, ...]:
    """Percent of each pair's samples that are right, read out among all labels that the network knows."""
    seen = part(test, np.flatnonzero(test.labels < pairs[-1][1]))
    right = Emulator().run(program, seen.images).predictions == seen.labels
    return tuple(100 * float(right[(seen.labels >= first) & (seen.labels < end)].mean()) for first, end in pairs)


def draw(cells: list[Cell], form: PictureFormat) -> bytes:
    """Accuracy on all pairs seen so far, and on the first pair, as pairs arrive: mean and standard deviation."""
    figure = canvas(10, 4.2)
    seen, first = figure.subplots(1, 2, sharey=True)
    for axes, title, of in ((seen, "all pairs seen so far", np.mean), (first, "the first pair", lambda on: on[0])):
        for cell in cells:
            values = np.array([[of(on) for on in curve] for curve in cell.curves])
            mean, spread = values.mean(0), values.std(0, ddof=1)
            arrived = np.arange(1, len(mean) + 1)
            if cell.labels is None:
                axes.axhline(mean[-1], color="black", linestyle="--", linewidth=1, label=cell.what)
            else:
                [line] = axes.plot(arrived, mean, marker=".", label=cell.what)
                axes.fill_between(arrived, mean - spread, mean + spread, color=line.get_color(), alpha=0.2)
                axes.set_xticks(arrived)
        axes.set(title=title, xlabel="pairs of classes learned, one after the other")
        axes.grid(alpha=0.3)
    seen.set_ylabel("test accuracy, %")
    seen.legend(fontsize=8)
    figure.tight_layout()
    return image(figure, form)

"""The experiment of Terres-Escudero 2024 (section 4): its protocol in float and in the chip's integers.

One layer of 200 neurons; pixels and 100 label inputs, a label's code being Bernoulli(0.3) bits; an input spikes in a
step with probability 0.25 of its value; 24 steps, learning in the last 9. Each image is shown with its label, then with
a random wrong one, each time with new spikes; a label's score is
(G+ + theta) / (G + 2 theta), or G, at the presentation's end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, UpdateRule
from ff2loihi.compilers.learning.rule import (
    LEAK,
    RATE_EXPONENT,
    VTH,
    output_trace,
    third_factor,
)
from ff2loihi.compilers.learning.weight_grid import to_even_grid
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.recipes import train as train_analog
from ff2loihi.ff.train import evaluate
from ff2loihi.learning.controller import Controller, Schedule
from ff2loihi.learning.float_twin import BatchedTwin, FloatRule, OnlineTwin, candidates
from ff2loihi.processes.learning_rule import Neuron
from ff2loihi.reproduce.experiment import Experiment, Request, StepProgress, Table, filled, percent
from ff2loihi.streams import stream

NEURONS, LABEL_INPUTS, CODE_P = 200, 100, 0.3
STEPS, WINDOW, BATCH = 24, 9, 50
PAPER_EPOCHS, QUICK_EPOCHS = 10, 5
RATE = 64  # spikes in 256 steps of an input of value 1: the factor 0.25
SPREAD = 0.125  # standard deviation of the first weights, of the threshold
NOTE_EVERY = 500  # samples between two reports of progress


Probability = Literal["sigmoid", "symmetric"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table; accuracies in percent, None where there is none."""

    probability: Probability
    model: Literal["analog", "batched", "online"]
    trace: Literal["relu", "li", "hard-li"] | None
    paper: float
    ours: float | None = None
    integer: float | None = None


def _cells(probability: Probability, models: tuple, traces: tuple, figures: tuple) -> list[Cell]:
    columns = [(model, trace) for model in models for trace in traces]
    return [Cell(probability, *column, figure) for column, figure in zip(columns, figures, strict=True)]


TABLES = {
    1: [
        Cell("sigmoid", "analog", None, 89.74),
        Cell("sigmoid", "batched", "relu", 86.21),
        Cell("sigmoid", "online", "relu", 85.11),
        Cell("symmetric", "analog", None, 95.10),
        Cell("symmetric", "batched", "relu", 92.72),
        Cell("symmetric", "online", "relu", 94.36),
    ],
    2: [
        *_cells(
            "sigmoid", ("batched", "online"), ("li", "relu", "hard-li"), (79.35, 81.87, 63.67, 85.07, 83.92, 74.11)
        ),
        *_cells(
            "symmetric", ("batched", "online"), ("li", "relu", "hard-li"), (88.95, 86.87, 85.54, 87.13, 82.15, 85.55)
        ),
    ],
}

# eta and tau_e from short runs on MNIST's validation images, not from the paper's whole grid; eta falls linearly to 0.
# theta, alpha and target are the integer rule's in float units: r is 1 a spike (relu, li) or at most 1 (hard-li).
# An online eta is the batch's over 50.
RULES: dict[tuple[str, str | None], FloatRule] = {
    ("sigmoid", "relu"): FloatRule("sigmoid", "relu", 0.1, 0.99, 200, 1 / 64),
    ("sigmoid", "li"): FloatRule("sigmoid", "li", 0.1, 0.99, 16, 0.19),
    ("sigmoid", "hard-li"): FloatRule("sigmoid", "hard-li", 0.2, 0.99, 2.5, 1.27, target=12.3),
    ("symmetric", "relu"): FloatRule("symmetric", "relu", 60, 0.99, 200, target=1000),
    ("symmetric", "li"): FloatRule("symmetric", "li", 12, 0.99, 16, target=80),
    ("symmetric", "hard-li"): FloatRule("symmetric", "hard-li", 6, 0.99, 1.2, target=12),
}
# In batches the sigmoid's Hard-LI layer needs a larger goodness: with the online constants it fell to 25 %.
BATCHED_RULES = {**RULES, ("sigmoid", "hard-li"): FloatRule("sigmoid", "hard-li", 0.05, 0.99, 40, 0.1, target=40)}


def explain(cells: list[Cell], epochs: int) -> list[str]:
    """How ours differs from the paper where a float cell is over a point away; effects not named were not separated."""
    gaps = [(cell, cell.ours - cell.paper) for cell in cells if cell.ours is not None]
    lines = []
    if any(gap > 1 and cell.model == "analog" for cell, gap in gaps):
        lines.append("analog, above: our recipe takes the hardest wrong labels as negatives, its rate falls to 0")
    if any(gap > 1 and cell.model != "analog" for cell, gap in gaps):
        lines.append("spiking, above: eta falls to 0 here (symmetric, online, half an epoch, one run: 89.4 to 91.4)")
    low = [cell for cell, gap in gaps if gap < -1]
    if low:
        fewer = f"{epochs} epoch(s) here, {PAPER_EPOCHS} there; " if epochs < PAPER_EPOCHS else ""
        lines.append(f"below: {fewer}the paper leaves LIF threshold, first weights and input strength open")
    return lines


def prepare(request: Request) -> Table:
    """Table 1: analog, batched and online models; 2: their output traces."""
    table = 1 if request.table is None else request.table
    if table not in TABLES:
        raise FF2LoihiError(f"--table must be one of {', '.join(map(str, TABLES))}, got {table}")
    data = request.data or ("digits" if request.quick else "mnist")
    train, test = (load_data(data, split, root=request.root, limit=request.limit) for split in ("train", "test"))
    epochs = request.epochs or PAPER_EPOCHS
    epochs = min(epochs, QUICK_EPOCHS) if request.quick else epochs
    compares = data == "mnist" and not request.quick
    return Table(
        title=f"Hebbian FFA, table {table}, on {data}: {len(test.labels):,} test images, {epochs} epochs",
        columns=("probability", "model", "trace", "paper, MNIST", "float", "integer"),
        facts={"table": table, "data": data, "epochs": epochs},
        cells=lambda progress: filled(
            finished_cells,
            [(cell, train, test, epochs, request.seed) for cell in TABLES[table]],
            request.workers,
            progress,
        ),
        row=lambda cell: (
            cell.probability, cell.model, cell.trace or "-", *map(percent, (cell.paper, cell.ours, cell.integer))
        ),
        notes=lambda cells: explain(cells, epochs) if compares else [],
    )  # fmt: skip


EXPERIMENT = Experiment("Terres-Escudero 2024", frozenset({"table", "data", "epochs"}), prepare)


def finished_cells(part: tuple[Cell, Dataset, Dataset, int, int], progress: StepProgress) -> Iterator[Cell]:
    """A cell of a table with our accuracies; epochs: of the spiking models."""
    cell, train, test, epochs, seed = part
    if cell.model == "analog":
        network = train_analog(f"ffa-{cell.probability}", train, widths=(NEURONS,), seed=seed, progress=progress)
        yield replace(cell, ours=100 * evaluate(network, test))
        return
    models: list[Model] = [FloatModel(cell, train, seed)]
    if cell.model == "online":  # the chip learns one sample at a time
        models.append(IntegerModel(cell, train, seed))
    found = []
    for model in models:
        fit(model, train, epochs, BATCH if cell.model == "batched" else 1, seed, progress)
        found.append(100 * accuracy(model, test, seed))
    yield replace(cell, ours=found[0], integer=found[1] if len(found) > 1 else None)


def label_codes(classes: int, seed: int) -> np.ndarray:
    """(classes, LABEL_INPUTS) bool."""
    return stream(seed, "label codes").random((classes, LABEL_INPUTS)) < CODE_P


def first_weights(inputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(inputs, NEURONS) float64 in units of the threshold, and (NEURONS,) bool: the + neurons."""
    weight = stream(seed, "weights").normal(0, SPREAD, (inputs, NEURONS))
    return weight, np.arange(NEURONS) < NEURONS // 2


def bernoulli(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spikes (STEPS, samples, pixels + LABEL_INPUTS) bool of images (samples, pixels) uint8.

    Every label input spikes as if its code bit were set: a label's spikes are those that its code lets through.
    """
    labels = np.full((len(images), LABEL_INPUTS), RATE, np.uint16)
    rates = np.concatenate([images.astype(np.uint16) * RATE >> 8, labels], axis=1).astype(np.uint8)
    coins = np.frombuffer(rng.bytes(STEPS * rates.size), np.uint8).reshape(STEPS, *rates.shape)
    return coins < rates


class FloatModel:
    """A float twin under the protocol."""

    def __init__(self, cell: Cell, data: Dataset, seed: int) -> None:
        key = cell.probability, cell.trace
        self.rule = (BATCHED_RULES if cell.model == "batched" else RULES)[key]
        self.theta = self.rule.theta
        self.probability, self.pixels = cell.probability, data.images.shape[1]
        self.codes = label_codes(data.classes, seed)
        weight, self.positive = first_weights(self.pixels + LABEL_INPUTS, seed)
        if cell.model == "online":
            self.rule = replace(self.rule, eta=self.rule.eta / BATCH)
            self.twin = OnlineTwin(weight, self.positive, self.rule)
        else:
            self.twin = BatchedTwin(weight, self.positive, self.rule)

    def set_rate(self, done: float) -> None:
        """eta when a share `done` of the run lies behind."""
        self.twin.set_eta(self.rule.eta * (1 - done))

    def learn(self, spikes: np.ndarray, labels: np.ndarray, sign: int) -> None:
        """Present spikes (STEPS, samples, inputs) with labels (samples,)."""
        spikes = spikes.copy()
        spikes[..., self.pixels :] &= self.codes[labels]
        self.twin.present(spikes, sign)

    def goodness(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(samples, classes, 2): G+ and G- of each image under every label."""
        weight = np.ascontiguousarray(self.twin.weight)
        return np.stack(
            [
                candidates(weight, self.positive, self.rule, bernoulli(image[None], rng)[:, 0], self.codes)
                for image in images
            ]
        )


class IntegerModel:
    """The chip's integers, on the emulator, under the protocol; constants of compilers.learning, no tag."""

    def __init__(self, cell: Cell, data: Dataset, seed: int) -> None:
        self.probability, self.pixels = cell.probability, data.images.shape[1]
        weight, positive = first_weights(self.pixels + LABEL_INPUTS, seed)
        grid = to_even_grid(weight.T * VTH)
        assert cell.trace is not None  # the analog model alone has none
        trace, factor = output_trace(cell.trace), third_factor(cell.probability, NEURONS, cell.trace)
        self.theta = factor.theta
        self.network = LearningNetwork(
            pixels=self.pixels,
            input_code="pixels",
            input_factor=RATE,
            label_codes=label_codes(data.classes, seed).astype(np.int32) * RATE,
            label_phases=np.zeros(LABEL_INPUTS, np.int32),
            steps=STEPS,
            window=WINDOW,
            layers=(LearningLayer("hidden", grid, positive, Neuron(VTH, LEAK), trace, factor),),
            update=UpdateRule("none", RATE_EXPONENT, 0, 0),
        )
        self.learner = Learner(self.network)
        self._controller = Controller(self.network, self.learner, Schedule())

    def set_rate(self, done: float) -> None:
        """The rate exponent when a share `done` of the run lies behind."""
        self._controller.set_rate(done)

    def learn(self, spikes: np.ndarray, labels: np.ndarray, sign: int) -> None:
        """Present spikes (STEPS, samples, inputs) one sample after the other."""
        for index, label in enumerate(labels):
            self._show(spikes[:, index])
            self.learner.present(int(label), sign)

    def goodness(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(samples, classes, 2): G+ and G- of each image under every label."""
        found = []
        for image in images:
            self._show(bernoulli(image[None], rng)[:, 0])
            found.append(self.learner.candidates()[:, 0])
        return np.stack(found)

    def _show(self, spikes: np.ndarray) -> None:
        self.learner.show_spikes(spikes[:, : self.pixels], spikes[:, self.pixels :])


Model = FloatModel | IntegerModel


def fit(model: Model, data: Dataset, epochs: int, batch: int, seed: int, progress: StepProgress | None = None) -> None:
    """Show every image with its label, then with a random wrong one, `batch` images at a time."""
    rng = stream(seed, "training")
    size = len(data.labels) // batch * batch
    for epoch in range(epochs):
        order = rng.permutation(len(data.labels))[:size]
        for start in range(0, size, batch):
            seen = epoch * size + start
            if seen % NOTE_EVERY == 0:
                model.set_rate(seen / (epochs * size))
                if progress:
                    progress(seen, epochs * size, f"epoch {epoch + 1}")
            chosen = order[start : start + batch]
            labels = data.labels[chosen]
            wrong = (labels + rng.integers(1, data.classes, batch)) % data.classes
            for shown, sign in ((labels, 1), (wrong, -1)):
                model.learn(bernoulli(data.images[chosen], rng), shown, sign)


def accuracy(model: Model, data: Dataset, seed: int) -> float:
    """The share of right arg-max over the labels' scores: (G+ + theta) / (G + 2 theta), or G for the sigmoid."""
    found = model.goodness(data.images, stream(seed, "evaluation"))
    total = found.sum(-1)
    symmetric = model.probability == "symmetric"
    scores = (found[..., 0] + model.theta) / (total + 2 * model.theta) if symmetric else total
    return float((scores.argmax(1) == data.labels).mean())

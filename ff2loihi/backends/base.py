"""The verbs that every back end answers, and what it answers with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.inference import readout
from ff2loihi.compilers.inference.integer_forward import Result, piece_sums, powers, top_sums
from ff2loihi.compilers.ir import AnyProgram, IntNetwork, LearningNetwork, Network

SampleProgress = Callable[[int, int], None]  # (samples done, samples)


@dataclass(frozen=True)
class Trace:
    """What a run of some samples gave, in the same integers on every back end.

    predictions (samples,); scores (samples, classes) float64; sums (samples, labels, layers, powers, parts) int64,
    the goodness sums (ir.IntNetwork.goodness_parts); goodness (samples, labels, layers) float64, in the float network's
    units; head (samples, layers, classes) int64 or None; spikes (samples, labels, layers) int64, graded: non-zero
    payloads, or None where they were not counted; states: "hidden1.v" -> (samples, labels[, steps], n) int64, where
    asked for; seconds: of the run alone.
    """

    backend: str
    predictions: np.ndarray
    scores: np.ndarray
    sums: np.ndarray
    goodness: np.ndarray
    head: np.ndarray | None
    spikes: np.ndarray | None
    states: dict[str, np.ndarray]
    seconds: float


class Backend(Protocol):
    """A place where a Program runs."""

    name: str

    def run(
        self, program: AnyProgram, pixels: np.ndarray, *, states: bool = False, progress: SampleProgress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8. Raises DataError or BackendError."""
        ...


class Samples(NamedTuple):
    """rates (samples, row), phases (samples, draws_phases) of integers: what LearningBackend.show takes.

    labels, wrong (samples,) int64; wrong: the label that was drawn, -1 where the best wrong one is to be shown.
    """

    rates: np.ndarray
    phases: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray


class Plan(NamedTuple):
    """pairs: each sample as a positive and a negative one, where the true label's score is no more than margin ahead of
    the wrong one's, in multiples of unit; else in turn as one or the other, the first after `seen` samples.

    ask: whether the scores are asked for before a single negative one. sigmoid: which scores.
    """

    pairs: bool
    margin: float
    unit: float
    ask: bool
    seen: int
    sigmoid: bool


class Learned(NamedTuple):
    """Of some samples: how many taught, and how many had the true label as the best one.

    leads (samples,) float64: how far the true label's score was ahead of the best wrong one's, in multiples of the
    plan's unit; 0 where no scores were asked for.
    """

    taught: int
    right: int
    leads: np.ndarray


class SampleLearner(Protocol):
    """A place where a LearningNetwork learns samples.

    exponent, trace_shift: the rate of its rule.
    """

    network: LearningNetwork
    exponent: int
    trace_shift: int

    def learn(self, samples: Samples, plan: Plan) -> Learned:
        """Learn samples as the plan says."""
        ...

    def silent(self) -> list[float]:
        """Each layer's share of neurons that have not spiked since the last call."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        ...

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        ...

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        ...


class LearningBackend(SampleLearner, Protocol):
    """One that also takes a presentation at a time."""

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Take a sample: what readout.rates makes of it, and its accumulators' starts (draws_phases,) in 0..255."""
        ...

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, layers, 2) int64, G+ and G-."""
        ...

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (layers, 2)."""
        ...


def joined(parts: Sequence[Trace]) -> Trace:
    """One trace of the samples of several, which ran at the same time."""

    def rows(name: str) -> np.ndarray | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else np.concatenate(found)

    names = ("predictions", "scores", "sums", "goodness", "head", "spikes")
    states = {name: np.concatenate([part.states[name] for part in parts]) for name in parts[0].states}
    seconds = max(part.seconds for part in parts)
    return replace(parts[0], **{name: rows(name) for name in names}, states=states, seconds=seconds)


def check_pixels(network: IntNetwork | LearningNetwork | Network, pixels: np.ndarray) -> None:
    """Raise DataError unless pixels is (samples, pixels) uint8, or events' rows, with at least one sample."""
    wanted = network.pixels if isinstance(network, Network) else network.row
    if pixels.ndim != 2 or pixels.shape[1] != wanted or pixels.dtype != np.uint8:
        raise DataError(
            f"images must be (samples, {wanted}) uint8 for this model, got {pixels.shape} {pixels.dtype}. "
            "Use the data set that the model was trained on"
        )
    if not len(pixels):
        raise DataError("no samples to run: --limit must be at least 1")


def host_sums(network: IntNetwork, name: str, activity: np.ndarray) -> np.ndarray:
    """The host's goodness sums of layer `name`: counts or payloads (samples, labels, n) -> (..., powers, parts)."""
    layer = next(layer for layer in network.layers if layer.name == name)
    if network.pooled:
        found = [piece_sums(network, layer, activity**power, np) for power in powers(network)]
    else:
        member = network.goodness_part_of(layer)[:, None] == np.arange(network.goodness_parts)
        found = [(activity**power) @ member.astype(np.int64) for power in powers(network)]
    if network.top_k:
        found.append(top_sums(network, layer, activity, np))
    return np.stack(found, axis=-2)


def make_trace(backend: str, network: IntNetwork, result: Result, seconds: float) -> Trace:
    """The host's part, the same for every back end: scores and predictions from the integers."""
    scores = readout.scores(network, result.sums, result.head)
    return Trace(
        backend=backend,
        predictions=scores.argmax(axis=1),
        scores=scores,
        sums=result.sums,
        goodness=readout.goodness(network, result.sums),
        head=result.head,
        spikes=result.spikes,
        states=result.states,
        seconds=seconds,
    )

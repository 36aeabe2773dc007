"""The verbs that every back end answers, and what it answers with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.inference import readout
from ff2loihi.compilers.inference.integer_forward import Result, powers
from ff2loihi.compilers.ir import AnyProgram, IntNetwork, LearningNetwork, Network

Progress = Callable[[int, int], None]  # (samples done, samples)


@dataclass(frozen=True)
class Trace:
    """What a run of some samples gave, in the same integers on every back end.

    predictions (samples,); scores (samples, classes) float64; sums (samples, labels, layers, powers, parts) int64,
    the goodness sums (ir.IntNetwork.parts); goodness (samples, labels, layers) float64, in the float network's units;
    head (samples, layers, classes) int64 or None; spikes (samples, labels, layers) int64, graded: non-zero payloads,
    or None where they were not counted; states: "hidden1.v" -> (samples, labels[, steps], n) int64, where asked for;
    seconds: of the run alone.
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
        self, program: AnyProgram, pixels: np.ndarray, *, states: bool = False, progress: Progress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8. Raises DataError or BackendError."""
        ...


def check_pixels(network: IntNetwork | LearningNetwork | Network, pixels: np.ndarray) -> None:
    """Raise DataError unless pixels is (samples, pixels) uint8 with at least one sample."""
    if pixels.ndim != 2 or pixels.shape[1] != network.pixels or pixels.dtype != np.uint8:
        raise DataError(
            f"images must be (samples, {network.pixels}) uint8 for this model, got {pixels.shape} {pixels.dtype}. "
            "Use the data set that the model was trained on"
        )
    if not len(pixels):
        raise DataError("no samples to run: --limit must be at least 1")


def host_sums(network: IntNetwork, name: str, activity: np.ndarray) -> np.ndarray:
    """The host's goodness sums of layer `name`: counts or payloads (samples, labels, n) -> (..., powers, parts)."""
    part_of = network.part_of(next(layer for layer in network.layers if layer.name == name))
    member = (part_of[:, None] == np.arange(network.parts)).astype(np.int64)
    return np.stack([(activity**power) @ member for power in powers(network)], axis=-2)


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

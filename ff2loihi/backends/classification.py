"""Classifying with a network that learns: every label, nothing learned, on any back end that presents samples."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ff2loihi.backends.base import SampleProgress, Trace, check_pixels
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import draws_phases, rates, scores

PHASE_SEED = 0  # of the input accumulators' starts, a new draw each image


def classify(
    name: str, network: LearningNetwork, learner, pixels: np.ndarray, progress: SampleProgress | None, first: int = 0
) -> Trace:
    """A Trace of pixels (samples, pixels) uint8; its sums are (samples, labels, layers, 1, 2), spikes are not counted.

    first: the number of the first of them in the whole run. Raises DataError.
    """
    check_pixels(network, pixels)
    learner.show(rates(network, pixels[0]), np.zeros(draws_phases(network), np.int64))
    learner.present(0, 0)  # starts Lava, or loads the kernels; nothing is learned
    started = time.perf_counter()
    sums = np.empty((len(pixels), network.classes, len(network.layers), 2), np.int64)
    for index, (image, phases) in enumerate(zip(pixels, accumulator_starts(network, len(pixels), first), strict=True)):
        learner.show(rates(network, image), phases)
        sums[index] = learner.candidates()
        if progress:
            progress(index + 1, len(pixels))
    return make_trace(name, network, sums, {}, time.perf_counter() - started)


def accumulator_starts(network: LearningNetwork, samples: int, first: int = 0) -> Iterator[np.ndarray]:
    """Where each sample's accumulators start, (draws_phases,) int64 in 0..255; first: its number in the whole run."""
    rng = np.random.default_rng(PHASE_SEED)
    for number in range(first + samples):
        starts = rng.integers(0, 256, draws_phases(network))
        if number >= first:
            yield starts


def added(trace: Trace, presentations: int) -> Trace:
    """Of images that were all classified so often, one round after the other: their scores and goodness sums added."""

    def rounds(values: np.ndarray) -> np.ndarray:
        return values.reshape(presentations, -1, *values.shape[1:])

    scores = rounds(trace.scores).sum(0)
    return replace(
        trace,
        predictions=scores.argmax(axis=1),
        scores=scores,
        sums=rounds(trace.sums).sum(0),
        goodness=rounds(trace.goodness).mean(0),
        spikes=None if trace.spikes is None else rounds(trace.spikes).sum(0),
    )


def make_trace(name: str, network: LearningNetwork, sums: np.ndarray, states: dict, seconds: float) -> Trace:
    """The host's part: scores and predictions from sums (samples, labels, layers, 2), G+ and G-."""
    found = np.stack([scores(one, network.probability) for one in sums])
    return Trace(
        backend=name,
        predictions=found.argmax(axis=1),
        scores=found,
        sums=sums[:, :, :, None],
        goodness=(sums[..., 0] + 1) / (sums.sum(-1) + 2) if network.probability == "symmetric" else sums.sum(-1),
        head=None,
        spikes=None,
        states=states,
        seconds=seconds,
    )

"""The presentations that every form is timed on: the same images, phases and labels."""

import time
from typing import Protocol

import numpy as np

from ff2loihi.backends.base import Plan, SampleLearner, Samples
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import draws_phases, rates
from ff2loihi.data.datasets import Dataset


class Presents(Protocol):
    """What learns a presentation at a time, see backends.base.LearningBackend."""

    network: LearningNetwork

    def show(self, q: np.ndarray, phases: np.ndarray) -> None: ...

    def present(self, label: int, phase: int) -> np.ndarray: ...

    @property
    def weights(self) -> list[np.ndarray]: ...


Shown = tuple[np.ndarray, np.ndarray, int]  # the image, its inputs' phases 0..255, (pixels,) each, and the true label


class Learns(SampleLearner, Protocol):
    """What learns all samples in one call."""

    @property
    def weights(self) -> list[np.ndarray]: ...


def shown(network: LearningNetwork, data: Dataset, count: int) -> list[Shown]:
    """The first `count` samples of `data`."""
    rng = np.random.default_rng(0)
    drawn = [(image, rng.integers(0, 256, draws_phases(network))) for image in data.images[:count]]
    return [(*one, int(label)) for one, label in zip(drawn, data.labels[:count], strict=True)]


def present(learner: Presents, data: Dataset, count: int) -> tuple[float, list[np.ndarray]]:
    """(presentations a second, the weights at the end) of `count` positive samples, encoding included."""
    samples = shown(learner.network, data, count)
    started = time.perf_counter()
    for image, phases, label in samples:
        learner.show(rates(learner.network, image), phases)
        learner.present(label, 1)
    return count / (time.perf_counter() - started), learner.weights


def in_turn(network: LearningNetwork, data: Dataset, count: int) -> Samples:
    """`count` samples of `data`, to be learned as positive and negative ones in turn, as `learn --single` does.

    A negative one has the label that follows the true one. The rates are the images' own, not encoded yet.
    """
    images, phases, labels = zip(*shown(network, data, count), strict=True)
    true = np.array(labels, np.int64)
    return Samples(np.stack(images), np.stack(phases).astype(np.int16), true, (true + 1) % network.classes)


def learn_in_turn(learner: Learns, samples: Samples) -> tuple[float, list[np.ndarray]]:
    """(presentations a second, the weights at the end), encoding included, of a learner that takes them all at once."""
    started = time.perf_counter()
    encoded = samples._replace(rates=rates(learner.network, samples.rates))
    learner.learn(encoded, Plan(pairs=False, margin=0.0, unit=1.0, ask=False, seen=0, sigmoid=False))
    return len(samples.labels) / (time.perf_counter() - started), learner.weights


def present_in_turn(learner: Presents, samples: Samples, begin: int, end: int) -> tuple[float, list[np.ndarray]]:
    """The same of samples[begin:end] and a learner that takes one after the other."""
    started = time.perf_counter()
    for k in range(begin, end):
        learner.show(rates(learner.network, samples.rates[k]), samples.phases[k])
        learner.present(int((samples.wrong if k % 2 else samples.labels)[k]), -1 if k % 2 else 1)
    return (end - begin) / (time.perf_counter() - started), learner.weights

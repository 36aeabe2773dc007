"""The presentations that every form is timed on: the same images, phases and labels."""

import time
from typing import Protocol

import numpy as np

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


def shown(network: LearningNetwork, data: Dataset, count: int, skip: int = 0) -> list[Shown]:
    """`count` samples of `data` behind the first `skip`."""
    rng = np.random.default_rng(0)
    drawn = [(image, rng.integers(0, 256, draws_phases(network))) for image in data.images[: skip + count]]
    labels = data.labels[skip : skip + count]
    return [(image, phases, int(label)) for (image, phases), label in zip(drawn[skip:], labels, strict=True)]


def present(learner: Presents, data: Dataset, count: int, skip: int = 0) -> tuple[float, list[np.ndarray]]:
    """(presentations a second, the weights at the end) of `count` positive samples, encoding included."""
    samples = shown(learner.network, data, count, skip)
    started = time.perf_counter()
    for image, phases, label in samples:
        learner.show(rates(learner.network, image), phases)
        learner.present(label, 1)
    return count / (time.perf_counter() - started), learner.weights

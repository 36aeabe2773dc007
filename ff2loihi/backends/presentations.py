"""What is shown to a network that learns, as a list that every back end takes in the same order."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.classification import PHASE_SEED, accumulator_starts
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import draws_phases, rates
from ff2loihi.data.datasets import Dataset


@dataclass(frozen=True)
class Presentation:
    """q, starts: of a sample, as LearningBackend.show takes it; label; phase +1, -1, 0; the learning rate."""

    q: np.ndarray
    starts: np.ndarray
    label: int
    phase: int
    exponent: int
    trace_shift: int


def pairs(network: LearningNetwork, data: Dataset) -> list[Presentation]:
    """Each image of `data` as a positive sample, then with a wrong label as a negative one."""
    rng = np.random.default_rng(PHASE_SEED)
    shown = []
    for image, label in zip(data.images, data.labels, strict=True):
        wrong = (int(label) + 1 + int(rng.integers(network.classes - 1))) % network.classes
        q, begin = rates(network, image), rng.integers(0, 256, draws_phases(network))
        for what, phase in ((int(label), 1), (wrong, -1)):
            shown.append(Presentation(q, begin, what, phase, network.update.exponent, 0))
    return shown


def under_every_label(network: LearningNetwork, pixels: np.ndarray) -> list[Presentation]:
    """Each image of pixels (samples, pixels) uint8 under each label, nothing to be learned, as `classify` does."""
    shown = []
    for image, begin in zip(pixels, accumulator_starts(network, len(pixels)), strict=True):
        q = rates(network, image)
        shown += [Presentation(q, begin, label, 0, network.update.exponent, 0) for label in range(network.classes)]
    return shown

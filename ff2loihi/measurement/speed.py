"""How much faster the emulator is than Lava, both measured in one run on the same artifact."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.base import SampleProgress
from ff2loihi.backends.select import emulator_learner, lava_learner
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import draws_phases, rates
from ff2loihi.data.datasets import Dataset


@dataclass(frozen=True)
class SpeedReport:
    """Samples a second of each back end (all labels of a sample included), without start-up; ratio of the two.

    repeats: the emulator's samples a second of each repeat, of which the median counts.
    """

    emulator_device: str
    emulator_samples: int
    emulator_samples_per_second: float
    repeats: tuple[float, ...]
    lava_samples: int
    lava_samples_per_second: float
    lava_ms_per_step: float
    ratio: float
    equal: bool


@dataclass(frozen=True)
class LearningSpeedReport:
    """Presentations a second that learn, without start-up, each form of Lava's layers and the emulator in one run.

    repeats: the emulator's figure of each repeat, of which the median counts. ratio: emulator over Lava's graph with
    Lava's own LearningDense; one_process_ratio: Lava's network in one process over that graph. equal: all three end
    with the same weights.
    """

    emulator_presentations: int
    emulator_per_second: float
    repeats: tuple[float, ...]
    lava_presentations: int
    one_process_per_second: float
    one_process_ms_per_step: float
    graph_per_second: float
    graph_ms_per_step: float
    ratio: float
    one_process_ratio: float
    equal: bool


def learning_speed(
    network: LearningNetwork, data: Dataset, lava_presentations: int, repeats: int, progress: SampleProgress | None
) -> LearningSpeedReport:
    """Time every back end on the same presentations of `data`, true labels as positives."""
    speeds = []
    _present(emulator_learner(network), data, 2)  # compiles the kernels
    for _ in range(repeats):
        speeds.append(_present(emulator_learner(network), data, len(data.labels))[0])
    few, found, ends = min(lava_presentations, len(data.labels) - 1), {}, []
    for place, form in enumerate(("one_process", "graph")):
        with lava_learner(network, form) as learner:
            _present(learner, data, 1)  # starts Lava
            found[form], weights = _present(learner, data, few, skip=1)
            ends.append(weights)
        if progress:
            progress(place + 1, 2)
    _, weights = _present(emulator_learner(network), data, few + 1)
    return LearningSpeedReport(
        emulator_presentations=len(data.labels),
        emulator_per_second=statistics.median(speeds),
        repeats=tuple(speeds),
        lava_presentations=few,
        one_process_per_second=found["one_process"],
        one_process_ms_per_step=1000 / (found["one_process"] * network.period),
        graph_per_second=found["graph"],
        graph_ms_per_step=1000 / (found["graph"] * network.period),
        ratio=statistics.median(speeds) / found["graph"],
        one_process_ratio=found["one_process"] / found["graph"],
        equal=all((a == b).all() for end in ends for a, b in zip(weights, end, strict=True)),
    )


def _present(learner, data: Dataset, count: int, skip: int = 0) -> tuple[float, list[np.ndarray]]:
    """(presentations a second, the weights at the end) of `count` positive samples, encoding included."""
    network, rng = learner.network, np.random.default_rng(0)
    shown = [(image, rng.integers(0, 256, draws_phases(network))) for image in data.images[: skip + count]][skip:]
    started = time.perf_counter()
    for (image, phases), label in zip(shown, data.labels[skip : skip + count], strict=True):
        learner.show(rates(network, image), phases)
        learner.present(int(label), 1)
    return count / (time.perf_counter() - started), learner.weights

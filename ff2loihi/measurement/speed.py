"""How much faster the emulator is than Lava, both measured in one run on the same artifact."""

import statistics
from dataclasses import dataclass

from ff2loihi.backends.base import SampleProgress, Samples
from ff2loihi.backends.select import emulator_learner, lava_learner
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement.limit import Limit, learning_limit
from ff2loihi.measurement.neighbours import Neighbour, neighbours
from ff2loihi.measurement.presented import in_turn, learn_in_turn, present_in_turn


@dataclass(frozen=True)
class SpeedReport:
    """Samples a second of each back end (all labels of a sample included), without start-up; ratio of the two.

    repeats: the emulator's samples a second of each repeat, of which the median counts. limit: of one core, for
    dense layers.
    """

    emulator_device: str
    emulator_samples: int
    emulator_samples_per_second: float
    repeats: tuple[float, ...]
    lava_samples: int
    lava_samples_per_second: float
    lava_ms_per_step: float
    ratio: float
    limit: Limit | None
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
    limit: Limit
    others: tuple[Neighbour, ...]
    equal: bool


def learning_speed(
    network: LearningNetwork, data: Dataset, lava_presentations: int, repeats: int, progress: SampleProgress | None
) -> LearningSpeedReport:
    """Time every back end on the same presentations of `data`, positive and negative ones in turn.

    The neighbours learn positive ones alone.
    """
    samples, speeds = in_turn(network, data, len(data.labels)), []
    first = Samples(*(part[:2] for part in samples))
    learn_in_turn(emulator_learner(network), first)  # compiles the kernels
    for _ in range(repeats):
        speeds.append(learn_in_turn(emulator_learner(network), samples)[0])
    few, found, ends = min(lava_presentations, len(data.labels) - 1), {}, []
    for place, form in enumerate(("one_process", "graph")):
        with lava_learner(network, form) as learner:
            present_in_turn(learner, samples, 0, 1)  # starts Lava
            found[form], weights = present_in_turn(learner, samples, 1, few + 1)
            ends.append(weights)
        if progress:
            progress(place + 1, 2)
    _, weights = learn_in_turn(emulator_learner(network), Samples(*(part[: few + 1] for part in samples)))
    others = neighbours(network, data)
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
        limit=learning_limit(network, data),
        others=others,
        equal=all((a == b).all() for end in ends for a, b in zip(weights, end, strict=True))
        and all(other.equal is not False for other in others),
    )

"""What a network of library neurons does for one presentation, in events: its gates and thermometers spike, too."""

import numpy as np

from ff2loihi.backends.emulator.library_kernels import (
    COUNT,
    GATES,
    NEURON,
    PRODUCT,
    TAUGHT,
    THERMOMETER,
)
from ff2loihi.backends.emulator.library_learner import LibraryLearner, stride
from ff2loihi.backends.presentations import pairs
from ff2loihi.compilers.board.populations import CLEAR, ENABLE, INPUT
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.data.datasets import Dataset
from ff2loihi.processes.library_rule import GROUPS, learning_steps
from ff2loihi.reports.events import Activity


def library_presentations(network: LearningNetwork, data: Dataset) -> tuple[Activity, Activity]:
    """Of one presentation: the mean under every label, nothing learned; the mean of right and wrong ones that teach.

    The weights stay those of the network; gates go on gathering, at the learning rate it was compiled with.
    """
    learner = LibraryLearner(network, tally=True)
    quiet, lessons = [], []
    for number, one in enumerate(pairs(network, data)):
        learner.show(one.q, one.starts)
        if number % 2 == 0:  # an image's first
            for label in range(network.classes):
                quiet.append(_events(learner, label, 0))
        lessons.append(_events(learner, one.label, one.phase))
        learner.put(network.layers[0].weight)
    return _activity(learner, quiet, False), _activity(learner, lessons, True)


def _events(learner: LibraryLearner, label: int, phase: int) -> np.ndarray:
    """Spikes of the input and the synapses that they reach, then what library_kernels counts."""
    learner.present(label, phase)
    return np.concatenate([learner.arrived, learner.sent])


def _activity(learner: LibraryLearner, events: list[np.ndarray], learns: bool) -> Activity:
    net = learner.network
    [layer] = net.layers
    arrived, reached, *sent = np.mean(events, axis=0).tolist()
    enabled = len(learning_steps(net.steps, net.window, stride(learner))) * GROUPS // 2 if learns else 0
    spikes = {
        INPUT: arrived,
        CLEAR: 1.0,
        ENABLE: float(enabled),
        layer.name: sent[NEURON],
        f"{layer.name}.count": sent[COUNT],
        f"{layer.name}.square": sent[COUNT],
        f"{layer.name}.thermometers": sent[THERMOMETER],
        f"{layer.name}.product": sent[PRODUCT],
        f"{layer.name}.gates": sent[GATES],
    }
    updates = {layer.name: (sent[TAUGHT], reached)}
    fan_out = {} if layer.mask is None else {layer.name: reached / max(1.0, arrived)}
    return Activity(net.period, spikes, {layer.name: float((layer.existing != 0).mean())}, updates, fan_out)

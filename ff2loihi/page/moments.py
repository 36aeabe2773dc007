"""What every neuron does in every step of one sample, as the emulator computes it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ff2loihi.backends import classification_states
from ff2loihi.backends.classification import accumulator_starts
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.emulator.library_learner import LibraryLearner
from ff2loihi.compilers.ir import AnyProgram, IntNetwork, LearningNetwork
from ff2loihi.compilers.learning.readout import rates
from ff2loihi.processes.library_rule import SLOTS
from ff2loihi.processes.limits import ALIGN

OWN = 2  # of a logical step's time steps of library neurons: B1, the only one in which they spike where none is forced


@dataclass(frozen=True)
class Moment:
    """A layer of one presentation. lif: v (steps, n) [v LSB], spikes (steps, outputs) bool, threshold [v LSB]; the
    neurons' states before a pool, the spikes behind it; of library neurons in logical steps. graded: payloads
    (outputs,), v and spikes None."""

    layer: str
    v: np.ndarray | None
    spikes: np.ndarray | None
    threshold: int
    payloads: np.ndarray | None = None

    @property
    def activity(self) -> np.ndarray | None:
        """Spikes of each neuron (n,), before a pool the reach of its v; graded: None."""
        if self.v is None or self.spikes is None:
            return None
        return self.spikes.sum(0) if self.spikes.shape == self.v.shape else np.abs(self.v).max(0)


def moments(
    program: AnyProgram, image: np.ndarray, index: int, labels: Mapping[str, int]
) -> dict[str, tuple[Moment, ...]]:
    """Of an image (pixels,) uint8, number `index` of a run, under each of the labels; where no label is shown, under
    the first name alone."""
    network = program.network
    if isinstance(network, LearningNetwork):
        start = next(accumulator_starts(network, 1, index))
        shown = _library if network.library else _learning
        return {name: shown(network, image, start, label) for name, label in labels.items()}
    states = Emulator().run(program, image[None], states=True).states
    if len(network.pass_labels) == 1:
        return {next(iter(labels)): _inference(network, states, 0)}
    return {name: _inference(network, states, label) for name, label in labels.items()}


def _inference(network: IntNetwork, states: dict[str, np.ndarray], label: int) -> tuple[Moment, ...]:
    found = []
    for layer in network.layers:
        if network.neuron == "graded":
            found.append(Moment(layer.name, None, None, 0, states[f"{layer.name}.h"][0, label]))
            continue
        counts = states[f"{layer.name}.r"][0, label]
        spikes = np.diff(counts, axis=0, prepend=0) > 0
        found.append(Moment(layer.name, states[f"{layer.name}.v"][0, label], spikes, layer.vth << ALIGN))
    return tuple(found)


def _learning(network: LearningNetwork, image: np.ndarray, start: np.ndarray, label: int) -> tuple[Moment, ...]:
    states = classification_states.states(network, image[None], [start])
    return tuple(
        Moment(
            layer.name, states[f"{layer.name}.v"][0, label], states[f"{layer.name}.s"][0, label] > 0,
            layer.neuron.vth << ALIGN,
        )
        for layer in network.layers
    )  # fmt: skip


def _library(network: LearningNetwork, image: np.ndarray, start: np.ndarray, label: int) -> tuple[Moment, ...]:
    learner = LibraryLearner(network, record=True)
    learner.show(rates(network, image), start)
    learner.present(label, 0)
    [layer] = network.layers
    v, z = learner.states[OWN::SLOTS, 0], learner.states[OWN::SLOTS, 1] > 0
    return (Moment(layer.name, v, z, layer.neuron.vth << ALIGN),)

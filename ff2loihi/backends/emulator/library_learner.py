"""The emulator of a network of library neurons that learns: bit-identical to Lava's own processes."""

from functools import lru_cache

import numpy as np

from ff2loihi.backends.base import Learned, Plan, Samples
from ff2loihi.backends.emulator import library_loop, sample_loop
from ff2loihi.backends.emulator.candidates import Labels
from ff2loihi.backends.emulator.learner import label_events, reached
from ff2loihi.backends.emulator.library_kernels import TAUGHT, Layer, Record, Space, counts
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.processes.learning_kernels import synapse_mask
from ff2loihi.processes.library_rule import ENABLE, ENABLE_EXP, FORCE, FORCE_EXP, GROUPS, SLOTS, GateFactor, controls
from ff2loihi.processes.limits import ALIGN
from ff2loihi.processes.rate_kernel import Events


class LibraryLearner:
    """Presents samples to a LearningNetwork whose rule is "gate", and keeps its weights and gates; see learner.Learner.

    tally: count what the last presentation sends: `sent`, by the names in library_kernels.
    record: keep every state of the last presentation: `states` (SLOTS steps, 5, n): v, z, r, gate, a; `units`
    (SLOTS steps, GROUPS, K): the thermometers' v; `matrices` (steps, inputs, n): the weights after each logical step.
    """

    def __init__(self, network: LearningNetwork, record: bool = False, tally: bool = False) -> None:
        [layer] = network.layers
        self.network = network
        self.exponent, self.trace_shift = network.update.exponent, 0
        self.layer = _layer(layer)
        self.w, self.gate = self.layer.w, self.layer.gate
        inputs, n = self.w.shape
        rows, steps = (SLOTS * network.steps, network.steps) if record else (0, 0)
        self.states = np.zeros((rows, 5, n), np.int64)
        self.units = np.zeros((rows, *self.layer.thresholds.shape), np.int64)
        self.matrices = np.zeros((steps, inputs, n), np.int16)
        self.sent = np.zeros(TAUGHT + 1, np.int64) if tally else None
        self._net = library_loop.Network(
            layer=self.layer,
            pixels=Events.of(network.steps, network.pixels),
            labels=Labels.of(label_events(network), n),
            base=np.zeros((network.steps, n), np.int32),
            known=np.zeros(1, np.int64),
            sent=self.sent,
            record=Record(record, self.states, self.units, self.matrices),
        )
        self._start(0)

    def _start(self, passed: int) -> None:
        self.draws = library_loop.Draws.of(self.network.steps, self.network.period, passed)

    def _rule(self) -> library_loop.Rule:
        net = self.network
        return _rule(net.probability, net.steps, net.window, stride(self))

    @property
    def weights(self) -> list[np.ndarray]:
        """The layer's weights, [(out, in) int16]."""
        return [self.w.T.copy()]

    def put(self, weight: np.ndarray) -> None:
        """These weights, (out, in), in place of what it holds; its gates stay."""
        self.w[:] = weight.T
        self._net.known[:], self._net.labels.stale[:] = 0, 1  # what the old ones drove

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Take a sample: what readout.rates makes of it, and its accumulators' starts (draws_phases,) in 0..255."""
        library_loop.show(self._net, q.astype(np.int16), phases.astype(np.int16))

    def learn(self, samples: Samples, plan: Plan) -> Learned:
        """Learn samples as the plan says."""
        goodness = np.zeros((self.network.classes, 1, 2), np.int64)
        return sample_loop.learn(self._net, sample_loop.narrow(samples), plan, self._rule(), self.draws, goodness)

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, 1, 2) int64, G+ and G-."""
        goodness = np.empty((self.network.classes, 1, 2), np.int64)
        library_loop.ask(self._net, self._rule(), self.draws, goodness)
        return goodness

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (1, 2)."""
        if self.sent is not None:
            self.sent[:] = 0
        library_loop.draw(self.draws)
        self._label = label
        return np.array([library_loop.show_label(self._net, label, phase, self._rule(), self.draws)], np.int64)

    def counts(self, label: int) -> list[np.ndarray]:
        """The layer's spikes under a label, nothing learned: [(n,) int64]."""
        r = np.zeros(self.w.shape[1], np.int64)
        library_loop.know(self._net, self.network.steps)
        library_loop.refresh(self.w, self._net.labels)
        counts(self._net.base, self._net.labels.drive[label], self.layer, r)
        return [r]

    @property
    def arrived(self) -> tuple[int, int]:
        """(spikes of the inputs, synapses that they reach) in the last presentation."""
        events = self._net.labels.events
        pixels, label = self._net.pixels, Events(events.idx[self._label], events.counts[self._label])
        return int(pixels.counts.sum() + label.counts.sum()), int(reached(self.network, pixels, label).sum())

    def silent(self) -> list[float]:
        """The share of neurons that have not spiked by themselves since the last call."""
        share = float((self.layer.fired == 0).mean())
        self.layer.fired[:] = 0
        return [share]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        gates = self.gate.astype(np.int32)
        return {"weights.0": np.ascontiguousarray(self.w.T), "gates.0": gates, "passed": self.draws.passed.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        self.put(state["weights.0"])
        self.gate[:] = state["gates.0"]
        self._start(int(state["passed"][0]))


def _layer(layer: LearningLayer) -> Layer:
    factor, neuron = layer.factor, layer.neuron
    assert isinstance(factor, GateFactor)  # as every network of library neurons has
    return Layer(
        w=np.array(layer.weight.T, np.int16, order="C"),  # its own: it learns
        mask=synapse_mask(layer.mask),
        signs=layer.positive.astype(np.int64),
        neuron=(1 - neuron.dv / 4096, float(neuron.vth << ALIGN), float(FORCE << FORCE_EXP << ALIGN)),
        factor=(factor.shift, ENABLE << ENABLE_EXP, factor.gain, float(factor.vth << ALIGN)),
        pairs=np.array(factor.weights, np.int64),
        thresholds=np.array(factor.thresholds, np.int64),
        gate=np.zeros(layer.neurons),
        fired=np.zeros(layer.neurons, np.int64),
        space=Space.of(layer.neurons, np.array(factor.thresholds)),
    )


def stride(learner) -> int:
    """One logical step in so many of the window is enabled, at the rate that a controller has set."""
    return 1 << (learner.exponent + learner.trace_shift)


@lru_cache
def _rule(probability: str, steps: int, window: int, every: int) -> library_loop.Rule:
    enabled = np.zeros((3, steps, 2, GROUPS), np.uint8)
    for phase in (1, -1):
        rows = controls(probability, steps, window, every, phase)[: SLOTS * steps, 1:]
        enabled[phase] = rows.reshape(steps, SLOTS, GROUPS)[:, :2]
    quiet = [np.append(phase.any(axis=(1, 2)), True).argmax() for phase in enabled]
    return library_loop.Rule(enabled, np.array(quiet))

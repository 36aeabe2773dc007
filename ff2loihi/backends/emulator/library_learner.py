"""The emulator of a network of library neurons that learns: bit-identical to Lava's own processes."""

from functools import lru_cache

import numpy as np

from ff2loihi.backends.base import Plan, Samples
from ff2loihi.backends.emulator import events, library_kernels
from ff2loihi.backends.emulator.events import Events
from ff2loihi.backends.emulator.learner import label_events
from ff2loihi.backends.one_by_one import learn_one_by_one
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.library_rule import (
    ENABLE,
    ENABLE_EXP,
    FORCE,
    FORCE_EXP,
    GROUPS,
    SLOTS,
    T_EPOCH,
    controls,
)
from ff2loihi.processes.limits import ALIGN


class LibraryLearner:
    """Presents samples to a LearningNetwork whose rule is "gate", and keeps its weights and gates; see learner.Learner.

    tally: count what the last presentation sends: `sent`, by the names in library_kernels.
    record: keep every state of the last presentation: `states` (SLOTS steps, 5, n): v, z, r, gate, a; `units`
    (SLOTS steps, GROUPS, K): the thermometers' v; `matrices` (steps, inputs, n): the weights after each logical step.
    """

    def __init__(self, network: LearningNetwork, record: bool = False, tally: bool = False) -> None:
        self.network, self.record, layer = network, record, network.layers[0]
        self._pixels, self._labels = Events.of(network.steps, network.pixels), label_events(network)
        self._both = Events.of(network.steps, network.inputs)
        factor, n = layer.factor, len(layer.positive)
        self.exponent, self.trace_shift = network.update.exponent, 0
        self.w = np.array(layer.weight.T, np.int16, order="C")
        self.gate = np.zeros(n)
        self.signs = layer.positive.astype(np.int64)
        self.neuron = (1 - layer.neuron.dv / 4096, float(layer.neuron.vth << ALIGN), float(FORCE << FORCE_EXP << ALIGN))
        self.factor = (factor.shift, ENABLE << ENABLE_EXP, factor.gain, float(factor.vth << ALIGN))
        self.pairs = np.array(factor.weights, np.int64)
        self.thresholds = np.array(factor.thresholds, np.int64)
        self.fired = np.zeros(n, np.uint8)
        self.sent = np.zeros(library_kernels.TAUGHT + 1, np.int64) if tally else None
        self._start(0)
        self._drives = np.zeros((network.steps, n), np.int32)
        rows = SLOTS * network.steps if record else 0
        self.states = np.zeros((rows, 5, n), np.int64)
        self.units = np.zeros((rows, *self.thresholds.shape), np.int64)
        self.matrices = np.zeros((network.steps if record else 0, *self.w.shape), np.int16)

    def _start(self, passed: int) -> None:
        self._bits, self.passed = np.random.PCG64(ENGINE_SEED), 0
        self._bits.advance(1)
        self.engine = np.random.Generator(self._bits)
        self._pass(passed)

    @property
    def weights(self) -> list[np.ndarray]:
        """The layer's weights, [(out, in) int16]."""
        return [self.w.T.copy()]

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Encode an image: rates q (pixels,) int64 in 1/256 a step, accumulators starting at phases 0..255."""
        events.encode(q.astype(np.int16), phases.astype(np.int16), RATE_ONE, self._pixels)

    def learn(self, samples: Samples, plan: Plan) -> tuple[int, int]:
        """Learn samples as the plan says: how many taught, and how many had the true label as the best one."""
        return learn_one_by_one(self, samples, plan)

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, 1, 2) int64, G+ and G-."""
        result = np.empty((self.network.classes, 2), np.int64)
        events.drives(self.w, self._pixels, self.network.steps, self._drives)
        library_kernels.candidates(
            self.w, self._drives, *self._labels, self.signs, *self.neuron[:2], self.fired, result
        )
        self._pass(self.network.classes)
        return result[:, None]

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (1, 2)."""
        events.merge(self._pixels, Events(self._labels.idx[label], self._labels.counts[label]), self._both)
        net = self.network
        enabled = _enabled(net.probability, net.steps, net.window, stride(self), phase)
        if self.sent is not None:
            self.sent[:] = 0
        goodness = library_kernels.present(
            self.w, *self._both, self.signs, self.neuron, self.factor, self.pairs, self.thresholds,
            enabled, self._draws(), self.gate, self.fired, self.sent, self.record, self.states,
            self.units, self.matrices,
        )  # fmt: skip
        return np.array([goodness], np.int64)

    def counts(self, label: int) -> list[np.ndarray]:
        """The layer's spikes under a label, nothing learned: [(n,) int64]."""
        events.drives(self.w, self._pixels, self.network.steps, self._drives)
        shown = self._labels.idx[label], self._labels.counts[label]
        return [library_kernels.counts(self.w, self._drives, *shown, *self.neuron[:2])]

    def _draws(self) -> np.ndarray:
        """floor(128 draw) of the epochs A1, A2 of a presentation, (steps,) int64: Lava draws once an epoch."""
        self.passed += 1
        draws = self.engine.random(self.network.period // T_EPOCH)
        return np.floor(128 * draws).astype(np.int64)[:: SLOTS // T_EPOCH][: self.network.steps]

    def _pass(self, presentations: int) -> None:
        self.passed += presentations
        self._bits.advance(presentations * self.network.period // T_EPOCH)

    @property
    def input_spikes(self) -> int:
        """Of the last presentation."""
        return int(self._both.counts.sum())

    def silent(self) -> list[float]:
        """The share of neurons that have not spiked by themselves since the last call."""
        share = float(1 - self.fired.mean())
        self.fired[:] = 0
        return [share]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        gates = self.gate.astype(np.int32)
        return {"weights.0": np.ascontiguousarray(self.w.T), "gates.0": gates, "passed": np.array([self.passed])}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        self.w[:] = state["weights.0"].T
        self.gate[:] = state["gates.0"]
        self._start(int(state["passed"][0]))


def stride(learner) -> int:
    """One logical step in so many of the window is enabled, at the rate that a controller has set."""
    return 1 << (learner.exponent + learner.trace_shift)


@lru_cache
def _enabled(probability: str, steps: int, window: int, every: int, phase: int) -> np.ndarray:
    """(steps, 2, GROUPS) uint8: the groups that are enabled in A2 and in B1 of each logical step."""
    rows = controls(probability, steps, window, every, phase)[: SLOTS * steps, 1:]
    return np.ascontiguousarray(rows.reshape(steps, SLOTS, GROUPS)[:, :2])

"""The emulator that learns: one sample at a time, event-driven, bit-identical to Lava's learning layers."""

import numpy as np

from ff2loihi.backends.emulator import kernels
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_kernels import factor_constants, neuron_constants
from ff2loihi.processes.learning_rule import RATE_ONE


class Draws:
    """The two streams of shared rounding draws, one value a step: Lava's, in its order, whatever is presented.

    weights: of dw and dt; traces: of the post traces' decay. Each layer sees the value of its own time step.
    """

    def __init__(self, passed: int = 0, seed: int = ENGINE_SEED) -> None:
        self.passed = passed
        self._weights, self._traces = np.random.default_rng(seed), np.random.default_rng(seed)
        self._weights.bit_generator.advance(1 + passed)
        self._traces.bit_generator.advance(1 + 2 * passed)
        self._ahead = np.empty((2, 0))

    def window(self, steps: int) -> np.ndarray:
        """The draws of the next `steps` steps, (2, steps) float64, without passing them."""
        missing = steps - self._ahead.shape[1]
        if missing > 0:
            fresh = np.stack([self._weights.random(missing), self._traces.random(2 * missing)[1::2]])
            self._ahead = np.concatenate([self._ahead, fresh], axis=1)
        return self._ahead[:, :steps]

    def advance(self, steps: int) -> None:
        """Pass `steps` steps."""
        self.window(steps)
        self._ahead = self._ahead[:, steps:]
        self.passed += steps


class _Layer:
    """A layer's arrays for the kernels; w (inputs, n) int16 contiguous."""

    def __init__(self, layer: LearningLayer, steps: int, tags: bool) -> None:
        self.w = np.array(layer.weight.T, np.int16, order="C")  # its own: it learns
        self.signs = layer.positive.astype(np.int64)
        self.neuron = neuron_constants(layer.neuron, layer.trace)
        self.factor = factor_constants(layer.factor)
        self.table = np.array(layer.factor.table, np.int64)
        self.tag = np.zeros(self.w.shape if tags else (1, 1), np.int16)
        self.active = np.zeros(self.w.shape[0] if tags else 1, np.uint8)
        self.idx = np.zeros((steps, self.w.shape[1]), np.int32)
        self.count = np.zeros(steps, np.int32)
        self.fired = np.zeros(self.w.shape[1], np.uint8)


class Encoder:
    """The input spikes of one image and of every label, as events."""

    def __init__(self, network: LearningNetwork) -> None:
        self.network = network
        self._pixel_idx, self._pixel_count = self._buffers(network.pixels)
        self._idx, self._count = self._buffers(network.inputs)
        shape = (network.classes, network.steps)
        self._label_idx = np.zeros((*shape, network.label_codes.shape[1]), np.int32)
        self._label_count = np.zeros(shape, np.int32)
        for label, code in enumerate(network.label_codes.astype(np.int64)):
            phases = network.label_phases.astype(np.int64)
            kernels.encode(code, phases, RATE_ONE, self._label_idx[label], self._label_count[label])
        self._label_idx += network.pixels

    def _buffers(self, inputs: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((self.network.steps, inputs), np.int32), np.zeros(self.network.steps, np.int32)

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Encode an image: rates q (pixels,) int64 in 1/256 a step, accumulators starting at phases 0..255."""
        kernels.encode(q, phases, RATE_ONE, self._pixel_idx, self._pixel_count)

    def _with_label(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The events of the image and of a label."""
        kernels.merge(
            self._pixel_idx, self._pixel_count, self._label_idx[label], self._label_count[label], self._idx, self._count
        )
        return self._idx, self._count


class Learner(Encoder):
    """Presents samples to a LearningNetwork and keeps its weights.

    on_chip: round each synapse by itself and keep weights on the even 8-bit grid, as silicon would; not Lava's bits.
    record: keep every state of the last presentation: `states`, a list of (steps + 1, 6, n): v, z, r, y2, y3, a of
    each layer, and `matrices`, a list of (2, period, inputs, n): its weights and tags after each step of the input.
    """

    def __init__(self, network: LearningNetwork, on_chip: bool = False, record: bool = False) -> None:
        super().__init__(network)
        self.on_chip, self.record = on_chip, record
        self.tags = network.update.eligibility == "tag"
        self.exponent, self.halve = network.update.exponent, 0
        self.draws = Draws()
        self.layers = [_Layer(layer, network.steps, self.tags) for layer in network.layers]
        self.states: list[np.ndarray] = []
        self.matrices: list[np.ndarray] = []
        self._chip_state = np.array([ENGINE_SEED], np.uint64)
        self._drives = np.zeros((network.steps, self.layers[0].w.shape[1]), np.int32)
        self._nothing = np.zeros((0, 1), np.int32)
        self._no_draws, self._no_float_draws = np.zeros(1, np.int64), np.zeros(1)
        shape = (network.classes, network.steps)
        self._spikes = np.zeros((*shape, self.layers[0].w.shape[1]), np.int32)
        self._spike_counts = np.zeros(shape, np.int32)

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        return [layer.w.T.copy() for layer in self.layers]

    def show_spikes(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Take an image's spikes as they are, in place of `show`'s code; from then on labels spike as given here.

        pixels (steps, pixels) bool; labels (steps, label inputs) bool: a label's inputs spike where its code has a 1.
        """
        kernels.events(pixels, 0, self._pixel_idx, self._pixel_count)
        for label, code in enumerate(self.network.label_codes > 0):
            kernels.events(labels & code, self.network.pixels, self._label_idx[label], self._label_count[label])

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, layers, 2) int64, G+ and G-."""
        result = np.empty((self.network.classes, len(self.layers), 2), np.int64)
        begin, classes = 0, self.network.classes
        while self.tags and begin < classes and any(layer.active.any() for layer in self.layers):
            result[begin] = self.present(begin, 0)  # tags still move weights
            begin += 1
        first, goodness = self.layers[0], np.empty((classes - begin, 2), np.int64)
        kernels.drives(first.w, self._pixel_idx, self._pixel_count, self._drives)
        kernels.first_layer(
            first.w, self._drives, self._label_idx[begin:], self._label_count[begin:], first.signs, first.neuron,
            first.factor, first.table, self._no_draws, self._no_float_draws, first.tag, first.active,
            self._chip_state, first.fired, self._spikes[begin:], self._spike_counts[begin:], goodness,
        )  # fmt: skip
        result[begin:, 0] = goodness
        for label in range(begin, classes if len(self.layers) > 1 else 0):
            idx, count = self._spikes[label], self._spike_counts[label]
            for index in range(1, len(self.layers)):
                result[label, index] = self._pass(index, idx, count, 0, kernels.NO_LEARNING)
                idx, count = self.layers[index].idx, self.layers[index].count
        self.draws.advance((classes - begin) * self.network.period)
        return result

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (layers, 2)."""
        idx, count = self._with_label(label)
        learning = kernels.TAG if self.tags else kernels.DIRECT
        result = np.empty((len(self.layers), 2), np.int64)
        if self.record:
            self.states, self.matrices = [], []
        for index in range(len(self.layers)):
            result[index] = self._pass(index, idx, count, phase, learning)
            idx, count = self.layers[index].idx, self.layers[index].count
        self.draws.advance(self.network.period)
        return result

    def counts(self, label: int) -> list[np.ndarray]:
        """Each layer's spikes under a label, nothing learned: (n,) int64 each."""
        self.present(label, 0)
        spiked = [layer.idx[np.arange(layer.idx.shape[1]) < layer.count[:, None]] for layer in self.layers]
        return [np.bincount(idx, minlength=layer.w.shape[1]) for idx, layer in zip(spiked, self.layers, strict=True)]

    def _pass(self, index: int, idx, count, phase: int, learning: int) -> tuple[int, int]:
        layer, net = self.layers[index], self.network
        steps = net.steps
        draws = self.draws.window(net.period)
        states = np.zeros((steps + 1, 6, layer.w.shape[1]) if self.record else (1, 6, 1), np.int64)
        matrices = np.zeros((2, net.period, *layer.w.shape) if self.record else (2, 1, 1, 1), np.int16)
        result = kernels.layer(
            layer.w, index, idx, count, self._nothing, layer.signs, layer.neuron, layer.factor, layer.table, learning,
            phase, net.window, self.exponent, self.halve, np.floor(128 * draws[0]).astype(np.int64), draws[1],
            layer.tag, layer.active, net.update.tag_exponent, net.update.tag_decay, self.on_chip, self._chip_state,
            layer.fired, layer.idx, layer.count, self.record, states, matrices,
        )  # fmt: skip
        if self.record:
            self.states.append(states)
            self.matrices.append(matrices)
        return result

    @property
    def spikes(self) -> list[np.ndarray]:
        """Spikes in each step of the last presentation, (steps,) int32: the input's, then each layer's."""
        return [self._count.copy(), *(layer.count.copy() for layer in self.layers)]

    def silent(self) -> list[float]:
        """Each layer's share of neurons that have not spiked since the last call."""
        shares = [float(1 - layer.fired.mean()) for layer in self.layers]
        for layer in self.layers:
            layer.fired[:] = 0
        return shares

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        arrays = {"passed": np.array([self.draws.passed]), "chip": self._chip_state.copy()}
        for index, layer in enumerate(self.layers):
            arrays[f"weights.{index}"] = np.ascontiguousarray(layer.w.T)
            if self.tags:
                arrays[f"tags.{index}"] = np.ascontiguousarray(layer.tag.T)
        return arrays

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        self.draws = Draws(int(state["passed"][0]))
        self._chip_state[:] = state["chip"]
        for index, layer in enumerate(self.layers):
            layer.w[:] = state[f"weights.{index}"].T
            if self.tags:
                layer.tag[:] = state[f"tags.{index}"].T
                layer.active[:] = layer.tag.any(axis=1)

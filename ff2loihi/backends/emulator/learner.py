"""The emulator that learns: one sample at a time, event-driven, bit-identical to Lava's learning layers."""

import numpy as np

from ff2loihi.backends.base import Learned, Plan, Samples
from ff2loihi.backends.emulator import events, loop, sample_loop
from ff2loihi.backends.emulator.candidates import Labels, lowest_drive
from ff2loihi.backends.emulator.presentation import DIRECT, TAG, Draws, Layer, Record, Rule, draw
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_kernels import factor_constants, neuron_constants, synapse_mask
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.rate_kernel import Events, encode


def label_events(network: LearningNetwork) -> Events:
    """The spikes of every label's inputs."""
    found = Events.of(network.steps, network.label_codes.shape[1], network.classes)
    phases = network.label_phases.astype(np.int16)
    for label, code in enumerate(network.label_codes.astype(np.int16)):
        encode(code, phases, RATE_ONE, Events(found.idx[label], found.counts[label]))
    found.idx[:] += np.int32(network.pixels)
    return found


def reached(network: LearningNetwork, pixels: Events, label: Events) -> np.ndarray:
    """Synapses of the first layer that the spikes of an image and a label reach in each step, (steps,) int64."""
    layer, found = network.layers[0], np.zeros(network.steps, np.int64)
    fan = np.full(network.inputs, layer.neurons) if layer.mask is None else layer.mask.sum(axis=0)
    for events_of in (pixels, label):
        found += [fan[row[:count]].sum() for row, count in zip(*events_of, strict=True)]
    return found


def _layer(layer: LearningLayer, steps: int, tags: bool) -> Layer:
    w = np.array(layer.weight.T, np.int16, order="C")  # its own: it learns
    inputs, n = w.shape
    return Layer(
        w=w,
        mask=synapse_mask(layer.mask),
        signs=layer.positive.astype(np.int32),
        neuron=neuron_constants(layer.neuron, layer.trace),
        factor=factor_constants(layer.factor),
        table=np.array(layer.factor.table, np.int64),
        tag=np.zeros(w.shape if tags else (1, 1), np.int16),
        active=np.zeros(inputs if tags else 1, np.uint8),
        fired=np.zeros(n, np.int32),
        spikes=np.zeros((steps, n), np.int32),
        listed=Events.of(steps, n),
        state=np.zeros((5, n), np.int32),
        shared=np.zeros(n, np.int16),
        spiked=np.zeros(inputs if tags else 1, np.uint8),
    )


def _record(w: np.ndarray, steps: int, period: int) -> Record:
    """Space for every state of a presentation, or for none where steps is 0."""
    if not steps:
        return Record(False, np.zeros((1, 6, 1), np.int64), np.zeros((2, 1, 1, 1), np.int16))
    return Record(True, np.zeros((steps + 1, 6, w.shape[1]), np.int64), np.zeros((2, period, *w.shape), np.int16))


class Learner:
    """Presents samples to a LearningNetwork and keeps its weights.

    on_chip: round each synapse by itself and keep weights on the even 8-bit grid, as silicon would; not Lava's bits.
    record: keep every state of the last presentation: `states`, a list of (steps + 1, 6, n): v, z, r, y2, y3, a of
    each layer, and `matrices`, a list of (2, period, inputs, n): its weights and tags after each step of the input.
    """

    def __init__(self, network: LearningNetwork, on_chip: bool = False, record: bool = False) -> None:
        self.network, self.on_chip = network, on_chip
        self.tags = network.update.eligibility == "tag"
        self.exponent, self.trace_shift = network.update.exponent, 0
        self.draws = Draws.of(network.period, 0, np.array([ENGINE_SEED], np.uint64))
        steps, several = network.steps, len(network.layers) > 1
        self.layers = tuple(_layer(layer, steps, self.tags) for layer in network.layers)
        n = self.layers[0].w.shape[1]
        self._net = loop.Network(
            layers=self.layers,
            pixels=Events.of(steps, network.pixels),
            labels=Labels.of(label_events(network), n, lowest_drive(self.layers[0].neuron, steps)),
            nobody=Events.of(steps, 1),
            base=np.zeros((steps, n), np.int32),
            known=np.zeros(1, np.int64),
            spikes=Events.of(steps if several else 0, n, network.classes),
            record=tuple(_record(layer.w, steps if record else 0, network.period) for layer in self.layers),
        )

    @property
    def states(self) -> list[np.ndarray]:
        """Of each layer in the last presentation, see the class."""
        return [record.states for record in self._net.record]

    @property
    def matrices(self) -> list[np.ndarray]:
        """Of each layer in the last presentation, see the class."""
        return [record.matrices for record in self._net.record]

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        return [layer.w.T.copy() for layer in self.layers]

    def _rule(self) -> Rule:
        net, update = self.network, self.network.update
        return Rule(
            kind=TAG if self.tags else DIRECT, window=net.window, exponent=self.exponent, trace_shift=self.trace_shift,
            tag_exponent=update.tag_exponent, tag_decay=update.tag_decay, on_chip=self.on_chip,
        )  # fmt: skip

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Take a sample: what readout.rates makes of it, and its accumulators' starts (draws_phases,) in 0..255."""
        loop.show(self._net, q.astype(np.int16), phases.astype(np.int16))

    def show_spikes(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Take an image's spikes as they are, in place of `show`'s code; from then on labels spike as given here.

        pixels (steps, pixels) bool; labels (steps, label inputs) bool: a label's inputs spike where its code has a 1.
        """
        events.copy_spikes(pixels, 0, self._net.pixels)
        self._net.known[0] = 0
        given = self._net.labels.events
        for label, code in enumerate(self.network.label_codes > 0):
            events.copy_spikes(labels & code, self.network.pixels, Events(given.idx[label], given.counts[label]))
        first = self.layers[0]
        self._net = self._net._replace(labels=Labels.of(given, first.w.shape[1], self._net.labels.floor))

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, layers, 2) int64, G+ and G-."""
        goodness = np.empty((self.network.classes, len(self.layers), 2), np.int64)
        loop.ask(self._net, self._rule(), self.draws, goodness)
        return goodness

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (layers, 2)."""
        draw(self.draws)
        return self._present(label, phase)

    def _present(self, label: int, phase: int) -> np.ndarray:
        """With the draws that were drawn."""
        goodness = np.empty((len(self.layers), 2), np.int64)
        if self._net.record[0].on:  # what was taken of the last one is not changed
            fresh = (_record(layer.w, self.network.steps, self.network.period) for layer in self.layers)
            self._net = self._net._replace(record=tuple(fresh))
        loop.show_label(self._net, label, phase, self._rule(), self.draws, goodness)
        self._label = label
        return goodness

    def learn(self, samples: Samples, plan: Plan) -> Learned:
        """Learn samples as the plan says."""
        samples = sample_loop.narrow(samples)
        goodness = np.zeros((self.network.classes, len(self.layers), 2), np.int64)
        return sample_loop.learn(self._net, samples, plan, self._rule(), self.draws, goodness)

    def counts(self, label: int) -> list[np.ndarray]:
        """Each layer's spikes under a label, nothing learned: (n,) int64 each."""
        self.present(label, 0)
        return [layer.spikes.sum(0, np.int64) for layer in self.layers]

    @property
    def spikes(self) -> list[np.ndarray]:
        """Spikes in each step of the last presentation, (steps,) int32: the input's, then each layer's."""
        inputs = self._net.pixels.counts + self._net.labels.events.counts[self._label]
        return [inputs, *(layer.spikes.sum(1, np.int32) for layer in self.layers)]

    @property
    def reached(self) -> np.ndarray:
        """Synapses of the first layer that the input's spikes reach in each step of the last presentation, (steps,)."""
        labels = self._net.labels.events
        return reached(self.network, self._net.pixels, Events(labels.idx[self._label], labels.counts[self._label]))

    def silent(self) -> list[float]:
        """Each layer's share of neurons that have not spiked since the last call."""
        shares = [float(1 - (layer.fired != 0).mean()) for layer in self.layers]
        for layer in self.layers:
            layer.fired[:] = 0
        return shares

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        arrays = {"passed": self.draws.passed.copy(), "chip": self.draws.chip.copy()}
        for index, layer in enumerate(self.layers):
            arrays[f"weights.{index}"] = np.ascontiguousarray(layer.w.T)
            if self.tags:
                arrays[f"tags.{index}"] = np.ascontiguousarray(layer.tag.T)
        return arrays

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        self.draws = Draws.of(self.network.period, int(state["passed"][0]), state["chip"].copy())
        self._net.known[:], self._net.labels.stale[:] = 0, 1
        for index, layer in enumerate(self.layers):
            layer.w[:] = state[f"weights.{index}"].T
            if self.tags:
                layer.tag[:] = state[f"tags.{index}"].T
                layer.active[:] = layer.tag.any(axis=1)

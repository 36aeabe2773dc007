"""A Program for inference as library processes alone: a source -> [Dense -> neuron] a layer -> the host counts.

The neuron: LIFReset (hard reset; with a leak where the network learns, which classifies with it), or what
payload.library_neurons makes of library processes (soft reset, graded). In place of Goodness the host reads each
layer's spikes or payloads, and sums their powers.
"""

from pathlib import Path

import numpy as np
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

from ff2loihi.backends import classification_states
from ff2loihi.backends.lava.graphs.inference import Builder, InferenceGraph
from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.backends.loihi.payload import library_neurons
from ff2loihi.compilers.inference.library_form import soft_unit
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork
from ff2loihi.processes.host_io.playback import Playback
from ff2loihi.processes.limits import DU_NO_MEMORY


def build(network: IntNetwork | LearningNetwork, pixels: np.ndarray, folder: Path, states: bool) -> InferenceGraph:
    """As inference.build, with the recordings "LAYER.s" in place of "LAYER.g", for what LavaCpu lets pass."""
    if isinstance(network, LearningNetwork):
        return _Learned(network, pixels, folder, states).build()
    kinds = {"graded": _Graded, "hard": _Hard, "soft": _Soft}
    kind = kinds["graded" if network.neuron == "graded" else network.reset]
    return kind(network, pixels, folder, states).build()


class _Graded(Builder):
    def build(self) -> InferenceGraph:
        source = self._source()
        below, late = source.s_out, 0
        one = RingBuffer(data=np.array(library_neurons.DIGITS, np.int32)[:, None])
        for index, layer in enumerate(self.network.layers):
            biased = bool(layer.bias.any())
            sums = self._connection(layer, 0 if biased else -layer.shift)
            below.connect(sums.s_in)
            h = library_neurons.saturating(sums, layer.neurons, layer.shift, layer.top, one.s_out, layer.bias)
            late += 3 if biased else 2
            self._record(f"{layer.name}.s", h.s_out, late)
            self._head(index, h.s_out, late + 1)
            below = h.s_out
        return self._graph(source)


class _Hard(Builder):
    def build(self) -> InferenceGraph:
        source = self._source()
        below = source.s_out
        for index, layer in enumerate(self.network.layers):
            dense, neuron = self._connection(layer, -layer.shift), self._lif_reset(layer, index)
            below.connect(dense.s_in)
            dense.a_out.connect(neuron.a_in)
            if self.states:
                self._probe(f"{layer.name}.a", dense.a_buff, index)
                self._probe(f"{layer.name}.u", neuron.u, index + 1)
                self._probe(f"{layer.name}.v", neuron.v, index + 1)
            self._record(f"{layer.name}.s", neuron.s_out, index + 1)
            self._head(index, neuron.s_out, index + 2)
            below = neuron.s_out
        return self._graph(source)


class _Soft(Builder):
    """Two time steps a step, and one step between passes: see payload.library_neurons."""

    stride = library_neurons.STRIDE

    def _period(self) -> int:
        return library_neurons.STRIDE * (self.network.steps + 1)

    def build(self) -> InferenceGraph:
        period, file = self._period(), self.folder / "input.npy"
        board_plan.save_rows(file, board_plan.input_rows(self.network, self.pixels), len(self.pixels), packed=True)
        source = Playback(n=self.network.inputs, file=str(file), packed=True)
        below = source.s_out
        for index, layer in enumerate(self.network.layers):
            late = library_neurons.STRIDE * index
            unit = soft_unit(layer)
            sums = self._connection(layer, unit.bits - layer.shift)
            below.connect(sums.s_in)
            in_pass = RingBuffer(data=library_neurons.in_pass_payloads(period, late))
            bias = RingBuffer(data=library_neurons.bias_payloads(period, late))
            neuron = library_neurons.soft_neuron(
                unit.threshold, unit.fires_above, unit.columns, in_pass.s_out, bias.s_out
            )
            sums.a_out.connect(neuron.state.a_in1)
            if self.states:
                self._record(f"{layer.name}.x", neuron.state.s_out, late + 1)
            self._record(f"{layer.name}.s", neuron.spikes.s_out, late + 2)
            self._head(index, neuron.spikes.s_out, late + 3)
            below = neuron.spikes.s_out
        return self._graph(source)


class _Learned(Builder):
    """Playback -> [Dense -> LIFReset with a leak] a layer; the recordings are a, v and s of every step."""

    def __init__(self, network: LearningNetwork, pixels: np.ndarray, folder: Path, states: bool) -> None:
        self.network, self.folder, self.states, self.recordings = network, folder, states, []
        self.codes = network.label_codes
        self.rows = len(pixels) * network.classes * network.steps + len(network.layers) + 2
        blocks = (spikes.reshape(-1, network.inputs) for spikes in classification_states.input_spikes(network, pixels))
        board_plan.save_rows(folder / "input.npy", blocks, len(pixels), packed=True)

    def build(self) -> InferenceGraph:
        net = self.network
        source = Playback(n=net.inputs, file=str(self.folder / "input.npy"), packed=True)
        below = source.s_out
        for index, layer in enumerate(net.layers):
            dense = Dense(weights=layer.weight.astype(np.int32), num_weight_bits=8, sign_mode=SignMode.MIXED)
            neuron = LIFReset(
                shape=(layer.neurons,), du=DU_NO_MEMORY, dv=layer.neuron.dv, vth=layer.neuron.vth,
                reset_interval=net.steps, reset_offset=index + 2,
            )  # fmt: skip
            below.connect(dense.s_in)
            dense.a_out.connect(neuron.a_in)
            self._record(f"{layer.name}.s", neuron.s_out, index + 1)
            if self.states:
                self._probe(f"{layer.name}.a", dense.a_buff, index)
                self._probe(f"{layer.name}.v", neuron.v, index + 1)
            below = neuron.s_out
        return self._graph(source)

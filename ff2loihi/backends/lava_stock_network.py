"""A Program for inference as library processes alone: Source -> [Dense -> neuron] a layer -> the host counts.

LIF, hard reset: LIFReset, with a leak where the network learns, which classifies with it. Graded: h = relu(a) -
relu(a - top) of three GradedReluVec, with a = W x >> shift formed by the Dense. In place of Goodness the host reads
each layer's spikes or payloads, and sums their powers.
"""

from pathlib import Path

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.process import Dense
from lava.proc.graded.process import GradedReluVec
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

from ff2loihi.backends import learned_states
from ff2loihi.backends.lava_network import Builder, Graph
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningNetwork
from ff2loihi.processes.limits import DU_NO_MEMORY, PAYLOAD_BITS
from ff2loihi.processes.playback import Playback


def build(network: IntNetwork | LearningNetwork, pixels: np.ndarray, folder: Path, states: bool) -> Graph:
    """As lava_network.build, with the recordings "LAYER.s" in place of "LAYER.g", for what lava_cpu lets pass."""
    if isinstance(network, LearningNetwork):
        return _LearnedBuilder(network, pixels, folder, states).build()
    return _StockBuilder(network, pixels, folder, states).build()


class _StockBuilder(Builder):
    def build(self) -> Graph:
        net, source = self.network, self._source()
        graded = net.neuron == "graded"
        below, hops = source.s_out, 2 if graded else 1
        for index, layer in enumerate(net.layers):
            late = hops * index
            dense = self._connection(layer, -layer.shift)
            below.connect(dense.s_in)
            if graded:
                neuron = self._saturating(dense, layer)
            else:
                neuron = self._neuron(layer, index)
                dense.a_out.connect(neuron.a_in)
                if self.states:
                    self._probe(f"{layer.name}.a", dense.a_buff, late)
                    self._probe(f"{layer.name}.u", neuron.u, late + 1)
                    self._probe(f"{layer.name}.v", neuron.v, late + 1)
            self._record(f"{layer.name}.s", neuron.s_out, late + hops)
            if index in net.readout_layers and net.head:
                self._head(index, neuron, late + hops + 1)
            below = neuron.s_out
        return self._graph(source)

    def _saturating(self, dense: AbstractProcess, layer: IntLayer) -> GradedReluVec:
        """relu(a) - relu(a - top), one step behind a."""
        n = layer.neurons
        whole, above, h = (GradedReluVec(shape=(n,), vth=0) for _ in range(3))
        one = RingBuffer(data=np.ones((1, 1), int))
        top = Dense(weights=np.full((n, 1), -layer.top), sign_mode=SignMode.INHIBITORY)
        one.s_out.connect(top.s_in)
        for neuron, sign in ((whole, 1), (above, -1)):
            dense.a_out.connect(neuron.a_in)
            link = Sparse(
                weights=sign * np.eye(n, dtype=int),
                sign_mode=SignMode.EXCITATORY if sign > 0 else SignMode.INHIBITORY,
                num_message_bits=PAYLOAD_BITS - 1,
            )
            neuron.s_out.connect(link.s_in)
            link.a_out.connect(h.a_in)
        top.a_out.connect(above.a_in)
        return h


class _LearnedBuilder(Builder):
    """Playback -> [Dense -> LIFReset with a leak] a layer; the recordings are a, v and s of every step."""

    def __init__(self, network: LearningNetwork, pixels: np.ndarray, folder: Path, states: bool) -> None:
        self.network, self.folder, self.states, self.recordings = network, folder, states, []
        spikes = learned_states.input_spikes(network, pixels).reshape(-1, network.inputs)
        self.rows = len(spikes) + len(network.layers) + 2
        np.save(folder / "input.npy", np.packbits(spikes, axis=1))

    def build(self) -> Graph:
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
        return Graph(source, self.rows, net.classes, tuple(self.recordings))

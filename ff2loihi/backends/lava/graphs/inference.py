"""A Program as a graph of Lava processes: Source -> [Dense -> neuron, pool -> Goodness] a layer -> Recorder.

A layer above the first that sees the label has a second Dense, of a LabelSource, into its neurons.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.variable import Var
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

from ff2loihi.compilers.inference.integer_forward import goodness_power, powers, quantize_pixels
from ff2loihi.compilers.ir import IntLabel, IntLayer, IntNetwork, Leak, split_input
from ff2loihi.processes.host_io.playback import Playback
from ff2loihi.processes.host_io.record import probe_var, record_port
from ff2loihi.processes.inference.goodness import Goodness
from ff2loihi.processes.inference.graded_relu import GradedRelu
from ff2loihi.processes.inference.label_source import LabelSource
from ff2loihi.processes.inference.max_pool import MaxPool
from ff2loihi.processes.inference.normalize import Normalize
from ff2loihi.processes.inference.soft_lif import SoftLIF
from ff2loihi.processes.inference.source import Source
from ff2loihi.processes.limits import DU_NO_MEMORY, INPUT_BITS


@dataclass(frozen=True)
class Recording:
    """Rows of `file` hold `name` of each time step; a pass's first row is `delay` of them after its first input."""

    name: str
    file: Path
    delay: int


@dataclass(frozen=True)
class InferenceGraph:
    """The built graph: its source, how many time steps it takes, and what is recorded where.

    period, stride: time steps from one pass to the next, and from one step of a pass to the next.
    """

    source: Source | Playback
    steps: int
    labels: int
    period: int
    stride: int
    recordings: tuple[Recording, ...]


def build(network: IntNetwork, pixels: np.ndarray, folder: Path, states: bool) -> InferenceGraph:
    """Connect the processes for pixels (samples, pixels) uint8; the recordings are files in `folder`.

    Layer l (from 0) sees a sample's step i at time step t = start + i + l + 1: one step a Dense.
    """
    return _Builder(network, pixels, folder, states).build()


class Recordings:
    """What is recorded of a run of so many rows, in files of `folder`."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows
        self.found: list[Recording] = []

    def record(self, name: str, port: OutPort, delay: int) -> None:
        """What a port sends."""
        record_port(port, self._file(name, delay), self.rows)

    def probe(self, name: str, var: Var, delay: int) -> None:
        """A Var at the end of each time step."""
        probe_var(var, self._file(name, delay), self.rows)

    def head(self, network: IntNetwork, index: int, spikes: OutPort, delay: int) -> None:
        """The logits of a layer that the read-out's head sees, if it has one."""
        head, seen = network.head, network.readout_layers
        if head is None or index not in seen:
            return
        position = seen.index(index)
        dense = _dense(network, head.weights[position], 0)
        spikes.connect(dense.s_in)
        self.record(f"head.{position}", dense.a_out, delay)

    def _file(self, name: str, delay: int) -> Path:
        file = self.folder / f"recording.{len(self.found)}.npy"  # never by `name`: layers are named by a file
        self.found.append(Recording(name, file, delay))
        return file


def _dense(network: IntNetwork, weight: np.ndarray, exponent: int, message_bits: int | None = None) -> Dense:
    """message_bits: of what arrives; those of the network's neurons, where not said."""
    neurons = 8 if network.neuron == "graded" else 0
    return Dense(
        weights=weight.astype(np.int32),
        weight_exp=exponent,
        num_weight_bits=8,
        sign_mode=SignMode.MIXED,
        num_message_bits=neurons if message_bits is None else message_bits,
    )


class _Builder:
    """The parts of the graph; `build` connects them."""

    def __init__(self, network: IntNetwork, pixels: np.ndarray, folder: Path, states: bool) -> None:
        self.network, self.pixels, self.states = network, pixels, states
        self.codes = network.pass_labels
        rows = len(pixels) * len(self.codes) * network.steps + 3 * len(network.layers) + 2
        self.recordings = Recordings(folder, rows)

    def _source(self) -> Source | Playback:
        net = self.network
        if net.events:
            file = self.recordings.folder / "events.npy"
            rows = np.moveaxis(net.events.spikes(self.pixels), 0, 1)
            np.save(file, np.packbits(rows.reshape(-1, net.inputs), axis=1))
            return Playback(n=net.inputs, file=str(file), packed=True)
        image, label = split_input(net.pixels, self.codes.shape[1], net.label_kind)
        x = np.zeros((len(self.pixels), net.inputs), np.int32)
        x[:, image] = quantize_pixels(self.pixels, net.input_bits)[:, image]
        return Source(
            samples=x,
            codes=self.codes.astype(np.int32),
            label_columns=label,
            phases=net.phases.astype(np.int32),
            steps=net.steps,
            full=(1 << net.input_bits) - 1,
            graded=net.neuron == "graded",
        )

    def build(self) -> InferenceGraph:
        net, source = self.network, self._source()
        below = source.s_out
        for index, layer in enumerate(net.layers):
            dense = self._connection(layer, -layer.shift if net.neuron == "lif" else 0)
            neuron = self._neuron(layer, index)
            goodness = Goodness(
                part_of=net.goodness_part_of(layer), parts=net.goodness_parts, powers=powers(net), period=net.steps,
                offset=(index + 2) % net.steps, top=(net.top_k, goodness_power(net)) if net.top_k else None,
            )  # fmt: skip
            below.connect(dense.s_in)
            dense.a_out.connect(neuron.a_in)
            if layer.label:
                self._labelled(layer.label, index).connect(neuron.a_in)
            below = neuron.s_out
            if layer.pool:
                below = self._pooled(layer, layer.pool.windows, index, below)
            below.connect(goodness.s_in)
            self.recordings.record(f"{layer.name}.g", goodness.g_out, index + net.steps)
            self._record_states(layer, index, dense, neuron, goodness)
            self.recordings.head(net, index, below, index + 2)
            if index < len(net.norms):
                below = self._normalize(layer, index, below)
        found = self.recordings
        return InferenceGraph(source, found.rows, len(self.codes), net.steps, 1, tuple(found.found))

    def _connection(self, layer: IntLayer, exponent: int) -> Dense | Sparse:
        """Dense, or a convolution unrolled into Sparse: Lava's Conv has no weight_exp and takes 54 times as long."""
        if layer.conv is None:
            return _dense(self.network, layer.weight, exponent)
        return Sparse(
            weights=layer.conv.unrolled(layer.weight),
            weight_exp=exponent,
            num_weight_bits=8,
            sign_mode=SignMode.MIXED,
            num_message_bits=8 if self.network.neuron == "graded" else 0,
        )

    def _labelled(self, label: IntLabel, index: int) -> OutPort:
        """What the label adds to the sums of a layer above the first."""
        payloads = label.payloads(self.codes, self.network.full).astype(np.int32)
        source = LabelSource(payloads=payloads, samples=len(self.pixels), steps=self.network.steps, late=index)
        dense = _dense(self.network, label.weight, -label.shift, INPUT_BITS)
        source.s_out.connect(dense.s_in)
        return dense.a_out

    def _neuron(self, layer: IntLayer, index: int) -> GradedRelu | SoftLIF | LIFReset:
        net = self.network
        bias = layer.bias.astype(np.int32)
        if net.neuron == "graded":
            return GradedRelu(bias=bias, shift=layer.shift, top=layer.top)
        if net.reset == "soft":
            return SoftLIF(
                bias=bias,
                vth=layer.vth,
                v0=layer.v0,
                reset_interval=net.steps,
                reset_offset=(index + 2) % net.steps,
            )
        leak = layer.leak or Leak(DU_NO_MEMORY, 0)
        return LIFReset(
            shape=bias.shape,
            du=leak.du,
            dv=leak.dv,
            bias_mant=bias >> layer.bias_exp,
            bias_exp=np.full(bias.shape, layer.bias_exp, np.int32),
            vth=layer.vth,
            reset_interval=net.steps,
            reset_offset=index + 2,
        )

    def _pooled(self, layer: IntLayer, windows: np.ndarray, index: int, spikes: OutPort) -> OutPort:
        """What leaves the layer's pool, in the time step of its spikes."""
        steps = self.network.steps
        process = MaxPool(windows=windows, neurons=layer.neurons, period=steps, offset=(index + 2) % steps)
        spikes.connect(process.s_in)
        if self.states:
            self.recordings.record(f"{layer.name}.unpooled", spikes, index + 1)
        return process.s_out

    def _normalize(self, layer: IntLayer, index: int, below):
        norm = self.network.norms[index]
        process = Normalize(n=layer.outputs, power=norm.power, table=norm.table, shift=norm.shift, top=norm.top)
        below.connect(process.s_in)
        if self.states:
            self.recordings.probe(f"{layer.name}.y", process.y, index + 1)
        return process.s_out

    def _record_states(self, layer: IntLayer, index: int, dense, neuron, goodness) -> None:
        if not self.states:
            return
        self.recordings.probe(f"{layer.name}.a", dense.a_buff, index)
        if self.network.neuron == "graded":
            self.recordings.probe(f"{layer.name}.h", goodness.r if layer.pool else neuron.h, index + 1)
            return
        self.recordings.probe(f"{layer.name}.u", neuron.u, index + 1)
        self.recordings.probe(f"{layer.name}.v", neuron.v, index + 1)
        self.recordings.probe(f"{layer.name}.r", goodness.r, index + 1)

"""A network that learns as a dense loop in torch: what people write who know no events, the same integers in floats.

Each step multiplies all weights with the spikes, and each step that learns adds an outer product to all of them.
"""

import numpy as np
import torch

from ff2loihi.backends.emulator.presentation import Draws, draw
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.compilers.learning.readout import label_spikes, sample_spikes
from ff2loihi.processes.learning_kernels import LOSES_AT
from ff2loihi.processes.learning_rule import OutputTrace, third_factor
from ff2loihi.processes.limits import ALIGN, DECAY_ONE, POST_TRACE_MAX, UPDATE_BITS, V_LIMIT, WEIGHT_MIN


class DenseTorch:
    """Learns `network`, without tags, presentation by presentation; the emulator's bits.

    spikes: of the last presentation, (steps, n) float32 of each layer.
    """

    def __init__(self, network: LearningNetwork) -> None:
        self.network = network
        self._draws = Draws.of(network.period, 0, np.zeros(1, np.uint64))
        self._w = [torch.tensor(layer.weight.T, dtype=torch.float32) for layer in network.layers]
        self._exists = [None if layer.mask is None else torch.tensor(layer.mask.T) for layer in network.layers]
        self._positive = [torch.tensor(layer.positive) for layer in network.layers]
        self._labels = torch.tensor(label_spikes(network), dtype=torch.float32)

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        return [w.numpy().T.astype(np.int16) for w in self._w]

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Encode a sample: see readout.sample_spikes."""
        self._image = torch.tensor(sample_spikes(self.network, q, phases), dtype=torch.float32)

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label, see backends.base.LearningBackend: (layers, 2) int64, G+ and G-."""
        draw(self._draws)
        x, goodness, self.spikes = torch.cat([self._image, self._labels[:, label]], 1), [], []
        for index, layer in enumerate(self.network.layers):
            x, sums = self._layer(index, layer, x, phase)
            goodness.append(sums)
            self.spikes.append(x.numpy())
        return np.array(goodness)

    def _layer(
        self, index: int, layer: LearningLayer, x: torch.Tensor, phase: int
    ) -> tuple[torch.Tensor, tuple[int, int]]:
        """Its spikes (steps, n), of the input's x (steps, inputs), and (G+, G-) at the end."""
        w, exists, positive, steps = self._w[index], self._exists[index], self._positive[index], self.network.steps
        v, r = torch.zeros(w.shape[1], dtype=torch.float64), torch.zeros(w.shape[1], dtype=torch.float64)
        spikes, sums = torch.zeros(steps, w.shape[1]), [(0, 0), (0, 0)]  # of r in each step, behind two of none
        for step in range(steps):
            delta = None
            if phase and step >= steps - self.network.window:
                plus, minus = third_factor(*sums[step], phase, layer.factor)
                delta = self._update(r, torch.where(positive, float(plus), float(minus)).double(), index + step)
            sums.append(_goodness(r, positive))
            a = x[step] @ w
            if delta is not None:
                w += torch.outer(x[step], delta)
                w.clamp_(WEIGHT_MIN, -WEIGHT_MIN - 1)
                if exists is not None:
                    w *= exists
            kept = (v * (DECAY_ONE - layer.neuron.dv) / DECAY_ONE).trunc()
            v = (kept + a.double() * (1 << ALIGN)).clamp(-V_LIMIT, V_LIMIT)
            z = v > layer.neuron.vth << ALIGN
            v, r = v.masked_fill(z, 0), _output_trace(r, z, layer.trace)
            spikes[step] = z
        return spikes, _goodness(r, positive)

    def _update(self, r: torch.Tensor, m: torch.Tensor, step: int) -> torch.Tensor | None:
        """What the synapses of an input that spikes gain, (n,) float32, of traces r and modulations m, if anything."""
        y = ((r * m.abs() + 32) / 64).floor().clamp(max=POST_TRACE_MAX) * m.sign()
        if not y.any():
            return None
        loses = torch.from_numpy(LOSES_AT)[y.abs().long()] <= self._draws.traces[step]
        y -= y.sign() * loses
        raised = y * (1 << (UPDATE_BITS - self.network.update.exponent)) + (1 << UPDATE_BITS) - 1
        return ((raised - int(self._draws.u[step])) / (1 << UPDATE_BITS)).floor().float()


def _goodness(r: torch.Tensor, positive: torch.Tensor) -> tuple[int, int]:
    squares = r * r
    plus = int(squares[positive].sum())
    return plus, int(squares.sum()) - plus


def _output_trace(r: torch.Tensor, z: torch.Tensor, trace: OutputTrace) -> torch.Tensor:
    kept = (r * trace.keep / 256).floor()
    if trace.kind == "hard-li":
        return kept.masked_fill(z, trace.top)
    return (kept + trace.impulse * z).clamp(max=trace.top)

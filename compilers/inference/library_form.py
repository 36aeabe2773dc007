"""Whether Lava's library processes alone, which the vendor's extension puts on neurocores, compute a network."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningLayer, LearningNetwork
from ff2loihi.processes.limits import ALIGN, STATE_BITS


def obstacles(network: IntNetwork | LearningNetwork) -> list[str]:
    """Why library processes cannot run it, a line each; empty where they can. Of a network that learns: classify."""
    if isinstance(network, LearningNetwork):
        return [] if network.library else _sums_that_wrap(network)
    found = []
    if network.neuron == "lif" and network.reset == "soft":
        fine = [layer.name for layer in network.layers if layer.shift and soft_unit(layer).bits]
        if fine:
            found.append(f"{', '.join(fine)}: biases finer than the shifted sums: compile with --reset hard")
    if network.norms:
        found.append(
            "Lava's own neurons cannot normalise in front of a layer with biases, which our process Normalize does: "
            "train the layers above the first without bias"
        )
    seeing = [layer.name for layer in network.layers if layer.label]
    if seeing:
        found.append(
            f"{', '.join(seeing)}: the label enters above the first layer, and the script's inputs are those of the "
            "first alone: train with the label there"
        )
    pooled = [layer.name for layer in network.layers if layer.pool]
    if pooled:
        found.append(f"{', '.join(pooled)}: max pooling (MaxPool) is ours: train with average pooling, or with strides")
    return found


def _sums_that_wrap(network: LearningNetwork) -> list[str]:
    """The learning neuron saturates v alone; Lava's LIF wraps its current u = a << 6 at 24 bits before that."""
    top = (1 << (STATE_BITS - 1 - ALIGN)) - 1
    found = []
    for layer in network.layers:
        if reach(layer) > top:
            found.append(f"{layer.name}: its sums may reach {reach(layer):,}, Lava's own LIFReset wraps beyond {top:,}")
    return found


def reach(layer: LearningLayer) -> int:
    """The largest |W s| over all spikes s."""
    w = layer.weight.astype(np.int64)
    return int(max(np.maximum(w, 0).sum(1).max(), -np.minimum(w, 0).sum(1).min()))


@dataclass(frozen=True)
class SoftUnit:
    """SoftLIF's numbers in the unit of x, the state of its stand-in of library processes: 2^(6 - bits) v LSB.

    threshold: x falls by it with a spike; fires_above: it spikes beyond; columns (n, 2): bias and v0. fraction [v LSB]:
    what of v0 lies below the unit, which stays what it is, as everything that is added is whole.
    """

    bits: int
    threshold: int
    fires_above: int
    columns: np.ndarray
    fraction: int

    def v(self, x: np.ndarray, spikes: np.ndarray) -> np.ndarray:
        """SoftLIF's v behind a step, of x before its spike, and the spikes of the step."""
        return ((x - spikes * self.threshold) << (ALIGN - self.bits)) + self.fraction

    def x(self, v: np.ndarray, spikes: np.ndarray) -> np.ndarray:
        """x before its spike, of SoftLIF's v behind the step and the spikes of the step."""
        return ((v - self.fraction) >> (ALIGN - self.bits)) + spikes * self.threshold


def soft_unit(layer: IntLayer) -> SoftUnit:
    """The coarsest unit that holds the biases: a sum's, 2^6 v LSB, where there are none."""
    finest = int(np.bitwise_or.reduce(layer.bias, initial=1 << ALIGN))
    shift = (finest & -finest).bit_length() - 1
    bits, threshold = ALIGN - shift, layer.vth << (ALIGN - shift)
    start, fraction = divmod(layer.v0, 1 << shift)
    columns = np.stack([layer.bias >> shift, np.full(layer.neurons, start)], axis=1)
    return SoftUnit(bits, threshold, threshold - (fraction > 0), columns, fraction)

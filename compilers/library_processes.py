"""Whether Lava's library processes alone, which the vendor's extension puts on neurocores, compute a network."""

import numpy as np

from ff2loihi.compilers.ir import IntNetwork, LearningLayer, LearningNetwork
from ff2loihi.processes.limits import ALIGN, STATE_BITS


def obstacles(network: IntNetwork | LearningNetwork) -> list[str]:
    """Why library processes cannot run it, a line each; empty where they can. Of a network that learns: classify."""
    if isinstance(network, LearningNetwork) and not network.stock:
        return _sums_that_wrap(network)
    if isinstance(network, LearningNetwork):
        return ["it learns: its neuron and third factor are processes of ours, which need microcode"]
    found = []
    if network.neuron == "lif" and network.reset == "soft":
        found.append("its soft reset (SoftLIF) is ours, the stock LIFReset resets to 0: compile with --reset hard")
    if network.norms:
        found.append("normalisation between layers (Normalize) is ours: train the layers above the first without bias")
    if network.neuron == "graded" and any(layer.bias.any() for layer in network.layers):
        found.append(
            "a graded bias (GradedRelu) is ours, GradedReluVec has no bias: compile with --neuron lif --reset hard"
        )
    return found


def _sums_that_wrap(network: LearningNetwork) -> list[str]:
    """The learning neuron saturates v alone; Lava's LIF wraps its current u = a << 6 at 24 bits before that."""
    top = (1 << (STATE_BITS - 1 - ALIGN)) - 1
    found = []
    for layer in network.layers:
        if reach(layer) > top:
            found.append(f"{layer.name}: its sums may reach {reach(layer):,}, the stock LIFReset wraps beyond {top:,}")
    return found


def reach(layer: LearningLayer) -> int:
    """The largest |W s| over all spikes s."""
    w = layer.weight.astype(np.int64)
    return int(max(np.maximum(w, 0).sum(1).max(), -np.minimum(w, 0).sum(1).min()))

"""Whether Lava's library processes alone, which the vendor's extension puts on neurocores, compute a network."""

from ff2loihi.compilers.ir import IntNetwork, LearningNetwork


def obstacles(network: IntNetwork | LearningNetwork) -> list[str]:
    """Why library processes cannot run it, a line each; empty where they can."""
    if isinstance(network, LearningNetwork):
        if network.stock:
            return []
        return [
            "it learns with --learning on: its neuron and third factor are processes of ours, which need microcode; "
            "--learning stock learns without"
        ]
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

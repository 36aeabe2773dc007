"""A network as its deployment has it on the chip's cores: the populations of what the board's script builds."""

from collections.abc import Iterator

import numpy as np

from ff2loihi.backends.loihi.classifying_plan import layers, plan
from ff2loihi.backends.loihi.payload.library_layers import Connection, LibraryLayer, library_layers
from ff2loihi.compilers.board.populations import INPUT, Fields, Inputs, OneToOne, Population, Rows, populations
from ff2loihi.compilers.inference.library_form import obstacles
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork

LEARNING = "the script classifies; learning there needs microcode: neuron and third factor are processes of ours"


def refused(network: IntNetwork | LearningNetwork) -> list[str]:
    """Why a deployment cannot do all that the network does, a line each; empty where it can."""
    if wrong := obstacles(network):
        return wrong
    return [LEARNING] if isinstance(network, LearningNetwork) and not network.library else []


def described(network: IntNetwork | LearningNetwork) -> tuple[LibraryLayer, ...]:
    """The layers of a network that classifies as the script builds them, of the plan that it is given."""
    return tuple(library_layers(plan(network, "", 1), layers(network), INPUT))


def deployed_populations(network: IntNetwork | LearningNetwork) -> tuple[Population, ...]:
    """What of a deployment that is not refused is on the chip; the host sends the input, and sums and reads out."""
    if isinstance(network, LearningNetwork):
        return populations(network)  # of library neurons, which has no other form
    return tuple(_populations(network))


def _populations(network: IntNetwork) -> Iterator[Population]:
    for layer in described(network):
        for neurons in layer.neurons:
            arriving = [
                _inputs(one) for one in layer.connections for target, _ in one.targets if target == neurons.name
            ]
            yield Population(neurons.name, layer.out, neurons.count, tuple(arriving))


def _inputs(one: Connection) -> Inputs:
    """A connection's synapses, of 8 bits each: a Dense holds those of weight 0, too, a Sparse does not."""
    if isinstance(one.weights, int):
        return OneToOne(one.source)
    if isinstance(one.weights, np.ndarray):
        return Rows(one.source, one.weights.shape[1])
    from scipy.sparse import csr_array  # not for networks without convolutions

    return Fields(one.source, csr_array(one.weights != 0))

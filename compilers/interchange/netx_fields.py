"""The numbers of a layer's neurons under their names in a netx `.net`, see netx; without h5py."""

from ff2loihi.compilers.ir import IntLayer, IntNetwork, Leak, LearningLayer, LearningNetwork
from ff2loihi.processes.limits import DU_NO_MEMORY

BIAS_EXP = 6  # of netx: lava-dl's reader shifts every bias by it


def kind(network: IntNetwork | LearningNetwork) -> str:
    """graded, or how the neuron resets: hard or soft."""
    if isinstance(network, LearningNetwork):
        return "hard"
    return "graded" if network.neuron == "graded" else network.reset


def neuron_fields(network: IntNetwork | LearningNetwork, layer: IntLayer | LearningLayer) -> dict[str, int]:
    """The numbers of a layer's neurons, by their names in the file."""
    if isinstance(layer, LearningLayer):
        return {"iDecay": DU_NO_MEMORY + 1, "vDecay": layer.neuron.dv, "vThMant": layer.neuron.vth, "shift": 0}
    assert isinstance(network, IntNetwork)
    leak = layer.leak or Leak(DU_NO_MEMORY, 0)
    return {
        "iDecay": leak.du + 1,
        "vDecay": leak.dv,
        "vThMant": layer.vth,
        "shift": layer.shift,
        "top": layer.top,
        "v0": layer.v0,
        "biasExp": bias_exponent(network, layer),
    }


def bias_exponent(network: IntNetwork, layer: IntLayer) -> int:
    """6 where every bias is a multiple of 2^6 and means v; else what keeps them whole."""
    if network.neuron == "graded":
        return 0
    return layer.bias_exp if (layer.bias % (1 << BIAS_EXP)).any() else BIAS_EXP

"""The float network that is quantized: in all that is read out it is the checkpoint's."""

from ff2loihi.compilers.choices import NeuronKind
from ff2loihi.compilers.inference import quantize
from ff2loihi.compilers.inference.equalize import equalize
from ff2loihi.compilers.inference.fold import fold, fold_averages
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.ir import Network


def rewritten(own: Network, calibration: Calibration, neuron: NeuronKind) -> tuple[Network, dict[str, float]]:
    """Input, for spikes average pools, and rows that differ far are in the weights; and which rows: see equalize.

    A graded neuron's mean has eight bits, and weights over whole windows would leave it fewer.
    """
    net = fold(own, quantize.calibration_inputs(own, calibration))
    return equalize(fold_averages(net) if neuron == "lif" else net)

"""What a board's machine is told of a network that classifies: what runs when, and its layers, as plain numbers."""

from itertools import accumulate

import numpy as np

from ff2loihi.compilers.inference.library_form import soft_unit
from ff2loihi.compilers.interchange.netx_fields import bias_exponent, kind, neuron_fields
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningNetwork
from ff2loihi.processes.limits import ADAPTER_BITS, ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT

STRIDE = {"graded": 1, "hard": 1, "soft": 2}  # time steps of a step


def plan(network: IntNetwork | LearningNetwork, artifact: str, samples: int) -> dict:
    """board.json. kind: graded, or how the neurons reset. interval: time steps from one pass to the next.

    A LIFReset wants a power of two; a soft reset takes `stride` time steps a step, and rests for one step.
    behind: time steps from a pass's first input at the cores to a layer's first spikes; units: see SoftUnit.
    """
    reset = kind(network)
    learns = isinstance(network, LearningNetwork)
    soft = [] if learns or reset != "soft" else [soft_unit(layer) for layer in network.layers]
    return {
        "artifact": artifact,
        "kind": reset,
        "layers": [layer.name for layer in network.layers],
        "neurons": [layer.neurons for layer in network.layers],
        "behind": list(accumulate(_hops(network, reset))),
        "units": [[unit.bits, unit.threshold, unit.fires_above] for unit in soft],
        "inputs": network.inputs,
        "samples": samples,
        "labels": network.classes if learns else len(network.pass_labels),
        "steps": network.steps,
        "stride": STRIDE[reset],
        "interval": STRIDE[reset] * (network.steps + 1) if soft else 1 << (network.steps - 1).bit_length(),
        "steps_in": ADAPTER_STEPS_IN,
        "steps_out": ADAPTER_STEPS_OUT,
        "adapter_bits": ADAPTER_BITS,
    }


def _hops(network: IntNetwork | LearningNetwork, reset: str) -> list[int]:
    """Time steps that a layer takes, see payload.library_layers."""
    if isinstance(network, IntNetwork) and reset == "graded":
        return [3 if layer.bias.any() else 2 for layer in network.layers]
    return [STRIDE[reset]] * len(network.layers)


def layers(network: IntNetwork | LearningNetwork) -> list[dict]:
    """Of each layer what payload.library_layers takes; the script reads the same of network.net."""
    found = []
    for layer in network.layers:
        bias = np.zeros(layer.neurons, np.int32)
        if isinstance(network, IntNetwork) and isinstance(layer, IntLayer):
            bias = (layer.bias >> bias_exponent(network, layer)).astype(np.int32)
        weight = layer.conv.unrolled(layer.weight) if layer.conv else layer.weight.astype(np.int32)
        found.append(neuron_fields(network, layer) | {"weight": weight, "bias": bias})
    return found

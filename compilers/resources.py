"""The arithmetic's rules, one function each, and what a network takes. Every violation is reported, not the first.

What a network asks of a chip and a board is in chip_rules.py.
"""

from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.convolution import Conv
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import IntLayer, IntNetwork
from ff2loihi.processes import limits

_SIGNED_24, _SIGNED_16 = (
    f"{bits} signed bits hold {(1 << (bits - 1)) - 1:,}" for bits in (limits.ACCUMULATOR_BITS, limits.DENDRITE_BITS)
)


def _reach(weight: np.ndarray, bias, x_top: int) -> tuple[int, int]:
    """The lowest and highest sum W x + b over all x in 0..x_top, and over all partial sums."""
    w, b = weight.reshape(len(weight), -1).astype(np.int64), np.asarray(bias, np.int64)
    low, high = np.minimum(w, 0).sum(1) * x_top, np.maximum(w, 0).sum(1) * x_top
    if b.size > len(w):  # a convolution: one kernel for each of a channel's neurons
        low, high = (np.repeat(side, b.size // len(w)) for side in (low, high))
    return int((low + np.minimum(b, 0)).min()), int((high + np.maximum(b, 0)).max())


def weights_are_even_and_fit(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    w = layer.weight
    low, high = -(1 << layer.weight_bits), (1 << layer.weight_bits) - 2
    if (w % 2).any():
        yield f"{int((w % 2).sum()):,} odd weights, a mixed-sign synapse holds even ones"
    if w.min() < low or w.max() > high:
        yield f"weights {w.min()}..{w.max()}, {layer.weight_bits} bits hold {low}..{high}"


def sums_fit(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    low, high = _reach(layer.weight, layer.bias if net.neuron == "graded" else 0, x_top)
    if max(high, -low) >= 1 << (limits.ACCUMULATOR_BITS - 1):
        yield f"sums reach {low:,}..{high:,}, {_SIGNED_24}"
    dendrite = max(high, -low - 1) >> layer.shift
    if net.neuron == "lif" and dendrite >= 1 << (limits.DENDRITE_BITS - 1):
        yield f"dendritic sums reach {dendrite:,}, {_SIGNED_16}"


def threshold_fits(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    if net.neuron == "lif" and not 1 <= layer.vth <= limits.VTH_MAX:
        yield f"threshold {layer.vth:,}, the mantissa holds 1..{limits.VTH_MAX:,}"


def bias_fits(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    if net.neuron == "graded":
        return  # a graded neuron's bias is one of the terms of sums_fit
    mantissa = layer.bias >> layer.bias_exp
    if (mantissa << layer.bias_exp != layer.bias).any() or np.abs(mantissa).max() > limits.BIAS_MANT_MAX:
        yield f"biases up to {np.abs(layer.bias).max():,} are not {limits.BIAS_MANT_MAX} 2^{layer.bias_exp} at most"


def goodness_fits(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    top = layer.top if net.neuron == "graded" else net.steps
    largest = top * top * len(layer.bias)
    if largest >= 1 << limits.PAYLOAD_BITS:
        yield f"the goodness reaches {largest:,}, a spike carries {limits.PAYLOAD_BITS} bits. Use a narrower layer"


RULES = (weights_are_even_and_fit, sums_fit, threshold_fits, bias_fits, goodness_fits)


def check(net: IntNetwork) -> None:
    """Raise CompileError with every broken rule of every layer, in one line."""
    found = []
    for index, layer in enumerate(net.layers):
        x_top = 1 if net.neuron == "lif" else (1 << net.input_bits) - 1
        if index and net.neuron == "graded":
            x_top = net.norms[index - 1].top if net.norms else net.layers[index - 1].top
        found += [f"{layer.name}: {text}" for rule in RULES for text in rule(net, layer, x_top)]
    for index, weight in zip(net.readout_layers, net.head.weights if net.head else (), strict=False):
        top = net.layers[index].top
        low, high = _reach(weight, 0, top if net.neuron == "graded" else 1)
        if max(high, -low) >= 1 << (limits.ACCUMULATOR_BITS - 1):
            found.append(f"head of {net.layers[index].name}: sums reach {low:,}..{high:,}, {_SIGNED_24}")
    if found:
        raise CompileError("; ".join(found))


def _geometry(conv: Conv) -> str:
    shape, kernel = ("x".join(map(str, part)) for part in (conv.out_shape, conv.kernel))
    return f"{shape}, {kernel}/{conv.stride}" + (f", {conv.groups} groups" if conv.groups > 1 else "")


def usage(net: IntNetwork) -> list[dict]:
    """Neurons, synapses and synaptic bits of each layer; bits count the weights alone, zeros included.

    A convolution's synapses are those of the unrolled connection, each neuron's own.
    """
    return [
        {
            "layer": layer.name,
            "shape": "dense" if layer.conv is None else _geometry(layer.conv),
            "neurons": layer.neurons,
            "synapses": layer.synapses,
            "synapse_bits": layer.synapses * layer.weight_bits,
            "zero_weights": float((layer.weight == 0).mean()),
        }
        for layer in net.layers
    ]

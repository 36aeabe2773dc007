"""The arithmetic's rules, one function each, and what a network takes. Every violation is reported, not the first.

The compiler checks what it made, and an artifact is held to the same when it is read: the emulator's exactness and
Lava's graph rest on it. What a network asks of a chip and a board is in board.rules.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from ff2loihi.compilers.errors import CompileError, together
from ff2loihi.compilers.ir import IntLayer, IntNetwork, Leak, structure
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes import limits

_SIGNED_24, _SIGNED_16 = (
    f"{bits} signed bits hold {(1 << (bits - 1)) - 1:,}" for bits in (limits.ACCUMULATOR_BITS, limits.DENDRITE_BITS)
)


def _reach(weight: np.ndarray, bias, x_top: int, labels: np.ndarray | int = 0) -> tuple[int, int]:
    """The lowest and highest sum W x + b over all x in 0..x_top, and over all partial sums; labels (codes, out): what
    each label adds."""
    w, b = weight.reshape(len(weight), -1).astype(np.int64), np.asarray(bias, np.int64)
    low, high = np.minimum(w, 0).sum(1) * x_top, np.maximum(w, 0).sum(1) * x_top
    if b.size > len(w):  # a convolution: one kernel for each of a channel's neurons
        low, high = (np.repeat(side, b.size // len(w)) for side in (low, high))
    low, high = low + np.minimum(b, 0) + np.minimum(labels, 0), high + np.maximum(b, 0) + np.maximum(labels, 0)
    return int(low.min()), int(high.max())


def _labels(net: IntNetwork, layer: IntLayer) -> np.ndarray | int:
    """What each label, and the neutral one, adds to the sums of a layer above the first: (codes, out)."""
    return layer.label.drive(_codes(net), net.full) if layer.label else 0


def _codes(net: IntNetwork) -> np.ndarray:
    """Every label's code, and the neutral one's."""
    return np.vstack([net.label_codes, net.neutral])


def _within(what: str, value: int, low: int, high: int) -> Iterator[str]:
    if not low <= value <= high:
        yield f"{what} {value:,}, {f'{low:,}..{high:,} are' if low < high else f'{low:,} is'} possible"


def _all_within(what: str, values: np.ndarray, low: int, high: int) -> Iterator[str]:
    if values.size and (values.min() < low or values.max() > high):
        yield f"{what} {values.min():,}..{values.max():,}, {low:,}..{high:,} are possible"


def _unit(what: str, scale: float) -> Iterator[str]:
    """A float value of one integer, whose square times the largest goodness must stay a float."""
    if not (scale > 0 and 0 < scale * scale < np.finfo(float).max / (1 << limits.PAYLOAD_BITS)):
        yield f"{what} {scale:g}, more than 0 is wanted, and a square that a float holds"


def schedule_is_known(net: IntNetwork) -> Iterator[str]:
    low, high = (limits.MIN_STEPS, limits.MAX_STEPS) if net.neuron == "lif" else (1, 1)
    yield from _within("steps", net.steps, low, high)


def inputs_are_known(net: IntNetwork) -> Iterator[str]:
    yield from _within("input bits", net.input_bits, 1, limits.INPUT_BITS)
    full = (1 << min(limits.INPUT_BITS, max(1, net.input_bits))) - 1
    yield from _all_within("label codes", net.label_codes, 0, full)
    yield from _all_within("the neutral label's code", net.neutral, 0, full)
    yield from _all_within("phases", net.phases, 0, full - 1)


def tables_are_known(net: IntNetwork) -> Iterator[str]:
    power = 1 if net.normalization == "l1" else 2
    entries = ((1 << power) - 1) << limits.NORM_ENTRY_BITS
    for index, norm in enumerate(net.norms):
        what = f"norms.{index}:"
        yield from _within(f"{what} power", norm.power, power, power)
        yield from _within(f"{what} entries", len(norm.table), entries, entries)
        yield from _all_within(f"{what} table", norm.table, 0, 1 << limits.NORM_FRACTION)
        yield from _within(f"{what} shift", norm.shift, 0, limits.NORM_FRACTION)
        yield from _within(f"{what} top", norm.top, 1, (1 << limits.HIDDEN_BITS) - 1)
        yield from _unit(f"{what} scale", norm.scale)


def head_is_known(net: IntNetwork) -> Iterator[str]:
    if net.head is None:
        return
    if not np.isfinite(net.head.bias).all():
        yield "head: biases that are no finite numbers"
    for index, weight, scale in zip(net.readout_layers, net.head.weights, net.head.scales, strict=True):
        name = net.layers[index].name
        yield from (f"head of {name}: {text}" for text in _grid(weight, limits.WEIGHT_BITS))
        yield from _unit(f"head of {name}: scale", scale)


def classifier_is_known(net: IntNetwork) -> Iterator[str]:
    if net.pooled and not all(np.isfinite(part).all() for part in (*net.pooled.weights, net.pooled.bias)):
        yield "classifier of pooled goodness: weights or biases that are no finite numbers"


def constants_are_known(net: IntNetwork, layer: IntLayer) -> Iterator[str]:
    lif, soft = net.neuron == "lif", net.neuron == "lif" and net.reset == "soft"
    yield from _within("weight bits", layer.weight_bits, limits.MIN_WEIGHT_BITS, limits.WEIGHT_BITS)
    yield from _within("shift", layer.shift, 0, limits.ACCUMULATOR_BITS - 1)
    yield from _within("bias exponent", layer.bias_exp, 0, limits.BIAS_EXP_MAX if lif else 0)
    yield from _within("top", layer.top, 1, 1 if lif else (1 << limits.HIDDEN_BITS) - 1)
    yield from _within("threshold", layer.vth, int(lif), limits.VTH_MAX if lif else 0)
    yield from _within("first v", layer.v0, 0, max(0, layer.vth) << limits.ALIGN if soft else 0)
    yield from _unit("scale", layer.scale)
    if layer.leak and (not lif or soft):
        yield "a leak, which neurons with a hard reset alone have"
    if layer.leak:
        yield from _within("current decay", layer.leak.du, 0, limits.DU_NO_MEMORY)
        yield from _within("voltage decay", layer.leak.dv, 0, limits.DECAY_ONE)
    if layer.label:
        most = limits.ACCUMULATOR_BITS - 1
        yield from _within("label payload", layer.label.payload, 1, (1 << limits.INPUT_BITS) - 1)
        yield from _within("label shift", layer.label.shift, -most, most)


def _grid(w: np.ndarray, bits: int) -> Iterator[str]:
    low, high = -(1 << bits), (1 << bits) - 2
    if (w % 2).any():
        yield f"{int((w % 2).sum()):,} odd weights, a mixed-sign synapse holds even ones"
    if w.min() < low or w.max() > high:
        yield f"weights {w.min()}..{w.max()}, {bits} bits hold {low}..{high}"


def weights_are_even_and_fit(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    yield from _grid(layer.weight, layer.weight_bits)
    if layer.label:
        yield from (f"label: {text}" for text in _grid(layer.label.weight, layer.weight_bits))


def sums_fit(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    graded, labels = net.neuron == "graded", _labels(net, layer)
    low, high = _reach(layer.weight, layer.bias if graded else 0, x_top, labels if graded else 0)
    if max(high, -low) >= 1 << (limits.ACCUMULATOR_BITS - 1):
        yield f"sums reach {low:,}..{high:,}, {_SIGNED_24}"
    if layer.label:
        reach = layer.label.reach(_codes(net), net.full)
        if reach >= 1 << (limits.ACCUMULATOR_BITS - 1):
            yield f"label: sums reach {reach:,} before their shift, {_SIGNED_24}"
    dendrite = (max(high, -low - 1) >> layer.shift) + int(np.abs(labels).max())
    if not graded and dendrite >= 1 << (limits.DENDRITE_BITS - 1):
        yield f"dendritic sums reach {dendrite:,}, {_SIGNED_16}"


def current_reach(sums: int, leak: Leak, steps: int) -> int:
    """The largest u [v LSB] that sums of that magnitude in every step can bring a current to."""
    memory = min(steps, limits.DECAY_ONE / (leak.du + 1))  # sums that one current holds, at most
    return int(sums * memory) << limits.ALIGN


def currents_fit(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    """Lava's LIF wraps a current of more bits."""
    if net.neuron == "graded" or not layer.leak:
        return
    labels = int(np.abs(_labels(net, layer)).max())
    low, high = _reach(layer.weight, 0, x_top)
    reach = current_reach((max(high, -low - 1) >> layer.shift) + 1 + labels, layer.leak, net.steps)
    if reach > limits.V_LIMIT:
        yield f"currents may reach {reach:,}, {limits.STATE_BITS} signed bits hold {limits.V_LIMIT:,}"


def bias_fits(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    if net.neuron == "graded":
        return  # a graded neuron's bias is one of the terms of sums_fit
    bias = layer.bias.astype(np.int64)
    mantissa = bias >> layer.bias_exp
    if (mantissa << layer.bias_exp != bias).any() or np.abs(mantissa).max() > limits.BIAS_MANT_MAX:
        yield f"biases up to {np.abs(bias).max():,} are not {limits.BIAS_MANT_MAX} 2^{layer.bias_exp} at most"


def goodness_fits(net: IntNetwork, layer: IntLayer, x_top: int) -> Iterator[str]:
    top = layer.top if net.neuron == "graded" else net.steps
    largest = top * top * layer.outputs
    if largest >= 1 << limits.PAYLOAD_BITS:
        yield f"the goodness reaches {largest:,}, a spike carries {limits.PAYLOAD_BITS} bits. Use a narrower layer"


CONSTANTS = (  # beside each layer's
    schedule_is_known, inputs_are_known, tables_are_known, head_is_known, classifier_is_known,
)  # fmt: skip
RULES = (weights_are_even_and_fit, sums_fit, currents_fit, bias_fits, goodness_fits)


def check(net: IntNetwork) -> None:
    """Raise CompileError with everything that is broken, in one line: structure, else constants, else arithmetic."""
    _stop(structure.inference(net))
    found = [text for rule in CONSTANTS for text in rule(net)]
    found += [f"{layer.name}: {text}" for layer in net.layers for text in constants_are_known(net, layer)]
    _stop(found)
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
    _stop(found)


def _stop(found: Iterable[str]) -> None:
    if text := together(found):
        raise CompileError(text)


def _geometry(conv: Conv, pool: MaxPool | None) -> str:
    shape, kernel = ("x".join(map(str, part)) for part in (conv.out_shape, conv.kernel))
    text = f"{shape}, {kernel}/{conv.stride}" + (f", {conv.groups} groups" if conv.groups > 1 else "")
    text += f", dilation {conv.dilation}" if conv.dilation > 1 else ""
    return text + (f", max {'x'.join(map(str, pool.size))}/{pool.stride}" if pool else "")


def usage(net: IntNetwork) -> list[dict]:
    """Neurons, synapses and synaptic bits of each layer; bits count the weights alone, zeros included.

    A convolution's synapses are those of the unrolled connection, each neuron's own.
    """
    return [
        {
            "layer": layer.name,
            "shape": "dense" if layer.conv is None else _geometry(layer.conv, layer.pool),
            "neurons": layer.neurons,
            "synapses": layer.synapses,
            "synapse_bits": layer.synapses * layer.weight_bits,
            "zero_weights": float((layer.weight == 0).mean()),
        }
        for layer in net.layers
    ]

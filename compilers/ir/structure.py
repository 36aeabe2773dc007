"""Whether a network's parts fit one another: names, types of arrays, sizes, and what refers to what.

What their numbers may be is in inference.arithmetic_rules and learning.fit, which ask here first: no rule of theirs
has to expect an array of another shape. A compiled network has this structure by construction, one that was read is
held to it.
"""

import math
from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, names
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes.library_rule import GROUPS
from ff2loihi.processes.limits import MAX_CLASSES, MAX_LEARNING_INPUTS, MAX_TAPS


def inference(net: IntNetwork) -> Iterator[str]:
    """Everything that does not fit, a line each."""
    yield from names.faults([layer.name for layer in net.layers])
    wrong = list(_labels(net.label_codes, net.label_kind == "none"))
    if not net.layers:
        wrong.append("no layers")
    yield from wrong
    if wrong:
        return  # nothing can be said of the rest
    inputs = net.label_codes.shape[1]
    if net.pixels < 1:
        yield f"{net.pixels} pixels, at least 1 is wanted"
    elif net.label_kind == "overwrite" and inputs >= net.pixels:
        yield f"{inputs} label inputs cannot overwrite {net.pixels} pixels"
    if net.events:
        yield from _events(net)
        if net.neuron != "lif" or net.label_kind != "none":
            yield "events, which networks of spikes without a label alone take"
    width = net.pixels + inputs if net.label_kind != "overwrite" else net.pixels
    yield from _array("label.neutral", net.neutral, np.int32, (inputs,))
    yield from _array("phases", net.phases, np.int32, (width,))
    image = None
    for index, layer in enumerate(net.layers):
        n = len(layer.bias) if layer.bias.ndim == 1 else 0
        shape = (n, width)
        if layer.conv:
            broken = list(_convolution(net, index, layer.conv, image, width, n))
            if broken:
                yield from (f"{layer.name}: a convolution {text}" for text in broken)
                return  # nothing can be said of what stands above
            shape = layer.conv.weight_shape
        yield from _array(f"{layer.name} bias", layer.bias, np.int32, (max(1, n),))
        yield from _array(f"{layer.name} weight", layer.weight, np.int16, shape)
        if layer.pool:
            broken = list(_pool(layer.pool, layer.conv))
            if broken:
                yield from (f"{layer.name}: a pool {text}" for text in broken)
                return
        if layer.label:
            yield from _array(f"{layer.name} label", layer.label.weight, np.int16, (n, inputs))
            if index == 0 or layer.conv or not inputs:
                yield f"{layer.name}: label inputs of its own into the first layer, a convolution, or of no label"
        outputs = layer.pool.outputs if layer.pool else n
        yield from _array(f"{layer.name} sign", layer.positive, np.bool_, (outputs,))
        if layer.averages and (index == 0 or not layer.conv or net.norms):
            yield f"{layer.name}: averages no layer below it, or one that is normalised"
        width, image = outputs, layer.out_shape
    yield from _references(net)


def _labels(codes: np.ndarray, none: bool) -> Iterator[str]:
    yield from _array("label.codes", codes, np.int32, (None, None))
    if codes.ndim == 2:
        if not 2 <= len(codes) <= MAX_CLASSES:
            yield f"{len(codes):,} classes, 2..{MAX_CLASSES:,} are possible"
        if (codes.shape[1] == 0) != none:
            yield f"{codes.shape[1]} label inputs where a label {'is not shown' if none else 'is shown'}"


def _array(what: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> Iterator[str]:
    """shape: None stands for any number."""
    if array.dtype != dtype:
        yield f"{what} holds {array.dtype}, {np.dtype(dtype)} is wanted"
    fits = len(array.shape) == len(shape) and all(
        want in (None, has) for want, has in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = str(shape).replace("None", "any")
        yield f"{what} has shape {array.shape}, {wanted} is wanted"


def _pool(pool: MaxPool, conv: Conv | None) -> Iterator[str]:
    if min(*pool.shape, *pool.size, pool.stride) < 1 or min(pool.out_shape) < 1:
        yield f"of windows {pool.size}, stride {pool.stride}, over {pool.shape}"
    elif conv is None or conv.out_shape != pool.shape:
        yield f"over {pool.shape} above {'a dense layer' if conv is None else f'an image {conv.out_shape}'}"
    elif pool.outputs * math.prod(pool.size) > MAX_TAPS:
        yield f"whose windows see {pool.outputs * math.prod(pool.size):,} neurons, {MAX_TAPS:,} are possible"


def _convolution(
    net: IntNetwork, index: int, conv: Conv, below: tuple[int, int, int] | None, width: int, n: int
) -> Iterator[str]:
    """What is wrong with a layer's geometry, first of all with its own numbers."""
    sides = (*conv.shape, conv.channels, *conv.kernel, conv.stride, conv.groups, conv.dilation)
    if min(sides) < 1 or not 0 <= conv.padding < min(conv.extent):
        yield f"of shape {conv.shape}, kernel {conv.kernel}, stride {conv.stride}, padding {conv.padding}"
    elif conv.shape[0] % conv.groups or conv.channels % conv.groups:
        yield f"of {conv.groups} groups over {conv.shape[0]} channels, {conv.channels} above"
    elif min(conv.out_shape) < 1:
        yield f"whose kernel {conv.kernel} is larger than its image {conv.shape}"
    elif (conv.inputs, conv.neurons) != (width, n):
        yield f"of {conv.inputs:,} inputs and {conv.neurons:,} neurons, {width:,} and {n:,} are wanted"
    elif index == 0 and net.label_kind == "append":
        yield "has no place for label inputs behind the image"
    elif index and below != conv.shape:
        yield f"of an image {conv.shape} above {'a dense layer' if below is None else f'one of {below}'}"
    else:
        taps = conv.neurons // conv.channels * conv.kernel[0] * conv.kernel[1] * conv.shape[0]
        if taps > MAX_TAPS:
            yield f"whose positions see {taps:,} inputs, {MAX_TAPS:,} are possible"


def _references(net: IntNetwork) -> Iterator[str]:
    """Read-out, head and tables against the layers."""
    layers, used = len(net.layers), net.readout_layers
    if not used or len(set(used)) < len(used) or not all(0 <= index < layers for index in used):
        yield f"read-out layers must be different numbers in 0..{layers - 1}, got {list(used)}"
        return
    if net.readout not in ("head", "pooled") and (net.label_kind == "none") != (net.readout == "channels"):
        yield f"read-out {net.readout} with label {net.label_kind}: channels go with none, all others see a label"
    if net.readout == "channels":
        if net.probability.kind == "symmetric":
            yield "read-out channels has no symmetric probability: its parts are classes"
        for index in used:
            layer = net.layers[index]
            channels = layer.conv.channels if layer.conv else layer.neurons
            if channels % net.classes:
                yield f"{layer.name}: {channels} channels are not {net.classes} subsets of the same size"
    if (net.readout == "head") != (net.head is not None):
        yield f"read-out {net.readout} with{'out' if net.head is None else ''} a head"
    elif net.head:
        if not len(net.head.weights) == len(net.head.scales) == len(used):
            yield f"a head of {len(net.head.scales)} scales for {len(used)} read-out layers"
        for index, weight in zip(used, net.head.weights, strict=False):
            n = net.layers[index].outputs
            yield from _array(f"head of {net.layers[index].name}", weight, np.int16, (net.classes, n))
        yield from _array("head.bias", net.head.bias, np.float32, (net.classes,))
    yield from _goodness(net)
    divided = net.normalization != "none" and layers > 1
    if net.deferred and not divided:
        yield f"normalization {net.normalization} of {layers} layers cannot be deferred to the read-out"
    wanted = layers - 1 if divided and not net.deferred else 0
    if len(net.norms) != wanted or (wanted and net.neuron == "lif"):
        yield f"{len(net.norms)} normalisation tables, {0 if net.neuron == 'lif' else wanted} are wanted"
    for index, norm in enumerate(net.norms):
        yield from _array(f"norms.{index}.table", norm.table, np.int32, (None,))


def _goodness(net: IntNetwork) -> Iterator[str]:
    """The k largest activities, and a classifier of pooled goodness, against the layers that are read."""
    read = [net.layers[index] for index in net.readout_layers]
    if net.top_k is not None:
        if net.probability.kind == "symmetric" or net.pooled:
            yield "goodness of the largest activities alone, of two polarities or of cells"
        parts = net.classes if net.readout == "channels" else 1
        least = min(layer.outputs for layer in read) // parts
        if not 1 <= net.top_k <= least:
            yield f"goodness of the {net.top_k} largest activities, 1..{least} are possible"
    if (net.readout == "pooled") != (net.pooled is not None):
        yield f"read-out {net.readout} with{'out' if net.pooled is None else ''} a classifier of pooled goodness"
    elif net.pooled:
        sides = [min((layer.out_shape or (1, 1, 1))[1:]) for layer in read]
        if not 1 <= net.pooled.grid <= min(sides):
            yield f"{net.pooled.grid} cells along each side, 1..{min(sides)} are possible"
            return
        if len(net.pooled.weights) != len(read):
            yield f"a classifier of {len(net.pooled.weights)} layers' cells for {len(read)} read-out layers"
        for layer, weight in zip(read, net.pooled.weights, strict=False):
            shape = (net.classes, layer.cells(net.pooled.grid).count)
            yield from _array(f"classifier of {layer.name}", weight, np.float32, shape)
        yield from _array("pooled.bias", net.pooled.bias, np.float32, (net.classes,))


def _events(net: IntNetwork | LearningNetwork) -> Iterator[str]:
    events = net.events
    if events and (events.inputs, events.presented) != (net.pixels, net.steps):
        yield (
            f"events of {events.inputs:,} inputs and {events.presented} steps for {net.pixels:,} inputs and "
            f"{net.steps} steps"
        )


def learning(net: LearningNetwork) -> Iterator[str]:
    """Everything that does not fit, a line each."""
    yield from names.faults([layer.name for layer in net.layers])
    wrong = list(_labels(net.label_codes, none=False))
    if not net.layers:
        wrong.append("no layers")
    yield from wrong
    if wrong:
        return  # nothing can be said of the rest
    if net.pixels < 1:
        yield f"{net.pixels} pixels, at least 1 is wanted"
    if (net.input_code == "events") != (net.events is not None):
        yield f"input code {net.input_code} with{'' if net.events else 'out'} a binning of events"
    elif net.events:
        yield from _events(net)
    if net.library and len(net.layers) > 1:
        yield f"{len(net.layers)} layers of library neurons: one learns"
    yield from _array("label.phases", net.label_phases, np.int32, net.label_codes.shape[1:])
    width = net.inputs
    for index, layer in enumerate(net.layers):
        n = len(layer.positive) if layer.positive.ndim == 1 else 0
        yield from _array(f"{layer.name} sign", layer.positive, np.bool_, (max(1, n),))
        yield from _array(f"{layer.name} weight", layer.weight, np.int16, (n, width))
        if layer.mask is not None:
            yield from _array(f"{layer.name} mask", layer.mask, np.bool_, (n, width))
            if index:
                yield f"{layer.name}: synapses that do not exist above the first layer, which alone sees an image"
        if width > MAX_LEARNING_INPUTS:
            yield f"{layer.name}: {width:,} inputs, a layer that learns has at most {MAX_LEARNING_INPUTS:,}"
        width = n
        if net.library:
            factor = layer.factor
            units = {len(thresholds) for thresholds in factor.thresholds}
            if not len(factor.weights) == len(factor.thresholds) == GROUPS:
                yield f"{layer.name}: {len(factor.thresholds)} thermometers, {GROUPS} are wanted"
            elif len(units) > 1 or 0 in units:
                yield f"{layer.name}: thermometers of {sorted(units)} units, as many each are wanted"
    if len({layer.factor.probability for layer in net.layers}) > 1:
        yield "layers of different probabilities have no common score"

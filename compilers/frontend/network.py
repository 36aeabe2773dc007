"""A Checkpoint becomes a Network: named layers, checked shapes, values and kinds. Every violation is reported."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ff2loihi.compilers.errors import CheckpointError, shortened, together
from ff2loihi.compilers.frontend import batch_norm, input_form, leaky
from ff2loihi.compilers.frontend.batch_norm import Affine
from ff2loihi.compilers.frontend.content import CODES, Checkpoint
from ff2loihi.compilers.frontend.spec import BESIDE, ConvSpec, HeadSpec, LayerSpec, PoolSpec
from ff2loihi.compilers.ir import Head, Layer, Network, PooledHead
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.network import absorbed
from ff2loihi.compilers.ir.pooling import MaxPool

MAX_WEIGHT = 1e6  # beyond it, squared sums of activities leave float32's range; trained nets stay below thousands
MAX_NEURONS, MAX_TAPS = 1 << 24, 1 << 25  # of a convolution: what 16 chips hold; inputs that its positions see
ACTIVATION = "relu"
_CURVE = "a payload is a sum rectified, and spikes count one: no curve has that form"
_SIGNED = "a payload and a count of spikes have no sign for what it lets through below 0"
REFUSED = {  # activations that people train with -> why the chip's neurons have no form for them
    **dict.fromkeys(("gelu", "silu", "swish", "mish", "softplus", "elu", "selu", "celu", "hardswish"), _CURVE),
    **dict.fromkeys(("sigmoid", "tanh", "softmax", "hardsigmoid", "hardtanh", "softsign"), _CURVE),
    **dict.fromkeys(("leakyrelu", "prelu", "rrelu"), _SIGNED),
    **dict.fromkeys(("none", "identity", "linear"), "a layer without one is part of the layer above. Multiply them"),
}


@dataclass
class _Reader:
    """The checkpoint and what was found wrong in it so far."""

    checkpoint: Checkpoint
    wrong: list[str] = field(default_factory=list)

    def tensor(self, key: str) -> np.ndarray:
        return self.checkpoint.tensors[key]

    def stop_if_wrong(self) -> None:
        if self.wrong:
            raise CheckpointError(f"{self.checkpoint.source}: {together(self.wrong)}")


def build(checkpoint: Checkpoint) -> Network:
    """The float network that the checkpoint describes. Raises CheckpointError with everything that is wrong."""
    spec, reader = checkpoint.spec, _Reader(checkpoint)
    missing = leaky.obstacle(spec) if spec.activation == leaky.NAME else ""
    if spec.activation != ACTIVATION and missing is not None:
        reason = REFUSED.get(spec.activation.lower().replace("_", "").replace("-", ""))
        reason = f"{reason}. {missing}" if missing else reason
        reader.wrong.append(
            f"activation {shortened(spec.activation)} is not supported, only {ACTIVATION} is"
            + (f": {reason}" if reason else "")
        )
    codes = _codes(reader)
    reader.stop_if_wrong()
    if spec.input.events and spec.input.events.inputs != spec.pixels:
        reader.wrong.append(f"input.events: {spec.input.events.inputs:,} inputs are not pixels = {spec.pixels:,}")
    if spec.input.events and spec.neuron and spec.neuron.steps != spec.input.events.presented:
        reader.wrong.append(
            f"neuron.steps: {spec.neuron.steps}, its events are presented in {spec.input.events.presented} steps. Set "
            "it to that"
        )
    if spec.image and math.prod(spec.image) != spec.pixels:
        reader.wrong.append(f"image: {' x '.join(map(str, spec.image))} is not pixels = {spec.pixels}")
    reader.wrong += input_form.violations(spec, codes)
    reader.stop_if_wrong()
    width = spec.pixels + codes.shape[1] if spec.label.kind != "overwrite" else spec.pixels
    layers, last, image = [], [], spec.image
    behind: dict[int, Affine] = {}  # batch norms of what leaves a layer
    for index, part in enumerate(spec.layers):
        found = _layers(reader, f"hidden{index + 1}", part, width, image, spec)
        if not found:
            break  # without its width the layers above cannot be checked
        layers += found
        last.append(len(layers) - 1)
        width, image = layers[-1].outputs, layers[-1].out_shape
        if part.batch_norm and part.batch_norm_place == "after_relu" and not reader.wrong:
            behind[last[-1]] = batch_norm.affine(part, checkpoint.tensors, width)
    reader.stop_if_wrong()
    used = spec.readout.layers if spec.readout.layers is not None else tuple(range(len(last)))
    if not used or len(set(used)) != len(used) or not all(0 <= index < len(last) for index in used):
        reader.wrong.append(
            f"readout.layers: must be different numbers in 0..{len(last) - 1}, got {shortened(list(used))}"
        )
        reader.stop_if_wrong()
    used = tuple(last[index] for index in used)
    if spec.probability.kind == "symmetric":
        reader.wrong += [
            f"{layer.name}: probability symmetric needs neurons of both polarities. Give the layer polarity: half"
            for layer in (layers[index] for index in last)
            if layer.positive.all() or not layer.positive.any()
        ]
    if spec.readout.kind == "channels":
        reader.wrong += [
            f"{layers[index].name}: {count} channels are not {spec.label.classes} subsets of the same size"
            for index in used
            if (count := len(layers[index].weight)) % spec.label.classes
        ]
    if spec.top_k:
        parts, each = (spec.label.classes, " of each class") if spec.readout.kind == "channels" else (1, "")
        reader.wrong += [
            f"{layers[index].name}: top_k is {spec.top_k}, more than its {n} activities{each}. Use a smaller one"
            for index in used
            if spec.top_k > (n := layers[index].outputs // parts)
        ]
    reader.stop_if_wrong()
    head = pooled = None
    if spec.readout.head and spec.readout.kind == "pooled":
        pooled = _pooled(reader, spec.readout.head, layers, used, codes.shape[0])
    elif spec.readout.head:
        widths = [layers[index].outputs for index in used]
        weights, bias = _classifier(reader, spec.readout.head, widths, codes.shape[0])
        head = Head(weights, bias, spec.readout.head.activities)
    reader.wrong += batch_norm.unreadable(spec, layers, used, behind)
    reader.stop_if_wrong()
    head = batch_norm.fold_behind(layers, used, head, behind)
    reader.wrong += [text for layer in layers for text in _out_of_range(layer)]
    reader.stop_if_wrong()
    if spec.activation == leaky.NAME and head:
        layers, head = leaky.split(layers, head, spec.negative_slope)
    label, own_input, own_layers = input_form.form(spec, codes, layers)
    return Network(
        pixels=spec.pixels,
        events=spec.input.events,
        label=label,
        layers=own_layers,
        goodness=spec.goodness,
        probability=spec.probability,
        normalization=spec.normalization,
        readout=spec.readout.kind,
        readout_layers=used,
        head=head,
        neuron=spec.neuron,
        input=own_input,
        top_k=spec.top_k,
        pooled=pooled,
    )


def _codes(reader: _Reader) -> np.ndarray:
    codes = reader.tensor(CODES)
    classes = reader.checkpoint.spec.label.classes
    if codes.ndim != 2 or codes.shape[0] != classes:
        reader.wrong.append(f"label codes: shape {codes.shape}, label.classes = {classes} wants ({classes}, inputs)")
    elif reader.checkpoint.spec.label.kind == "none":
        return codes
    elif not codes.shape[1]:
        reader.wrong.append("label codes: no label inputs. Set label.kind to none for a network that sees no label")
    elif np.abs(codes).max() > MAX_WEIGHT:
        reader.wrong.append(
            f"label codes: values {codes.min():g}..{codes.max():g}, at most {MAX_WEIGHT:g} are taken. Rescale them"
        )
    return codes


def _layers(reader: _Reader, name: str, part: LayerSpec, inputs: int, image, spec) -> list[Layer]:
    """See _layer; with its pool, which is a layer of its own where it averages. Empty where it is wrong."""
    layer = _layer(reader, name, part, inputs, image, spec)
    if layer is None:
        return []
    if part.pool is None:
        return [replace(layer, positive=_positive(reader, name, part, layer.outputs))]
    pool = _pool(reader, layer, part.pool)
    if pool is None:
        return []
    positive = _positive(reader, name, part, pool.outputs)
    if part.pool.kind == "max":
        return [replace(layer, pool=pool, positive=positive)]
    means = np.full(pool.kernels.weight_shape, 1 / math.prod(pool.size), np.float32)
    return [layer, Layer(f"{name}_average", means, None, positive, pool.kernels, averages=True)]


def _pool(reader: _Reader, layer: Layer, spec: PoolSpec) -> MaxPool | None:
    if layer.conv is None:
        reader.wrong.append(f"{layer.name}: a pool needs an image below it, the layer is dense. Give it conv")
        return None
    shape = layer.conv.out_shape
    size = shape[1:] if spec.size == "global" else (spec.size, spec.size)
    pool = MaxPool(shape, size, spec.stride or max(size))
    if min(pool.out_shape) < 1:
        sides = " x ".join(map(str, shape[1:]))
        reader.wrong.append(
            f"{layer.name}: a pool of {spec.size} x {spec.size} over an image of {sides}. Use a smaller one"
        )
        return None
    if (taps := pool.outputs * math.prod(size)) > MAX_TAPS:
        reader.wrong.append(f"{layer.name}: a pool whose windows see {taps:,} neurons, at most {MAX_TAPS:,} are taken")
        return None
    return pool


def _layer(reader: _Reader, name: str, part: LayerSpec, inputs: int, image, spec) -> Layer | None:
    """The layer above `inputs` inputs, an image of that (channels, height, width) or None; None where it is wrong."""
    weight = reader.tensor(part.weight)
    wanted = 4 if part.conv else 2
    if weight.ndim != wanted:
        kind = "convolution" if part.conv else "dense layer"
        text = f"{name}: {shortened(part.weight)} has shape {weight.shape}, a {kind}'s has {wanted} dimensions"
        if weight.ndim == 4:
            text += ". For a convolution give the layer conv: {stride, padding, groups}, and the spec image"
        reader.wrong.append(text)
        return None
    weight = weight.T if part.orientation == "in_out" and not part.conv else weight
    if 0 in weight.shape:
        reader.wrong.append(f"{name}: {shortened(part.weight)} has no neurons or no inputs, shape {weight.shape}")
        return None
    conv = None
    if part.conv:
        conv = _conv(reader, name, part.weight, part.conv, weight.shape, image)
        if conv is None:
            return None
    elif wrong := _misfit(name, weight.shape, part, inputs, spec, reader.tensor(CODES).shape[1]):
        reader.wrong.append(wrong)
        return None
    channels, n = len(weight), conv.neurons if conv else len(weight)
    bias = None
    for key in (part.bias, part.label_bias):
        found = reader.tensor(key).astype(np.float32) if key else np.zeros(channels, np.float32)
        if found.shape != (channels,):
            reader.wrong.append(f"{name}: bias {shortened(key)} has shape {found.shape}, ({channels},) is wanted")
        elif found.any():
            bias = np.repeat(found, n // channels) + (0 if bias is None else bias)
    layer = Layer(name, np.ascontiguousarray(weight, dtype=np.float32), bias, np.ones(n, bool), conv)
    if part.label and part.label not in BESIDE:
        layer = replace(layer, label=_own_matrix(reader, name, part, len(weight)))
    if part.batch_norm:
        layer = _normed(reader, layer, part, image)
    layer = _with_label(layer, part, inputs, spec)
    reader.wrong += _out_of_range(layer)
    return layer


def _own_matrix(reader: _Reader, name: str, part: LayerSpec, neurons: int) -> np.ndarray:
    """(neurons, label inputs): the label's own matrix, as nn.Linear keeps it, or as nn.Embedding does."""
    found, wanted = reader.tensor(part.label or ""), (neurons, reader.tensor(CODES).shape[1])
    if found.shape == wanted[::-1] and (wanted[0] != wanted[1] or part.orientation == "in_out"):
        found = found.T
    if found.shape != wanted:
        reader.wrong.append(f"{name}: label {shortened(part.label)} has shape {found.shape}, {wanted} is wanted")
        return np.zeros(wanted, np.float32)
    return found.astype(np.float32)


def _with_label(layer: Layer, part: LayerSpec, inputs: int, spec) -> Layer:
    """The label's columns stand in the weights of the first layer, and apart from those of all others."""
    if layer.name == "hidden1" and layer.label is not None:
        columns = [layer.weight, layer.label] if spec.label.kind == "append" else [layer.label, layer.weight]
        return replace(layer, weight=np.concatenate(columns, axis=1), label=None)
    if part.label not in BESIDE:
        return layer
    if part.label == "append":
        weight, label = np.split(layer.weight, [inputs], axis=1)
    else:
        label, weight = np.split(layer.weight, [layer.inputs - inputs], axis=1)
    return replace(layer, weight=np.ascontiguousarray(weight), label=np.ascontiguousarray(label))


def _normed(reader: _Reader, layer: Layer, part: LayerSpec, image) -> Layer:
    """With the batch norm before its ReLU or of its input in its weights and biases; the layer is above that image."""
    channels = (len(layer.weight),)
    if part.batch_norm_place == "input":
        channels = (*(image or ())[:1], *(() if layer.conv else (layer.inputs,)))
    wrong = list(batch_norm.violations(part, reader.checkpoint.tensors, channels))
    if wrong:
        reader.wrong += [f"{layer.name}: {text}" for text in wrong]
    elif part.batch_norm_place == "input":
        return absorbed(layer, *batch_norm.affine(part, reader.checkpoint.tensors, layer.inputs))
    elif part.batch_norm_place == "before_relu":
        return batch_norm.fold_before(layer, *batch_norm.affine(part, reader.checkpoint.tensors, layer.neurons))
    return layer


def _out_of_range(layer: Layer) -> Iterator[str]:
    name, largest = layer.name, np.abs(layer.weight).max()
    if not largest:
        yield f"{name}: all weights are zero. Train it, or drop the layer"
    if largest > MAX_WEIGHT:
        yield f"{name}: weights up to {largest:g}, at most {MAX_WEIGHT:g} are taken. Rescale the layer"
    if layer.label is not None and np.abs(layer.label).max() > MAX_WEIGHT:
        yield f"{name}: weights of its label up to {np.abs(layer.label).max():g}, at most {MAX_WEIGHT:g} are taken"
    if layer.bias is not None and np.abs(layer.bias).max() > MAX_WEIGHT:
        yield f"{name}: biases up to {np.abs(layer.bias).max():g}, at most {MAX_WEIGHT:g} are taken. Rescale"


def _conv(reader: _Reader, name: str, key: str, spec: ConvSpec, shape: tuple[int, ...], image) -> Conv | None:
    """The geometry of a convolution whose weight (tensor `key`) has that shape, above that image."""
    label = reader.checkpoint.spec.label
    if name == "hidden1" and (label.kind in ("append", "prepend") or label.pixels):
        reader.wrong.append(f"{name}: a convolution has no place for label inputs beside the image: overwrite, or none")
        return None
    if image is None:
        below = "image: [channels, height, width] is missing" if name == "hidden1" else "the layer below is dense"
        reader.wrong.append(f"{name}: a convolution needs an image below it, {below}")
        return None
    conv = Conv(tuple(image), shape[0], (shape[2], shape[3]), **spec.model_dump())
    if image[0] % conv.groups or shape[0] % conv.groups or conv.weight_shape != shape:
        reader.wrong.append(
            f"{name}: {shortened(key)} has shape {shape}, {shape[0]} channels of {conv.groups} groups over "
            f"{image[0]} channels want {conv.weight_shape}, and both counts divisible by the groups"
        )
        return None
    if min(conv.out_shape) < 1:
        below = " x ".join(map(str, image[1:]))
        reader.wrong.append(
            f"{name}: a kernel of {' x '.join(map(str, conv.extent))} with padding {conv.padding} leaves {below}"
        )
        return None
    taps = conv.shape[0] * math.prod(conv.kernel) * math.prod(conv.out_shape[1:])
    if conv.neurons > MAX_NEURONS or taps > MAX_TAPS:
        reader.wrong.append(
            f"{name}: {conv.neurons:,} neurons whose positions see {taps:,} inputs, at most {MAX_NEURONS:,} and "
            f"{MAX_TAPS:,} are taken. Use a larger stride, or fewer channels"
        )
        return None
    if conv.padding >= min(conv.extent):
        reader.wrong.append(f"{name}: padding {conv.padding} reaches the kernel's size {min(conv.extent)}")
        return None
    return conv


def _misfit(name: str, shape: tuple[int, int], part: LayerSpec, inputs: int, spec, labels: int) -> str | None:
    """What is wrong with a matrix (out, in) above so many inputs, if it is; labels: label inputs."""
    text = f"{name}: {shortened(part.weight)} takes {shape[1]} inputs, "
    if name == "hidden1" and part.label:
        inputs = spec.pixels
        text += f"{spec.pixels} pixels are wanted where the label has a matrix of its own"
    elif name == "hidden1":
        joints = {
            "append": " with the label behind them", "prepend": " with the label before them",
            "overwrite": " with the label over some of them", "none": "",
        }  # fmt: skip
        text += f"{spec.pixels} pixels{joints[spec.label.kind]} are {inputs}"
    else:
        text += f"the layer below has {inputs} neurons"
        if part.label in BESIDE:
            inputs += labels
            text += f", with the label's inputs {'behind' if part.label == 'append' else 'before'} them {inputs}"
        elif part.label is None and labels and shape[1] == inputs + labels:
            text += f". Are the other {labels} the label's? Then set label: append, or prepend if they stand before"
    if shape[1] == inputs:
        return None
    if shape[0] == inputs:
        other = "in_out" if part.orientation == "out_in" else "out_in"
        text += f". Its {shape[0]} rows would fit: set orientation: {other}"
    return text


def _positive(reader: _Reader, name: str, part: LayerSpec, n: int) -> np.ndarray:
    if part.polarity is None:
        return np.ones(n, bool)
    if part.polarity == "half":
        return np.arange(n) < (n + 1) // 2
    polarity = reader.tensor(part.polarity)
    if polarity.shape != (n,) or not np.isin(polarity, (-1, 1)).all():
        reader.wrong.append(
            f"{name}: polarity {shortened(part.polarity)} must be {n} values of +1 and -1, got {polarity.shape}"
        )
    return polarity.ravel()[:n] > 0


def _pooled(
    reader: _Reader, spec: HeadSpec, layers: list[Layer], used: tuple[int, ...], classes: int
) -> PooledHead:  # fmt: skip
    for layer in (layers[index] for index in used):
        if spec.grid > min((layer.out_shape or (1, 1, 1))[1:]):
            below = " x ".join(map(str, layer.out_shape[1:])) if layer.out_shape else "a dense layer"
            reader.wrong.append(f"readout.head.grid: {spec.grid} cells along the sides of {layer.name}, {below}")
    weights, bias = _classifier(reader, spec, [layers[index].cells(spec.grid).count for index in used], classes)
    return PooledHead(tuple(weight.astype(np.float32) for weight in weights), bias, spec.grid)


def _classifier(
    reader: _Reader, spec: HeadSpec, widths: list[int], classes: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:  # fmt: skip
    """The weights of each layer that a linear classifier reads, so many values of each, and its bias."""
    keys, weights = spec.weights, [reader.tensor(key) for key in spec.weights]
    if len(keys) == 1 < len(widths) and weights[0].shape == (classes, sum(widths)):  # one for all, beside each other
        keys, weights = keys * len(widths), np.split(weights[0], np.cumsum(widths)[:-1], axis=1)
    if len(weights) != len(widths):
        text = f"readout.head: {len(weights)} weights for {len(widths)} read-out layers"
        if len(weights) == 1:
            shape = (classes, sum(widths))
            text += f", and {shortened(keys[0])} has shape {weights[0].shape}, one for all of them has {shape}"
        reader.wrong.append(text)
        return (), np.zeros(classes, np.float32)
    for key, weight, width in zip(keys, weights, widths, strict=True):
        wanted = (classes, width)
        if weight.shape != wanted:
            reader.wrong.append(f"readout.head: {shortened(key)} has shape {weight.shape}, {wanted} is wanted")
        elif not weight.any() or np.abs(weight).max() > MAX_WEIGHT:
            reader.wrong.append(f"readout.head: {shortened(key)} is all zero or beyond {MAX_WEIGHT:g}. Train it again")
    bias = np.zeros(classes, np.float32)
    for key in spec.biases:
        found = reader.tensor(key)
        if found.shape != (classes,):
            reader.wrong.append(f"readout.head: bias {shortened(key)} has shape {found.shape}, ({classes},) is wanted")
        else:
            bias = bias + found
    return tuple(weights), bias.astype(np.float32)

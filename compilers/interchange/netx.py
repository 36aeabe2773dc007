"""A network as a netx `.net`: the HDF5 layers that lava-dl's netx documents, in the chip's own integers.

/layer/<i>, dense: type, shape, inFeatures, outFeatures, weight (out, in), bias (out,) and neuron/: type, iDecay =
du + 1, vDecay = dv, vThMant, refDelay, gradedSpike. A bias counts in 2^6 v LSB there.

conv: shape (channels, rows, columns), inChannels, outChannels, kernelSize, stride, padding, dilation (rows, columns
each), groups, weight (channels, channels below / groups, rows, columns), bias (channels,), or (neurons,) where they
differ within a channel, neuron/. An `input` layer {type, shape} stands before a first convolution, a `flatten` {type,
shape} between one and a dense layer. The axes are torch's, a correlation, as lava-dl 0.6.0's blocks write them and its
reader takes them (it turns them for Lava's Conv); its README's word for `shape`, (x, y, z), is not what its code does.

maxpool: a type of ours, shape, kernelSize and stride, of what leaves the layer before it.

netx has no word for what else our neurons do; that stands beside, in fields that its reader passes over, and `remarks`
says where it matters:
neuron/shift (of the sums, to the right), top (of a graded payload), v0 (v of a sample's start), biasExp (where not 6).
"""

import io
import math
from collections.abc import Iterator

import h5py
import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.interchange.netx_fields import BIAS_EXP, bias_exponent, kind, neuron_fields
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningLayer, LearningNetwork

TYPES = {"hard": "CUBA", "soft": "CUBA-SOFT", "graded": "GRADED-RELU"}  # lava-dl knows CUBA, and refuses the others


def to_bytes(network: IntNetwork | LearningNetwork, artifact: str) -> bytes:
    """The file; artifact: the hash of the artifact that it comes from. Raises CompileError for a form netx lacks."""
    check(network)
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file.attrs["generator"], file.attrs["artifact"] = "ff2loihi", artifact
        file["simulation/Ts"], file["simulation/tSample"] = 1, network.steps
        first = network.layers[0].conv
        below = first.shape if first else None
        if below:
            _entry(file, "input", below)
        for layer in network.layers:
            if below and not layer.conv:
                _entry(file, "flatten", (math.prod(below),))
            _write_layer(file, network, layer)
            if layer.pool:
                group = _entry(file, "maxpool", layer.pool.out_shape)
                group["kernelSize"], group["stride"] = layer.pool.size, (layer.pool.stride, layer.pool.stride)
            below = layer.out_shape
    return target.getvalue()


def check(network: IntNetwork | LearningNetwork) -> None:
    """Raise CompileError for what netx has no form for: a layer that holds nothing (its readers divide by the largest
    weight), or one above the first that sees the label."""
    for layer in network.layers:
        if isinstance(layer, IntLayer) and layer.label:
            raise CompileError(
                f"{layer.name}: netx has no form for the label's inputs into a layer above the first: its layers are a "
                "chain. Export golden vectors, or train with the label in the first layer"
            )
        if not layer.weight.any():
            raise CompileError(f"{layer.name}: every weight is 0, which no netx reader takes. Train the model")


def _entry(file: h5py.File, kind: str, shape: tuple[int, ...]) -> h5py.Group:
    """The next layer's group, its type and shape in it."""
    layers = file.require_group("layer")
    group = layers.create_group(str(len(layers)))
    group.create_dataset("type", data=np.array([kind], "S10"))
    group["shape"] = np.array(shape)
    return group


def _write_layer(file: h5py.File, network, layer: IntLayer | LearningLayer) -> None:
    conv = layer.conv
    if conv:
        group = _entry(file, "conv", conv.out_shape)
        group["inChannels"], group["outChannels"], group["groups"] = conv.shape[0], conv.channels, conv.groups
        sides = {"kernelSize": conv.kernel, "stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation}
        for name, value in sides.items():
            group[name] = np.broadcast_to(np.array(value), 2)
    else:
        n, inputs = layer.weight.shape
        group = _entry(file, "dense", (n,))
        group["inFeatures"], group["outFeatures"] = inputs, n
    group.create_dataset("weight", data=layer.weight.astype(np.int32), compression="gzip")
    if isinstance(layer, IntLayer) and layer.bias.any():
        group["bias"] = _biases(layer) >> bias_exponent(network, layer)
    kinds = {"type": np.array([TYPES[kind(network)]], "S11"), "refDelay": 1, "gradedSpike": kind(network) == "graded"}
    for name, value in (kinds | neuron_fields(network, layer)).items():
        group[f"neuron/{name}"] = value


def _biases(layer: IntLayer) -> np.ndarray:
    """One a channel of a convolution, one a neuron where they differ within a channel."""
    of_channels = layer.conv.per_channel(layer.bias) if layer.conv else None
    return layer.bias if of_channels is None else of_channels


def remarks(network: IntNetwork | LearningNetwork) -> Iterator[str]:
    """What another netx reader would take for something else, a line each."""
    if isinstance(network, LearningNetwork):
        return
    if kind(network) == "graded":
        yield "netx has no rectifying graded neuron: other readers refuse its type GRADED-RELU. Use --neuron lif"
    if kind(network) == "soft":
        yield "netx's CUBA neuron resets to 0: other readers refuse type CUBA-SOFT. Use --reset hard"
    if network.norms:
        yield "the normalisation between layers is no part of a .net: it stays with the artifact"
    if any(layer.pool for layer in network.layers):
        yield "netx has no max pooling: other readers refuse its type maxpool. Train with average pooling or strides"
    for layer in network.layers:
        if layer.conv and layer.conv.per_channel(layer.bias) is None:
            yield f"{layer.name}: biases that differ within a channel, one a neuron: other readers take one a channel"
        if kind(network) == "hard":
            if layer.shift:
                yield f"{layer.name}: other readers leave out its sums' shift by {layer.shift}. Use fewer --weight-bits"
            if layer.bias.any() and bias_exponent(network, layer) != BIAS_EXP:
                yield f"{layer.name}: biases in 2^{layer.bias_exp} v LSB, other readers take 2^{BIAS_EXP}"

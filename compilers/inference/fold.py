"""The net's own scaling of its input goes into the first layer's weights and biases."""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import Network
from ff2loihi.compilers.ir.convolution import product


def fold(network: Network, u: np.ndarray) -> Network:
    """The network that sees u (samples, inputs) in [0, 1] itself: W (s u + o) / N + b = (W s / N) u + (b + W o / N).

    N: the mean over the samples u of what the net divides x by, 1 where it does not. That is exact without a
    norm; with one, it is as good as N varies little from image to image. Raises CompileError for inputs of 0 alone.
    """
    own, first = network.input, network.layers[0]
    if own is None:
        return network
    size = 1.0
    if own.length is not None:
        norms = np.linalg.norm((own.scale * u + own.offset).astype(np.float64), axis=-1)
        if not norms.any():
            raise CompileError("input.norm: every calibration input is 0. Use other images")
        size = float(norms[norms > 0].mean()) / own.length
    offset = product(own.offset.astype(np.float64)[None], first.weight.astype(np.float64), first.conv)[0] / size
    bias = offset if first.bias is None else first.bias + offset
    scale = own.scale.astype(np.float64) / size
    if first.conv:  # a kernel's weight has one scale for all its positions: that of its channel
        channels = first.conv.shape[0] // first.conv.groups
        scale = scale.reshape(first.conv.shape[0], -1)[:, 0].reshape(first.conv.groups, 1, channels, 1, 1)
        groups = first.weight.reshape(first.conv.groups, -1, *first.weight.shape[1:])
        weight = (groups * scale).reshape(first.weight.shape)
    else:
        weight = first.weight * scale
    layer = replace(first, weight=weight.astype(np.float32), bias=bias.astype(np.float32) if bias.any() else None)
    return replace(network, layers=(layer, *network.layers[1:]), input=None)

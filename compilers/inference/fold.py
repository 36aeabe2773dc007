"""What stands beside a layer's product and is linear goes into its weights and biases."""

import math
from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import Layer, Network
from ff2loihi.compilers.ir.network import absorbed


def fold(network: Network, u: np.ndarray) -> Network:
    """The network that sees u (samples, inputs) in [0, 1] itself: W (s u + o) / N + b = (W s / N) u + (b + W o / N).

    N: the mean over the samples u of what the net divides x by, 1 where it does not. That is exact without a
    norm; with one, it is as good as N varies little from image to image. Raises CompileError for inputs of 0 alone.
    """
    own = network.input
    if own is None:
        return network
    size = 1.0
    if own.length is not None:
        norms = np.linalg.norm((own.scale * u + own.offset).astype(np.float64), axis=-1)
        if not norms.any():
            raise CompileError("input.norm: every calibration input is 0. Use other images")
        size = float(norms[norms > 0].mean()) / own.length
    first = absorbed(network.layers[0], own.scale.astype(np.float64) / size, own.offset.astype(np.float64) / size)
    return replace(network, layers=(first, *network.layers[1:]), input=None)


def fold_averages(network: Network) -> Network:
    """The same network, whose average pools are part of the layers above them wherever nothing else reads the means.

    W mean(h) = sum (W / n) h, n the neurons of a window: exact, and no second layer of spikes stands for the means.
    A layer of means stays where it is read out or normalised, and below a convolution whose zeros at the border would
    fall on neurons that the pool leaves out.
    """
    if network.normalization != "none":
        return network
    kept: list[Layer] = []
    place: dict[int, int] = {}  # of a layer, by its number before
    for index, layer in enumerate(network.layers):
        if kept and kept[-1].averages and index - 1 not in network.readout_layers:
            layer = _over_windows(layer, kept[-1]) or layer
            if layer is not network.layers[index]:
                kept.pop()
        place[index] = len(kept)
        kept.append(layer)
    read = tuple(place[index] for index in network.readout_layers)
    return replace(network, layers=tuple(kept), readout_layers=read)


def _over_windows(layer: Layer, means: Layer) -> Layer | None:
    """`layer` on the neurons that `means` averages; None where that is no dense layer and no convolution."""
    pool = means.conv
    assert pool is not None  # an average is a convolution, a kernel a channel
    neurons = math.prod(pool.kernel)
    if layer.conv is None:
        weight = np.zeros((layer.neurons, pool.inputs), np.float32)
        seen = pool.patches.transpose(0, 2, 1).reshape(-1, neurons)  # (means, neurons of a window)
        for place in seen.T:  # no neuron stands at the same place of two windows
            weight[:, place] += layer.weight / neurons
        return replace(layer, weight=weight)
    side, conv = pool.stride, layer.conv
    whole = conv.padding == 0 or all(n % side == 0 for n in pool.shape[1:])
    if pool.kernel != (side, side) or conv.dilation > 1 or not whole:
        return None
    weight = layer.weight.repeat(side, axis=2).repeat(side, axis=3) / np.float32(neurons)
    wider = replace(
        conv, shape=pool.shape, kernel=(conv.kernel[0] * side, conv.kernel[1] * side), stride=conv.stride * side,
        padding=conv.padding * side,
    )  # fmt: skip
    return replace(layer, weight=weight.astype(np.float32), conv=wider)

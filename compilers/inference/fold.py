"""The net's own scaling of its input goes into the first layer's weights and biases."""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import Network
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

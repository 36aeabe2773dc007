"""The float network in numpy: what the compiler compares its integers with."""

import numpy as np

from ff2loihi.compilers.inference.integer_forward import norm_power
from ff2loihi.compilers.ir import Network, split_input
from ff2loihi.compilers.ir.convolution import product


def inputs(network: Network, pixels: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """u (samples, inputs) float32 in [0, 1]: pixels (samples, pixels) uint8 with the label codes (samples, n)."""
    image, label = split_input(network.pixels, codes.shape[1], network.label.kind)
    u = np.empty((len(pixels), network.layers[0].inputs), np.float32)
    u[:, image] = pixels[:, image] / np.float32(255)
    u[:, label] = codes
    return u


def entering(network: Network, u: np.ndarray) -> np.ndarray:
    """x (..., inputs): what the first layer sees of u, the net's own scaling and normalisation applied."""
    if network.input is None:
        return u
    x = network.input.scale * u + network.input.offset
    return x if network.input.length is None else np.float32(network.input.length) * normalize(x, "l2")


def normalize(h: np.ndarray, normalization: str) -> np.ndarray:
    """h / ||h||_2, h / ||h||_1, or h / sqrt(mean h^2) (rms); zero stays zero."""
    if normalization == "none":
        return h
    return h / np.maximum(norm(h, normalization), np.float32(1e-12))


def norm(h: np.ndarray, normalization: str) -> np.ndarray:
    """What `normalize` divides by, (..., 1)."""
    power = norm_power(normalization)
    total = (h**power).sum(-1, keepdims=True)
    if normalization == "rms":
        total = total / h.shape[-1]
    return total ** (1 / power)


def activities(
    network: Network, u: np.ndarray, normalization: str | None = None, start: int = 0, codes: np.ndarray | None = None
) -> list[np.ndarray]:
    """h_l = relu(W_l n(h_(l-1)) + U_l c + b_l), pooled, for each layer, h_0 = `entering` u (..., inputs), without n.

    start: the first of the layers, above one whose h is u, with the label codes c (..., n); else they stand in u.
    """
    normalization = network.normalization if normalization is None else normalization
    if codes is None:
        codes = u[..., split_input(network.pixels, network.label.codes.shape[1], network.label.kind)[1]]
    out, x = [], u if start else entering(network, u)
    for index, layer in enumerate(network.layers[start:], start):
        as_it_is = index == 0 or layer.averages
        a = product(x if as_it_is else normalize(x, normalization), layer.weight, layer.conv)
        if layer.label is not None:
            a = a + codes @ layer.label.T
        if layer.bias is not None:
            a = a + layer.bias
        x = np.maximum(a, 0)
        if layer.pool:
            x = layer.pool.largest(x, np)
        out.append(x)
    return out


def all_labels(network: Network, pixels: np.ndarray, normalization: str | None = None) -> list[np.ndarray]:
    """The activities under every label (a head: under the neutral one): (samples, labels, n) a layer."""
    passes = [inputs(network, pixels, np.tile(code, (len(pixels), 1))) for code in network.pass_labels]
    return activities(network, np.stack(passes, axis=1), normalization)

"""From sums of activities to a score for each label: the host's part, the same for float, emulator and Lava."""

import numpy as np

from ff2loihi.compilers.inference.integer_forward import goodness_power, largest, norm_power, powers
from ff2loihi.compilers.ir import IntNetwork, Network
from ff2loihi.compilers.ir.options import Contrast, Probability


def layer_goodness(sums, neurons, goodness: str, probability: Probability):
    """A layer's score of each label. sums (samples, labels, parts): sum over + and - of h^2 (l1: of h).

    G = sum h^2, its mean over the neurons, the square root of the sum (l2) or of the mean (rms), or sum h (l1; Hinton
    2022, Tosato 2025); symmetric: (G+ + e) / (G+ + G- + 2 e) (Lee and Song 2023; Terres-Escudero 2024, eq. 6).
    """
    if goodness in ("mean_squares", "rms"):
        sums = sums / neurons
    if probability.kind == "symmetric":
        parts = np.sqrt(sums) if goodness in ("l2", "rms") else sums
        return (parts[..., 0] + probability.epsilon) / np.maximum(parts.sum(-1) + 2 * probability.epsilon, 1e-300)
    total = sums.sum(-1)
    return np.sqrt(total) if goodness in ("l2", "rms") else total


def cell_goodness(sums: np.ndarray, sizes: np.ndarray, goodness: str) -> np.ndarray:
    """The goodness of each cell, of sums (samples, cells) over its neurons."""
    return layer_goodness(sums[..., None], sizes[:, None], goodness, Contrast(kind="contrast"))


def combine(layer_scores: list[np.ndarray], readout: str) -> np.ndarray:
    """goodness: the layers' scores summed; softmax: the softmax over the labels of each layer, summed; vote: how many
    layers call a label their best."""
    if readout == "vote":
        layer_scores = [np.eye(s.shape[1])[s.argmax(1)] for s in layer_scores]
    if readout == "softmax":
        layer_scores = [np.exp(s - s.max(1, keepdims=True)) for s in layer_scores]
        layer_scores = [s / s.sum(1, keepdims=True) for s in layer_scores]
    return sum(layer_scores[1:], 0 + layer_scores[0])


def goodness(network: IntNetwork, sums: np.ndarray) -> np.ndarray:
    """Each layer's goodness or probability in the float network's units: (samples, labels, layers).

    channels: of each class's channels, (samples, classes, layers), those of one pass.
    sums (samples, labels, layers, powers, parts) int64.
    """
    scores = []
    for index, layer in enumerate(network.layers):
        part, neurons = _goodness_sums(network, sums, index), layer.outputs
        if network.readout == "channels":
            part, neurons = part[:, 0, :, None], neurons // network.classes
        neurons = min(neurons, network.top_k or neurons)
        scores.append(layer_goodness(part, neurons, network.goodness, network.probability))
    return np.stack(scores, axis=2)


def _goodness_sums(network: IntNetwork, sums: np.ndarray, index: int) -> np.ndarray:
    """What layer `index`'s goodness is made of, in the float network's units: (samples, labels, parts).

    Where normalisation is deferred, a layer's h is too large by the factor nu = norm of the layer below, so its sum of
    h^p is divided by nu^p here.
    """
    order, power = powers(network), goodness_power(network)
    place = len(order) if network.top_k else order.index(power)
    scale = network.layers[index].scale
    part = sums[:, :, index, place].astype(np.float64) * scale**power
    if network.deferred and index:
        nu = _deferred_norm(network, sums, index)[..., None]
        part = np.divide(part, nu**power, out=np.zeros_like(part), where=nu > 0)
    return part


def _deferred_norm(network: IntNetwork, sums: np.ndarray, index: int) -> np.ndarray:
    """nu (samples, labels): the norm of the layer below layer `index`, which was not divided out between them.

    What averages the layer below is too large by the same factor as that.
    """
    if network.layers[index].averages:
        return _deferred_norm(network, sums, index - 1)
    if index == 0:
        return np.ones(sums.shape[:2])
    below, p = network.layers[index - 1], norm_power(network.normalization)
    total = sums[:, :, index - 1, powers(network).index(p)].sum(-1).astype(np.float64) * below.scale**p
    return (total / below.outputs if network.normalization == "rms" else total) ** (1 / p)


def scores(network: IntNetwork, sums: np.ndarray, head: np.ndarray | None) -> np.ndarray:
    """The score of each label, (samples, classes) float64; the prediction is its arg-max.

    A head's logits are sum_l W_l h_l / ||h_l||_2 + b, the division (rms: by sqrt(mean h_l^2)) formed here from
    sum h_l^2; raw: sum_l W_l h_l + b. A classifier of pooled goodness is all the host's.
    """
    if network.pooled:
        logits = np.tile(network.pooled.bias.astype(np.float64), (len(sums), 1))
        for weight, index in zip(network.pooled.weights, network.readout_layers, strict=True):
            cells = network.layers[index].cells(network.pooled.grid)
            found = cells.joined(_goodness_sums(network, sums, index)[:, 0, : cells.pieces])
            logits += cell_goodness(found, cells.sizes, network.goodness) @ weight.T
        return logits
    if network.head is None or head is None:
        parts = goodness(network, sums)
        return combine([parts[:, :, index] for index in network.readout_layers], network.readout)
    logits = np.tile(network.head.bias.astype(np.float64), (len(sums), 1))
    for position, index in enumerate(network.readout_layers):
        unit = _head_unit(network, network.head.activities, sums, index)[:, None]
        logits += head[:, position] * network.head.scales[position] * unit
    return logits


def _head_unit(network: IntNetwork, activities: str, sums: np.ndarray, index: int) -> np.ndarray:
    """What one unit of layer `index`'s h is to the head, (samples,)."""
    if activities != "raw":
        gain = network.layers[index].outputs ** 0.5 if activities == "rms" else 1.0
        return gain / np.sqrt(np.maximum(sums[:, 0, index, powers(network).index(2)].sum(-1), 1.0))
    unit = np.full(len(sums), network.layers[index].scale)
    if network.deferred and index:
        nu = _deferred_norm(network, sums, index)[:, 0]
        unit = np.divide(unit, nu, out=np.zeros_like(unit), where=nu > 0)
    return unit


def float_scores(network: Network, activities: list) -> np.ndarray:
    """The float network's scores from its activities, one (samples, labels, n) array a layer."""
    if network.head:
        logits = network.head.bias.astype(np.float64)
        for weight, index in zip(network.head.weights, network.readout_layers, strict=True):
            h = activities[index][:, 0]
            if network.head.activities != "raw":
                h = h / np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-12)
            if network.head.activities == "rms":
                h = h * h.shape[1] ** 0.5
            logits = logits + h @ weight.T
        return logits
    if network.pooled:
        logits = network.pooled.bias.astype(np.float64)
        for weight, index in zip(network.pooled.weights, network.readout_layers, strict=True):
            cells = network.layers[index].cells(network.pooled.grid)
            sums = cells.joined(cells.sums(_raised(network, activities[index][:, 0]), np))
            logits = logits + cell_goodness(sums, cells.sizes, network.goodness) @ weight.T
        return logits
    parts = []
    for index in network.readout_layers:
        raised = _raised(network, activities[index])
        positive = network.layers[index].positive
        if network.readout == "channels":
            raised = raised.reshape(len(raised), network.classes, -1)
        if network.top_k:
            raised = largest(raised, network.top_k, np)
        if network.top_k or network.readout == "channels":
            sums = raised.sum(-1)[..., None]
        else:
            sums = np.stack([raised[..., positive].sum(-1), raised[..., ~positive].sum(-1)], -1)
        parts.append(layer_goodness(sums, raised.shape[-1], network.goodness, network.probability))
    return combine(parts, network.readout)


def _raised(network: Network, h: np.ndarray) -> np.ndarray:
    """The powers of activities that goodness sums."""
    h = h.astype(np.float64)
    return h if network.goodness == "l1" else h * h


def root(scores: np.ndarray) -> np.ndarray:
    """sqrt of a goodness, so that the winner's square does not outweigh the labels that are near one another."""
    return np.sign(scores) * np.sqrt(np.abs(scores))


def correlation(scores: np.ndarray, target: np.ndarray) -> float:
    """Pearson's r of the scores, (samples, labels) each, every sample's mean taken off; 0 where one is constant.

    The share of equal predictions would be coarser: on training images nearly every candidate reaches it.
    """
    a, b = scores - scores.mean(1, keepdims=True), target - target.mean(1, keepdims=True)
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm else 0.0

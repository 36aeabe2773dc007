"""Rows of a layer that differ far are evened out against the weights above: one scale holds all of a layer's weights.

relu(c a) = c relu(a) for c > 0, so c times a row and its bias, and 1/c times what reads the neuron, change nothing in
the float net (Nagel 2019). That holds where nothing else reads the layer: no normalisation, no goodness, no norm of a
head.
"""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.ir import Head, Layer, Network

FAR = 32.0  # times the middle row's, or column's, largest weight: eight bits leave the middle ones 4 levels


def obstacle(network: Network, index: int) -> str | None:
    """Why the rows of a layer cannot be evened out; None where they can."""
    name, last = network.layers[index].name, index + 1 == len(network.layers)
    if network.normalization != "none" and not last:
        return f"{name} is normalised"
    if index in network.readout_layers and (network.head is None or network.head.activities != "raw"):
        return f"the read-out takes the {'goodness' if network.head is None else 'norm'} of {name}"
    return None


def equalize(network: Network) -> tuple[Network, dict[str, float]]:
    """The same float net with rows of near sizes, and how many times the largest row, or column above it, was the
    middle one, of each layer that was changed."""
    found = {}
    for index, layer in enumerate(network.layers):
        if obstacle(network, index):
            continue
        own, above = peaks(layer.weight), _peaks_above(network, index)
        far = max(spread(own), spread(above))
        if far >= FAR:
            network = _scaled(network, index, _factors(own, above))
            found[layer.name] = far
    return network, found


def peaks(weight: np.ndarray) -> np.ndarray:
    """The largest magnitude of each row, or of each channel's kernel."""
    return np.abs(weight).reshape(len(weight), -1).max(1).astype(np.float64)


def spread(sizes: np.ndarray) -> float:
    """The largest, in units of the middle one; zeros do not count."""
    return float(sizes.max() / _middle(sizes)) if sizes.any() else 1.0


def _middle(sizes: np.ndarray) -> float:
    """Of those that are not 0, the lower of two."""
    return float(np.quantile(sizes[sizes > 0], 0.5, method="lower"))


def _peaks_above(network: Network, index: int) -> np.ndarray:
    """The largest weight with which each neuron, or channel, is read, in units of the middle one."""
    channels = len(network.layers[index].weight)
    readers = [_columns(layer, channels) for layer in network.layers[index + 1 : index + 2]]
    if network.head and index in network.readout_layers:
        weight = network.head.weights[network.readout_layers.index(index)]
        readers.append(weight.reshape(len(weight), channels, -1).transpose(1, 0, 2))
    found = np.zeros(channels)
    for reader in readers:
        sizes = peaks(reader)
        if sizes.any():
            found = np.maximum(found, sizes / _middle(sizes))
    return found


def _columns(layer: Layer, channels: int) -> np.ndarray:
    """(channels, ...): the weights that read each neuron, or channel, of the layer below."""
    if layer.conv is None:
        return layer.weight.reshape(len(layer.weight), channels, -1).transpose(1, 0, 2)
    groups = layer.weight.reshape(layer.conv.groups, -1, *layer.weight.shape[1:])
    return groups.swapaxes(1, 2).reshape(channels, -1)


def _factors(own: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Powers of two, exact in float, that bring rows and columns to the same size; 1 where there is no row."""
    some, own = own > 0, own / _middle(own)
    read = np.where(above > 0, above, own)  # of what nobody reads the row alone matters
    wanted = np.sqrt(read / np.where(some, own, 1))
    return np.where(some, 2.0 ** np.rint(np.log2(np.where(some, wanted, 1))), 1)


def _scaled(network: Network, index: int, factors: np.ndarray) -> Network:
    layers = list(network.layers)
    layer = layers[index]
    channels = factors.astype(np.float32)
    rows = channels.reshape(-1, *[1] * (layer.weight.ndim - 1))
    bias = None if layer.bias is None else layer.bias * np.repeat(channels, layer.neurons // len(channels))
    each = np.repeat(channels, layer.outputs // len(channels))
    label = None if layer.label is None else layer.label * rows
    layers[index] = replace(layer, weight=layer.weight * rows, bias=bias, label=label)
    if index + 1 < len(layers):
        layers[index + 1] = _read_with(layers[index + 1], factors, each)
    return replace(network, layers=tuple(layers), head=_head(network, index, each))


def _read_with(layer: Layer, factors: np.ndarray, each: np.ndarray) -> Layer:
    if layer.conv is None:
        return replace(layer, weight=layer.weight / each)
    groups = layer.weight.reshape(layer.conv.groups, -1, *layer.weight.shape[1:])
    columns = factors.reshape(layer.conv.groups, 1, -1, 1, 1).astype(np.float32)
    return replace(layer, weight=(groups / columns).reshape(layer.weight.shape))


def _head(network: Network, index: int, each: np.ndarray) -> Head | None:
    if network.head is None or index not in network.readout_layers:
        return network.head
    position = network.readout_layers.index(index)
    weights = [weight / each if place == position else weight for place, weight in enumerate(network.head.weights)]
    return replace(network.head, weights=tuple(weights))

"""Leaky ReLU as two neurons that rectify, y = relu(x) - a relu(-x), where whatever reads y is linear.

Each layer has its rows twice, the second time negative, and what reads it takes -a times the second half.
"""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.frontend.spec import Spec
from ff2loihi.compilers.ir import Head, Layer

NAME = "leaky_relu"


def obstacle(spec: Spec) -> str | None:
    """Why two neurons cannot stand for one, None where they can."""
    if spec.neuron or spec.readout.divides:
        return "Of two neurons for one no goodness or norm is exact: a head on raw activities alone reads them"
    if spec.normalization != "none":
        return f"Of two neurons for one normalization {spec.normalization} is not exact: train without"
    if any(layer.pool or layer.batch_norm_place == "after_relu" or layer.polarity for layer in spec.layers):
        return "Two neurons for one have no pool, batch norm or polarity behind them: train without"
    if any(layer.conv and layer.conv.groups > 1 for layer in spec.layers):
        return "Two neurons for one are no groups of a convolution: train with groups 1"
    return None


def split(layers: list[Layer], head: Head, slope: float) -> tuple[list[Layer], Head]:
    """The layers and the head of a net whose neurons let through `slope` of what is below 0."""
    found = []
    for index, layer in enumerate(layers):
        weight, conv = (_reading(layer.weight, slope) if index else layer.weight), layer.conv
        if conv:
            below = (conv.shape[0] * (2 if index else 1), *conv.shape[1:])
            conv = replace(conv, shape=below, channels=2 * conv.channels)
        found.append(
            replace(
                layer, weight=np.concatenate([weight, -weight]), conv=conv,
                bias=None if layer.bias is None else np.concatenate([layer.bias, -layer.bias]),
                label=None if layer.label is None else np.concatenate([layer.label, -layer.label]),
                positive=np.concatenate([layer.positive] * 2),
            )
        )  # fmt: skip
    return found, replace(head, weights=tuple(_reading(weight, slope) for weight in head.weights))


def _reading(weight: np.ndarray, slope: float) -> np.ndarray:
    """Over neurons and behind them their negatives."""
    return np.concatenate([weight, np.float32(-slope) * weight], axis=1)

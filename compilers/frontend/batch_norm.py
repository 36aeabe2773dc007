"""Batch norm as evaluation computes it, scale x + offset a channel, folded into the weights and biases beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import shortened
from ff2loihi.compilers.frontend.spec import LayerSpec, Spec
from ff2loihi.compilers.ir import Head, Layer
from ff2loihi.compilers.ir.network import absorbed

NEEDED, OPTIONAL = ("running_mean", "running_var"), ("weight", "bias")  # tensors of a torch.nn.BatchNorm, by its name

Affine = tuple[np.ndarray, np.ndarray]  # scale and offset, float64


def violations(part: LayerSpec, tensors: Mapping[str, np.ndarray], channels: tuple[int, ...]) -> Iterator[str]:
    """What is wrong with the tensors of a layer's batch norm, of so many channels."""
    for key in (f"{part.batch_norm}.{name}" for name in (*NEEDED, *OPTIONAL)):
        if key in tensors and tensors[key].shape not in {(n,) for n in channels}:
            yield f"{shortened(key)} has shape {tensors[key].shape}, ({' or '.join(map(str, channels))},) is wanted"
    key = f"{part.batch_norm}.running_var"
    if tensors[key].min(initial=0) < 0:
        yield f"{shortened(key)} holds {tensors[key].min():g}: no variance is below 0"


def affine(part: LayerSpec, tensors: Mapping[str, np.ndarray], n: int) -> Affine:
    """(x - running_mean) / sqrt(running_var + eps) weight + bias, as scale and offset of n values, by channel."""
    mean, variance = (tensors[f"{part.batch_norm}.{name}"].astype(np.float64) for name in NEEDED)
    scale = tensors.get(f"{part.batch_norm}.weight", np.ones(1)) / np.sqrt(variance + part.batch_norm_eps)
    offset = tensors.get(f"{part.batch_norm}.bias", np.zeros(1)) - mean * scale
    return np.repeat(scale, n // len(scale)), np.repeat(offset, n // len(offset))


def fold_before(layer: Layer, scale: np.ndarray, offset: np.ndarray) -> Layer:
    """relu(s (W x + b) + o) = relu((s W) x + (s b + o)); scale, offset (neurons,)."""
    of_channels = scale.reshape(len(layer.weight), -1)[:, :1].reshape(-1, *[1] * (layer.weight.ndim - 1))
    bias = offset if layer.bias is None else scale * layer.bias + offset
    return replace(
        layer,
        weight=(layer.weight * of_channels).astype(np.float32),
        bias=bias.astype(np.float32) if bias.any() else None,
        label=None if layer.label is None else (layer.label * scale[:, None]).astype(np.float32),
    )


def unreadable(spec: Spec, layers: list[Layer], used: tuple[int, ...], behind: dict[int, Affine]) -> Iterator[str]:
    """Which batch norms behind a ReLU change what is no linear function of a layer's activities; behind: by layer."""
    for index in behind:
        name, above = layers[index].name, index + 1 < len(layers)
        head = spec.readout.head if spec.readout.kind == "head" else None
        reader = f"head's {head.activities} norm" if head else "goodness"
        if index in used and spec.readout.divides:
            yield (
                f"{name}: the {reader} reads what batch norm behind the ReLU shifts, which has no exact form. Leave "
                "the layer out of readout.layers; or is it read before the norm? Then the norm is the next layer's, "
                "batch_norm_place: input"
            )
        if spec.normalization != "none" and above:
            yield (
                f"{name}: normalization {spec.normalization} divides what batch norm behind the ReLU shifts, which has "
                "no exact form. Train with one of them; or is the norm taken of what is divided? Then it is the next "
                "layer's, batch_norm_place: input"
            )


def fold_behind(
    layers: list[Layer], used: tuple[int, ...], head: Head | None, behind: dict[int, Affine]
) -> Head | None:
    """Fold the batch norms behind ReLUs into the layers above them, in place, and into the head, which is returned."""
    for index, (scale, offset) in behind.items():
        if index + 1 < len(layers):
            layers[index + 1] = absorbed(layers[index + 1], scale, offset)
        if head and index in used:
            weights, place = list(head.weights), used.index(index)
            bias = head.bias + weights[place] @ offset
            weights[place] = (weights[place] * scale).astype(np.float32)
            head = replace(head, weights=tuple(weights), bias=bias.astype(np.float32))
    return head

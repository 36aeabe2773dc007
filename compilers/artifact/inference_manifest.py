"""The artifact's form of an IntNetwork."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from ff2loihi.compilers.artifact.manifest import (
    Flag,
    Float,
    Header,
    Int,
    Strict,
)
from ff2loihi.compilers.ir import IntHead, IntLayer, IntNetwork, LayerLoss, NormTable, Program
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.options import Probability


class _Conv(Strict):
    shape: tuple[Int, Int, Int]
    channels: Int
    kernel: tuple[Int, Int]
    stride: Int
    padding: Int
    groups: Int


class _Layer(Strict):
    name: str
    conv: _Conv | None
    weight_bits: Int
    bias_exp: Int
    shift: Int
    top: Int
    vth: Int
    v0: Int
    scale: Float


class _Norm(Strict):
    power: Int
    shift: Int
    top: Int
    scale: Float


class _Loss(Strict):
    weight_sqnr_db: Float
    clipped: Float
    saturated: Float
    activity_corr: Float


class InferenceManifest(Header):
    """An IntNetwork's JSON: everything but the arrays."""

    kind: Literal["inference"]
    neuron: Literal["graded", "lif"]
    reset: Literal["soft", "hard"]
    steps: Int
    pixels: Int
    input_bits: Int
    label_kind: Literal["append", "overwrite", "none"]
    goodness: Literal["sum_squares", "mean_squares", "l2", "l1"]
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    deferred: Flag
    readout: Literal["goodness", "softmax", "head", "channels"]
    readout_layers: tuple[Int, ...]
    layers: tuple[_Layer, ...]
    norms: tuple[_Norm, ...]
    head_scales: tuple[Float, ...] | None
    head_activities: Literal["l2", "raw"] | None
    losses: tuple[_Loss, ...]


_SCALARS = (
    "neuron", "reset", "steps", "pixels", "input_bits", "label_kind", "goodness", "probability", "normalization",
    "deferred", "readout", "readout_layers",
)  # fmt: skip


def pack(program: Program[IntNetwork], header: dict) -> tuple[InferenceManifest, dict[str, np.ndarray]]:
    """The manifest and the arrays of a program."""
    net = program.network
    tensors = {"label.codes": net.label_codes, "label.neutral": net.neutral, "phases": net.phases}
    for index, layer in enumerate(net.layers):
        tensors[f"layers.{index}.weight"] = layer.weight
        tensors[f"layers.{index}.bias"] = layer.bias
        tensors[f"layers.{index}.positive"] = layer.positive
    for index, norm in enumerate(net.norms):
        tensors[f"norms.{index}.table"] = norm.table
    if net.head:
        tensors["head.bias"] = net.head.bias
        for index, weight in enumerate(net.head.weights):
            tensors[f"head.{index}.weight"] = weight
    manifest = InferenceManifest(
        **header,
        kind="inference",
        **{name: getattr(net, name) for name in _SCALARS},
        layers=tuple(_pack_layer(layer) for layer in net.layers),
        norms=tuple(_Norm(**{name: getattr(norm, name) for name in _Norm.model_fields}) for norm in net.norms),
        head_scales=net.head.scales if net.head else None,
        head_activities=net.head.activities if net.head else None,
        losses=tuple(_Loss(**asdict(loss)) for loss in program.losses),
    )
    return manifest, tensors


def _pack_layer(layer: IntLayer) -> _Layer:
    conv = _Conv(**{name: getattr(layer.conv, name) for name in _Conv.model_fields}) if layer.conv else None
    return _Layer(conv=conv, **{name: getattr(layer, name) for name in _Layer.model_fields if name != "conv"})


def unpack(m: InferenceManifest, tensors: dict[str, np.ndarray]) -> Program[IntNetwork]:
    """The inverse of pack, which takes its arrays out of `tensors`. Raises KeyError or ValueError where one is missing.

    Whether they fit one another is for arithmetic_rules.check to say.
    """
    layers = tuple(
        IntLayer(
            weight=tensors.pop(f"layers.{i}.weight"),
            bias=tensors.pop(f"layers.{i}.bias"),
            positive=tensors.pop(f"layers.{i}.positive"),
            conv=Conv(**layer.conv.model_dump()) if layer.conv else None,
            **layer.model_dump(exclude={"conv"}),
        )
        for i, layer in enumerate(m.layers)
    )
    head = None
    if m.head_scales is not None and m.head_activities is not None:
        weights = tuple(tensors.pop(f"head.{i}.weight") for i in range(len(m.head_scales)))
        head = IntHead(weights, m.head_scales, tensors.pop("head.bias"), m.head_activities)
    elif m.head_scales is not None or m.head_activities is not None:
        raise ValueError("head_scales and head_activities belong together")
    network = IntNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors.pop("label.codes"),
        neutral=tensors.pop("label.neutral"),
        phases=tensors.pop("phases"),
        layers=layers,
        norms=tuple(NormTable(table=tensors.pop(f"norms.{i}.table"), **n.model_dump()) for i, n in enumerate(m.norms)),
        head=head,
    )
    if m.losses and len(m.losses) != len(layers):
        raise ValueError(f"{len(m.losses)} losses of {len(layers)} layers")
    return Program(network, tuple(LayerLoss(**loss.model_dump()) for loss in m.losses), m.provenance)

"""The artifact's form of an IntNetwork."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from ff2loihi.compilers.convolution import Conv
from ff2loihi.compilers.ir import IntHead, IntLayer, IntNetwork, LayerLoss, NormTable, Program
from ff2loihi.compilers.manifest import Header, Strict, check_shapes
from ff2loihi.compilers.spec import Probability


class _Conv(Strict):
    shape: tuple[int, int, int]
    channels: int
    kernel: tuple[int, int]
    stride: int
    padding: int
    groups: int


class _Layer(Strict):
    name: str
    conv: _Conv | None
    weight_bits: int
    bias_exp: int
    shift: int
    top: int
    vth: int
    v0: int
    scale: float


class _Norm(Strict):
    power: int
    shift: int
    top: int
    scale: float


class _Loss(Strict):
    weight_sqnr_db: float
    clipped: float
    saturated: float
    activity_corr: float


class InferenceManifest(Header):
    """An IntNetwork's JSON: everything but the arrays."""

    kind: Literal["inference"]
    neuron: Literal["graded", "lif"]
    reset: Literal["soft", "hard"]
    steps: int
    pixels: int
    input_bits: int
    label_kind: Literal["append", "overwrite", "none"]
    goodness: Literal["sum_squares", "mean_squares", "l2", "l1"]
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    deferred: bool
    readout: Literal["goodness", "softmax", "head", "channels"]
    readout_layers: tuple[int, ...]
    layers: tuple[_Layer, ...]
    norms: tuple[_Norm, ...]
    head_scales: tuple[float, ...] | None
    head_activities: Literal["l2", "raw"] | None
    losses: tuple[_Loss, ...]


_SCALARS = (
    "neuron", "reset", "steps", "pixels", "input_bits", "label_kind", "goodness", "probability", "normalization",
    "deferred", "readout", "readout_layers",
)  # fmt: skip


def pack(program: Program, header: dict) -> tuple[InferenceManifest, dict[str, np.ndarray]]:
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
        layers=[_pack_layer(layer) for layer in net.layers],
        norms=[_Norm(**{name: getattr(norm, name) for name in _Norm.model_fields}) for norm in net.norms],
        head_scales=net.head.scales if net.head else None,
        head_activities=net.head.activities if net.head else None,
        losses=[asdict(loss) for loss in program.losses],
    )
    return manifest, tensors


def _pack_layer(layer: IntLayer) -> _Layer:
    conv = _Conv(**{name: getattr(layer.conv, name) for name in _Conv.model_fields}) if layer.conv else None
    return _Layer(conv=conv, **{name: getattr(layer, name) for name in _Layer.model_fields if name != "conv"})


def unpack(m: InferenceManifest, tensors: dict[str, np.ndarray]) -> Program:
    """The inverse of pack. Raises KeyError or ValueError where manifest and arrays do not agree."""
    layers = tuple(
        IntLayer(
            weight=tensors[f"layers.{i}.weight"],
            bias=tensors[f"layers.{i}.bias"],
            positive=tensors[f"layers.{i}.positive"],
            conv=Conv(**layer.conv.model_dump()) if layer.conv else None,
            **layer.model_dump(exclude={"conv"}),
        )
        for i, layer in enumerate(m.layers)
    )
    head = None
    if m.head_scales is not None:
        weights = tuple(tensors[f"head.{i}.weight"] for i in range(len(m.head_scales)))
        head = IntHead(weights, m.head_scales, tensors["head.bias"], m.head_activities)
    network = IntNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors["label.codes"],
        neutral=tensors["label.neutral"],
        phases=tensors["phases"],
        layers=layers,
        norms=tuple(NormTable(table=tensors[f"norms.{i}.table"], **n.model_dump()) for i, n in enumerate(m.norms)),
        head=head,
    )
    _check_shapes(network)
    return Program(network, tuple(LayerLoss(**loss.model_dump()) for loss in m.losses), m.provenance)


def _check_shapes(net: IntNetwork) -> None:
    """Raise ValueError where an array's shape does not follow from its neighbours'."""
    inputs = net.label_codes.shape[-1]
    width = net.pixels + inputs if net.label_kind != "overwrite" else net.pixels
    wanted = [("label.neutral", net.neutral, (inputs,)), ("phases", net.phases, (width,))]
    wanted.append(("label.codes", net.label_codes, (len(net.label_codes), inputs)))
    for layer in net.layers:
        n = len(layer.bias)
        if layer.conv and (layer.conv.inputs, layer.conv.neurons) != (width, n):
            raise ValueError(
                f"{layer.name}: a convolution of {layer.conv.inputs} inputs and {layer.conv.neurons} neurons"
            )
        if layer.conv and np.ptp(layer.bias.reshape(layer.conv.channels, -1), axis=1).any():
            raise ValueError(f"{layer.name}: biases that differ within a channel")
        weight_shape = layer.conv.weight_shape if layer.conv else (n, width)
        wanted += [(f"{layer.name} weight", layer.weight, weight_shape), (f"{layer.name} sign", layer.positive, (n,))]
        width = n
    if net.head:
        for index, weight in zip(net.readout_layers, net.head.weights, strict=True):
            wanted.append((f"head {index}", weight, (net.classes, len(net.layers[index].bias))))
        wanted.append(("head.bias", net.head.bias, (net.classes,)))
    check_shapes(wanted)

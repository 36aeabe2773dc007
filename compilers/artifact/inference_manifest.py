"""The artifact's form of an IntNetwork."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer

from ff2loihi.compilers.artifact.manifest import Header
from ff2loihi.compilers.ir import Binning, IntHead, IntLayer, IntNetwork, LayerLoss, NormTable, PooledHead, Program
from ff2loihi.compilers.ir.options import WHERE_USED, Flag, Float, Goodness, HeadActivities, Probability, Readout
from ff2loihi.processes.limits import Int


class InferenceManifest(Header):
    """An IntNetwork's JSON: everything but the arrays."""

    kind: Literal["inference"]
    neuron: Literal["graded", "lif"]
    reset: Literal["soft", "hard"]
    steps: Int
    pixels: Int
    input_bits: Int
    label_kind: Literal["append", "overwrite", "none"]
    goodness: Goodness
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    deferred: Flag
    readout: Readout
    readout_layers: tuple[Int, ...]
    layers: tuple[IntLayer, ...]
    norms: tuple[NormTable, ...]
    head_scales: tuple[Float, ...] | None
    head_activities: HeadActivities | None
    losses: tuple[LayerLoss, ...]
    top_k: Int | None = None
    grid: Int | None = None  # of a classifier of pooled goodness
    events: Annotated[Binning | None, WHERE_USED] = None

    @model_serializer(mode="wrap")
    def _without_absent_parts(self, dump: SerializerFunctionWrapHandler) -> dict:
        """Readers before layers had labels, or leaks, refuse the key, and read what has none."""
        plain = dump(self)
        for layer in plain["layers"]:
            for part in ("label", "leak"):
                if layer[part] is None:
                    del layer[part]
        return plain


_SCALARS = (
    "neuron", "reset", "steps", "pixels", "input_bits", "label_kind", "goodness", "probability", "normalization",
    "deferred", "readout", "readout_layers", "top_k", "events",
)  # fmt: skip


def pack(program: Program[IntNetwork], header: dict) -> tuple[InferenceManifest, dict[str, np.ndarray]]:
    """The manifest and the arrays of a program."""
    net = program.network
    tensors = {"label.codes": net.label_codes, "label.neutral": net.neutral, "phases": net.phases}
    for index, layer in enumerate(net.layers):
        tensors[f"layers.{index}.weight"] = layer.weight
        tensors[f"layers.{index}.bias"] = layer.bias
        tensors[f"layers.{index}.positive"] = layer.positive
        if layer.label:
            tensors[f"layers.{index}.label.weight"] = layer.label.weight
    for index, norm in enumerate(net.norms):
        tensors[f"norms.{index}.table"] = norm.table
    if net.head:
        tensors["head.bias"] = net.head.bias
        for index, weight in enumerate(net.head.weights):
            tensors[f"head.{index}.weight"] = weight
    if net.pooled:
        tensors["pooled.bias"] = net.pooled.bias
        for index, weight in enumerate(net.pooled.weights):
            tensors[f"pooled.{index}.weight"] = weight
    manifest = InferenceManifest(
        **header,
        kind="inference",
        **{name: getattr(net, name) for name in _SCALARS},
        layers=net.layers,
        norms=net.norms,
        head_scales=net.head.scales if net.head else None,
        head_activities=net.head.activities if net.head else None,
        losses=program.losses,
        grid=net.pooled.grid if net.pooled else None,
    )
    return manifest, tensors


def unpack(m: InferenceManifest, tensors: dict[str, np.ndarray]) -> Program[IntNetwork]:
    """The inverse of pack, which takes its arrays out of `tensors`. Raises KeyError or ValueError where one is missing.

    Whether they fit one another is for arithmetic_rules.check to say.
    """
    layers = tuple(
        replace(
            layer,
            weight=tensors.pop(f"layers.{i}.weight"),
            bias=tensors.pop(f"layers.{i}.bias"),
            positive=tensors.pop(f"layers.{i}.positive"),
            label=layer.label and replace(layer.label, weight=tensors.pop(f"layers.{i}.label.weight")),
        )
        for i, layer in enumerate(m.layers)
    )
    head = None
    if m.head_scales is not None and m.head_activities is not None:
        weights = tuple(tensors.pop(f"head.{i}.weight") for i in range(len(m.head_scales)))
        head = IntHead(weights, m.head_scales, tensors.pop("head.bias"), m.head_activities)
    elif m.head_scales is not None or m.head_activities is not None:
        raise ValueError("head_scales and head_activities belong together")
    pooled = None
    if m.grid is not None:
        weights = tuple(tensors.pop(f"pooled.{i}.weight") for i in range(len(m.readout_layers)))
        pooled = PooledHead(weights, tensors.pop("pooled.bias"), m.grid)
    network = IntNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors.pop("label.codes"),
        neutral=tensors.pop("label.neutral"),
        phases=tensors.pop("phases"),
        layers=layers,
        norms=tuple(replace(norm, table=tensors.pop(f"norms.{i}.table")) for i, norm in enumerate(m.norms)),
        head=head,
        pooled=pooled,
    )
    if m.losses and len(m.losses) != len(layers):
        raise ValueError(f"{len(m.losses)} losses of {len(layers)} layers")
    return Program(network, m.losses, m.provenance)

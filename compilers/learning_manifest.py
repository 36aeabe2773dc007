"""The artifact's form of a LearningNetwork."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, Program, UpdateRule
from ff2loihi.compilers.manifest import Header, Strict, check_shapes
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.stock_rule import GateFactor


class _Neuron(Strict):
    vth: int
    dv: int


class _Trace(Strict):
    kind: Literal["relu", "li", "hard-li"]
    impulse: int
    keep: int
    top: int


class _Factor(Strict):
    probability: Literal["symmetric", "sigmoid"]
    gain: int
    theta: int
    target: int
    balance_shift: int
    table: tuple[int, ...]


class _GateFactor(Strict):
    probability: Literal["symmetric", "sigmoid"]
    target: int
    weights: tuple[tuple[int, int], ...]
    shift: int
    thresholds: tuple[tuple[int, ...], ...]
    gain: int
    vth: int


class _Layer(Strict):
    name: str
    neuron: _Neuron
    trace: _Trace
    factor: _Factor | None = None
    gates: _GateFactor | None = None  # in place of factor where the update is "gate"


class _Update(Strict):
    eligibility: Literal["none", "tag", "gate"]
    exponent: int
    tag_exponent: int
    tag_decay: int


class LearningManifest(Header):
    """A LearningNetwork's JSON: everything but the arrays."""

    kind: Literal["learning"]
    pixels: int
    input_code: Literal["pixels", "contrast"]
    input_factor: int
    steps: int
    window: int
    layers: tuple[_Layer, ...]
    update: _Update


_SCALARS = ("pixels", "input_code", "input_factor", "steps", "window")


def pack(program: Program, header: dict) -> tuple[LearningManifest, dict[str, np.ndarray]]:
    """The manifest and the arrays of a program."""
    net = program.network
    tensors = {"label.codes": net.label_codes, "label.phases": net.label_phases}
    for index, layer in enumerate(net.layers):
        tensors[f"layers.{index}.weight"] = layer.weight
        tensors[f"layers.{index}.positive"] = layer.positive
    manifest = LearningManifest(
        **header,
        kind="learning",
        **{name: getattr(net, name) for name in _SCALARS},
        layers=[
            {
                "name": layer.name,
                "neuron": asdict(layer.neuron),
                "trace": asdict(layer.trace),
                "gates" if net.stock else "factor": asdict(layer.factor),
            }
            for layer in net.layers
        ],
        update=asdict(net.update),
    )
    return manifest, tensors


def _factor(layer: _Layer, stock: bool) -> ThirdFactor | GateFactor:
    wanted, other = (layer.gates, layer.factor) if stock else (layer.factor, layer.gates)
    if wanted is None or other is not None:
        raise ValueError(f"{layer.name} must have {'gates' if stock else 'a factor'} alone")
    return (GateFactor if stock else ThirdFactor)(**wanted.model_dump())


def unpack(m: LearningManifest, tensors: dict[str, np.ndarray]) -> Program:
    """The inverse of pack. Raises KeyError or ValueError where manifest and arrays do not agree."""
    layers = tuple(
        LearningLayer(
            name=layer.name,
            weight=tensors[f"layers.{i}.weight"],
            positive=tensors[f"layers.{i}.positive"],
            neuron=Neuron(**layer.neuron.model_dump()),
            trace=OutputTrace(**layer.trace.model_dump()),
            factor=_factor(layer, m.update.eligibility == "gate"),
        )
        for i, layer in enumerate(m.layers)
    )
    network = LearningNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors["label.codes"],
        label_phases=tensors["label.phases"],
        layers=layers,
        update=UpdateRule(**m.update.model_dump()),
    )
    width = network.inputs
    wanted = [("label.phases", network.label_phases, network.label_codes.shape[1:])]
    for layer in layers:
        n = len(layer.positive)
        wanted += [(f"{layer.name} weight", layer.weight, (n, width)), (f"{layer.name} sign", layer.positive, (n,))]
        width = n
    check_shapes(wanted)
    kinds = {"weight": np.int16, "positive": np.bool_, "codes": np.int32, "phases": np.int32}
    for name, array in tensors.items():
        if array.dtype != kinds[name.rpartition(".")[2]]:
            raise ValueError(f"{name} holds {array.dtype}, {kinds[name.rpartition('.')[2]].__name__} is wanted")
    return Program(network, (), m.provenance)

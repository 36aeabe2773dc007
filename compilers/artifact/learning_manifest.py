"""The artifact's form of a LearningNetwork."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from ff2loihi.compilers.artifact.manifest import Header, Int, Strict
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, Program, UpdateRule
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GateFactor


class _Neuron(Strict):
    vth: Int
    dv: Int


class _Trace(Strict):
    kind: Literal["relu", "li", "hard-li"]
    impulse: Int
    keep: Int
    top: Int


class _Factor(Strict):
    probability: Literal["symmetric", "sigmoid"]
    gain: Int
    theta: Int
    target: Int
    balance_shift: Int
    table: tuple[Int, ...]


class _GateFactor(Strict):
    probability: Literal["symmetric", "sigmoid"]
    target: Int
    weights: tuple[tuple[Int, Int], ...]
    shift: Int
    thresholds: tuple[tuple[Int, ...], ...]
    gain: Int
    vth: Int


class _Layer(Strict):
    name: str
    neuron: _Neuron
    trace: _Trace
    factor: _Factor | None = None
    gates: _GateFactor | None = None  # in place of factor where the update is "gate"


class _Update(Strict):
    eligibility: Literal["none", "tag", "gate"]
    exponent: Int
    tag_exponent: Int
    tag_decay: Int


class LearningManifest(Header):
    """A LearningNetwork's JSON: everything but the arrays."""

    kind: Literal["learning"]
    pixels: Int
    input_code: Literal["pixels", "contrast"]
    input_factor: Int
    steps: Int
    window: Int
    layers: tuple[_Layer, ...]
    update: _Update


_SCALARS = ("pixels", "input_code", "input_factor", "steps", "window")


def pack(program: Program[LearningNetwork], header: dict) -> tuple[LearningManifest, dict[str, np.ndarray]]:
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
        layers=tuple(
            _Layer(
                name=layer.name,
                neuron=_Neuron(**asdict(layer.neuron)),
                trace=_Trace(**asdict(layer.trace)),
                factor=None if net.library else _Factor(**asdict(layer.factor)),
                gates=_GateFactor(**asdict(layer.factor)) if net.library else None,
            )
            for layer in net.layers
        ),
        update=_Update(**asdict(net.update)),
    )
    return manifest, tensors


def _factor(layer: _Layer, library: bool) -> ThirdFactor | GateFactor:
    wanted, other = (layer.gates, layer.factor) if library else (layer.factor, layer.gates)
    if wanted is None or other is not None:
        raise ValueError(f"{layer.name} must have {'gates' if library else 'a factor'} alone")
    return (GateFactor if library else ThirdFactor)(**wanted.model_dump())


def unpack(m: LearningManifest, tensors: dict[str, np.ndarray]) -> Program[LearningNetwork]:
    """The inverse of pack, which takes its arrays out of `tensors`. Raises KeyError or ValueError where one is missing.

    Whether they fit one another is for learning_fit.check to say.
    """
    layers = tuple(
        LearningLayer(
            name=layer.name,
            weight=tensors.pop(f"layers.{i}.weight"),
            positive=tensors.pop(f"layers.{i}.positive"),
            neuron=Neuron(**layer.neuron.model_dump()),
            trace=OutputTrace(**layer.trace.model_dump()),
            factor=_factor(layer, m.update.eligibility == "gate"),
        )
        for i, layer in enumerate(m.layers)
    )
    network = LearningNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors.pop("label.codes"),
        label_phases=tensors.pop("label.phases"),
        layers=layers,
        update=UpdateRule(**m.update.model_dump()),
    )
    return Program(network, (), m.provenance)

"""The artifact's form of a LearningNetwork."""

from typing import Literal

import numpy as np

from ff2loihi.compilers.artifact.manifest import Header
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, Program, UpdateRule
from ff2loihi.compilers.ir.options import Strict
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GateFactor
from ff2loihi.processes.limits import Int


class _Layer(Strict):
    name: str
    neuron: Neuron
    trace: OutputTrace
    factor: ThirdFactor | None = None
    gates: GateFactor | None = None  # in place of factor where the update is "gate"


class LearningManifest(Header):
    """A LearningNetwork's JSON: everything but the arrays."""

    kind: Literal["learning"]
    pixels: Int
    input_code: Literal["pixels", "contrast"]
    input_factor: Int
    steps: Int
    window: Int
    layers: tuple[_Layer, ...]
    update: UpdateRule


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
                neuron=layer.neuron,
                trace=layer.trace,
                factor=layer.factor if isinstance(layer.factor, ThirdFactor) else None,
                gates=layer.factor if isinstance(layer.factor, GateFactor) else None,
            )
            for layer in net.layers
        ),
        update=net.update,
    )
    return manifest, tensors


def _factor(layer: _Layer, library: bool) -> ThirdFactor | GateFactor:
    wanted, other = (layer.gates, layer.factor) if library else (layer.factor, layer.gates)
    if wanted is None or other is not None:
        raise ValueError(f"{layer.name} must have {'gates' if library else 'a factor'} alone")
    return wanted


def unpack(m: LearningManifest, tensors: dict[str, np.ndarray]) -> Program[LearningNetwork]:
    """The inverse of pack, which takes its arrays out of `tensors`. Raises KeyError or ValueError where one is missing.

    Whether they fit one another is for learning_fit.check to say.
    """
    layers = tuple(
        LearningLayer(
            name=layer.name,
            weight=tensors.pop(f"layers.{i}.weight"),
            positive=tensors.pop(f"layers.{i}.positive"),
            neuron=layer.neuron,
            trace=layer.trace,
            factor=_factor(layer, m.update.eligibility == "gate"),
        )
        for i, layer in enumerate(m.layers)
    )
    network = LearningNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors.pop("label.codes"),
        label_phases=tensors.pop("label.phases"),
        layers=layers,
        update=m.update,
    )
    return Program(network, (), m.provenance)

"""The artifact's form of a LearningNetwork."""

from typing import Annotated, Literal

import numpy as np

from ff2loihi.compilers.artifact.manifest import Header
from ff2loihi.compilers.ir import Binning, LearningLayer, LearningNetwork, Program, UpdateRule
from ff2loihi.compilers.ir.options import WHERE_USED, Strict
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GateFactor
from ff2loihi.processes.limits import Int


class _Layer(Strict):
    name: str
    neuron: Neuron
    trace: OutputTrace
    factor: ThirdFactor | None = None
    gates: GateFactor | None = None  # in place of factor where the update is "gate"
    # Those that exist, where a mask says so: a bit a synapse, rows of whole bytes; 0: all of them.
    synapses: Annotated[Int, WHERE_USED] = 0


class LearningManifest(Header):
    """A LearningNetwork's JSON: everything but the arrays."""

    kind: Literal["learning"]
    pixels: Int
    input_code: Literal["pixels", "contrast", "events"]
    input_factor: Int
    steps: Int
    window: Int
    layers: tuple[_Layer, ...]
    update: UpdateRule
    events: Annotated[Binning | None, WHERE_USED] = None


_SCALARS = ("pixels", "input_code", "input_factor", "steps", "window", "events")


def pack(program: Program[LearningNetwork], header: dict) -> tuple[LearningManifest, dict[str, np.ndarray]]:
    """The manifest and the arrays of a program."""
    net = program.network
    tensors = {"label.codes": net.label_codes, "label.phases": net.label_phases}
    for index, layer in enumerate(net.layers):
        tensors[f"layers.{index}.weight"] = layer.weight
        tensors[f"layers.{index}.positive"] = layer.positive
        if layer.mask is not None:
            tensors[f"layers.{index}.mask"] = np.packbits(layer.mask, axis=1)
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
                synapses=0 if layer.mask is None else layer.synapses,
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


def _mask(layer: _Layer, packed: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.ndim != 2 or packed.dtype != np.uint8 or packed.shape != (len(weight), -(-weight.shape[1] // 8)):
        raise ValueError(f"{layer.name}: a mask {packed.shape} of {packed.dtype} for weights {weight.shape}")
    found = np.unpackbits(packed, axis=1, count=weight.shape[1]).astype(bool)
    if found.sum() != layer.synapses:
        raise ValueError(f"{layer.name}: {int(found.sum()):,} synapses in its mask, the manifest says {layer.synapses}")
    return found


def unpack(m: LearningManifest, tensors: dict[str, np.ndarray]) -> Program[LearningNetwork]:
    """The inverse of pack, which takes its arrays out of `tensors`. Raises KeyError or ValueError where one is missing.

    Whether they fit one another is for learning_fit.check to say.
    """
    weights = [tensors.pop(f"layers.{i}.weight") for i in range(len(m.layers))]
    layers = tuple(
        LearningLayer(
            name=layer.name,
            weight=weight,
            positive=tensors.pop(f"layers.{i}.positive"),
            neuron=layer.neuron,
            trace=layer.trace,
            factor=_factor(layer, m.update.eligibility == "gate"),
            mask=_mask(layer, tensors.pop(f"layers.{i}.mask"), weight) if layer.synapses else None,
        )
        for i, (layer, weight) in enumerate(zip(m.layers, weights, strict=True))
    )
    network = LearningNetwork(
        **{name: getattr(m, name) for name in _SCALARS},
        label_codes=tensors.pop("label.codes"),
        label_phases=tensors.pop("label.phases"),
        layers=layers,
        update=m.update,
    )
    return Program(network, (), m.provenance)

"""What people often leave out of a spec, or write the other way round: the networks that a checkpoint would be then."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.content import CODES, Checkpoint
from ff2loihi.compilers.frontend.network import build
from ff2loihi.compilers.frontend.spec import BESIDE, Spec
from ff2loihi.compilers.ir import Network


def readings(checkpoint: Checkpoint, pixels: np.ndarray) -> Iterator[tuple[str, Network]]:
    """Each other reading that makes a network: (what its spec says, the network). pixels: of images, 0..255."""
    mean, std = (float(value) for value in (pixels.mean() / 255, pixels.std() / 255))
    for text, spec in _readings(checkpoint, mean, std):
        with suppress(CheckpointError):  # as for a label's value max where each channel has a mean of its own
            yield text, build(replace(checkpoint, spec=spec))


def _readings(checkpoint: Checkpoint, mean: float, std: float) -> Iterator[tuple[str, Spec]]:
    """(What it says, the spec that says it.)"""
    spec, label = checkpoint.spec, checkpoint.spec.label
    plain = np.all(np.equal(spec.input.mean, 0)) and np.all(np.equal(spec.input.std, 1))
    codes = label.kind != "none" and label.value == 1 and label.background == 0
    if plain and std > 0:
        line, standardised = f"input: {{mean: {mean:.4f}, std: {std:.4f}}}", {"mean": mean, "std": std}
        yield line, _input(spec, standardised)
        if codes and spec.layers[0].conv is None:
            both = _label(_input(spec, standardised), value="max")
            yield f"{line} and label.value: max", both
            yield f"{line}, norm: l2, and label.value: max", _input(both, {"norm": "l2"})
    if not plain:
        yield "no input.mean and std", _input(spec, {"mean": 0.0, "std": 1.0})
        if codes:
            yield "label.value: max", _label(spec, value="max")
    norm = "l2" if spec.input.norm == "none" else "none"
    yield f"input.norm: {norm}", _input(spec, {"norm": norm})
    yield from _label_readings(checkpoint)
    yield from _layer_readings(checkpoint)


def _input(spec: Spec, changes: dict) -> Spec:
    return spec.model_copy(update={"input": spec.input.model_copy(update=changes)})


def _label(spec: Spec, **changes: object) -> Spec:
    return spec.model_copy(update={"label": spec.label.model_copy(update=changes)})


def _label_readings(checkpoint: Checkpoint) -> Iterator[tuple[str, Spec]]:
    """The label's other places and codes."""
    spec, label, n = checkpoint.spec, checkpoint.spec.label, checkpoint.tensors[CODES].shape[1]
    if label.kind in ("append", "prepend"):
        other = "prepend" if label.kind == "append" else "append"
        layers = tuple(
            layer.model_copy(update={"label": other}) if layer.label in BESIDE else layer for layer in spec.layers
        )
        text = f"label.kind: {other}" + (" and the same of each layer's label" if layers != spec.layers else "")
        yield text, _label(spec, kind=other).model_copy(update={"layers": layers})
    if label.kind == "overwrite" and label.pixels is None and n < spec.pixels:
        last = tuple(range(spec.pixels - n, spec.pixels))
        yield f"label.pixels: [{last[0]}, ..., {last[-1]}]", _label(spec, pixels=last)
    if label.kind != "none" and label.background == 0:
        yield "label.background: -1", _label(spec, background=-1.0)


def _layer_readings(checkpoint: Checkpoint) -> Iterator[tuple[str, Spec]]:
    """The other orientation of square layers, and another normalisation between layers."""
    spec = checkpoint.spec
    for index, layer in enumerate(spec.layers):
        if layer.conv is None and len(set(checkpoint.tensors[layer.weight].shape)) == 1:
            other = "in_out" if layer.orientation == "out_in" else "out_in"
            layers = list(spec.layers)
            layers[index] = layer.model_copy(update={"orientation": other})
            yield f"layers[{index}].orientation: {other}", spec.model_copy(update={"layers": tuple(layers)})
    if len(spec.layers) > 1:
        other = "l2" if spec.normalization == "none" else "none"
        yield f"normalization: {other}", spec.model_copy(update={"normalization": other})

"""The artifact `model.ffl`: one safetensors file whose metadata holds the manifest, hashed as a whole.

Same network and options, same bytes. The hash covers the manifest and every tensor, and is checked on reading.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import save

from ff2loihi.compilers.errors import ArtifactError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.ir import IntHead, IntLayer, IntNetwork, LayerLoss, NormTable, Program
from ff2loihi.compilers.spec import Probability

FORMAT, VERSION = "ff2loihi-artifact", 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Layer(_Strict):
    name: str
    weight_bits: int
    bias_exp: int
    shift: int
    top: int
    vth: int
    v0: int
    scale: float


class _Norm(_Strict):
    power: int
    shift: int
    top: int
    scale: float


class _Loss(_Strict):
    weight_sqnr_db: float
    clipped: float
    saturated: float
    activity_corr: float


class _Manifest(_Strict):
    """The artifact's JSON: everything but the arrays."""

    format: Literal["ff2loihi-artifact"]
    version: Literal[1]
    neuron: Literal["graded", "lif"]
    reset: Literal["soft", "hard"]
    steps: int
    pixels: int
    input_bits: int
    label_kind: Literal["append", "overwrite"]
    goodness: Literal["sum_squares", "mean_squares", "l2", "l1"]
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    deferred: bool
    readout: Literal["goodness", "softmax", "head"]
    readout_layers: tuple[int, ...]
    layers: tuple[_Layer, ...]
    norms: tuple[_Norm, ...]
    head_scales: tuple[float, ...] | None
    losses: tuple[_Loss, ...]
    provenance: dict
    sha256: str


def _digest(manifest: dict, tensors: dict[str, np.ndarray]) -> str:
    plain = {key: value for key, value in manifest.items() if key != "sha256"}
    total = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.data)
    return total.hexdigest()


def to_bytes(program: Program) -> tuple[bytes, str]:
    """The artifact's bytes and its hash."""
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
    plain = _Manifest(
        format=FORMAT,
        version=VERSION,
        **{name: getattr(net, name) for name in _SCALARS},
        layers=[_Layer(**{name: getattr(layer, name) for name in _Layer.model_fields}) for layer in net.layers],
        norms=[_Norm(**{name: getattr(norm, name) for name in _Norm.model_fields}) for norm in net.norms],
        head_scales=net.head.scales if net.head else None,
        losses=[asdict(loss) for loss in program.losses],
        provenance=program.provenance,
        sha256="",
    ).model_dump(mode="json")
    plain["sha256"] = _digest(plain, tensors)
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(tensors, metadata={"manifest": json.dumps(plain, sort_keys=True)}), plain["sha256"]


_SCALARS = (
    "neuron", "reset", "steps", "pixels", "input_bits", "label_kind", "goodness", "probability", "normalization",
    "deferred", "readout", "readout_layers",
)  # fmt: skip


def write(program: Program, path: Path) -> str:
    """Write the artifact, whole or not at all; returns its hash. Raises ArtifactError."""
    data, digest = to_bytes(program)
    write_atomic(path, data, ArtifactError)
    return digest


def read(path: Path) -> tuple[Program, str]:
    """Read and check an artifact; returns it with its hash. Raises ArtifactError."""
    if path.is_dir():
        raise ArtifactError(f"{path}: a folder, where an artifact (.ffl) is wanted")
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise ArtifactError(f"{path}: {failure.strerror}. Make one with: ff2loihi compile model.pt -o {path}") from None
    manifest, tensors = _parse(path, data)
    try:
        checked = TypeAdapter(_Manifest).validate_python(manifest)
        return _program(checked, tensors), checked.sha256
    except ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"{path}: manifest: {where}: {first['msg']}. Compile the model again") from None
    except (KeyError, ValueError, IndexError) as failure:
        raise ArtifactError(f"{path}: manifest and tensors do not agree: {failure}. Compile the model again") from None


def _parse(path: Path, data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    from safetensors.numpy import load

    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        manifest = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["manifest"])
    except (SafetensorError, KeyError, ValueError, TypeError) as failure:
        raise ArtifactError(
            f"{path}: not an ff2loihi artifact, or a damaged one ({failure or type(failure).__name__}). "
            f"Make one with: ff2loihi compile model.pt -o {path.name}"
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(f"{path}: a safetensors file, but not an ff2loihi artifact")
    if manifest.get("version") != VERSION:
        raise ArtifactError(
            f"{path}: artifact format version {manifest.get('version')}, this ff2loihi reads {VERSION}. "
            "Update ff2loihi, or compile the model again"
        )
    digest = _digest(manifest, tensors)
    if digest != manifest.get("sha256"):
        raise ArtifactError(
            f"{path}: the content's hash is {digest[:16]}..., the manifest says {str(manifest.get('sha256'))[:16]}...: "
            "the file was changed. Compile the model again"
        )
    return manifest, tensors


def _program(m: _Manifest, tensors: dict[str, np.ndarray]) -> Program:
    layers = tuple(
        IntLayer(
            weight=tensors[f"layers.{i}.weight"],
            bias=tensors[f"layers.{i}.bias"],
            positive=tensors[f"layers.{i}.positive"],
            **layer.model_dump(),
        )
        for i, layer in enumerate(m.layers)
    )
    head = None
    if m.head_scales is not None:
        weights = tuple(tensors[f"head.{i}.weight"] for i in range(len(m.head_scales)))
        head = IntHead(weights, m.head_scales, tensors["head.bias"])
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
    width = net.pixels + inputs if net.label_kind == "append" else net.pixels
    wanted = [("label.neutral", net.neutral, (inputs,)), ("phases", net.phases, (width,))]
    wanted.append(("label.codes", net.label_codes, (len(net.label_codes), inputs)))
    for layer in net.layers:
        n = len(layer.bias)
        wanted += [(f"{layer.name} weight", layer.weight, (n, width)), (f"{layer.name} sign", layer.positive, (n,))]
        width = n
    if net.head:
        for index, weight in zip(net.readout_layers, net.head.weights, strict=True):
            wanted.append((f"head {index}", weight, (net.classes, len(net.layers[index].bias))))
        wanted.append(("head.bias", net.head.bias, (net.classes,)))
    for name, array, shape in wanted:
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, {shape} is wanted")

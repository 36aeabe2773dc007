"""The artifact `model.ffl`: one safetensors file whose metadata holds the manifest, hashed as a whole.

Same network and options, same bytes. The hash covers the manifest and every tensor, and is checked on reading.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import save

from ff2loihi.compilers import inference_manifest, learning_manifest
from ff2loihi.compilers.errors import ArtifactError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.inference_manifest import InferenceManifest
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning_manifest import LearningManifest
from ff2loihi.compilers.manifest import FORMAT, VERSION

_Manifest = Annotated[InferenceManifest | LearningManifest, Field(discriminator="kind")]


def _digest(manifest: dict, tensors: dict[str, np.ndarray]) -> str:
    plain = {key: value for key, value in manifest.items() if key != "sha256"}
    total = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.data)
    return total.hexdigest()


def _form(network_or_manifest) -> object:
    learns = isinstance(network_or_manifest, LearningNetwork | LearningManifest)
    return learning_manifest if learns else inference_manifest


def pack(program: Program) -> tuple[dict, dict[str, np.ndarray]]:
    """The manifest, its hash in it, and the arrays."""
    header = {"format": FORMAT, "version": VERSION, "provenance": program.provenance, "sha256": ""}
    manifest, tensors = _form(program.network).pack(program, header)
    plain = manifest.model_dump(mode="json")
    plain["sha256"] = _digest(plain, tensors)
    return plain, {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def to_bytes(program: Program) -> tuple[bytes, str]:
    """The artifact's bytes and its hash."""
    plain, tensors = pack(program)
    return save(tensors, metadata={"manifest": json.dumps(plain, sort_keys=True)}), plain["sha256"]


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
        raise ArtifactError(f"{path}: {failure.strerror}. Make one with: ff2loihi compile MODEL.pt") from None
    return unpack(path, *_parse(path, data))


def unpack(path: Path, manifest: dict, tensors: dict[str, np.ndarray]) -> tuple[Program, str]:
    """The inverse of pack: the program and its hash. Raises ArtifactError, naming `path`, for what is no artifact's."""
    _check(path, manifest, tensors)
    try:
        checked = TypeAdapter(_Manifest).validate_python(manifest)
        return _form(checked).unpack(checked, tensors), checked.sha256
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
            f"Make one with: ff2loihi compile MODEL.pt"
        ) from None
    return manifest, tensors


def _check(path: Path, manifest: object, tensors: dict[str, np.ndarray]) -> None:
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

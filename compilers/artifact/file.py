"""The artifact `model.ffl`: one safetensors file whose metadata holds the manifest, hashed as a whole.

Same network and options, same bytes. The hash covers the manifest and every tensor, and is checked on reading; but
whoever writes a file can compute a hash. So whatever is read is held to the compiler's own rules, too.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ff2loihi.compilers.artifact import inference_manifest, learning_manifest
from ff2loihi.compilers.artifact.inference_manifest import InferenceManifest
from ff2loihi.compilers.artifact.learning_manifest import LearningManifest
from ff2loihi.compilers.artifact.manifest import FORMAT, READ, VERSION
from ff2loihi.compilers.errors import ArtifactError, CompileError, brief
from ff2loihi.compilers.files import read_bytes, write_atomic
from ff2loihi.compilers.formats import strict_json
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import AnyProgram, learns
from ff2loihi.compilers.learning import fit as learning_fit

RECIPE = "Make one with: ff2loihi compile MODEL.pt"
_Manifest = Annotated[InferenceManifest | LearningManifest, Field(discriminator="kind")]


def digest(manifest: dict, tensors: dict[str, np.ndarray]) -> str:
    """The hash of a manifest, but for its sha256, and of every tensor."""
    plain = {key: value for key, value in manifest.items() if key != "sha256"}
    total = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.data)
    return total.hexdigest()


def pack(program: AnyProgram) -> tuple[dict, dict[str, np.ndarray]]:
    """The manifest, its hash in it, and the arrays."""
    header = {"format": FORMAT, "version": VERSION, "provenance": program.provenance, "sha256": ""}
    manifest, tensors = (
        learning_manifest.pack(program, header) if learns(program) else inference_manifest.pack(program, header)
    )
    plain = manifest.model_dump(mode="json")
    plain["sha256"] = digest(plain, tensors)
    return plain, {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def to_bytes(program: AnyProgram) -> tuple[bytes, str]:
    """The artifact's bytes and its hash."""
    plain, tensors = pack(program)
    return save(tensors, metadata={"manifest": json.dumps(plain, sort_keys=True)}), plain["sha256"]


def write(program: AnyProgram, path: Path) -> str:
    """Write the artifact, whole or not at all; returns its hash. Raises ArtifactError."""
    data, sha256 = to_bytes(program)
    write_atomic(path, data, ArtifactError)
    return sha256


def read(path: Path) -> tuple[AnyProgram, str]:
    """Read and check an artifact; returns it with its hash. Raises ArtifactError."""
    data = read_bytes(path, ArtifactError, "an artifact (.ffl)", absent=f". {RECIPE}")
    return unpack(path, *_parse(path, data))


def unpack(path: Path, manifest: object, tensors: dict[str, np.ndarray]) -> tuple[AnyProgram, str]:
    """The inverse of pack: the program and its hash. Raises ArtifactError, naming `path`, for what is no artifact's.

    That is: a hash that is not the content's, a manifest of another form, arrays that are missing or too many, and
    everything with which the compiler would not have let the network pass.
    """
    _check(path, manifest, tensors)
    rest = dict(tensors)
    try:
        checked = TypeAdapter(_Manifest).validate_python(manifest)
        program = (
            learning_manifest.unpack(checked, rest)
            if isinstance(checked, LearningManifest)
            else inference_manifest.unpack(checked, rest)
        )
    except ValidationError as failure:
        raise ArtifactError(f"{path}: manifest: {strict_json.misfit(failure)}. Compile the model again") from None
    except KeyError as failure:
        raise ArtifactError(f"{path}: no tensor {failure}. Compile the model again") from None
    except ValueError as failure:
        raise ArtifactError(f"{path}: manifest and tensors do not agree: {failure}. Compile the model again") from None
    if rest:
        raise ArtifactError(f"{path}: a tensor {brief(min(rest))!r} that nothing refers to. Compile the model again")
    try:
        check(program)
    except CompileError as failure:
        raise ArtifactError(f"{path}: {failure}. Compile the model again") from None
    return program, checked.sha256


def check(program: AnyProgram) -> None:
    """Raise CompileError where the compiler would not have let the network pass."""
    if learns(program):
        learning_fit.check(program.network)
    else:
        arithmetic_rules.check(program.network)


def _parse(path: Path, data: bytes) -> tuple[object, dict[str, np.ndarray]]:
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        manifest = strict_json.loads(strict_json.loads_object(data[8 : 8 + size])["__metadata__"]["manifest"])
    except (SafetensorError, KeyError, ValueError, TypeError) as failure:
        raise ArtifactError(
            f"{path}: not an ff2loihi artifact, or a damaged one ({brief(failure, 100) or type(failure).__name__}). "
            f"{RECIPE}"
        ) from None
    return manifest, tensors


def _check(path: Path, manifest: object, tensors: dict[str, np.ndarray]) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(f"{path}: a safetensors file, but not an ff2loihi artifact")
    if manifest.get("version") not in READ:
        raise ArtifactError(
            f"{path}: artifact format version {brief(manifest.get('version'))}, this ff2loihi reads "
            f"{' and '.join(map(str, READ))}. "
            "Update ff2loihi, or compile the model again"
        )
    found = digest(manifest, tensors)
    if found != manifest.get("sha256"):
        raise ArtifactError(
            f"{path}: the content's hash is {found[:16]}..., the manifest says {str(manifest.get('sha256'))[:16]}...: "
            "the file was changed. Compile the model again"
        )

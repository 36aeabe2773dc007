"""A .pt file, with the spec inside it or beside it, becomes a Checkpoint. The only file here that imports torch.

Files are read with torch.load(weights_only=True) and nothing else: a pickle that would run code is refused.
"""

import difflib
import hashlib
import io
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ff2loihi.compilers.errors import CheckpointError, brief, shortened
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats import array_files, pickle_file
from ff2loihi.compilers.frontend import batch_norm
from ff2loihi.compilers.frontend.content import CODES, Checkpoint
from ff2loihi.compilers.frontend.spec import (
    CHECKPOINT_FORMAT,
    CHECKPOINT_VERSION,
    Spec,
    parse_spec,
    read_spec,
)

DEPTH = 32  # of dicts in each other
LONGEST = 1000  # characters of a key; of a longer one the beginning is its name
NAME = 100  # characters of a tensor's name, up to which it is compared with a misspelt one
KIND = "a checkpoint (.pt)"


def load_checkpoint(path: Path, spec_path: Path | None = None) -> Checkpoint:
    """Read a checkpoint of ours, or with `spec_path` any bare tensor or state_dict. Raises CheckpointError."""
    data, content = _read(path)
    spec, training = None, {}
    if _is_ours(content):
        version = content.get("version")
        if type(version) is not int or version != CHECKPOINT_VERSION:
            raise CheckpointError(
                f"{path}: checkpoint format version {shortened(version)}, "
                f"this ff2loihi reads {CHECKPOINT_VERSION}. Update ff2loihi"
            )
        tensors = _arrays(path, content.get("tensors"), len(data))
        training = _training(path, content.get("training", {}))
        spec = None if spec_path else parse_spec(content.get("spec"), f"{path}: its spec")
    else:
        tensors = _arrays(path, content, len(data))
    if spec_path:
        spec = read_spec(Path(spec_path))
    if spec is None:
        shapes = brief(", ".join(f"{shortened(name)} {array.shape}" for name, array in list(tensors.items())[:8]), 250)
        raise CheckpointError(
            f"{path}: not written by ff2loihi train, so it needs --spec spec.yaml, which says what its tensors mean "
            f"(README, 'A checkpoint from elsewhere'). It holds: {shapes}"
        )
    found = checkpoint_of(path, data, tensors, spec, Path(spec_path or path).parent, training)
    return replace(found, spec_apart=spec_path is not None)


def checkpoint_of(
    path: Path, data: bytes, tensors: dict[str, np.ndarray], spec: Spec, folder: Path, training: dict
) -> Checkpoint:
    """The checkpoint of a file's tensors and spec; label codes may lie in `folder`. Raises CheckpointError."""
    _keys_exist(path, spec, tensors)
    codes = _codes(spec, tensors, folder)
    for name, array in (tensors | {CODES: codes}).items():
        _finite(path, name, array)
    return Checkpoint(tensors | {CODES: codes}, spec, str(path), hashlib.sha256(data).hexdigest(), training)


def peek(path: Path) -> list[dict]:
    """Name, shape and dtype of every tensor in a checkpoint. Raises CheckpointError."""
    data, content = _read(path)
    found = _flatten(path, content.get("tensors") if _is_ours(content) else content, len(data))
    return [{"name": name, "shape": list(t.shape), "dtype": str(t.dtype).split(".")[1]} for name, t in found.items()]


def _is_ours(content: object) -> TypeGuard[dict]:
    said = content.get("format") if isinstance(content, dict) else None
    return isinstance(said, str) and said == CHECKPOINT_FORMAT


def _training(path: Path, facts: object) -> dict:
    """What the trainer wrote down, of which the data set's name and hash, and the epochs, are used."""
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path}: training must be a dict of facts, got {shortened(facts)}. Train it again")
    for name, kind in (("data", str), ("data_sha256", str), ("epochs", int)):
        if type(facts.get(name)) not in (kind, type(None)):
            raise CheckpointError(
                f"{path}: training.{name} must be of type {kind.__name__}, got {shortened(facts[name])}. Train it again"
            )
    return facts


def _read(path: Path) -> tuple[bytes, object]:
    import pickle

    import torch

    data = read_bytes(path, CheckpointError, KIND)
    if not data:
        raise CheckpointError(f"{path}: an empty file, where a checkpoint (.pt) is wanted. Save or copy it again")
    try:
        if data.startswith(b"PK"):  # torch.save's zip archive; its older form is a row of pickles
            array_files.check_stored(data)
        pickle_file.check_tuples(data)
    except ValueError as error:
        raise CheckpointError(f"{path}: not a torch checkpoint, or a damaged one ({error}). Save it again") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on old formats and sparse tensors
            return data, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"(?:GLOBAL|[Uu]nsupported class|function) (\S+)", str(error))
        if wanted:
            raise CheckpointError(
                f"{path}: refused, its pickle calls {brief(wanted[1])}: it could run code. "
                "Save tensors alone: torch.save(model.state_dict(), FILE)"
            ) from None
        raise CheckpointError(f"{path}: not a torch checkpoint, or a damaged one. Save or copy it again") from None
    except Exception as error:  # torch's readers raise many kinds on damaged bytes, and each means the same
        raise CheckpointError(
            f"{path}: not a torch checkpoint, or a truncated one ({type(error).__name__}). Save or copy it again"
        ) from None


def _flatten(path: Path, content: object, size: int) -> dict:
    """Tensors of a bare tensor or a nested dict, by dotted names; what is not a tensor is left out.

    size: the file's, in bytes. It has one at least for each value of a dict: where more are claimed, one dict stands
    for many, and to go through them may take for ever. Raises CheckpointError.
    """
    import torch

    found, left = {}, size

    def visit(value: object, prefix: str, depth: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise CheckpointError(
                f"{path}: its dicts hold more values than the file has bytes. Save a plain state_dict"
            )
        if isinstance(value, torch.Tensor):
            name = prefix or "."
            left -= len(name)
            if name in found:
                raise CheckpointError(f"{path}: two tensors have the name {shortened(name)}. Save them by other names")
            if value.is_nested:
                raise CheckpointError(f"{path}: tensor {shortened(name)} is nested: save it as dense tensors")
            found[name] = value
        elif isinstance(value, dict):
            if depth == DEPTH:
                raise CheckpointError(f"{path}: dicts within {DEPTH} others. Save a plain state_dict")
            for key, item in value.items():
                key = key if isinstance(key, str) and len(key) <= LONGEST else shortened(key)
                visit(item, f"{prefix}.{key}" if prefix else key, depth + 1)

    visit(content, "", 0)
    if not found:
        raise CheckpointError(f"{path}: holds no tensor. Save a tensor or a state_dict")
    return found


def _arrays(path: Path, content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of a file of that many bytes as float32 arrays, by name. Raises CheckpointError."""
    tensors = _flatten(path, content, size)
    for name, tensor in tensors.items():
        _check_dense(path, name, tensor)
    values = sum(tensor.numel() for tensor in tensors.values())
    if values > size:
        name = max(tensors, key=lambda name: tensors[name].numel())
        raise CheckpointError(
            f"{path}: {values:,} values in {size:,} bytes, most of them in tensor {shortened(name)} "
            f"{brief(tuple(tensors[name].shape))}: it repeats what it holds. Save tensor.clone()"
        )
    return {name: _array(path, name, tensor) for name, tensor in tensors.items()}


def _check_dense(path: Path, name: str, tensor) -> None:
    import torch

    kinds = {
        "a meta tensor, without values": tensor.is_meta,
        f"of layout {tensor.layout}": tensor.layout != torch.strided,
        "quantized": tensor.is_quantized,
        "complex": tensor.is_complex(),
    }
    odd = next((kind for kind, is_so in kinds.items() if is_so), None)
    if odd:
        raise CheckpointError(f"{path}: tensor {shortened(name)} is {odd}: save it as a dense tensor of floats")


def _array(path: Path, name: str, tensor) -> np.ndarray:
    import torch

    try:
        return tensor.detach().resolve_neg().to(torch.float32).numpy()
    except (RuntimeError, TypeError, ValueError) as error:  # of a dtype without a float, or too many dimensions
        raise CheckpointError(
            f"{path}: tensor {shortened(name)} of {tensor.dtype} is no array of floats ({brief(error)}). Save it as one"
        ) from None


def _keys_exist(path: Path, spec: Spec, tensors: dict) -> None:
    keys = [key for layer in spec.layers for key in (layer.weight, layer.bias) if key]
    norms = [layer.batch_norm for layer in spec.layers if layer.batch_norm]
    keys += [f"{norm}.{name}" for norm in norms for name in batch_norm.NEEDED]
    keys += [layer.polarity for layer in spec.layers if layer.polarity not in (None, "half")]
    keys += [spec.label.codes[4:]] if spec.label.codes.startswith("key:") else []
    if spec.readout.head:
        keys += [*spec.readout.head.weights, *([spec.readout.head.bias] if spec.readout.head.bias else [])]
    missing = [key for key in dict.fromkeys(keys) if key not in tensors]
    if missing:
        names = [name for name in tensors if len(name) < NAME][:1000]  # more would take long to compare
        close = [match for key in missing[:3] for match in difflib.get_close_matches(key[:NAME], names, n=1)]
        hint = f" Did you mean {', '.join(map(shortened, close))}?" if close else ""
        raise CheckpointError(
            f"{path}: no tensor {brief(', '.join(map(shortened, missing[:20])), 150)}; "
            f"it holds {brief(', '.join(map(shortened, list(tensors)[:20])), 150)}.{hint}"
        )


def _codes(spec: Spec, tensors: dict, folder: Path) -> np.ndarray:
    label = spec.label
    if label.kind == "none":
        return np.zeros((label.classes, 0), np.float32)
    if label.codes == "one_hot":
        return np.eye(label.classes, dtype=np.float32)
    if label.codes.startswith("key:"):
        return tensors[label.codes[4:]]
    file = folder / label.codes
    if file.suffix == ".npy":
        try:
            codes = array_files.from_npy(read_bytes(file, CheckpointError, "an array of label codes"))
        except ValueError as error:
            raise CheckpointError(f"{file}: label codes: {error}. Write them with numpy.save") from None
        if codes.dtype.kind not in "fiub":
            raise CheckpointError(f"{file}: label codes must be one array of numbers, as numpy.save writes it")
        return codes.astype(np.float32)
    if file.suffix == ".pt":
        data, content = _read(file)
        found = list(_arrays(file, content, len(data)).values())
        if len(found) != 1:
            raise CheckpointError(f"{file}: label codes: holds {len(found)} tensors, 1 is wanted")
        return found[0]
    raise CheckpointError(
        f"label.codes: must be one_hot, key:NAME, or a .npy or .pt file beside the spec, got {shortened(label.codes)}"
    )


def _finite(path: Path, name: str, array: np.ndarray) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
        raise CheckpointError(
            f"{path}: tensor {shortened(name)} holds {int(bad.sum()):,} NaN or infinite values, the first at {first}. "
            "Train it again"
        )

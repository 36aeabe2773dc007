"""A .pt file, with the spec inside it or beside it, becomes a Checkpoint. The only file here that imports torch.

Files are read with torch.load(weights_only=True) and nothing else: a pickle that would run code is refused.
"""

import difflib
import hashlib
import io
import re
import warnings
from pathlib import Path

import numpy as np

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.ir import CODES, Checkpoint
from ff2loihi.compilers.spec import CHECKPOINT_FORMAT, CHECKPOINT_VERSION, Spec, parse_spec, read_spec


def load_checkpoint(path: Path, spec_path: Path | None = None) -> Checkpoint:
    """Read a checkpoint of ours, or with `spec_path` any bare tensor or state_dict. Raises CheckpointError."""
    data, content = _read(path)
    spec, training = None, {}
    if isinstance(content, dict) and content.get("format") == CHECKPOINT_FORMAT:
        if content.get("version") != CHECKPOINT_VERSION:
            raise CheckpointError(
                f"{path}: checkpoint format version {content.get('version')}, "
                f"this ff2loihi reads {CHECKPOINT_VERSION}. Update ff2loihi"
            )
        tensors = _arrays(path, content.get("tensors"))
        training = content.get("training", {})
        spec = None if spec_path else parse_spec(content.get("spec"), f"{path}: its spec")
    else:
        tensors = _arrays(path, content)
    if spec_path:
        spec = read_spec(Path(spec_path))
    if spec is None:
        shapes = ", ".join(f"{name!r} {tuple(array.shape)}" for name, array in list(tensors.items())[:8])
        raise CheckpointError(
            f"{path}: not written by ff2loihi train, so it needs --spec spec.yaml, which says what its tensors mean "
            f"(README, 'A checkpoint from elsewhere'). It holds: {shapes}"
        )
    return described(path, data, tensors, spec, Path(spec_path).parent if spec_path else Path(path).parent, training)


def described(
    path: Path, data: bytes, tensors: dict[str, np.ndarray], spec: Spec, folder: Path, training: dict
) -> Checkpoint:
    """The checkpoint of a file's tensors and spec; label codes may lie in `folder`. Raises CheckpointError."""
    _keys_exist(path, spec, tensors)
    codes = _codes(path, spec, tensors, folder)
    for name, array in (tensors | {CODES: codes}).items():
        _finite(path, name, array)
    return Checkpoint(tensors | {CODES: codes}, spec, str(path), hashlib.sha256(data).hexdigest(), training)


def peek(path: Path) -> list[dict]:
    """Name, shape and dtype of every tensor in a checkpoint. Raises CheckpointError."""
    _, content = _read(path)
    ours = isinstance(content, dict) and content.get("format") == CHECKPOINT_FORMAT
    found = _flatten(content.get("tensors") if ours else content)
    if not found:
        raise CheckpointError(f"{path}: holds no tensor. Save a tensor or a state_dict")
    return [{"name": name, "shape": list(t.shape), "dtype": str(t.dtype).split(".")[1]} for name, t in found.items()]


def _read(path: Path) -> tuple[bytes, object]:
    import pickle

    import torch

    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path}: a folder, where a checkpoint (.pt) is wanted")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    if not data:
        raise CheckpointError(f"{path}: an empty file, where a checkpoint (.pt) is wanted. Save or copy it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on old formats and sparse tensors
            return data, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"(?:GLOBAL|[Uu]nsupported class|function) (\S+)", str(error))
        if wanted:
            raise CheckpointError(
                f"{path}: refused, its pickle calls {wanted[1]}: it could run code. "
                "Save tensors alone: torch.save(model.state_dict(), FILE)"
            ) from None
        raise CheckpointError(f"{path}: not a torch checkpoint, or a damaged one. Save or copy it again") from None
    except Exception as error:  # torch's readers raise many kinds on damaged bytes, and each means the same
        raise CheckpointError(
            f"{path}: not a torch checkpoint, or a truncated one ({type(error).__name__}). Save or copy it again"
        ) from None


def _flatten(content: object, prefix: str = "") -> dict:
    """Tensors of a bare tensor or a nested dict, by dotted names; what is not a tensor is left out."""
    import torch

    if isinstance(content, torch.Tensor):
        return {prefix or ".": content}
    if not isinstance(content, dict):
        return {}
    found = {}
    for key, value in content.items():
        found |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _arrays(path: Path, content: object) -> dict[str, np.ndarray]:
    tensors = _flatten(content)
    if not tensors:
        raise CheckpointError(f"{path}: holds no tensor. Save a tensor or a state_dict")
    return {name: _array(path, name, tensor) for name, tensor in tensors.items()}


def _array(path: Path, name: str, tensor) -> np.ndarray:
    import torch

    if tensor.is_sparse or tensor.is_quantized or tensor.is_complex() or tensor.layout != torch.strided:
        raise CheckpointError(f"{path}: tensor {name!r} is {tensor.dtype}, {tensor.layout}: save it as a dense float")
    return tensor.detach().to(torch.float32).numpy()


def _keys_exist(path: Path, spec: Spec, tensors: dict) -> None:
    keys = [key for layer in spec.layers for key in (layer.weight, layer.bias) if key]
    keys += [layer.polarity for layer in spec.layers if layer.polarity not in (None, "half")]
    keys += [spec.label.codes[4:]] if spec.label.codes.startswith("key:") else []
    if spec.readout.head:
        keys += [*spec.readout.head.weights, *([spec.readout.head.bias] if spec.readout.head.bias else [])]
    missing = [key for key in keys if key not in tensors]
    if missing:
        close = [match for key in missing for match in difflib.get_close_matches(key, tensors, n=1)]
        hint = f" Did you mean {', '.join(map(repr, close))}?" if close else ""
        raise CheckpointError(
            f"{path}: no tensor {', '.join(map(repr, missing))}; "
            f"it holds {', '.join(map(repr, list(tensors)[:20]))}.{hint}"
        )


def _codes(path: Path, spec: Spec, tensors: dict, folder: Path) -> np.ndarray:
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
            codes = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CheckpointError(f"{file}: label codes: {' '.join(str(error).split())[:120]}") from None
        if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "fiub":
            raise CheckpointError(f"{file}: label codes must be one array of numbers, as numpy.save writes it")
        return codes.astype(np.float32)
    if file.suffix == ".pt":
        found = list(_arrays(file, _read(file)[1]).values())
        if len(found) != 1:
            raise CheckpointError(f"{file}: label codes: holds {len(found)} tensors, 1 is wanted")
        return found[0]
    raise CheckpointError(
        f"label.codes: must be one_hot, key:NAME, or a .npy or .pt file beside the spec, got {label.codes!r}"
    )


def _finite(path: Path, name: str, array: np.ndarray) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise CheckpointError(
            f"{path}: tensor {name!r} holds {int(bad.sum()):,} NaN or infinite values, the first at {first}. "
            "Train it again"
        )

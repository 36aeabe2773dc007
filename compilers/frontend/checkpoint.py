"""A file of tensors, with the spec inside it or beside it, or a live net with one, becomes a Checkpoint."""

import difflib
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ff2loihi.compilers.errors import CheckpointError, brief, shortened
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats import array_files
from ff2loihi.compilers.frontend import batch_norm
from ff2loihi.compilers.frontend import tensors as tensor_files
from ff2loihi.compilers.frontend.content import CODES, Checkpoint
from ff2loihi.compilers.frontend.spec import (
    BESIDE,
    CHECKPOINT_FORMAT,
    CHECKPOINT_VERSION,
    Spec,
    parse_spec,
    read_spec,
)

NAME = 100  # characters of a tensor's name, up to which it is compared with a misspelt one
GivenSpec = Path | str | dict  # the file of a spec, or what one holds


def load_checkpoint(path: Path, spec: GivenSpec | None = None) -> Checkpoint:
    """Read a checkpoint of ours, or with `spec` any file of tensors. Raises CheckpointError."""
    content = tensor_files.read(path)
    if not _is_ours(content.tree):
        arrays = tensor_files.arrays(path, content.tree, content.size)
        if spec is None:
            raise CheckpointError(
                f"{path}: not written by ff2loihi train, so it needs --spec spec.yaml, which says what its tensors "
                f"mean, and `ff2loihi spec {path}` drafts (docs/guides/foreign-checkpoints.md). It holds: "
                f"{_shapes(arrays)}"
            )
        return _apart(path, content.data, arrays, spec, path.parent)
    version = content.tree.get("version")
    if type(version) is not int or version != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{path}: checkpoint format version {shortened(version)}, "
            f"this ff2loihi reads {CHECKPOINT_VERSION}. Update ff2loihi"
        )
    arrays = tensor_files.arrays(path, content.tree.get("tensors"), content.size)
    training = _training(path, content.tree.get("training", {}))
    if spec is not None:
        return _apart(path, content.data, arrays, spec, path.parent, training)
    own = parse_spec(content.tree.get("spec"), f"{path}: its spec")
    return checkpoint_of(path, content.data, arrays, own, path.parent, training)


def live_checkpoint(net: object, spec: GivenSpec | None) -> Checkpoint:
    """A live nn.Module, or its state_dict, with a spec; its hash is that of its tensors as safetensors.

    Raises CheckpointError.
    """
    content, name = tensor_files.of_live(net), Path(type(net).__name__)
    arrays = tensor_files.arrays(name, content.tree, content.size)
    if spec is None:
        raise CheckpointError(
            f"{name}: a live net needs spec=, a dict or the path of a spec.yaml, which says what its tensors mean: "
            f"ff2loihi.spec(net) drafts one. It holds: {_shapes(arrays)}"
        )
    return _apart(name, content.data, arrays, spec, Path())


def _apart(
    path: Path, data: bytes, arrays: dict[str, np.ndarray], spec: GivenSpec, folder: Path, training: dict | None = None
) -> Checkpoint:
    """The checkpoint with a spec that somebody gave; label codes lie beside its file, or in `folder`."""
    file = {}
    if isinstance(spec, dict):
        parsed = parse_spec(spec, "spec")
    else:
        parsed, file, folder = read_spec(Path(spec)), spec_file(Path(spec)), Path(spec).parent
    return replace(checkpoint_of(path, data, arrays, parsed, folder, training or {}), spec_apart=True, spec_file=file)


def _shapes(arrays: dict[str, np.ndarray]) -> str:
    return brief(", ".join(f"{shortened(name)} {array.shape}" for name, array in list(arrays.items())[:8]), 250)


def checkpoint_of(
    path: Path, data: bytes, tensors: dict[str, np.ndarray], spec: Spec, folder: Path, training: dict
) -> Checkpoint:
    """The checkpoint of a file's tensors and spec; label codes may lie in `folder`. Raises CheckpointError."""
    tensors = _with_keys(path, spec, tensors)
    codes = _codes(spec, tensors, folder)
    for name, array in (tensors | {CODES: codes}).items():
        _finite(path, name, array)
    return Checkpoint(tensors | {CODES: codes}, spec, str(path), hashlib.sha256(data).hexdigest(), training)


def spec_file(path: Path) -> dict[str, str]:
    """Its name and sha256, by which it is known again. Raises CheckpointError."""
    return {"name": path.name, "sha256": file_sha256(path)}


def file_sha256(path: Path) -> str:
    """The hash of a checkpoint's file, or of its spec's. Raises CheckpointError."""
    return hashlib.sha256(read_bytes(path, CheckpointError, "a checkpoint or its spec")).hexdigest()


def peek(path: Path) -> list[dict]:
    """Name, shape and dtype of every tensor in a checkpoint. Raises CheckpointError."""
    content = tensor_files.read(path)
    return tensor_files.listed(path, content, content.tree.get("tensors") if _is_ours(content.tree) else content.tree)


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Of the tensors in a file that ff2loihi did not write, by name. Raises CheckpointError."""
    content = tensor_files.read(path)
    if _is_ours(content.tree):
        raise CheckpointError(f"{path}: written by ff2loihi train, its spec is inside. Use: ff2loihi compile {path}")
    return tensor_files.shapes(path, content)


def live_shapes(net: object) -> dict[str, tuple[int, ...]]:
    """The same of a live net. Raises CheckpointError."""
    return tensor_files.shapes(Path(type(net).__name__), tensor_files.of_live(net))


def _is_ours(content: object) -> TypeGuard[dict]:
    said = content.get("format") if isinstance(content, dict) else None
    return isinstance(said, str) and said == CHECKPOINT_FORMAT


def _training(path: Path, facts: object) -> dict:
    """What the trainer wrote down, of which the data set's name and hash, the epochs and the fields are used."""
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path}: training must be a dict of facts, got {shortened(facts)}. Train it again")
    for name, kind in (("data", str), ("data_sha256", str), ("epochs", int), ("field", list)):
        if type(facts.get(name)) not in (kind, type(None)):
            raise CheckpointError(
                f"{path}: training.{name} must be of type {kind.__name__}, got {shortened(facts[name])}. Train it again"
            )
    return facts


def _with_keys(path: Path, spec: Spec, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors, by the names that the spec has for them: those below `model`, say, where all its keys stand there.

    Raises CheckpointError for keys that are not there.
    """
    keys = [key for layer in spec.layers for key in (layer.weight, layer.bias, layer.label_bias) if key]
    keys += [layer.label for layer in spec.layers if layer.label and layer.label not in BESIDE]
    norms = [layer.batch_norm for layer in spec.layers if layer.batch_norm]
    keys += [f"{norm}.{name}" for norm in norms for name in batch_norm.NEEDED]
    keys += [layer.polarity for layer in spec.layers if layer.polarity not in (None, "half")]
    keys += [spec.label.codes[4:]] if spec.label.codes.startswith("key:") else []
    if spec.readout.head:
        keys += [*spec.readout.head.weights, *spec.readout.head.biases]
    missing = [key for key in dict.fromkeys(keys) if key not in tensors]
    if not missing:
        return tensors
    above = [name.removesuffix(keys[0]) for name in tensors if name.endswith(f".{keys[0]}")]
    above = [prefix for prefix in above if all(prefix + key in tensors for key in keys)]
    if len(above) == 1:
        return {name.removeprefix(above[0]): array for name, array in tensors.items() if name.startswith(above[0])}
    if above:
        raise CheckpointError(
            f"{path}: {shortened(keys[0])} stands below {brief(', '.join(map(shortened, above)), 150)}: "
            "give the spec's keys in full"
        )
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
        content = tensor_files.read(file)
        found = list(tensor_files.arrays(file, content.tree, content.size).values())
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

"""The tensors of a file, or of a live net, by name: torch's .pt, safetensors, .npz, .npy, ONNX. Imports torch.

Pickles are read with torch.load(weights_only=True) and nothing else: one that would run code is refused. Lists, tuples
and dicts in each other give dotted names: 0.weight, model.layers.0.bias; a bare tensor's name is ".".
"""

import io
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ff2loihi.compilers.errors import CheckpointError, brief, shortened
from ff2loihi.compilers.files import LIMIT, read_bytes
from ff2loihi.compilers.formats import array_files, foreign, onnx_file, pickle_file
from ff2loihi.compilers.frontend.guess import natural

DEPTH = 32  # of dicts and lists in each other
LONGEST = 1000  # characters of a key; of a longer one the beginning is its name
KIND = "a checkpoint (.pt)"
STARTED = b'{"__metadata__":{'  # of the header of a safetensors file of ours
OURS = {
    b'"manifest":': "an ff2loihi artifact, so compiled already. Use: ff2loihi run",
    b'"run":': "the state of an unfinished run. Use: ff2loihi learn --resume",
    b'"sha256":': "the state of an unfinished run. Use: ff2loihi learn --resume",
}


class Content(NamedTuple):
    """What a file holds. data: its bytes; tree: a tensor, or dicts and lists of tensors; size: bytes of all that."""

    data: bytes
    tree: object
    size: int


def read(path: Path) -> Content:
    """Read a file, whatever its name, by its content. Raises CheckpointError."""
    data = read_bytes(path, CheckpointError, KIND)
    if not data:
        raise CheckpointError(f"{path}: an empty file, where a checkpoint (.pt) is wanted. Save or copy it again")
    if _is_npz(data) or data.startswith(b"\x93NUMPY"):
        return _from_arrays(path, data)
    if data[5:9] == b"\0\0\0{":  # a header of less than 2^40 bytes
        return Content(data, _from_safetensors(path, data), len(data))
    if foreign.is_onnx(data):
        return _from_onnx(path, data)
    return Content(data, _from_torch(path, data), len(data))


def _is_npz(data: bytes) -> bool:
    """Whether it is a zip archive whose first entry is an array; torch's is a pickle."""
    first = data[30 : 30 + int.from_bytes(data[26:28], "little")]
    return data.startswith(b"PK\x03\x04") and first.endswith(b".npy")


def of_live(net: object) -> Content:
    """The tensors of an nn.Module, of its state_dict, or of anything that holds tensors as a file may."""
    import torch
    from safetensors.numpy import save

    where = Path(type(net).__name__)
    tree = net.state_dict() if isinstance(net, torch.nn.Module) else net
    found = {name: np.array(array) for name, array in arrays(where, tree, LIMIT).items()}  # not the net's own memory
    return Content(save(found), {name: torch.from_numpy(array) for name, array in found.items()}, LIMIT)


def _from_arrays(path: Path, data: bytes) -> Content:
    """Arrays of numbers as tensors; others are left out, as in a .pt. Raises CheckpointError."""
    try:
        found = array_files.from_npz(data) if data.startswith(b"PK") else {".": array_files.from_npy(data)}
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}. Save it again: numpy.savez(FILE, **arrays)") from None
    if "manifest" in found and found["manifest"].dtype.kind == "U":
        raise CheckpointError(f"{path}: golden vectors, or a recording, no checkpoint. Use: ff2loihi diff-golden")
    return _of_arrays(path, data, found)


def _from_onnx(path: Path, data: bytes) -> Content:
    """Raises CheckpointError."""
    try:
        found = onnx_file.from_onnx(data)
    except ImportError:
        raise CheckpointError(f"{path}: not a torch checkpoint but {foreign.what(data)}") from None
    except ValueError as error:
        text = f"not a torch checkpoint but an ONNX model that cannot be read ({error})"
        raise CheckpointError(f"{path}: {text}") from None
    return _of_arrays(path, data, found)


def _of_arrays(path: Path, data: bytes, found: dict[str, np.ndarray]) -> Content:
    import torch

    tensors = {}
    for name, array in found.items():
        if array.dtype.kind in "fiubc":
            try:
                tensors[name] = torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))
            except TypeError:
                raise CheckpointError(
                    f"{path}: array {shortened(name)} of {array.dtype}, which torch has not. Save it as float32"
                ) from None
    return Content(data, tensors, max(len(data), sum(array.nbytes for array in found.values())))


def _from_safetensors(path: Path, data: bytes) -> object:
    from safetensors.torch import load

    about = data[8:100].removeprefix(STARTED)
    ours = next((text for start, text in OURS.items() if about.startswith(start)), None)
    if ours:
        raise CheckpointError(f"{path}: {ours}")
    try:
        found = load(data)  # in an order of its own, another one in each process
        return dict(sorted(found.items(), key=lambda item: natural(item[0])))
    except KeyError as error:
        raise CheckpointError(f"{path}: holds values of type {brief(error)}. Save them as float32") from None
    except Exception as error:  # safetensors raises its own error, and others
        raise CheckpointError(
            f"{path}: not safetensors, or a damaged file ({brief(error, 100) or type(error).__name__}). Save it again"
        ) from None


def _from_torch(path: Path, data: bytes) -> object:
    import pickle

    import torch

    try:
        other = foreign.what(data)
        if other is None and data.startswith(b"PK"):  # torch.save's zip archive; its older form is a row of pickles
            array_files.check_stored(data)
        if other is None or data.startswith(b"\x80"):
            pickle_file.check_tuples(data)
    except ValueError as error:
        raise CheckpointError(f"{path}: not a torch checkpoint, or a damaged one ({error}). Save it again") from None
    if other:
        raise CheckpointError(f"{path}: not a torch checkpoint but {other}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on old formats and sparse tensors
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
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


def listed(path: Path, content: Content, tree: object) -> list[dict]:
    """Name, shape and dtype of every tensor in `tree`, a part of that file's. Raises CheckpointError."""
    found = _flatten(path, tree, content.size)
    return [{"name": name, "shape": list(t.shape), "dtype": str(t.dtype).split(".")[1]} for name, t in found.items()]


def shapes(path: Path, content: Content) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, by name. Raises CheckpointError."""
    return {name: tuple(tensor.shape) for name, tensor in _flatten(path, content.tree, content.size).items()}


def _flatten(path: Path, tree: object, size: int) -> dict:
    """Tensors of a bare tensor, or of dicts and lists, by dotted names; what is not a tensor is left out.

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
            if torch.nn.parameter.is_lazy(value):
                raise CheckpointError(
                    f"{path}: tensor {shortened(name)} has no values and no shape yet, as in LazyLinear. Let the net "
                    "see an image first"
                )
            if value.is_nested:
                raise CheckpointError(f"{path}: tensor {shortened(name)} is nested: save it as dense tensors")
            found[name] = value
        elif isinstance(value, dict | list | tuple):
            if depth == DEPTH:
                raise CheckpointError(f"{path}: dicts within {DEPTH} others. Save a plain state_dict")
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                key = key if isinstance(key, str) and len(key) <= LONGEST else shortened(key)
                visit(item, f"{prefix}.{key}" if prefix else key, depth + 1)

    visit(tree, "", 0)
    if not found:
        raise CheckpointError(f"{path}: holds no tensor. Save a tensor or a state_dict")
    return found


def arrays(path: Path, tree: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of a file of that many bytes as float32 arrays, by name. Raises CheckpointError."""
    tensors = _flatten(path, tree, size)
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
        return tensor.detach().resolve_neg().to("cpu", torch.float32).numpy()
    except (RuntimeError, TypeError, ValueError) as error:  # of a dtype without a float, or too many dimensions
        raise CheckpointError(
            f"{path}: tensor {shortened(name)} of {tensor.dtype} is no array of floats ({brief(error)}). Save it as one"
        ) from None

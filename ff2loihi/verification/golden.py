"""Golden vectors: what the emulator computes on some samples, every state at every step, to hold a recording against.

One .npz file; its `manifest` says in JSON which artifact it is of and each array's axes and SHA-256. A recording of a
board is such a file too, with those of the arrays that the board shows.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from ff2loihi.backends.base import SampleProgress
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.emulator.library_learner import LibraryLearner
from ff2loihi.backends.presentations import pairs
from ff2loihi.backends.select import emulator_learner
from ff2loihi.choices import GOLDEN_FILE
from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.files import read_bytes, write_atomic
from ff2loihi.compilers.formats import array_files, strict_json
from ff2loihi.compilers.ir import AnyProgram, LearningNetwork, learns
from ff2loihi.data.datasets import Dataset
from ff2loihi.processes.library_rule import SLOTS
from ff2loihi.verification.equality import EqualityReport, Variable
from ff2loihi.verification.learning_equality import LIBRARY_VECTORS, VECTORS

GOLDEN, RECORDING, VERSION = "ff2loihi-golden", "ff2loihi-recording", 1
FILE = GOLDEN_FILE
LEARNING_FILE = "golden-learning.npz"  # beside FILE, of a network that classifies on a board and would learn there
SHIFTS = (-3, -2, -1, 1, 2, 3)  # steps by which a recording may be late as a whole
INFERENCE, PRESENTED = ("sample", "label", "step", "neuron"), ("presentation", "step", "neuron", "input")
LOGICAL = "logical step"  # of SLOTS steps
LIBRARY = {
    "units": ("presentation", "step", "thermometer", "unit"),
    "weights": ("presentation", LOGICAL, "neuron", "input"),
    "learned": ("presentation", "neuron", "input"),
}
SPACE = ("neuron", "input", "thermometer", "unit")  # axes that are no time
REQUIRED = ("s", "h", "z", "learned")  # states that a recording must have of each layer: without them it shows nothing


@dataclass(frozen=True)
class Vectors:
    """arrays: name -> integers, in the order of the network; axes: name -> the names of their axes."""

    artifact: str
    arrays: dict[str, np.ndarray]
    axes: dict[str, tuple[str, ...]]


def golden(program: AnyProgram, artifact: str, data: Dataset, progress: SampleProgress | None = None) -> Vectors:
    """Every state of `data` on the emulator, under every label; a network that learns is shown it, and learns.

    lif: a, u, v, s, r; graded: a, h, y; of a layer that is pooled `unpooled`, too, the spikes or payloads before its
    pool; with the inputs (samples, pixels) and predictions. Learning: each sample right, then wrong; v, z, r, y2, y3,
    a, weights and tags, with rates, starts, labels and phases of the presentations; of events the rates are their
    packed spikes, and there are no starts.
    Library neurons: v, z, r, gate, a and units at each time step, weights after each logical step, and `learned`, the
    weights after each presentation.
    """
    if learns(program):
        return _learning(program.network, artifact, data, progress)
    return classification(program, artifact, data, progress)


def classification(
    program: AnyProgram, artifact: str, data: Dataset, progress: SampleProgress | None = None
) -> Vectors:
    """`golden` of what only classifies: of a network that learns a, v, s, r under every label, nothing learned."""
    trace = Emulator().run(program, data.images, states=True, progress=progress)
    arrays: dict[str, np.ndarray] = {"inputs": data.images}
    axes: dict[str, tuple[str, ...]] = {"inputs": ("sample", "pixel")}
    for layer in program.network.layers:
        for name in ("a", "u", "v", "unpooled", "s", "r", "h", "y"):
            values = trace.states.get(f"{layer.name}.{name}")
            if name == "s" and values is None and f"{layer.name}.r" in trace.states:
                values = np.diff(trace.states[f"{layer.name}.r"], axis=2, prepend=0)
            if values is not None:
                arrays[f"{layer.name}.{name}"] = values.astype(np.int32)
                axes[f"{layer.name}.{name}"] = INFERENCE if values.ndim == 4 else (*INFERENCE[:2], INFERENCE[3])
    arrays["predictions"], axes["predictions"] = trace.predictions.astype(np.int32), ("sample",)
    return Vectors(artifact, arrays, axes)


def _learning(network: LearningNetwork, artifact: str, data: Dataset, progress: SampleProgress | None) -> Vectors:
    presentations, learner = pairs(network, data), emulator_learner(network, record=True)
    rows: dict[str, list[np.ndarray]] = {}
    for number, one in enumerate(presentations):
        learner.show(one.q, one.starts)
        learner.present(one.label, one.phase)
        for name, values in _library_states(learner) if isinstance(learner, LibraryLearner) else _states(learner):
            rows.setdefault(name, []).append(values)
        if progress:
            progress(number + 1, len(presentations))
    arrays = {
        "rates": np.stack([one.q for one in presentations]).astype(np.int32),
        **({} if network.events else {"starts": np.stack([one.starts for one in presentations]).astype(np.int32)}),
        "labels": np.array([one.label for one in presentations], np.int32),
        "phases": np.array([one.phase for one in presentations], np.int32),
    }
    axes = {name: ("presentation", "pixel")[: array.ndim] for name, array in arrays.items()}
    for name, values in rows.items():
        arrays[name] = np.stack(values)
        own = LIBRARY.get(name.rpartition(".")[2]) if network.library else None
        axes[name] = own or PRESENTED[: arrays[name].ndim]
    return Vectors(artifact, arrays, axes)


def _states(learner: Learner) -> Iterator[tuple[str, np.ndarray]]:
    """(name, values) of every state of the last presentation."""
    network = learner.network
    for index, layer in enumerate(network.layers):
        for name, column, late in VECTORS:
            states = learner.states[index][late : late + network.steps, column]
            yield f"{layer.name}.{name}", states.astype(np.int32)
        for place, name in enumerate(("weights", "tags")[: 2 if learner.tags else 1]):
            yield f"{layer.name}.{name}", learner.matrices[index][place].transpose(0, 2, 1).astype(np.int16)


def _library_states(learner: LibraryLearner) -> Iterator[tuple[str, np.ndarray]]:
    name = learner.network.layers[0].name
    for column, variable in enumerate(LIBRARY_VECTORS):
        yield f"{name}.{variable}", learner.states[:, column].astype(np.int32)
    yield f"{name}.units", learner.units.astype(np.int32)
    yield f"{name}.weights", learner.matrices.transpose(0, 2, 1).copy()
    yield f"{name}.learned", learner.weights[0]


def write(vectors: Vectors, path: Path, kind: str = GOLDEN) -> None:
    """Write the file, whole or not at all. Raises DataError."""
    facts = {"format": kind, "version": VERSION, "artifact": vectors.artifact}
    facts["arrays"] = {
        name: {"axes": vectors.axes[name], "sha256": _digest(array)} for name, array in vectors.arrays.items()
    }
    arrays: dict[str, Any] = {"manifest": np.array(json.dumps(facts)), **vectors.arrays}
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    write_atomic(path, target.getvalue(), DataError)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(f"{array.dtype.str} {array.shape}".encode() + np.ascontiguousarray(array).data).hexdigest()


class _Array(BaseModel):
    axes: tuple[str, ...] = ()
    sha256: str | None = None


class _Facts(BaseModel):
    """The manifest. A recording that a board's machine wrote describes no arrays."""

    artifact: str
    arrays: dict[str, _Array] = {}


def read(path: Path, kind: str) -> Vectors:
    """Read golden vectors, whose hashes are checked, or a recording. Raises DataError."""
    what = "golden vectors" if kind == GOLDEN else "a recording"
    data = read_bytes(path, DataError, what)
    try:
        arrays = array_files.from_npz(data)
        said = strict_json.loads(str(arrays.pop("manifest")))
    except KeyError:
        raise DataError(f"{path}: not {what}: it holds no 'manifest'. Record or export again") from None
    except ValueError as error:
        raise DataError(f"{path}: not {what}, or a truncated file ({brief(error)}). Record or export again") from None
    found = (said.get("format"), said.get("version")) if isinstance(said, dict) else (None, None)
    if found != (kind, VERSION):
        raise DataError(
            f"{path}: not {what} of version {VERSION}: its manifest says {brief(found[0])}, version {brief(found[1])}, "
            f"{kind} is wanted"
        )
    try:
        facts = _Facts.model_validate(said)
    except ValidationError as failure:
        raise DataError(f"{path}: manifest: {strict_json.misfit(failure)}. Record or export again") from None
    for name, array in arrays.items():
        if array.dtype.kind not in "biu":
            raise DataError(f"{path}: {brief(name)} holds {array.dtype}, whole numbers are wanted. Record again")
    if kind == GOLDEN:
        _check_golden(path, facts, arrays)
    axes = {name: facts.arrays[name].axes if name in facts.arrays else () for name in arrays}
    return Vectors(facts.artifact, arrays, axes)


def _check_golden(path: Path, facts: _Facts, arrays: dict[str, np.ndarray]) -> None:
    """Raise DataError where the arrays are not those of the manifest."""
    missing = sorted(set(arrays) ^ set(facts.arrays))
    if missing or not arrays:
        raise DataError(
            f"{path}: {brief(missing[0]) if missing else 'every array'} was taken out or added. Export again"
        )
    for name, array in arrays.items():
        if facts.arrays[name].sha256 != _digest(array):
            raise DataError(f"{path}: {brief(name)} was changed: its hash is not the manifest's. Export again")
        if array.ndim != len(facts.arrays[name].axes) or not array.size:
            raise DataError(f"{path}: {brief(name)} of shape {array.shape} has {len(facts.arrays[name].axes)} axes")


def compare(wanted: Vectors, found: Vectors, where: str) -> EqualityReport:
    """The recorded states against the golden ones, those that differ first in time ahead. Raises DataError.

    where: the recording's name. A recording of another artifact, of other samples, or without what its layers showed
    (REQUIRED; of our own neurons that learn, the weights) is refused: it could only agree.
    """
    if found.artifact != wanted.artifact:
        raise DataError(
            f"{where}: recorded from artifact {found.artifact[:16]}, the golden vectors are of {wanted.artifact[:16]}"
        )
    common = [name for name in wanted.arrays if name in found.arrays]
    needed = _required_states(wanted)
    if not needed:
        raise DataError("the golden vectors hold no layer's states: nothing to compare. Export again")
    missing = [name for name in needed if name not in found.arrays]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise DataError(
            f"{where}: holds no {', '.join(brief(name) for name in missing[:4])}{more}, without which nothing is "
            "compared. Record what every layer sends"
        )
    ranked = []
    for name in common:
        golden_array, recorded = wanted.arrays[name], found.arrays[name]
        if golden_array.shape != recorded.shape:
            raise DataError(
                f"{where}: {name} has shape {recorded.shape}, the golden one {golden_array.shape} "
                f"({', '.join(wanted.axes[name])}): the recording is truncated, of other samples, or of "
                "another of the folder's golden files"
            )
        ranked.append(_variable(name, wanted.axes[name], golden_array, recorded))
    ranked.sort(key=lambda pair: pair[0])
    return EqualityReport(
        left="golden",
        right=where,
        samples=len(wanted.arrays[common[0]]),
        equal=not any(variable.differing for _, variable in ranked),
        variables=tuple(variable for _, variable in ranked),
    )


def _required_states(wanted: Vectors) -> list[str]:
    """The states that a recording must have."""
    last = {name: name.rpartition(".")[2] for name in wanted.arrays}
    required = REQUIRED if "learned" in last.values() else (*REQUIRED, "weights")
    return [name for name, state in last.items() if state in required and state != name]


def _variable(name: str, axes: tuple[str, ...], a: np.ndarray, b: np.ndarray) -> tuple[tuple, Variable]:
    """(where it differs first in time: samples and steps before neurons; inf where it does not, Variable)."""
    different = a != b
    if not different.any():
        return (np.inf,), Variable(name, a.size, int(np.count_nonzero(a)), 0, None)
    at = tuple(int(i) for i in np.argwhere(different)[0])
    place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, at, strict=True))
    text = f"[{place}]: golden {a[at]}, recorded {b[at]}"
    late = _late(a, b, axes)
    if late:
        text += f"; the recording is the golden one {abs(late)} steps too {'late' if late > 0 else 'early'}"
    return _clock(name, axes, at), Variable(name, a.size, int(np.count_nonzero(a)), int(different.sum()), text)


def _clock(name: str, axes: tuple[str, ...], at: tuple[int, ...]) -> tuple:
    """When a value was so: its sample or presentation, label, step; a logical step's weights are its last step's."""
    clock = [SLOTS * i + SLOTS - 1 if axis == LOGICAL else i for axis, i in zip(axes, at, strict=True)
             if axis not in SPACE]  # fmt: skip
    return (*clock, np.inf) if name.endswith(".learned") else tuple(clock)


def _late(a: np.ndarray, b: np.ndarray, axes: tuple[str, ...]) -> int:
    """By how many steps b is a moved, 0 where it is not."""
    if "step" not in axes or not a.any():
        return 0
    axis = axes.index("step")
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    for shift in SHIFTS:
        early, late = (a, b) if shift > 0 else (b, a)
        if len(a) > abs(shift) and np.array_equal(early[: -abs(shift)], late[abs(shift) :]):
            return shift
    return 0

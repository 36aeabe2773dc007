"""A run's checkpoint: everything that a resumed run needs to end with the same bytes as an unbroken one."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import read_bytes, write_atomic


class CheckpointMismatch(FF2LoihiError):
    """The checkpoint is damaged, or belongs to another run."""


@dataclass
class Progress:
    """Where a run stands. order: the epoch's permutation of the samples; rng: the controller's generator.

    counts: samples seen, learned and rightly classified in this epoch; log: one entry for each finished epoch.
    """

    epoch: int
    position: int
    order: np.ndarray
    rng: dict
    counts: tuple[int, int, int]
    log: list[dict]


def write(path: Path, identity: dict, progress: Progress, learner: dict[str, np.ndarray]) -> None:
    """Write it whole or not at all. identity: the artifact, the data and the options; raises FF2LoihiError."""
    facts = {
        "identity": identity,
        "epoch": progress.epoch,
        "position": progress.position,
        "rng": progress.rng,
        "counts": progress.counts,
        "log": progress.log,
    }
    tensors = {**learner, "order": progress.order}
    text = json.dumps(facts, sort_keys=True)
    metadata = {"run": text, "sha256": _digest(text, tensors)}
    write_atomic(path, save(tensors, metadata=metadata), FF2LoihiError)


def read(path: Path, identity: dict) -> tuple[Progress, dict[str, np.ndarray]]:
    """The run's state. Raises CheckpointMismatch, naming what differs, where it is another run's."""
    data = read_bytes(path, CheckpointMismatch, "a run's checkpoint", absent=". Without --resume the run starts anew")
    try:
        tensors = load(data)
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        facts = json.loads(metadata["run"])
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise CheckpointMismatch(f"{path}: not a run's checkpoint, or a damaged one. Remove it to start anew") from None
    if metadata.get("sha256") != _digest(metadata["run"], tensors):
        raise CheckpointMismatch(f"{path}: the content was changed. Remove it to start anew")
    other = [
        f"{key} was {facts['identity'].get(key)!r}, is {value!r}"
        for key, value in json.loads(json.dumps(identity)).items()
        if facts["identity"].get(key) != value
    ]
    if other:
        raise CheckpointMismatch(f"{path}: another run's checkpoint: {'; '.join(other)}. Remove it to start anew")
    order = tensors.pop("order")
    progress = Progress(facts["epoch"], facts["position"], order, facts["rng"], tuple(facts["counts"]), facts["log"])
    return progress, tensors


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(np.ascontiguousarray(tensors[name]).data)
    return total.hexdigest()

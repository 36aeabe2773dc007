"""The file in which a run, `learn`'s or `train`'s, keeps where it stands: facts and arrays, whole or absent.

Its hash tells a damaged file; that the numbers in it are those of such a run is for the reader's caller to check.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ff2loihi.compilers.errors import FF2LoihiError, brief, together
from ff2loihi.compilers.files import LIMIT, read_bytes, write_atomic
from ff2loihi.compilers.formats import strict_json
from ff2loihi.compilers.ir.options import Strict


class CheckpointMismatch(FF2LoihiError):
    """The checkpoint is damaged, or belongs to another run."""


class Facts(Strict):
    """What a state says beside its arrays. identity: what two runs must share for one to continue the other."""

    identity: dict


Checked = TypeVar("Checked", bound=Facts)


def write(path: Path, identity: dict, facts: dict, arrays: Mapping[str, np.ndarray]) -> None:
    """Write it whole or not at all. facts: of JSON alone; raises FF2LoihiError."""
    tensors = dict(arrays)
    text = json.dumps({"identity": identity, **facts}, sort_keys=True)
    write_atomic(path, save(tensors, metadata={"run": text, "sha256": digest(text, tensors)}), FF2LoihiError)


def read(
    path: Path, identity: dict, form: type[Checked], limit: int = LIMIT
) -> tuple[Checked, dict, dict[str, np.ndarray]]:
    """The facts, checked and as they were written, and the arrays.

    Raises CheckpointMismatch, naming what differs, where it is another run's, or that of none.
    """
    absent = ". Without --resume the run starts anew"
    data = read_bytes(path, CheckpointMismatch, "a run's checkpoint", limit, absent)
    try:
        tensors = load(data)
        metadata = strict_json.loads_object(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        facts = strict_json.loads_object(metadata["run"])
        found = digest(metadata["run"], tensors)
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise CheckpointMismatch(f"{path}: not a run's checkpoint, or a damaged one. Remove it to start anew") from None
    if metadata.get("sha256") != found:
        raise CheckpointMismatch(f"{path}: the content was changed. Remove it to start anew")
    try:
        checked = form.model_validate(facts)
    except ValidationError as failure:
        raise CheckpointMismatch(f"{path}: {strict_json.misfit(failure)}. Remove it to start anew") from None
    other = [
        f"{key} was {brief(repr(checked.identity.get(key)))}, is {brief(repr(value))}"
        for key, value in json.loads(json.dumps(identity)).items()
        if checked.identity.get(key) != value
    ]
    if other:
        raise CheckpointMismatch(f"{path}: another run's checkpoint: {together(other)}. Remove it to start anew")
    return checked, facts, tensors


def digest(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    """The hash of facts and arrays."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(np.ascontiguousarray(tensors[name]).data)
    return total.hexdigest()

"""A run's checkpoint: everything that a resumed run needs to end with the same bytes as an unbroken one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ff2loihi import state_file
from ff2loihi.compilers.artifact.manifest import Count, LogEntry
from ff2loihi.compilers.errors import brief, together
from ff2loihi.compilers.ir.options import Strict
from ff2loihi.processes.limits import TAG_MAX, TAG_MIN, V_LIMIT, WEIGHT_MIN
from ff2loihi.state_file import CheckpointMismatch

RANGES = {  # of a run's arrays, by the first part of their names; a learned weight need not be even
    "weights": (WEIGHT_MIN, -WEIGHT_MIN - 1),
    "tags": (TAG_MIN, TAG_MAX),
    "gates": (0, V_LIMIT),
    "passed": (0, 1 << 53),
    "snapshots": (-128, 127),
    "chip": (0, (1 << 64) - 1),
}


@dataclass
class RunState:
    """Where a run stands. order: the epoch's permutation of the samples; rng: the controller's generator.

    counts: samples seen, learned and rightly classified in this epoch; log: one entry for each finished epoch.
    due: the epoch from which on each sample is asked for again.
    """

    epoch: int
    position: int
    order: np.ndarray
    rng: Mapping
    counts: tuple[int, int, int]
    log: list[dict]
    due: np.ndarray


class _State(Strict):
    state: Annotated[int, Field(strict=True, ge=0, lt=1 << 128)]
    inc: Annotated[int, Field(strict=True, ge=0, lt=1 << 128)]


class _Generator(Strict):
    """What numpy's PCG64 says of itself."""

    bit_generator: Literal["PCG64"]
    state: _State
    has_uint32: Annotated[int, Field(strict=True, ge=0, le=1)]
    uinteger: Annotated[int, Field(strict=True, ge=0, lt=1 << 32)]


class _Facts(state_file.Facts):
    epoch: Count
    position: Count
    rng: _Generator
    counts: tuple[Count, Count, Count]
    log: tuple[LogEntry, ...]


def write(path: Path, identity: dict, run: RunState, learner: dict[str, np.ndarray]) -> None:
    """Write it whole or not at all. identity: the artifact, the data and the options; raises FF2LoihiError."""
    facts = {
        "epoch": run.epoch, "position": run.position, "rng": run.rng, "counts": run.counts, "log": run.log,
    }  # fmt: skip
    due = {"due": run.due} if run.due.any() else {}
    state_file.write(path, identity, facts, {**learner, **due, "order": run.order})


def read(
    path: Path, identity: dict, samples: int, epochs: int, fresh: dict[str, np.ndarray]
) -> tuple[RunState, dict[str, np.ndarray]]:
    """The state of a run over that many samples and epochs; fresh: the learner's arrays as they are before it starts.

    Raises CheckpointMismatch, naming what differs, where it is another run's, or that of none.
    """
    checked, facts, tensors = state_file.read(path, identity, _Facts)
    order = tensors.pop("order", np.zeros(0))
    due = tensors.pop("due", np.zeros(samples, np.int64))
    misplaced = _misplaced(checked, order, due, identity.get("revisit", 0), samples, epochs)
    wrong = together([*misplaced, *_foreign(tensors, fresh)])
    if wrong:
        raise CheckpointMismatch(f"{path}: not the state of such a run: {wrong}. Remove it to start anew")
    return RunState(checked.epoch, checked.position, order, facts["rng"], checked.counts, facts["log"], due), tensors


def _misplaced(
    facts: _Facts, order: np.ndarray, due: np.ndarray, revisit: int, samples: int, epochs: int
) -> Iterator[str]:
    """Where a run over that many samples and epochs never stands."""
    if facts.epoch + (facts.position > 0) > epochs or facts.position >= samples:
        yield f"epoch {facts.epoch}, sample {facts.position}, of {epochs} epochs of {samples} samples"
    whole = order.dtype == np.int64 and order.ndim == 1 and np.array_equal(np.sort(order), np.arange(samples))
    if not whole:
        yield f"an order of {order.dtype} {order.shape}, each of {samples} samples must be there once"
    latest = facts.epoch + 1 + revisit if revisit else 0
    fits = due.dtype == np.int64 and due.shape == (samples,) and due.min() >= 0 and due.max() <= latest
    if not fits:
        yield f"epochs that samples are due in, {due.dtype} {due.shape}: 0..{latest} of {samples} samples are possible"
    if not (whole and fits):
        return
    seen, learned, right = facts.counts
    passed, epoch = (order[: facts.position], facts.epoch) if facts.position else (order, facts.epoch - 1)
    left_out = (due[passed] > epoch) & (due[passed] <= epoch + revisit)
    if seen != len(passed) - left_out.sum() or max(learned, right) > seen:
        yield f"{seen} samples seen, {learned} learned, {right} right"
    counted = all(entry.epoch == number for number, entry in enumerate(facts.log, 1))
    if len(facts.log) != facts.epoch or not counted:
        yield f"a log of {len(facts.log)} epochs"


def _foreign(arrays: dict[str, np.ndarray], fresh: dict[str, np.ndarray]) -> Iterator[str]:
    """What a learner does not hold."""
    for name in sorted(set(arrays) ^ set(fresh)):
        yield f"{brief(name)} {'is not there' if name in fresh else 'belongs to nothing'}"
    for name in sorted(set(arrays) & set(fresh)):
        found, wanted = arrays[name], fresh[name]
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            yield f"{name} holds {found.dtype} {found.shape}, {wanted.dtype} {wanted.shape} is wanted"
            continue
        low, high = RANGES[name.partition(".")[0]]
        if found.min() < low or found.max() > high:
            yield f"{name} {found.min()}..{found.max()}, {low}..{high} are possible"

"""Data sets of the package tonic, by name or as a program holds them: samples (events, label), events with fields t, x,
y, p. tonic is under the GPL: it is imported where its name is asked for, and nowhere else."""

import importlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from ff2loihi.choices import TONIC
from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.data import own
from ff2loihi.data.events.arrays import SIDE_MAX, STEPS, span_of
from ff2loihi.data.events.recordings import Found, Recording, checked

SPLITS = {"train": (True, False), "split": ("train", "test")}  # by the parameter that says which
WHOLE = "Leave out what makes frames of events: --events bins them"


class Samples(Protocol):
    """A data set of tonic: sensor_size is width, height and polarities."""

    sensor_size: tuple[int, int, int]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


class Tonic:
    """Its recordings, times in its own unit, which is microseconds of most."""

    steps, parts = STEPS, 1

    def __init__(self, where: str, data: Samples, limit: int | None = None) -> None:
        size = np.asarray(data.sensor_size)
        if size.shape != (3,) or size.dtype.kind not in "iu" or not 1 <= size.min() <= size.max() <= SIDE_MAX:
            raise DataError(
                f"{where}: a sensor of {brief(data.sensor_size)}, where width, height and polarities are wanted. Use a "
                "set of one sensor"
            )
        self.where, self.data = where, data
        self.samples = len(data) if limit is None else min(limit, len(data))
        width, height, polarities = map(int, size)
        self.sensor = (height, width, polarities)
        if not self.samples:
            raise DataError(f"{where}: no samples. Let tonic save the set again, or give some")
        self.labels = self._labels()

    def _sample(self, sample: int) -> tuple[np.ndarray, object]:
        where = f"{self.where}: sample {sample:,}"
        try:
            found = self.data[sample]
        except Exception as error:  # of any kind, as below
            said = brief(" ".join(f"{type(error).__name__}: {error}".split()), 120)
            raise DataError(f"{where}: cannot be read ({said}). Let tonic save the set again") from error
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise DataError(f"{where}: {brief(type(found).__name__)}, no pair of events and a label")
        events = np.asarray(found[0])
        fields = {name: events.dtype[name].kind for name in events.dtype.names or ()}
        if events.ndim != 1 or not all(fields.get(name) in ("b", "i", "u", "f") for name in ("t", "x", *fields)):
            raise DataError(f"{where}: {brief(events.dtype)} of {events.shape}, no events with t, x, y and p. {WHOLE}")
        return events, found[1]

    def _labels(self) -> np.ndarray:
        changed = any(getattr(self.data, name, None) for name in ("target_transform", "transforms"))
        known = None if changed else getattr(self.data, "targets", None)
        if known is not None and len(known) == len(self.data):  # as of most sets; others say it with each sample
            found = [known[k] for k in range(self.samples)]
        else:
            found = [self._sample(k)[1] for k in range(self.samples)]
        return own.class_labels(f"{self.where}: labels", np.asarray(found))

    @property
    def span(self) -> float:
        """The latest event's end: read where no window is asked for."""
        ends = [float(events["t"].max()) for events, _ in map(self._sample, range(self.samples)) if len(events)]
        return span_of(self.where, ends)

    def recording(self, sample: int) -> Recording:
        events = self._sample(sample)[0]
        events, fields = events[np.argsort(events["t"], kind="stable")], events.dtype.names or ()
        nothing = np.zeros(len(events), np.int64)
        y = events["y"] if "y" in fields else nothing
        one = self.sensor[2] == 1  # tonic gives those of SHD a polarity of 1
        p = nothing if one or "p" not in fields else events["p"]
        return checked(f"{self.where}: sample {sample:,}", Recording(events["t"], events["x"], y, p), self.sensor)


def found(name: str, folder: Path, download: bool) -> Found:
    """The set `tonic:NAME`, in that folder as tonic places it; its two splits where it has them. Raises DataError."""
    kind = name.removeprefix(TONIC)
    try:
        sets = importlib.import_module("tonic.datasets")
    except ImportError:
        raise DataError(
            f"{name}: needs the package tonic, which is under the GPL. Install the extra `tonic`, as pip install "
            "'.[tonic]'"
        ) from None
    made: Callable[..., Samples] | None = getattr(sets, kind, None)
    if made is None or not inspect.isclass(made):
        raise DataError(f"{name}: tonic.datasets has no {brief(kind)}. Use a name of its own, as {TONIC}NMNIST")
    if not (download or os.path.isdir(folder / kind)):
        raise DataError(f"{name}: not found in {folder}. Use --data-root DIR, the folder that tonic saved {kind} to")
    if not download:  # tonic fetches what of a set is missing, unless it is told
        made = type(kind, (made,), {"download": _refused})
    taken = inspect.signature(made).parameters
    key = next((key for key in SPLITS if key in taken), None)
    try:
        parts = [made(str(folder), **{key: which}) for which in SPLITS[key]] if key else [made(str(folder))]
    except Exception as error:  # tonic raises many kinds for one thing: no data
        raise DataError(
            f"{name}: not found, or damaged, in {folder} ({brief(' '.join(str(error).split()), 80)}). Let tonic save "
            "it there again"
        ) from None
    train, *test = (Tonic(name, part) for part in parts)
    return Found(train, test[0] if test else None, own.classes(name, [part.labels for part in (train, *test)]))


def _refused(_: object) -> None:
    raise FileNotFoundError("a part of it is missing, and nothing is downloaded into a folder that is named")

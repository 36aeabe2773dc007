"""N-MNIST's folders (Orchard 2015): Train/7/00001.bin, five bytes an event."""

import hashlib
import os
from pathlib import Path

import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.files import read_bytes
from ff2loihi.data.events.recordings import Found, Recording, checked
from ff2loihi.data.folders import Folder

SUFFIX = ".bin"
SPLITS = (("Train", "Test"), ("train", "test"))
EVENT = 5  # bytes: x, y, then a bit of polarity and 23 of microseconds
OVERFLOW = 240  # a row that no event has: from here on times are later by a timer's round
ROUND = 1 << 13  # microseconds
SENSOR = (34, 34, 2)
SPAN, STEPS, PARTS = 300_000.0, 30, 3  # microseconds of three saccades


def events(data: bytes, where: str) -> Recording:
    """The events of a recording's bytes: t in microseconds, p = 1 where it became brighter. Raises DataError."""
    if len(data) % EVENT:
        raise DataError(f"{where}: {len(data):,} bytes, which are no whole events of {EVENT}. Copy it again")
    x, y, *rest = np.frombuffer(data, np.uint8).reshape(-1, EVENT).T.astype(np.int64)
    t = (rest[0] & 127) << 16 | rest[1] << 8 | rest[2]
    marks = y == OVERFLOW
    t = t + ROUND * marks.cumsum()
    kept = ~marks
    found = Recording(t[kept], x[kept], y[kept], (rest[0] >> 7)[kept])
    return checked(where, found, SENSOR)


class Recorded:
    """The recordings of one split, a folder for each class."""

    sensor, span, steps, parts = SENSOR, SPAN, STEPS, PARTS

    def __init__(self, names: list[Path], labels: np.ndarray) -> None:
        self.names, self.labels = names, labels

    def recording(self, sample: int) -> Recording:
        name = self.names[sample]
        return events(read_bytes(name, DataError, "a recording of N-MNIST (.bin)"), str(name))


def splits(path: Path) -> tuple[str, ...]:
    """The names of the folders of training and test samples; none of a folder whose classes lie in it."""
    folder = Folder(path)
    return next((names for names in SPLITS if folder.has(*names)), ())


def is_one(path: Path) -> bool:
    """Whether the first class's first file is a recording."""
    folder, inside = Folder(path), next(iter(splits(path)), "")
    classes = folder.names(inside)
    return bool(classes) and any(
        name.endswith(SUFFIX) for name in folder.names(os.path.join(inside, classes[0]), folders=False)[:1]
    )


def found(path: Path) -> Found:
    """The data set of a folder that is one. Raises DataError."""
    folder, names = Folder(path), splits(path)
    parts, digest = [], hashlib.sha256()
    classes = folder.names(names[0] if names else "")
    for inside in names or ("",):
        here = folder.names(inside)
        odd = sorted(set(here) ^ set(classes))
        if odd:
            raise DataError(
                f"{path}: the class {brief(odd[0])} is in one of train and test alone. Give it samples in both"
            )
        files, labels = [], []
        for label, name in enumerate(classes):
            place = path / inside / name
            own = folder.names(os.path.join(inside, name), folders=False)
            if not own:
                raise DataError(f"{place}: a class without recordings. Add some, or remove the folder")
            stray = next((one for one in own if not one.endswith(SUFFIX)), None)
            if stray:
                raise DataError(f"{place}: {brief(stray)} is no recording ({SUFFIX}). Move it elsewhere")
            files += [place / one for one in own]
            labels += [label] * len(own)
            digest.update("".join(f"{name}/{one} {(place / one).stat().st_size}\n" for one in own).encode())
        parts.append(Recorded(files, np.array(labels, np.int64)))
    if len(classes) < 2:
        raise DataError(f"{path}: one class, {brief(classes[0])}. Give two classes or more")
    return Found(parts[0], parts[1] if len(parts) > 1 else None, len(classes), digest.hexdigest())

"""Which recordings lie at a path: an .npz, an .h5, SHD's or SSC's, N-MNIST's folders; none where images do."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats import array_files
from ff2loihi.data import own
from ff2loihi.data.events import arrays, nmnist
from ff2loihi.data.events.recordings import Found, Recordings
from ff2loihi.data.folders import Folder

TEST = "test_"
AEDAT = (".aedat", ".aedat4")
HEIDELBERG = ("train.h5", "test.h5")  # how the names of SHD's and SSC's files end


def find(path: Path) -> Found | None:
    """Raises DataError for recordings that cannot be used."""
    if os.path.isdir(path):
        names = Folder(path).names(folders=False)
        pair = [next((name for name in names if name.endswith(end)), None) for end in HEIDELBERG]
        if all(pair):
            return _heidelberg(path, [name for name in pair if name])
        return nmnist.found(path) if nmnist.is_one(path) else None
    if path.suffix in AEDAT:
        raise DataError(
            f"{path}: AEDAT is not read. Convert it, as with dv-processing for .aedat4. Give {arrays.WANTED}"
        )
    if path.suffix in (".h5", ".hdf5"):
        return _hdf5(path)
    data = read_bytes(path, DataError, own.NPZ)
    try:
        named = set(array_files.names(data))
    except ValueError:
        return None  # for the reader of images to say
    if not {f"{arrays.EVENTS}.npy", f"train_{arrays.EVENTS}.npy"} & named:
        return None
    try:
        held = array_files.from_npz(data)
    except ValueError as error:
        raise DataError(f"{path}: {error}. Give {arrays.WANTED}") from None
    return _arrays(path, held, hashlib.sha256(data).hexdigest())


def _arrays(path: Path, held: Mapping[str, arrays.Array], sha256: str) -> Found:
    prefix = "" if arrays.EVENTS in held else "train_"
    train = _split(path, held, prefix)
    test = _split(path, held, TEST) if f"{TEST}{arrays.EVENTS}" in held else None
    return _found(path, train, test, sha256)


def _split(path: Path, held: Mapping[str, arrays.Array], prefix: str) -> Recordings:
    where = f"{path}: {prefix}{arrays.EVENTS}"
    events = held[f"{prefix}{arrays.EVENTS}"]
    if f"{prefix}{arrays.LABELS}" not in held:
        raise DataError(f"{where}: without {prefix}{arrays.LABELS}. Give {arrays.WANTED}")
    labels = own.class_labels(f"{path}: {prefix}{arrays.LABELS}", np.asarray(held[f"{prefix}{arrays.LABELS}"][()]))
    offsets, sensor = held.get(f"{prefix}{arrays.OFFSETS}"), held.get(arrays.SENSOR)
    if (offsets is None) != (sensor is None):
        raise DataError(f"{where}: one of {prefix}{arrays.OFFSETS} and {arrays.SENSOR} alone. Give {arrays.WANTED}")
    if offsets is None or sensor is None:
        source, samples = arrays.Dense(where, events, labels), events.shape[0]
    else:
        source = arrays.Listed(where, events, np.asarray(offsets[()]), np.asarray(sensor[()]), labels)
        samples = offsets.shape[0] - 1
    if samples != len(labels):
        raise DataError(f"{where}: {samples:,} samples and {len(labels):,} labels. Give each sample one label")
    return source


def _found(path: Path, train: Recordings, test: Recordings | None, sha256: str) -> Found:
    labels = [one.labels for one in (train, test) if one]
    if test and test.sensor != train.sensor:
        raise DataError(
            f"{path}: training events of a sensor {train.sensor}, test events of {test.sensor}. Use one sensor"
        )
    return Found(train, test, own.classes(str(path), labels), sha256)


def _hdf5(path: Path) -> Found | None:
    from ff2loihi.data.events import hdf5_events  # and with it h5py

    held = hdf5_events.opened(path)
    if hdf5_events.UNITS in held:
        return _found(path, hdf5_events.Trains(path, held), None, hdf5_events.digest(path))
    if not {arrays.EVENTS, f"train_{arrays.EVENTS}"} & set(held):
        return None
    return _arrays(path, held, hdf5_events.digest(path))


def _heidelberg(folder: Path, names: list[str]) -> Found:
    from ff2loihi.data.events import hdf5_events  # and with it h5py

    parts, digests = [], []
    for path in (folder / name for name in names):
        held = hdf5_events.opened(path)
        if hdf5_events.UNITS not in held:
            raise DataError(
                f"{path}: holds {brief(', '.join(held) or 'nothing')}, where SHD's spikes and labels are wanted"
            )
        parts.append(hdf5_events.Trains(path, held))
        digests.append(hdf5_events.digest(path))
    train, test = parts
    return _found(folder, train, test, hashlib.sha256("".join(digests).encode()).hexdigest())

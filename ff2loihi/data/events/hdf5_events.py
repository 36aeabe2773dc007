"""HDF5 files of events, of which a sample is read at a time; SHD's and SSC's (Cramer 2022) among them."""

import hashlib
from pathlib import Path

import h5py
import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.formats import hdf5_file
from ff2loihi.data import own
from ff2loihi.data.events import arrays
from ff2loihi.data.events.recordings import Recording, checked

TIMES, UNITS, LABELS = "spikes/times", "spikes/units", "labels"
CHANNELS = 700  # of the cochlea
SPAN, STEPS, PARTS = 1.0, 30, 5  # seconds; 200 ms a part
WANTED = "an HDF5 file of events"


def opened(path: Path) -> dict[str, h5py.Dataset]:
    """The file's data sets by their paths, of which those that hold events are checked; it stays open. Raises
    DataError."""
    hdf5_file.check_readable(path, DataError, WANTED, large=True)
    try:
        file = h5py.File(path, "r")
        found = {name.removeprefix("/"): item for name, item in hdf5_file.datasets(file) if item.shape is not None}
        for name in found:
            if name in (TIMES, UNITS) or name.removeprefix("train_").removeprefix("test_") in arrays.NAMES:
                hdf5_file.size_of_values(name, found[name], trains=True)
        return found
    except hdf5_file.Untaken as failure:
        raise DataError(f"{path}: {failure}") from None
    except OSError:
        raise DataError(f"{path}: not an HDF5 file, or a truncated or damaged one. Copy it again") from None
    except Exception as failure:  # h5py raises many kinds on damaged bytes, and each means the same
        raise DataError(f"{path}: a damaged HDF5 file ({brief(failure, 150)}). Copy it again") from None


def digest(path: Path) -> str:
    """The file's sha256, read a part at a time."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


class Trains:
    """Spike trains of SHD or SSC: spikes/times in seconds, spikes/units in 0..699, labels."""

    sensor, span, steps, parts = (1, CHANNELS, 1), SPAN, STEPS, PARTS

    def __init__(self, path: Path, held: dict[str, h5py.Dataset]) -> None:
        missing = next((name for name in (TIMES, UNITS, LABELS) if name not in held), None)
        if missing:
            raise DataError(f"{path}: without {missing}, which SHD's files hold. Copy it again")
        self.path, self.times, self.units = path, held[TIMES], held[UNITS]
        self.labels = own.class_labels(f"{path}: {LABELS}", np.asarray(held[LABELS][()]))
        sizes = {part.shape[0] if part.shape else 0 for part in (self.times, self.units, self.labels)}
        if len(sizes) > 1:
            raise DataError(
                f"{path}: {sorted(sizes)} samples, labels, and trains of times and units: as many are wanted"
            )

    def recording(self, sample: int) -> Recording:
        where = f"{self.path}: sample {sample:,}"
        try:
            with np.errstate(invalid="ignore"):  # of a unit that is no number, which no sensor has
                t, units = np.asarray(self.times[sample], np.float64), np.asarray(self.units[sample], np.int64)
        except Exception as failure:  # as above
            raise DataError(f"{where}: damaged ({brief(failure, 150)}). Copy the file again") from None
        if t.ndim != 1 or t.shape != units.shape:
            raise DataError(f"{where}: {t.size} times of {units.size} units. Copy the file again")
        order, nothing = np.argsort(t, kind="stable"), np.zeros(len(t), np.int64)
        return checked(where, Recording(t[order], units[order], nothing, nothing), self.sensor)

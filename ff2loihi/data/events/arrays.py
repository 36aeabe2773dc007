"""Events in arrays: (samples, T, n) or (samples, T, c, h, w) of bits or counts, or rows (t, x, y, p) with offsets.

From an .npz, which is read whole, or from an .h5, of which a sample is read at a time.
"""

from typing import Protocol

import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.data.events.recordings import Recording, checked
from ff2loihi.processes.limits import INPUT_BITS

EVENTS, LABELS, OFFSETS, SENSOR = NAMES = "events", "labels", "offsets", "sensor"
SIDE_MAX = (1 << 16) - 1
COUNT_MAX = (1 << INPUT_BITS) - 1  # events of an input in a step, as a message carries them
STEPS = 30  # of rows, unless asked otherwise
WANTED = (
    "events (samples, T, n) or (samples, T, channels, height, width) with labels, or rows of events (t, x, y, p) with "
    "offsets (samples + 1,), sensor (height, width, polarities) and labels; test_events, ... beside them"
)


class Array(Protocol):
    """What an array of numpy and a data set of HDF5 have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, index, /): ...


def span_of(where: str, ends: list[float]) -> float:
    """Of samples that end at these times. Raises DataError."""
    if not np.isfinite(ends).all():
        raise DataError(f"{where}: a sample ends at a time that is no finite number. Correct it, or leave it out")
    return 1.0 + max(ends, default=0)


class Dense:
    """Frames of bits or counts: a count is one event."""

    def __init__(self, where: str, events: Array, labels: np.ndarray) -> None:
        if len(events.shape) not in (3, 5) or events.dtype.kind not in "biu" or 0 in events.shape:
            raise DataError(f"{where}: an array {events.shape} of {brief(events.dtype)}. Give {WANTED}")
        self.where, self.events, self.labels = where, events, labels
        self.frames = events.shape[1]
        channels, height, width = events.shape[2:] if len(events.shape) == 5 else (1, 1, events.shape[2])
        self.sensor, self.span = (height, width, channels), float(self.frames)
        self.steps, self.parts = self.frames, 1

    def recording(self, sample: int) -> Recording:
        frames = np.asarray(self.events[sample])
        where = f"{self.where}: sample {sample:,}"
        if frames.dtype.kind != "b" and (frames.min() < 0 or frames.max() > COUNT_MAX):
            odd = frames.min() if frames.min() < 0 else frames.max()
            raise DataError(
                f"{where}: a count of {odd}, a message carries 0..{COUNT_MAX}. Give bits, or smaller counts"
            )
        height, width, channels = self.sensor
        t, p, y, x = np.nonzero(frames.reshape(self.frames, channels, height, width))
        return checked(where, Recording(t, x, y, p), self.sensor)


class Listed:
    """Rows (t, x, y, p) of all samples, one sample after the other."""

    def __init__(self, where: str, events: Array, offsets: np.ndarray, sensor: np.ndarray, labels: np.ndarray) -> None:
        if len(events.shape) != 2 or events.shape[1] != 4 or events.dtype.kind not in "iuf":
            raise DataError(f"{where}: rows {events.shape} of {brief(events.dtype)}. Give {WANTED}")
        whole = sensor.shape == (3,) and sensor.dtype.kind in "iu"
        if not whole or not 1 <= int(sensor.min()) <= int(sensor.max()) <= SIDE_MAX:
            raise DataError(
                f"{where}: {SENSOR} must be three whole numbers of at least 1, height, width and polarities"
            )
        rising = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 1 and (np.diff(offsets) >= 0).all()
        if not rising or offsets[0] or offsets[-1] != events.shape[0]:
            raise DataError(
                f"{where}: {OFFSETS} must rise from 0 to the {events.shape[0]:,} events, one more than samples"
            )
        self.where, self.events, self.offsets, self.labels = where, events, offsets.astype(np.int64), labels
        height, width, polarities = map(int, sensor)
        self.sensor, self.steps, self.parts = (height, width, polarities), STEPS, 1
        ends = [float(self._rows(k)[-1, 0]) for k in range(len(offsets) - 1) if len(self._rows(k))]
        self.span = span_of(where, ends)

    def _rows(self, sample: int) -> np.ndarray:
        begin, end = self.offsets[sample : sample + 2]
        return np.asarray(self.events[begin:end])

    def recording(self, sample: int) -> Recording:
        return checked(f"{self.where}: sample {sample:,}", Recording(*self._rows(sample).T), self.sensor)

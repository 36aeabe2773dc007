"""What a recording is, and how one is held to what its sensor can send."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir.events import Sensor


class Recording(NamedTuple):
    """One sample's events, a row each: t in the recordings' own unit, rising; x, y, p: column, row and polarity."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray


class Recordings(Protocol):
    """Samples of one sensor, each read when it is asked for.

    Unless asked otherwise: span: how long a sample lasts, in its own unit of time; steps: into how many it is cut;
    parts: how many of it have inputs of their own.
    """

    sensor: Sensor
    labels: np.ndarray
    steps: int
    parts: int

    @property
    def span(self) -> float: ...

    def recording(self, sample: int) -> Recording:
        """A sample's events. Raises DataError."""
        ...


@dataclass(frozen=True)
class Found:
    """A data set of recordings. test: None where one set is all there is; sha256: of what they were read from."""

    train: Recordings
    test: Recordings | None
    classes: int
    sha256: str | None = None


def checked(where: str, found: Recording, sensor: Sensor) -> Recording:
    """The recording. Raises DataError for one that no such sensor sends."""
    if not len(found.t):
        raise DataError(f"{where}: no events. Leave the sample out")
    for name, values, size in zip("yxp", (found.y, found.x, found.p), sensor, strict=True):
        least, most = values.min(), values.max()
        if not 0 <= least <= most < size:  # nor of what is no number
            odd = float(most if least >= 0 else least)
            raise DataError(
                f"{where}: an event at {name} = {odd:g}, the sensor has 0..{size - 1}. Correct the events, or name the "
                "sensor they come from"
            )
    if not np.isfinite(found.t).all() or found.t[0] < 0:
        raise DataError(f"{where}: an event at the time {found.t[0]:g}. Times are finite, and count from 0")
    back = np.flatnonzero(found.t[1:] < found.t[:-1])  # no difference, which is never below 0 without a sign
    if len(back):
        k = back[0]
        raise DataError(
            f"{where}: times run backwards, from {found.t[k]:g} to {found.t[k + 1]:g} at event {k + 1:,}. Sort them"
        )
    return found

"""What `--events` says, read before anything heavy is imported."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ff2loihi.compilers.errors import DataError, brief

if TYPE_CHECKING:
    from ff2loihi.compilers.ir import Binning

NUMBERS, FLAGS = ("steps", "window", "downsample", "most", "denoise", "parts", "rounds"), ("merged", "saccades")
TIMES = ("window", "denoise")  # in the recordings' own unit


@dataclass(frozen=True)
class EventOptions:
    """The fields of a Binning that were asked for; None: what fits the data."""

    steps: int | None = None
    window: float | None = None
    merged: bool = False
    downsample: int = 1
    most: int | None = None
    denoise: float | None = None
    saccades: bool = False
    parts: int | None = None
    rounds: int | None = None
    sensor: tuple[int, int, int] | None = None


def events_of(binning: "Binning | None") -> EventOptions | None:
    """Those that give the same binning again, or an error."""
    return EventOptions(**binning.model_dump()) if binning else None


def text_of(binning: "Binning") -> str:
    """What `--events` says to bin so; the sensor is the data's own."""
    numbers = [f"{name}={value}" for name in NUMBERS if (value := getattr(binning, name)) is not None]
    return ",".join([*numbers, *(name for name in FLAGS if getattr(binning, name))])


def shared(named: "Mapping[str, Binning | None]") -> EventOptions | None:
    """Those of models by name, None where they take images. Raises DataError where they are not all the same."""
    (first, binning), *others = named.items() or [("", None)]
    for name, other in others:
        if other != binning:
            ours, theirs = ("events" if one else "images" for one in (binning, other))
            what = f"{theirs} of another binning" if ours == theirs else theirs
            raise DataError(f"{name}: takes {what}, {first} takes {ours}. Make a report of each")
    return events_of(binning)


def parse(text: str | None) -> EventOptions | None:
    """What `--events` says, NAME=N and flags joined by commas, as load_data takes it. Raises DataError."""
    if text is None:
        return None
    found, said = EventOptions(), set()
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if name in said:
            raise DataError(f"--events: {brief(name)} twice. Say it once")
        said.add(name)
        if name in FLAGS and not equals:
            found = replace(found, **{name: True})
        elif name in NUMBERS and equals:
            found = replace(found, **{name: _number(name, value)})
        else:
            raise DataError(
                f"--events {brief(part)}: is none of {', '.join(f'{n}=N' for n in NUMBERS)}, {', '.join(FLAGS)}"
            )
    return found


def _number(name: str, value: str) -> int | float:
    if name in TIMES:
        try:
            time = float(value)
        except ValueError:
            time = math.nan
        if 0 < time < math.inf:
            return time
        raise DataError(f"--events {name}={brief(value)}: must be a time above 0, in the recordings' own unit")
    if not re.fullmatch("[1-9][0-9]{0,5}", value, re.ASCII):
        raise DataError(f"--events {name}={brief(value)}: must be a whole number of at least 1")
    return int(value)

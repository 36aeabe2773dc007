"""What the JSON of every artifact holds, whatever its kind.

A number is whole and of 32 bits, or finite: nothing that is computed from one overflows before resources or
learning_fit look at it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, PlainSerializer, WrapValidator

from ff2loihi.compilers.ir.options import Float, Strict
from ff2loihi.processes.limits import Int

FORMAT, VERSION = "ff2loihi-artifact", 4
READ = (2, 3, VERSION)  # version 2 has neither pools nor dilations, 3 no goodness of some activities or of cells

Count = Annotated[int, Field(strict=True, ge=0, lt=1 << 53)]


class _Open(BaseModel):
    """A part of the provenance: what is read has its type, the rest is a note for people."""

    model_config = ConfigDict(extra="allow")


class LogEntry(Strict):
    """An epoch of a run that learned.

    With `learn --revisit`, left_out: images that were not asked for; spared: presentations of their labels.
    """

    epoch: Count
    samples: Count
    learned: Float
    online_accuracy: Float | None
    exponent: Int
    halve: Int
    saturated: list[Float]
    left_out: Count | None = None
    spared: Count | None = None
    held_out_accuracy: Float | None = None


class _Schedule(_Open):
    seed: Annotated[int, Field(strict=True)]


class _Learned(_Open):
    data: str
    schedule: _Schedule
    log: list[LogEntry]


class _Options(_Open):
    start: str | None = None


class _Calibration(_Open):
    data: str | None = None
    sha256: str | None = None
    shape: tuple[Int, Int, Int] | None = None


class _Provenance(_Open):
    calibration: _Calibration = _Calibration()
    options: _Options = _Options()
    learned: list[_Learned] = []


def _as_it_stands(value: object, check) -> object:
    check(value)
    return value


_AsItStands = Annotated[_Provenance, WrapValidator(_as_it_stands), PlainSerializer(lambda value: value)]


class Header(Strict):
    """provenance: where it came from, checked and left as it stands; sha256: of the manifest without this key, and of
    every tensor."""

    format: Literal["ff2loihi-artifact"]
    version: Literal[2, 3, 4]
    provenance: Annotated[dict, GetPydanticSchema(lambda _, handler: handler.generate_schema(_AsItStands))]
    sha256: str

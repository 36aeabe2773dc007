"""What the JSON of every artifact holds, whatever its kind.

A number is whole and of 32 bits, or finite: nothing that is computed from one overflows before resources or
learning_fit look at it.
"""

import math
from typing import Annotated, Literal

from pydantic import (
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    WrapValidator,
    model_validator,
)

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


class _Snapshots(Strict):
    """Weights of a few neurons of the first layer over the image, at a few moments of a run.

    neurons: which; samples: of the run before each moment; shape: height and width of a picture; weights: int8 in steps
    of the chip's even grid, (moments, neurons, height, width), in base64.
    """

    neurons: list[Count] = Field(min_length=1)
    samples: list[Count] = Field(min_length=1)
    shape: tuple[Count, Count]
    weights: Base64Bytes

    @model_validator(mode="after")
    def _each_has_its_weights(self) -> "_Snapshots":
        wanted = len(self.samples) * len(self.neurons) * math.prod(self.shape)
        if not len(self.weights) == wanted > 0:
            raise ValueError(f"{len(self.weights)} weights, {wanted} are told")
        return self


class _Learned(_Open):
    data: str
    schedule: _Schedule
    log: list[LogEntry]
    snapshots: _Snapshots | None = None


class _File(_Open):
    name: str
    sha256: str


_NO_FILE = _File(name="", sha256="")


class _Options(_Open):
    start: str | None = None


class _Calibration(_Open):
    data: str | None = None
    sha256: str | None = None
    shape: tuple[Int, Int, Int] | None = None


class _Provenance(_Open):
    checkpoint: _File = _NO_FILE
    spec: _File = _NO_FILE
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

"""What every part of a network is made of: fields that nobody changes, arrays that nobody writes to."""

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
from pydantic import Field, GetPydanticSchema
from pydantic_core.core_schema import is_instance_schema, with_default_schema

from ff2loihi.compilers.ir.convolution import Conv

# Of a part that JSON holds but for its arrays: what is read from there has empty ones until its own take their place.
Array = Annotated[
    np.ndarray,
    Field(exclude=True),
    GetPydanticSchema(lambda kind, _: with_default_schema(is_instance_schema(kind), default=np.zeros(0))),
]


@dataclass(frozen=True)
class Frozen:
    """Shows its arrays through views that nobody writes to; what they were made of stays as it is."""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _read_only(getattr(self, field.name)))


def _read_only(value):
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, tuple):
        return tuple(map(_read_only, value))
    if isinstance(value, dict):
        return {key: _read_only(one) for key, one in value.items()}
    return value


class Sized(Frozen):
    """The sizes of a layer; conv is None where its connection is dense."""

    weight: np.ndarray
    positive: np.ndarray
    conv: Conv | None

    @property
    def inputs(self) -> int:
        return self.conv.inputs if self.conv else self.weight.shape[1]

    @property
    def neurons(self) -> int:
        return self.positive.size

    @property
    def synapses(self) -> int:
        return self.conv.synapses if self.conv else int(self.weight.size)

"""What every part of a network is made of: fields that nobody changes, arrays that nobody writes to."""

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
from pydantic import Field, GetPydanticSchema
from pydantic_core.core_schema import is_instance_schema, with_default_schema

from ff2loihi.compilers.ir.cells import Cells
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.pooling import MaxPool

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
    """The sizes of a layer; conv is None where its connection is dense, pool where what its neurons send leaves it.

    mask (out, in) bool: the synapses of a dense connection that exist, the others weigh 0; None: all of them.
    """

    weight: np.ndarray
    positive: np.ndarray
    conv: Conv | None
    pool: MaxPool | None
    mask: np.ndarray | None = None

    @property
    def inputs(self) -> int:
        return self.conv.inputs if self.conv else self.weight.shape[1]

    @property
    def neurons(self) -> int:
        return self.conv.neurons if self.conv else self.positive.size

    @property
    def outputs(self) -> int:
        """The activities that leave the layer: what goodness, read-out and the layer above see."""
        return self.pool.outputs if self.pool else self.neurons

    @property
    def out_shape(self) -> tuple[int, int, int] | None:
        """(channels, height, width) of the outputs, None of a dense layer."""
        return self.pool.out_shape if self.pool else self.conv.out_shape if self.conv else None

    def cells(self, grid: int) -> Cells:
        """Each channel of the outputs in grid x grid cells; a dense layer's neurons are channels of one."""
        return Cells(self.out_shape or (self.outputs, 1, 1), grid)

    @property
    def existing(self) -> np.ndarray:
        """The weights, one after the other where some synapses do not exist."""
        return self.weight if self.mask is None else self.weight[self.mask]

    @property
    def synapses(self) -> int:
        return self.conv.synapses if self.conv else int(self.existing.size)

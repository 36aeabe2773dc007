"""What the JSON of every artifact holds, whatever its kind."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

FORMAT, VERSION = "ff2loihi-artifact", 2


class Strict(BaseModel):
    """A part of a manifest: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Header(Strict):
    """provenance: where it came from; sha256: of the manifest without this key, and of every tensor."""

    format: Literal["ff2loihi-artifact"]
    version: Literal[2]
    provenance: dict
    sha256: str


def check_shapes(wanted: list[tuple[str, np.ndarray, tuple[int, ...]]]) -> None:
    """Raise ValueError where an array's shape does not follow from its neighbours': (name, array, shape)."""
    for name, array, shape in wanted:
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, {shape} is wanted")

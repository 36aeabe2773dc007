"""What a checkpoint's file holds, once it is read: tensors, and the spec that says what they mean."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.compilers.frontend.spec import Spec
from ff2loihi.compilers.ir.frozen import Frozen

CODES = "label codes"  # the name under which a Checkpoint holds its label codes


@dataclass(frozen=True)
class Checkpoint(Frozen):
    """A file's tensors, as numpy arrays, with what they mean.

    tensors: name -> float array, the label codes under CODES; `source` names the file, `sha256` is its hash;
    training: what the trainer wrote down (its data set, recipe, seed), empty for foreign files; spec_apart: whether
    somebody gave the spec in a file of its own.
    """

    tensors: dict[str, np.ndarray]
    spec: Spec
    source: str
    sha256: str
    training: dict
    spec_apart: bool = False

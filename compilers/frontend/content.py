"""What a checkpoint's file holds, once it is read: tensors, and the spec that says what they mean."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ff2loihi.compilers.frontend.spec import Spec
from ff2loihi.compilers.ir.frozen import Frozen

CODES = "label codes"  # the name under which a Checkpoint holds its label codes


@dataclass(frozen=True)
class Checkpoint(Frozen):
    """A file's tensors, as numpy arrays, with what they mean.

    tensors: name -> float array, the label codes under CODES; `source` names the file, `sha256` is its hash;
    training: what the trainer wrote down (its data set, recipe, seed), empty for foreign files; spec_apart: whether
    somebody gave the spec apart from it; spec_file: name and sha256 of that spec's file, empty where it has none.
    """

    tensors: dict[str, np.ndarray]
    spec: Spec
    source: str
    sha256: str
    training: dict
    spec_apart: bool = False
    spec_file: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> dict[str, dict[str, str]]:
        """What an artifact that is made of it says of its files."""
        files = {"checkpoint": {"name": Path(self.source).name, "sha256": self.sha256}}
        return files | ({"spec": self.spec_file} if self.spec_file else {})

"""What every trained network is: something with scores, and with a checkpoint that the compiler reads."""

import io
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.frontend.spec import CHECKPOINT_FORMAT, CHECKPOINT_VERSION


class Model(ABC):
    """A trained network. training_facts: how it was trained, as its checkpoint says."""

    training_facts: dict

    @abstractmethod
    def scores(self, images: Tensor) -> Tensor:
        """(samples, classes): the read-out; images (samples, pixels) float in [0, 1], or rows of events."""

    @abstractmethod
    def checkpoint(self) -> dict:
        """The file's content, see checkpoint_content."""

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all. Raises CheckpointError."""
        buffer = io.BytesIO()
        torch.save(self.checkpoint(), buffer)
        write_atomic(Path(path), buffer.getvalue(), CheckpointError)


def checkpoint_content(spec: dict, tensors: dict[str, Tensor], training: dict) -> dict:
    """A checkpoint of ours: tensors, what they mean (compilers.spec), and how they were trained."""
    return {
        "format": CHECKPOINT_FORMAT,
        "version": CHECKPOINT_VERSION,
        "spec": spec,
        "tensors": {name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()},
        "training": training,
    }

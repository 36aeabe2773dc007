"""How a label enters the input."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ff2loihi.compilers.ir import split_input

CODE_BITS = 100  # inputs of a random binary label code (Terres-Escudero 2024: 784 + 100 inputs)
CODE_P = 0.3  # share of ones in it


@dataclass(frozen=True)
class Embedding:
    """kind: append the code behind the pixels, or overwrite the first ones; codes (classes, n) in [0, 1]."""

    kind: str
    codes: Tensor

    def columns(self, pixels: int) -> tuple[slice, slice]:
        """Where image and label stand among the inputs."""
        n = self.codes.shape[1]
        return split_input(pixels, n, self.kind)

    def inputs(self, pixels: int) -> int:
        return pixels + self.codes.shape[1] if self.kind == "append" else pixels


def make_embedding(name: str, classes: int, generator: torch.Generator, channels: int = 1) -> Embedding:
    """binary: appended random bits, p = 0.3 (Lee and Song 2023); one_hot: appended; pixels: over the first pixels.

    pixels: in all channels of a pixel (Tosato 2025, sec. 3.2); images have their channels last.
    """
    if name == "binary":
        bits = torch.rand(classes, CODE_BITS, generator=generator) < CODE_P
        return Embedding("append", bits.float())
    if name == "one_hot":
        return Embedding("append", torch.eye(classes))
    if name == "pixels":
        return Embedding("overwrite", torch.eye(classes).repeat_interleave(channels, 1))
    raise ValueError(f"embedding must be binary, one_hot or pixels, got {name!r}")

"""The negative of a pair: a wrong label, random or hard, beside the image or beside what is left of it.

The slides' "hybrid negatives", a mix of strategies, are `mixed` here: half of the labels random, half hard. `hybrid`
is Hinton's hybrid image (2022, sec. 3.2), with a wrong label as the supervised net needs it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.data.jitter import Shape

BLURS = 6  # times that a hybrid image's random mask is blurred, with 1/4, 1/2, 1/4 each way
NOISE = 0.09  # standard deviation; the slides' published code has 0.3 of that of MNIST's pixels, which is 0.31
MASKED = 0.3  # share of the pixels that a masked image has lost

# images (samples, values) in [0, 1], coins, an image's shape -> what negatives have in their place
Corruption = Callable[[Tensor, torch.Generator, Shape], Tensor]


def random_negatives(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """A wrong label each, all equally likely; labels (samples,)."""
    return (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes


def hard_negatives(scores: Tensor, labels: Tensor) -> Tensor:
    """The wrong label of the highest score; scores (samples, classes), labels (samples,)."""
    return scores.scatter(1, labels[:, None], -torch.inf).argmax(1)


def mixed_negatives(scores: Tensor, labels: Tensor, hard: float, generator: torch.Generator) -> Tensor:
    """Hard with probability `hard`, random otherwise."""
    choose = torch.rand(labels.shape, generator=generator) < hard
    return torch.where(choose, hard_negatives(scores, labels), random_negatives(labels, scores.shape[1], generator))


def hybrid_images(images: Tensor, generator: torch.Generator, shape: Shape) -> Tensor:
    """m x + (1 - m) x', x' another image of the batch, m in {0, 1} blurred random bits cut at 1/2 (Hinton 2022).

    images (samples, values), channels last; a pixel's channels share its m.
    """
    height, width, channels = shape
    bits = torch.rand(len(images), 1, height, width, generator=generator) < 0.5
    mask = bits.float()
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (kernel[:, None] * kernel)[None, None]
    for _ in range(BLURS):
        mask = F.conv2d(F.pad(mask, (1, 1, 1, 1), mode="replicate" if min(height, width) == 1 else "reflect"), kernel)
    other = images[torch.randperm(len(images), generator=generator)]
    return torch.where(mask.flatten(1).repeat_interleave(channels, 1) > 0.5, images, other)


def noisy_images(images: Tensor, generator: torch.Generator, shape: Shape) -> Tensor:
    """x + N(0, NOISE^2), clipped to 0..1; every channel by itself."""
    return (images + NOISE * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def masked_images(images: Tensor, generator: torch.Generator, shape: Shape) -> Tensor:
    """x with a random share MASKED of its pixels at 0, in all their channels."""
    kept = torch.rand(len(images), shape[0] * shape[1], generator=generator) >= MASKED
    return images * kept.repeat_interleave(shape[2], 1)


NEGATIVES: dict[str, tuple[float, Corruption | None]] = {  # share of hard labels, what becomes of the image
    "random": (0.0, None),
    "hard": (1.0, None),
    "mixed": (0.5, None),
    "hybrid": (0.0, hybrid_images),
    "noise": (0.0, noisy_images),
    "masked": (0.0, masked_images),
}

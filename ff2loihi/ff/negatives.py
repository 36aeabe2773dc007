"""Negative images."""

import torch
import torch.nn.functional as F
from torch import Tensor

BLURS = 6  # times that a hybrid image's random mask is blurred, with 1/4, 1/2, 1/4 each way


def hybrid_images(images: Tensor, generator: torch.Generator, channels: int = 1) -> Tensor:
    """m x + (1 - m) x', x' another image of the batch, m in {0, 1} blurred random bits cut at 1/2 (Hinton 2022).

    images (samples, side side channels), channels last; a pixel's channels share its m.
    """
    side = round((images.shape[1] // channels) ** 0.5)
    bits = torch.rand(len(images), 1, side, side, generator=generator) < 0.5
    mask = bits.float()
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (kernel[:, None] * kernel)[None, None]
    for _ in range(BLURS):
        mask = F.conv2d(F.pad(mask, (1, 1, 1, 1), mode="reflect"), kernel)
    other = images[torch.randperm(len(images), generator=generator)]
    return torch.where(mask.flatten(1).repeat_interleave(channels, 1) > 0.5, images, other)

"""Other worlds: what a network meets that goes on learning on the chip."""

from dataclasses import replace

import numpy as np
import torch
from torchvision.transforms.functional import InterpolationMode, rotate

from ff2loihi.data.datasets import Dataset


def rotated(data: Dataset, degrees: float) -> Dataset:
    """Grey images turned counter-clockwise about their middle, bilinear, black outside."""
    images = torch.from_numpy(data.images).reshape(-1, 1, *data.shape[:2])
    turned = rotate(images, degrees, InterpolationMode.BILINEAR)
    name = f"{data.name} rotated by {degrees:g} degrees"
    return replace(data, name=name, images=turned.reshape(len(images), -1).numpy())


def inverted(data: Dataset) -> Dataset:
    """255 - pixel."""
    return replace(data, name=f"{data.name} inverted", images=np.subtract(255, data.images))

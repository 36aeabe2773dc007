"""The host's part of a learning network: pixels to input rates, goodness to scores."""

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork


def rates(network: LearningNetwork, image: np.ndarray) -> np.ndarray:
    """Spikes in 256 steps of each pixel input, (pixels,) int64, of an image (pixels,) uint8.

    pixels: p factor >> 8; contrast: |p - median of the image| factor >> 8, the same for an inverted image.
    """
    pixels = image.astype(np.int64)
    if network.input_code == "contrast":
        pixels = np.abs(pixels - int(np.median(image)))
    return pixels * network.input_factor >> 8


def scores(goodness: np.ndarray, probability: str) -> np.ndarray:
    """Each label's score (labels,), from goodness (labels, layers, 2): the mean over the layers.

    symmetric: (G+ + 1) / (G+ + G- + 2); sigmoid: G+ + G-.
    """
    if probability == "symmetric":
        return ((goodness[..., 0] + 1) / (goodness.sum(-1) + 2)).mean(-1)
    return goodness.sum(-1).mean(-1).astype(np.float64)

"""The host's part of a learning network: pixels to input rates, goodness to scores."""

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.learning_rule import input_rates


def rates(network: LearningNetwork, image: np.ndarray) -> np.ndarray:
    """Spikes in 256 steps of each pixel input, (pixels,) int16, of an image (pixels,) uint8."""
    return input_rates(image, network.input_code, network.input_factor)


def scores(goodness: np.ndarray, probability: str) -> np.ndarray:
    """Each label's score (labels,), from goodness (labels, layers, 2): the mean over the layers.

    symmetric: (G+ + 1) / (G+ + G- + 2); sigmoid: G+ + G-.
    """
    if probability == "symmetric":
        found = (goodness[..., 0] + 1) / (goodness.sum(-1) + 2)
    else:
        found = goodness.sum(-1).astype(np.float64)
    return found.cumsum(-1)[..., -1] / found.shape[-1]  # one layer after the other: kernels add in this order

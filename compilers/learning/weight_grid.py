"""The chip's grid of weights: even numbers of 8 bits."""

import numpy as np

from ff2loihi.compilers.ir import LearningLayer
from ff2loihi.processes.library_rule import GateFactor
from ff2loihi.processes.limits import WEIGHT_MAX, WEIGHT_MIN

WEIGHT_STEP = 2  # of the grid


def to_even_grid(weight: np.ndarray) -> np.ndarray:
    """The nearest even weights in WEIGHT_MIN..WEIGHT_MAX, int16: what a mixed-sign synapse holds."""
    return np.clip(2 * np.rint(weight / 2), WEIGHT_MIN, WEIGHT_MAX).astype(np.int16)


def held(weight: np.ndarray, layer: LearningLayer) -> np.ndarray:
    """Weights (out, in), which may be odd, as the layer's synapses hold them where a run begins.

    Library neurons with a mask learn through Lava's LearningSparse, which drops a synapse that begins at 0: those that
    exist begin at 2 instead, the next weight of the grid.
    """
    even = to_even_grid(weight)
    if layer.mask is None or not isinstance(layer.factor, GateFactor):
        return even
    return np.where(layer.mask & (even == 0), np.int16(WEIGHT_STEP), even)


def saturated(weight: np.ndarray) -> float:
    """The share of weights at either end."""
    return float(((weight <= WEIGHT_MIN) | (weight >= WEIGHT_MAX)).mean())

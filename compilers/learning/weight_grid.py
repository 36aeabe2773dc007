"""The chip's grid of weights: even numbers of 8 bits."""

import numpy as np

from ff2loihi.processes.limits import WEIGHT_MAX, WEIGHT_MIN


def to_even_grid(weight: np.ndarray) -> np.ndarray:
    """The nearest even weights in WEIGHT_MIN..WEIGHT_MAX, int16: what a mixed-sign synapse holds."""
    return np.clip(2 * np.rint(weight / 2), WEIGHT_MIN, WEIGHT_MAX).astype(np.int16)


def saturated(weight: np.ndarray) -> float:
    """The share of weights at either end."""
    return float(((weight <= WEIGHT_MIN) | (weight >= WEIGHT_MAX)).mean())

"""Whether a layer's weights excite or inhibit."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Excitation:
    """share (n,): rho+ of each neuron; bias (n,), zeros for a layer without."""

    share: np.ndarray
    bias: np.ndarray


def excitation(weight: np.ndarray, bias: np.ndarray | None) -> Excitation:
    """rho+_i = positive weights / inputs of neuron i, and its bias beta_i (Tosato 2025, section 4.5).

    weight (n, inputs), bias (n,) or None; a weight of 0 counts as an input that is not positive. Of a convolution,
    weight (channels, ...): the share of each kernel.
    """
    weight = np.asarray(weight).reshape(len(weight), -1)
    return Excitation((weight > 0).mean(1), np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64))

"""The host's part of a learning network: samples to what its inputs take, goodness to scores."""

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.fixed_point import rate_code
from ff2loihi.processes.learning_rule import RATE_ONE, input_rates


def rates(network: LearningNetwork, image: np.ndarray) -> np.ndarray:
    """Spikes in 256 steps of each pixel input, (pixels,) int16, of an image (pixels,) uint8; of events they are as they
    come, packed, (row,) uint8."""
    return image if network.events else input_rates(image, network.input_code, network.input_factor)


def draws_phases(network: LearningNetwork) -> int:
    """How many input accumulators start at a phase that is drawn for each sample: one a pixel, none of events."""
    return 0 if network.events else network.pixels


def input_spikes(network: LearningNetwork, q: np.ndarray, starts: np.ndarray, label: int) -> np.ndarray:
    """Every input's spikes under a label, (steps, inputs) uint8; q, starts: of a sample, as `show` takes it."""
    beside = label_spikes(network)[:, label]
    return np.concatenate([sample_spikes(network, q, starts), beside], axis=1)


def sample_spikes(network: LearningNetwork, q: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Those of the samples alone, (steps, ..., pixels) uint8."""
    if network.events:
        return network.events.spikes(q.astype(np.uint8))
    return np.stack(list(rate_code(starts, q.astype(np.int64), RATE_ONE, network.steps))).astype(np.uint8)


def label_spikes(network: LearningNetwork) -> np.ndarray:
    """Those of the label inputs, (steps, classes, label inputs) uint8."""
    codes, phases = network.label_codes.astype(np.int64), network.label_phases.astype(np.int64)
    return np.stack(list(rate_code(phases, codes, RATE_ONE, network.steps))).astype(np.uint8)


def scores(goodness: np.ndarray, probability: str) -> np.ndarray:
    """Each label's score (labels,), from goodness (labels, layers, 2): the mean over the layers.

    symmetric: (G+ + 1) / (G+ + G- + 2); sigmoid: G+ + G-.
    """
    if probability == "symmetric":
        found = (goodness[..., 0] + 1) / (goodness.sum(-1) + 2)
    else:
        found = goodness.sum(-1).astype(np.float64)
    return found.cumsum(-1)[..., -1] / found.shape[-1]  # one layer after the other: kernels add in this order

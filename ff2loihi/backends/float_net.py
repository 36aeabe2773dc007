"""The float network, run as back ends run its integers: what they are measured against."""

import time
from dataclasses import replace

import numpy as np

from ff2loihi.backends.base import Trace, check_pixels
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.ir import Network

BATCH_VALUES = 1 << 22  # of one batch: 32 MB in float64


def batches(network: Network, pixels: np.ndarray, passes: int) -> list[np.ndarray]:
    """pixels in batches whose widest layer holds BATCH_VALUES in so many passes."""
    widest = max(n for layer in network.layers for n in (layer.inputs, layer.neurons))
    size = max(1, BATCH_VALUES // (passes * widest))
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


def run(network: Network, pixels: np.ndarray) -> Trace:
    """A Trace of pixels (samples, pixels) uint8. It has no sums, spikes or states; the goodness of a net that
    sees no label is that of its one pass. Raises DataError."""
    check_pixels(network, pixels)
    started, scores, goodness = time.perf_counter(), [], []
    for batch in batches(network, pixels, len(network.pass_labels)):
        activities = float_forward.all_labels(network, batch)
        scores.append(readout.float_scores(network, activities))
        goodness.append(_goodness(network, activities))
    found = np.concatenate(scores)
    return Trace(
        backend="float",
        predictions=found.argmax(axis=1),
        scores=found,
        sums=np.zeros((len(found), 0), np.int64),
        goodness=np.concatenate(goodness),
        head=None,
        spikes=None,
        states={},
        seconds=time.perf_counter() - started,
    )


def _goodness(network: Network, activities: list[np.ndarray]) -> np.ndarray:
    """Each layer's, (samples, labels, layers): the scores of a network that reads this layer alone."""
    plain = replace(network, readout="goodness", head=None, pooled=None)
    layers = range(len(network.layers))
    return np.stack([readout.float_scores(replace(plain, readout_layers=(i,)), activities) for i in layers], axis=2)

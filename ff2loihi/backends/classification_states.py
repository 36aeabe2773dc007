"""What a network that learns computes when it only classifies: leaky LIFs, and a host that counts their spikes.

No learning neuron takes part: Dense and LIFReset compute v and s, the host forms r and the goodness.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from ff2loihi.backends.classification import accumulator_starts
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.compilers.learning import readout
from ff2loihi.compilers.learning.readout import rates
from ff2loihi.processes.learning_rule import lif, output_trace


def input_spikes(
    network: LearningNetwork, pixels: np.ndarray, starts: Iterable[np.ndarray] | None = None
) -> Iterator[np.ndarray]:
    """The spikes that `classify` shows, of each sample under every label: (labels, steps, inputs) uint8.

    starts: of each image's accumulators; by default those of the first ones that are classified.
    """
    starts = accumulator_starts(network, len(pixels)) if starts is None else starts
    for image, begin in zip(pixels, starts, strict=True):
        q = rates(network, image)
        yield np.stack([readout.input_spikes(network, q, begin, label) for label in range(network.classes)])


def states(
    network: LearningNetwork, pixels: np.ndarray, starts: Iterable[np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """a, v, s and r of each layer after each step, (samples, labels, steps, n) int64; starts: see input_spikes."""
    found, below = {}, np.stack(list(input_spikes(network, pixels, starts)))
    for layer in network.layers:
        a = (below.astype(np.float64) @ layer.weight.T.astype(np.float64)).astype(np.int64)  # exact: sums of 24 bits
        v, s = np.zeros_like(a), np.zeros_like(a)
        now = np.zeros_like(a[:, :, 0])
        for step in range(network.steps):
            now, s[:, :, step] = lif(now, a[:, :, step], layer.neuron)
            v[:, :, step] = now
        found |= {f"{layer.name}.a": a, f"{layer.name}.v": v, f"{layer.name}.s": s}
        below = s
    return with_traces(network, found)


def with_traces(network: LearningNetwork, recorded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Recorded states, s among them, and r of the spikes; all int64."""
    found = {name: array.astype(np.int64) for name, array in recorded.items()}
    for layer in network.layers:
        found[f"{layer.name}.r"] = _traces(layer, found[f"{layer.name}.s"])
    return found


def _traces(layer: LearningLayer, s: np.ndarray) -> np.ndarray:
    """r of spikes s (samples, labels, steps, n), 0 before the first step: learning_rule.output_trace."""
    r, now = np.zeros_like(s), np.zeros_like(s[:, :, 0])
    for step in range(s.shape[2]):
        now = r[:, :, step] = output_trace(now, s[:, :, step], layer.trace)
    return r


def sums(network: LearningNetwork, found: dict[str, np.ndarray]) -> np.ndarray:
    """G+ and G- at a presentation's end, (samples, labels, layers, 2) int64: sums of the last r^2."""
    squares = [(found[f"{layer.name}.r"][:, :, -1] ** 2, layer.positive) for layer in network.layers]
    pairs = [np.stack([r[..., positive].sum(-1), r[..., ~positive].sum(-1)], -1) for r, positive in squares]
    return np.stack(pairs, axis=2)

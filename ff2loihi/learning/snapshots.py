"""What a few neurons of the first layer weigh while a run goes on: their weights over the image, at a few moments."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.weight_grid import WEIGHT_STEP, held
from ff2loihi.data.jitter import Shape

NEURONS = 8  # evenly spread over the layer
HALVINGS = 6  # moments of a run: its start, 1/64 of it, 1/32 ... 1/2 and its end, as most is learned early
LARGEST = 17 * 17  # pixels of a kept picture, others are averaged: of MNIST 14 x 14 are left, of N-MNIST 17 x 17
SHOWN = 8  # moments of all runs


@dataclass(frozen=True)
class Snapshots:
    """weights (moments, neurons, height, width) int16 [weight LSB]; neurons: of the first layer.

    samples: of all runs, before each moment; those that `learn --revisit` left out count.
    """

    neurons: tuple[int, ...]
    samples: tuple[int, ...]
    weights: np.ndarray


def moments(total: int) -> list[int]:
    """Of a run of `total` samples, how many lie behind at each moment."""
    return sorted({0, *(-(-total >> halving) for halving in range(HALVINGS + 1))})


def over_inputs(weight: np.ndarray, shape: Shape, in_a_row: bool) -> np.ndarray:
    """Weights (neurons, height width channels) as pictures (neurons, height, width), the means of the channels.

    in_a_row: of events, whose channels are polarities and parts of the sample, of inputs in a row (height 1): (neurons,
    channels, width).
    """
    found = weight.reshape(len(weight), *shape)
    return found[:, 0].swapaxes(1, 2) if in_a_row else found.mean(3)


def averaged(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means over blocks of so many rows and columns of (..., height, width), those at the ends of what is left."""
    sums = [values.astype(float), np.ones(values.shape[-2:])]
    for axis, size in ((-2, rows), (-1, columns)):
        sums = [np.add.reduceat(part, np.arange(0, part.shape[axis], size), axis) for part in sums]
    return sums[0] / sums[1]


def taken(network: LearningNetwork, weight: np.ndarray, shape: Shape) -> np.ndarray:
    """The first layer's weights (out, in), as an artifact would have them, over images of that shape: int8
    (neurons, height, width), in steps of the chip's even grid."""
    if math.prod(shape) != network.pixels:
        shape = (1, network.pixels, 1)  # nobody said how the pixels lie
    known = held(weight, network.layers[0])[list(chosen(network)), : network.pixels]
    in_a_row = network.events is not None and shape[0] == 1
    pictures = over_inputs(known, shape, in_a_row)
    height, width = pictures.shape[1:]
    sizes = ((1 if in_a_row else n, n) for n in range(1, width + height))
    size = next((r, c) for r, c in sizes if -(-height // r) * -(-width // c) <= max(LARGEST, height))
    return np.rint(averaged(pictures, *size) / WEIGHT_STEP).astype(np.int8)


def chosen(network: LearningNetwork) -> tuple[int, ...]:
    """The neurons whose weights are kept."""
    return tuple(np.unique(np.linspace(0, len(network.layers[0].weight) - 1, NEURONS).astype(int)).tolist())


def facts(network: LearningNetwork, samples: Sequence[int], pictures: np.ndarray) -> dict:
    """What an artifact says of them; pictures (moments, neurons, height, width): as they were taken."""
    return {
        "neurons": list(chosen(network)),
        "samples": list(samples),
        "shape": list(pictures.shape[2:]),
        "weights": base64.b64encode(pictures.tobytes()).decode(),
    }


def history(runs: Sequence[dict]) -> Snapshots | None:
    """Of all runs that kept pictures like the last one's, SHOWN moments at most, evenly among them; None where it kept
    none. runs: as an artifact's provenance has them."""
    if not runs or "snapshots" not in runs[-1]:
        return None
    last, before = runs[-1]["snapshots"], 0
    samples: list[int] = []
    pictures: list[np.ndarray] = []
    for run in runs:
        own = run.get("snapshots")
        if own and all(own[key] == last[key] for key in ("neurons", "shape")):
            kept = np.frombuffer(base64.b64decode(own["weights"]), np.int8)
            kept = kept.reshape(len(own["samples"]), len(own["neurons"]), *own["shape"])
            first = int(samples[-1:] == [before])  # where a run starts as the one before it ended, once is enough
            samples += [before + count for count in own["samples"][first:]]
            pictures += list(kept[first:])
        before += own["samples"][-1] if own else run.get("samples", 0)
    shown = np.unique(np.linspace(0, len(samples) - 1, SHOWN).round().astype(int)).tolist()
    weights = WEIGHT_STEP * np.stack([pictures[index] for index in shown]).astype(np.int16)
    return Snapshots(tuple(last["neurons"]), tuple(samples[index] for index in shown), weights)

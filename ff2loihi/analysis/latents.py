"""Latents: what each layer's neurons hold after one presentation, of the float net and of its compiled forms.

A presentation shows an image with one label: the sample's true one (the positive presentation, which both papers
analyse: Terres-Escudero 2024, section 4; Tosato 2025, section 3.5), or the neutral one, which tells no class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ff2loihi.backends import float_net
from ff2loihi.backends.base import check_pixels
from ff2loihi.backends.classification import accumulator_starts
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.inference.integer_forward import Forward, quantized
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Network, Program
from ff2loihi.compilers.learning.readout import rates

BATCH_ELEMENTS = 1 << 22  # values of one batch: 32 MB in float64


@dataclass(frozen=True)
class Latents:
    """What one form of a network makes of some samples.

    name: float, graded, LIF or learning; predictions (samples,); true, neutral: one (samples, n) array a layer, under
    the true and under the neutral label: float activities, graded payloads, or spikes of the presentation (of a
    learning network: its ReLU trace, eq. 13, in spikes); names, weights, biases: of the layers, (n, inputs), (n,) or
    None.
    """

    name: str
    predictions: np.ndarray
    true: tuple[np.ndarray, ...]
    neutral: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]

    def only(self, layers: Sequence[int]) -> "Latents":
        """Those of some layers, by their places."""
        fields = ("true", "neutral", "names", "weights", "biases")
        return replace(self, **{field: tuple(getattr(self, field)[index] for index in layers) for field in fields})


def latents(form: Network | Program, pixels: np.ndarray, labels: np.ndarray) -> Latents:
    """The latents of pixels (samples, pixels) uint8 with labels (samples,), in batches. Raises DataError."""
    network = form.network if isinstance(form, Program) else form
    check_pixels(network, pixels)
    predictions = (
        Emulator().run(form, pixels).predictions
        if isinstance(form, Program)
        else float_net.run(form, pixels).predictions
    )
    if isinstance(network, Network):
        name, codes, neutral, show = "float", network.label.codes, network.label.neutral, partial(_float, network)
    elif isinstance(network, LearningNetwork):
        neutral = np.rint(network.label_codes.mean(0)).astype(np.int32)
        name, codes, show = "learning", network.label_codes, partial(_learning, network)
    else:
        name = "LIF" if network.neuron == "lif" else "graded"
        codes, neutral, show = network.label_codes, network.neutral, partial(_integers, network)
    true = _scatter(
        len(labels),
        [(np.flatnonzero(labels == label), code) for label, code in enumerate(codes) if (labels == label).any()],
        lambda rows, code: show(pixels[rows], code),
    )
    return Latents(
        name=name,
        predictions=predictions,
        true=true,
        neutral=show(pixels, neutral),
        names=tuple(layer.name for layer in network.layers),
        weights=tuple(layer.weight for layer in network.layers),
        biases=tuple(getattr(layer, "bias", None) for layer in network.layers),
    )


def _scatter(samples: int, groups: list, show: Callable) -> tuple[np.ndarray, ...]:
    """The groups' latents, each in the rows of its samples."""
    out: tuple[np.ndarray, ...] = ()
    for rows, code in groups:
        found = show(rows, code)
        out = out or tuple(np.empty((samples, part.shape[1]), part.dtype) for part in found)
        for whole, part in zip(out, found, strict=True):
            whole[rows] = part
    return out


def _batches(pixels: np.ndarray, elements: int) -> list[np.ndarray]:
    size = max(1, BATCH_ELEMENTS // elements)
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


def _joined(parts: list) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(layer) for layer in zip(*parts, strict=True))


def _float(network: Network, pixels: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, ...]:
    parts = []
    for batch in float_net.batches(network, pixels, 1):
        x = float_forward.inputs(network, batch, np.tile(code, (len(batch), 1)))
        parts.append(float_forward.activities(network, x))
    return _joined(parts)


def _integers(network: IntNetwork, pixels: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of a network that knows this label alone: a tenth of the work, and no other label's states are kept."""
    forward = Forward(replace(network, label_codes=code[None], neutral=code))
    parts = []
    for batch in _batches(pixels, 4 * network.steps * sum(layer.neurons for layer in network.layers)):
        states = forward.run(quantized(network, batch).astype(np.float32), states=True).states
        if network.neuron == "graded":
            parts.append([states[f"{layer.name}.h"][:, 0] for layer in network.layers])
        else:
            parts.append([states[f"{layer.name}.r"][:, 0, -1] for layer in network.layers])
    return _joined(parts)


def _learning(network: LearningNetwork, pixels: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, ...]:
    learner = emulator_learner(replace(network, label_codes=code[None]))
    out = tuple(np.empty((len(pixels), len(layer.weight)), np.int64) for layer in network.layers)
    for index, (image, phases) in enumerate(zip(pixels, accumulator_starts(network, len(pixels)), strict=True)):
        learner.show(rates(network, image), phases)
        for layer, counts in zip(out, learner.counts(0), strict=True):
            layer[index] = counts
    return out

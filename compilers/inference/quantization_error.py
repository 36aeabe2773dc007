"""What each layer lost between float and integers, measured on calibration images under every label."""

from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.inference.equalize import obstacle, peaks
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.ir import IntLayer, IntNetwork, Layer, LayerLoss, Network

IMAGES = 50
MOST_DB = 200.0
FEW_BITS = 4  # of payloads, or fewer, lose more than weights of 8 bits do
MANY = 0.1  # of a layer's neurons: a few without weights are those that were never trained


def measure(network: Network, integers: IntNetwork, pixels: np.ndarray) -> tuple[LayerLoss, ...]:
    """One LayerLoss a layer, on the first IMAGES of pixels (samples, pixels) uint8.

    Where normalisation is deferred the float layers are compared without it: a factor a sample is no loss.
    """
    pixels = pixels[:IMAGES]
    float_activities = float_forward.all_labels(network, pixels, "none" if integers.deferred else None)
    states = Forward(integers).run(quantize_pixels(pixels, integers.input_bits), states=True).states
    found = []
    for float_layer, layer, target in zip(network.layers, integers.layers, float_activities, strict=True):
        if integers.neuron == "graded":
            activity, top = states[f"{layer.name}.h"], layer.top
        else:
            activity, top = states[f"{layer.name}.r"][:, :, -1], integers.steps
        fires, target_fires = (values.reshape(-1, layer.outputs).any(0) for values in (activity, target))
        found.append(
            LayerLoss(
                *weight_loss(float_layer, layer),
                saturated=float((activity >= top).mean()),
                activity_corr=_correlation(activity.ravel(), target.ravel()),
                neurons_db=_neurons_db(float_layer, layer),
                vanished=int((target_fires & _without_weights(layer)).sum()),
                silent=int((~fires).sum()),
                float_silent=int((~target_fires).sum()),
            )
        )
    return tuple(found)


def warnings(network: Network, integers: IntNetwork, losses: tuple[LayerLoss, ...]) -> Iterator[str]:
    """Layers that are dead, or many of whose neurons have no weight left, or payloads few bits, with the cause."""
    for index, (layer, loss) in enumerate(zip(network.layers, losses, strict=True)):
        if loss.silent == layer.outputs:
            too = ", nor in the float net" if loss.float_silent == layer.outputs else ""
            yield f"{layer.name}: no neuron fires on the calibration images{too}"
        elif loss.vanished > MANY * layer.outputs:
            sizes, empty = peaks(layer.weight), peaks(integers.layers[index].weight) == 0
            text = (
                f"{layer.name}: {loss.vanished} of {layer.outputs} neurons lost all their weights: the rows differ by "
                f"{sizes.max() / np.median(sizes[empty & (sizes > 0)]):,.0f}"
            )
            reason = obstacle(network, index)
            yield f"{text}. They cannot be evened out: {reason}" if reason else text
    for index, above in enumerate(integers.layers[1:]):
        name = integers.layers[index].name
        bits = (integers.norms[index] if integers.norms else integers.layers[index]).top.bit_length()
        if integers.neuron == "graded" and above.label and bits <= FEW_BITS:
            yield (
                f"{name}: its payloads have {bits} bits, so that the label's share of the sums of {above.name} fits "
                "beside theirs: it is far larger. Train with a weaker label there"
            )


def _without_weights(layer: IntLayer) -> np.ndarray:
    """(outputs,): which neurons have none."""
    return np.repeat(peaks(layer.weight) == 0, layer.outputs // len(layer.weight))


def weight_loss(layer: Layer, integers: IntLayer) -> tuple[float, float]:
    """weight_sqnr_db and clipped of a LayerLoss."""
    beyond = (1 << integers.weight_bits) - 1
    signal = noise = 0.0
    clipped = size = 0
    for w, lost, step in _matrices(layer, integers):
        signal, noise = signal + float((w**2).sum()), noise + float(lost.sum())
        clipped, size = clipped + int((np.abs(w) > step * beyond).sum()), size + w.size
    return _decibels(signal, noise), clipped / size


def _matrices(layer: Layer, integers: IntLayer) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Of a layer's weights, and of its label's: each in float, what it lost, squared, and the float value of one LSB,
    by least squares."""
    pairs = [(layer.weight, integers.weight)]
    if layer.label is not None and integers.label:
        pairs.append((layer.label, integers.label.weight))
    for weight, even in pairs:
        w, q = weight.astype(np.float64), even.astype(np.float64)
        step = float(np.vdot(w, q) / np.vdot(q, q))
        yield w, (w - q * step) ** 2, step


def _decibels(signal: float, noise: float) -> float:
    return float(min(10 * np.log10(signal / noise), MOST_DB)) if noise > 0 else MOST_DB


def _neurons_db(layer: Layer, integers: IntLayer) -> tuple[float, float, float]:
    parts = [(w**2, lost) for w, lost, _ in _matrices(layer, integers)]
    rows = np.sum([np.stack([part.reshape(len(part), -1).sum(1) for part in pair], 1) for pair in parts], axis=0)
    found = [_decibels(signal, noise) for signal, noise in rows if signal]
    least, tenth, median = np.quantile(found, (0, 0.1, 0.5)).tolist()
    return least, tenth, median


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() * b.std() > 0 else 0.0

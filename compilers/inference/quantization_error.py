"""What each layer lost between float and integers, measured on calibration images under every label."""

import numpy as np

from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LayerLoss, Network

IMAGES = 50


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
        found.append(
            LayerLoss(
                *_weight_loss(float_layer.weight.astype(np.float64), layer),
                saturated=float((activity >= top).mean()),
                activity_corr=_correlation(activity.ravel(), target.ravel()),
            )
        )
    return tuple(found)


def _weight_loss(w: np.ndarray, layer: IntLayer) -> tuple[float, float]:
    q = layer.weight.astype(np.float64)
    step = float(np.vdot(w, q) / np.vdot(q, q))  # float value of one weight LSB, by least squares
    noise = float(((w - q * step) ** 2).sum())
    top = (1 << layer.weight_bits) - 2
    sqnr = 10 * np.log10((w**2).sum() / noise) if noise > 0 else np.inf
    return float(min(sqnr, 200.0)), float((np.abs(w) > step * (top + 1)).mean())


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() * b.std() > 0 else 0.0

"""Firing thresholds of a spiking network, swept on the calibration images, and the biases that go with them."""

from dataclasses import dataclass, replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.arithmetic_rules import sums_fit
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import quantize_label
from ff2loihi.compilers.ir import IntLayer, IntNetwork, Layer, Network
from ff2loihi.compilers.ir.convolution import product
from ff2loihi.processes.limits import ACCUMULATOR_BITS, ALIGN, BIAS_EXP_MAX, BIAS_MANT_MAX, VTH_MAX

# A layer's threshold, from its positive drive a step: (name, the two percentiles whose geometric mean it is).
CANDIDATES = (
    ("p90", 90.0, 90.0),
    ("p97", 97.0, 97.0),
    ("p99", 99.0, 99.0),
    ("p99.7", 99.7, 99.7),
    ("p99.9", 99.9, 99.9),
    ("p99.9 to max", 99.9, 100.0),
    ("max", 100.0, 100.0),
)
START = 4  # the candidate of the layers not yet swept
SWEEP_IMAGES = 500  # images of the sweep
BLEND = 0.65  # share of an image in its blend with the next one
SWEEP_WORK = 4e10  # multiply-adds of one candidate; a larger net is swept on fewer images


@dataclass(frozen=True)
class Trial:
    """One candidate of one layer: all layers' thresholds, and how well the scores follow the float network's."""

    layer: str
    name: str
    vth: tuple[int, ...]
    fidelity: float


def sweep(
    network: Network, integers: IntNetwork, pixels: np.ndarray, vth: int | None
) -> tuple[IntNetwork, list[Trial]]:
    """`integers` with the thresholds of highest fidelity, layer after layer from the lowest up, and every trial.

    pixels (samples, pixels) uint8. vth given: no sweep, that mantissa for each layer. Raises CompileError.
    """
    if vth is not None:
        return _settle(network, integers, pixels, [lambda drive: vth] * len(integers.layers), {}), []
    macs = sum(layer.synapses for layer in integers.layers) * integers.steps * len(integers.pass_labels)
    pixels = pixels[: int(max(50, min(SWEEP_IMAGES, SWEEP_WORK // macs)))]
    shown = blends(pixels)
    target = readout.root(readout.float_scores(_linear(network), float_forward.all_labels(network, shown)))
    quantized = quantize_pixels(shown, integers.input_bits)
    chosen, best, trials = [CANDIDATES[START]] * len(integers.layers), integers, []
    known: dict[int, tuple[tuple[int, ...], np.ndarray]] = {}
    for index, layer in enumerate(integers.layers):
        found = []
        for candidate in CANDIDATES:
            rules = [*chosen[:index], candidate, *chosen[index + 1 :]]
            settled = _settle(network, integers, pixels, [_rule(low, high) for _, low, high in rules], known)
            result = Forward(settled).run(quantized)
            fidelity = readout.correlation(
                readout.root(readout.scores(_linear(settled), result.sums, result.head)), target
            )
            found.append((fidelity, settled, candidate))
            trials.append(Trial(layer.name, candidate[0], tuple(part.vth for part in settled.layers), fidelity))
        fidelity, best, chosen[index] = max(found, key=lambda trial: trial[0])
    return best, trials


def blends(pixels: np.ndarray) -> np.ndarray:
    """Each image with a share of the next one over it, (samples, pixels) uint8: what a network is not sure of.

    A network knows its training images too well: on them the strongest neurons count most, and thresholds come out
    too high for test images.
    """
    return np.rint(BLEND * pixels + (1 - BLEND) * np.roll(pixels, -1, axis=0)).astype(np.uint8)


def _linear(network):
    """The network with the layers' goodness summed as it is: a softmax of confident layers hides differences, and so
    do votes."""
    return replace(network, readout="goodness") if network.readout in ("softmax", "vote") else network


def _rule(low: float, high: float):
    return lambda drive: np.sqrt(_percentile(drive, low) * _percentile(drive, high))


def _percentile(drive: np.ndarray, percentile: float) -> float:
    positive = drive[drive > 0]
    return float(np.percentile(positive, percentile)) if positive.size else 1.0


def _settle(network: Network, integers: IntNetwork, pixels: np.ndarray, rules: list, known: dict) -> IntNetwork:
    """Threshold and bias of each layer, from the lowest up: a layer's drive comes from the spikes below it.

    known: of each layer the thresholds up to it that were settled last, and its counts under these.
    """
    full = (1 << integers.input_bits) - 1
    few = quantize_pixels(pixels[:100], integers.input_bits)
    codes = integers.pass_labels
    plain = replace(integers, head=None, pooled=None, readout="goodness")
    shown = Forward(replace(plain, layers=integers.layers[:1]))
    rates = np.empty((len(few), len(codes), integers.inputs))
    rates[:, :, shown.image_columns] = few[:, None, shown.image_columns] / full
    rates[:, :, shown.label_columns] = codes / full
    layers = []
    below = 1.0 / integers.steps  # float value of one input spike
    for index, unlabelled in enumerate(integers.layers):
        layer = _with_label(network.layers[index], unlabelled, below, integers)
        drive = product(rates, layer.weight, layer.conv) / 2**layer.shift
        value = layer.scale * below  # of one LSB of the sum of `a` over the steps
        bias, exponent = _bias(network.layers[index], value * integers.steps)
        drive = drive + bias / (1 << ALIGN)
        if layer.label:
            drive += layer.label.drive(codes, full)
        vth = int(min(VTH_MAX, max(1, round(rules[index](drive)))))
        scale = value * vth
        layers.append(
            replace(
                layer,
                vth=vth,
                v0=(vth << ALIGN) >> 1 if integers.reset == "soft" else 0,
                bias=bias,
                bias_exp=exponent,
                scale=scale,
            )
        )
        below = scale
        if index + 1 < len(integers.layers):
            part = replace(plain, layers=tuple(layers), readout_layers=(0,), label_codes=codes)
            reached = tuple(one.vth for one in layers)
            if index not in known or known[index][0] != reached:
                known[index] = reached, Forward(part).counts(few)
            rates = known[index][1] / integers.steps
    return replace(integers, layers=tuple(layers))


def _with_label(layer: Layer, integers: IntLayer, below: float, network: IntNetwork) -> IntLayer:
    """`integers` with the label's inputs, shifted further where these would not fit beside what comes from below.

    below: float value of one spike that comes in.
    """
    codes = np.vstack([network.label_codes, network.neutral])
    while True:
        unit = integers.scale * below * network.steps
        label = quantize_label(layer, unit, integers.weight_bits, codes, network.full)
        found = replace(integers, label=label)
        if label is None or found.shift == ACCUMULATOR_BITS - 1 or not any(sums_fit(network, found, 1)):
            return found
        integers = replace(integers, shift=integers.shift + 1, scale=2 * integers.scale)


def _bias(layer, value: float) -> tuple[np.ndarray, int]:
    """Bias a step in v LSB, mantissa 2^exponent; value: float activity of one LSB of `a` in each step."""
    if layer.bias is None:
        return np.zeros(layer.neurons, np.int32), 0
    wanted = layer.bias.astype(np.float64) / value * (1 << ALIGN)
    for exponent in range(BIAS_EXP_MAX + 1):
        mantissa = np.rint(wanted / 2**exponent)
        if np.abs(mantissa).max() <= BIAS_MANT_MAX:
            return (mantissa.astype(np.int64) << exponent).astype(np.int32), exponent
    raise CompileError(
        f"{layer.name}: a bias of {np.abs(wanted).max():,.0f} v units a step, the chip holds "
        f"{BIAS_MANT_MAX << BIAS_EXP_MAX:,} (limits.BIAS_MANT_MAX). Use --neuron graded, or smaller biases"
    )

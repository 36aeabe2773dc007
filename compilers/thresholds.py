"""Firing thresholds of a spiking network, swept on the calibration images, and the biases that go with them."""

from dataclasses import dataclass, replace

import numpy as np

from ff2loihi.compilers import readout, reference
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.forward import Forward, quantize_pixels
from ff2loihi.compilers.ir import IntNetwork, Network
from ff2loihi.processes.limits import ALIGN, BIAS_EXP_MAX, BIAS_MANT_MAX, VTH_MAX

# The threshold as a share of the positive drive a step: (name, percentile, factor). The best one differs a network.
CANDIDATES = (
    ("p50", 50.0, 1.0),
    ("2 p50", 50.0, 2.0),
    ("p90", 90.0, 1.0),
    ("p99", 99.0, 1.0),
    ("p99.9", 99.9, 1.0),
    ("max", 100.0, 1.0),
)
SWEEP_IMAGES = 500  # images of the sweep
SWEEP_WORK = 4e10  # multiply-adds of one candidate; a larger net is swept on fewer images


@dataclass(frozen=True)
class Trial:
    """One candidate: the share of the sweep's images whose arg-max equals the float network's."""

    name: str
    vth: tuple[int, ...]
    agreement: float


def sweep(
    network: Network, integers: IntNetwork, pixels: np.ndarray, vth: int | None
) -> tuple[IntNetwork, list[Trial]]:
    """`integers` with the thresholds whose predictions agree best with the float network's, and every trial.

    pixels (samples, pixels) uint8. vth given: no sweep, that mantissa for each layer. Raises CompileError.
    """
    if vth is not None:
        return _settle(network, integers, pixels, [lambda drive: vth] * len(integers.layers)), []
    macs = sum(layer.weight.size for layer in integers.layers) * integers.steps * integers.classes
    pixels = pixels[: int(max(50, min(SWEEP_IMAGES, SWEEP_WORK // macs)))]
    target = readout.float_scores(network, reference.all_labels(network, pixels)).argmax(1)
    quantized = quantize_pixels(pixels, integers.input_bits)
    best, trials = None, []
    for name, percentile, factor in CANDIDATES:
        rule = [lambda drive, p=percentile, f=factor: _percentile(drive, p) * f] * len(integers.layers)
        candidate = _settle(network, integers, pixels, rule)
        result = Forward(candidate).run(quantized)
        scores = readout.scores(candidate, result.sums, result.head)
        trials.append(
            Trial(name, tuple(layer.vth for layer in candidate.layers), float((scores.argmax(1) == target).mean()))
        )
        if best is None or trials[-1].agreement >= best[0]:  # of equals the last: fewer spikes, fewer saturated counts
            best = (trials[-1].agreement, candidate)
    return best[1], trials


def _percentile(drive: np.ndarray, percentile: float) -> float:
    positive = drive[drive > 0]
    return float(np.percentile(positive, percentile)) if positive.size else 1.0


def _settle(network: Network, integers: IntNetwork, pixels: np.ndarray, rules: list) -> IntNetwork:
    """Threshold and bias of each layer, from the lowest up: a layer's drive comes from the spikes below it."""
    full = (1 << integers.input_bits) - 1
    few = quantize_pixels(pixels[:100], integers.input_bits)
    codes = integers.neutral[None] if integers.readout == "head" else integers.label_codes
    shown = Forward(replace(integers, layers=integers.layers[:1], head=None, readout="goodness"))
    rates = np.empty((len(few), len(codes), integers.inputs))
    rates[:, :, shown.image_columns] = few[:, None, shown.image_columns] / full
    rates[:, :, shown.label_columns] = codes / full
    layers = []
    below = 1.0 / integers.steps  # float value of one input spike
    for index, layer in enumerate(integers.layers):
        drive = rates @ layer.weight.T.astype(np.float64) / 2**layer.shift
        value = layer.scale * below  # of one LSB of the sum of `a` over the steps
        bias, exponent = _bias(network.layers[index], value * integers.steps)
        drive = drive + bias / (1 << ALIGN)
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
            part = replace(
                integers, layers=tuple(layers), head=None, readout="goodness", readout_layers=(0,),
                label_codes=codes,
            )  # fmt: skip
            states = Forward(part).run(few, states=True).states
            rates = states[f"{layer.name}.r"][:, :, -1] / integers.steps
    return replace(integers, layers=tuple(layers))


def _bias(layer, value: float) -> tuple[np.ndarray, int]:
    """Bias a step in v LSB, mantissa 2^exponent; value: float activity of one LSB of `a` in each step."""
    if layer.bias is None:
        return np.zeros(layer.weight.shape[0], np.int32), 0
    wanted = layer.bias.astype(np.float64) / value * (1 << ALIGN)
    for exponent in range(BIAS_EXP_MAX + 1):
        mantissa = np.rint(wanted / 2**exponent)
        if np.abs(mantissa).max() <= BIAS_MANT_MAX:
            return (mantissa.astype(np.int64) << exponent).astype(np.int32), exponent
    raise CompileError(
        f"{layer.name}: a bias of {np.abs(wanted).max():,.0f} v units a step, the chip holds "
        f"{BIAS_MANT_MAX << BIAS_EXP_MAX:,} (limits.BIAS_MANT_MAX). Use --neuron graded, or smaller biases"
    )

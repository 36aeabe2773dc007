"""Weights, biases and activities become integers.

The calibration images set the ranges, and nothing else does: no test image is seen here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ff2loihi.compilers.choices import NeuronKind, Reset
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.ir import Binning, Head, IntHead, IntLabel, IntLayer, IntNetwork, Layer, Network, NormTable
from ff2loihi.compilers.ir.convolution import product
from ff2loihi.processes.fixed_point import floor_clip, start_phases
from ff2loihi.processes.fixed_point import normalize as normalize_int
from ff2loihi.processes.limits import (
    ACCUMULATOR_BITS,
    DENDRITE_BITS,
    HIDDEN_BITS,
    INPUT_BITS,
    NORM_ENTRY_BITS,
    NORM_FRACTION,
)

CALIBRATION_IMAGES = 1000  # that set the ranges, where nobody says how many
_ROOM = (7 << (ACCUMULATOR_BITS - 1)) >> 3  # of a graded sum's range; an eighth is left to the biases
CLIP_STEPS = 40  # candidates of the clip, from 1 down to 1/40 of the largest weight


@dataclass(frozen=True)
class Options:
    """What the user chose. steps: time steps of a sample for lif; vth: None means swept on the calibration images."""

    neuron: NeuronKind = "graded"
    weight_bits: int = 8
    steps: int = 16
    reset: Reset = "soft"
    vth: int | None = None


@dataclass(frozen=True)
class Calibration:
    """pixels (samples, pixels) uint8, labels (samples,): training images; data, sha256: their set's name, and hash;
    shape: (height, width, channels), where it is known; events: pixels are rows of spikes that were binned so."""

    pixels: np.ndarray
    labels: np.ndarray
    data: str | None = None
    sha256: str | None = None
    shape: tuple[int, int, int] | None = None
    events: Binning | None = None

    @property
    def inputs(self) -> int:
        return self.events.inputs if self.events else self.pixels.shape[1]

    @property
    def facts(self) -> dict:
        """What an artifact says of it."""
        said = {"data": self.data, "sha256": self.sha256, "shape": self.shape and list(self.shape)}
        return {"images": len(self.pixels), **{name: value for name, value in said.items() if value}}


def quantize_weights(weight: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """q = clip(round(W / s), -2^(b-1), 2^(b-1) - 1), s = c / (2^(b-1) - 1), c the clip of least squared error.

    weight: any float array. Returns (2 q int16 [weight LSB], the float value of one weight LSB). 2 q is even, as
    a mixed-sign synapse wants it, and no larger than b bits need: few-bit weights leave more bits to the activities.
    """
    w = weight.astype(np.float32)
    largest = float(np.abs(w).max())
    top = (1 << (bits - 1)) - 1
    best = (np.inf, 1.0)
    for step in range(CLIP_STEPS, 0, -1):
        s = np.float32(largest * step / CLIP_STEPS / top)
        if s <= 0:
            break
        rest = np.rint(w / s)
        np.clip(rest, -top - 1, top, out=rest)
        rest *= s
        rest -= w
        error = float(np.vdot(rest, rest))
        if error < best[0]:
            best = (error, float(s))
    s = best[1]
    q = np.clip(np.rint(w / np.float32(s)), -top - 1, top).astype(np.int16)
    if not q.any():
        raise CompileError(f"weights of at most {largest:g} vanish in float32. Rescale them")
    return 2 * q, s / 2


def mean_weights(weight: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """As quantize_weights, of weights that are all the same: exact, and so large that payloads of full width fit."""
    each = _ROOM // ((1 << HIDDEN_BITS) - 1) // weight[0].size
    q = max(1, min((1 << (bits - 1)) - 1, each // 2))
    return np.full(weight.shape, 2 * q, np.int16), float(weight.flat[0]) / (2 * q)


def payload_bits(weights: list[np.ndarray], most: int, name: str) -> int:
    """The most payload bits, at most `most`, for which no input overflows a sum of 24 signed bits.

    weights: even weights (out, ...) of everything that the payload feeds. Raises CompileError where not even one bit
    fits.
    """
    for bits in range(most, 0, -1):
        if all(_bound(weight, (1 << bits) - 1) < _ROOM for weight in weights):
            return bits
    reach = max(_bound(weight, 1) for weight in weights)
    raise CompileError(
        f"{name}: sums reach {reach:,} for 1-bit inputs, {_ROOM:,} fit beside the biases. Use fewer --weight-bits, "
        "or fewer inputs"
    )


def _bound(weight: np.ndarray, top: int) -> int:
    """The largest magnitude that W x can reach for x in 0..top, in any order of summation of one sign."""
    w = weight.reshape(len(weight), -1).astype(np.int64)
    return int(max(np.maximum(w, 0).sum(1).max(), -np.minimum(w, 0).sum(1).min())) * top


def calibration_inputs(network: Network, calibration: Calibration) -> np.ndarray:
    """u (2 samples, inputs) in [0, 1]: each image with its own label and with a wrong one."""
    passes = calibration_passes(network, calibration)
    pixels = np.concatenate([calibration.pixels] * (len(passes) // len(calibration.pixels)))
    return float_forward.inputs(network, pixels, network.pass_labels[passes])


def calibration_passes(network: Network, calibration: Calibration) -> np.ndarray:
    """The pass of each of these inputs, (2 samples,): its label; of a network of one pass (samples,)."""
    if len(network.pass_labels) == 1:
        return np.zeros(len(calibration.pixels), np.intp)
    shift = 1 + np.arange(len(calibration.labels)) % (network.classes - 1)
    wrong = (calibration.labels + shift) % network.classes
    return np.concatenate([calibration.labels, wrong])


def quantize(network: Network, calibration: Calibration, options: Options) -> IntNetwork:
    """The integer network; for lif its thresholds are still 1: thresholds.sweep sets them. Raises CompileError."""
    bits = options.weight_bits
    grids = [
        (quantize_weights if np.ptp(layer.weight) or not layer.averages else mean_weights)(layer.weight, bits)
        for layer in network.layers
    ]
    first, *above = network.layers
    divided = network.normalization != "none" and bool(above)
    seeing = [layer for layer in above if layer.label is not None]
    deferred = divided and not seeing and all(layer.bias is None for layer in above)
    tables = divided and not deferred
    if tables and options.neuron == "lif":
        what = "a label" if seeing else "a bias"
        raise CompileError(
            f"{(seeing or above)[0].name}: {what} behind normalisation {network.normalization!r} has no spiking form: "
            f"spikes cannot be divided. Use --neuron graded, or train the layers above the first without {what[2:]}"
        )
    averaging = [layer.name for layer in network.layers if layer.averages]
    if tables and averaging:
        raise CompileError(
            f"{averaging[0]}: averages activities whose normalisation {network.normalization!r} comes behind it: "
            "tables have no place there. Train the layers above the first without bias, or with max pooling or strides"
        )
    bits_in = INPUT_BITS
    if options.neuron == "graded":
        bits_in = payload_bits([grids[0][0]], INPUT_BITS, first.name)
    full = (1 << bits_in) - 1
    label_codes = np.rint(network.label.codes * full).astype(np.int32)
    base = IntNetwork(
        neuron=options.neuron,
        reset=options.reset,
        steps=options.steps if options.neuron == "lif" else 1,
        pixels=network.pixels,
        input_bits=bits_in,
        label_kind=network.label.kind,
        label_codes=label_codes,
        neutral=np.rint(network.label.neutral * full).astype(np.int32),
        phases=start_phases(first.inputs, full),
        layers=(),
        norms=(),
        goodness=network.goodness,
        probability=network.probability,
        normalization=network.normalization,
        deferred=deferred,
        readout=network.readout,
        readout_layers=network.readout_layers,
        head=None,
        top_k=network.top_k,
        pooled=network.pooled,
    )
    signal = calibration_inputs(network, calibration)
    head = quantize_head(network.head, bits) if network.head else None
    if options.neuron == "graded":
        labels = base.pass_labels[calibration_passes(network, calibration)]
        layers, norms = _graded_layers(network, grids, head, bits, np.rint(signal * full), labels, full, tables)
    else:
        layers, norms = _lif_layers(network, grids, bits), ()
    return replace(base, layers=layers, norms=norms, head=head)


def _graded_layers(
    network: Network, grids: list, head: IntHead | None, bits: int, x, labels: np.ndarray, full: int, tables: bool
):
    """Layer by layer from the calibration inputs x (samples, inputs) in 0..full, with the label codes `labels`, of
    which x has those of the first layer: shifts, biases, labels, tables.

    A shift rounds down, and half a unit less in each layer cost a net that takes means 3.4 points on Fashion-MNIST:
    there half a unit is added to the biases, so that a shift rounds to the nearest. Other nets keep their bits.
    """
    scale = 1.0 / full
    layers, norms = [], []
    rounded = any(layer.averages for layer in network.layers)
    codes = np.rint(np.vstack([network.label.codes, network.label.neutral]) * full).astype(np.int64)
    for index, (layer, (even, lsb)) in enumerate(zip(network.layers, grids, strict=True)):
        unit = lsb * scale  # float value of one accumulator LSB
        bias, label = _graded_bias(layer, unit), quantize_label(layer, unit, bits, codes, full)
        fed = [head.weights[network.readout_layers.index(index)]] if head and index in network.readout_layers else []
        above = [grids[index + 1][0]] if index + 1 < len(grids) else []
        hidden_bits = payload_bits(fed if tables else fed + above, HIDDEN_BITS, layer.name)
        top = (1 << hidden_bits) - 1
        a = product(x.astype(np.float64), even, layer.conv)
        if label:
            a += label.drive(labels, full)
        peak = int(max(0, (a + bias).max()))
        if not tables:
            hidden_bits = _bits_beside_label(
                network, grids, index + 1, hidden_bits,
                lambda bits, unit=unit, peak=peak: unit * 2.0 ** max(0, peak.bit_length() - bits),
            )  # fmt: skip
            top = (1 << hidden_bits) - 1
        shift = max(0, peak.bit_length() - hidden_bits)
        if rounded:
            bias = bias + np.int32(1 << shift >> 1)
        h = floor_clip((a + bias) * 2.0**-shift, top)
        if layer.pool:
            h = layer.pool.largest(h, np)
        scale = unit * 2.0**shift
        layers.append(
            IntLayer(
                layer.name, even, bits, bias, 0, shift, top, 0, 0, layer.positive, scale, layer.conv, layer.pool,
                layer.averages, label,
            )  # no threshold in a graded neuron
        )  # fmt: skip
        x = h
        if tables and index + 1 < len(network.layers):
            norm_bits = _bits_beside_label(
                network, grids, index + 1, payload_bits(above, HIDDEN_BITS, layer.name),
                lambda bits, h=h: _norm_table(network.normalization, h, bits).scale,
            )  # fmt: skip
            norm = _norm_table(network.normalization, h, norm_bits)
            norms.append(norm)
            total = (h**norm.power).sum(-1, keepdims=True)
            x = normalize_int(h, norm=total, power=norm.power, table=norm.table.astype(np.float64),
                              shift=norm.shift, top=norm.top, xp=np)  # fmt: skip
            scale = norm.scale
    return tuple(layers), tuple(norms)


def _bits_beside_label(network: Network, grids: list, index: int, bits: int, scale_at: Callable[[int], float]) -> int:
    """At most `bits` of the payloads into layer `index`, so that the label and the biases fit beside them.

    scale_at: of bits, the float value of one unit of such a payload. With fewer bits that is larger, and a label has
    fewer units.
    """
    layer = network.layers[index] if index < len(network.layers) else None
    if layer is None or layer.label is None:
        return bits
    even, lsb = grids[index]
    codes = np.vstack([network.label.codes, network.label.neutral])
    beside = np.abs(codes @ layer.label.T).max() + (0 if layer.bias is None else np.abs(layer.bias).max())
    limit = 1 << (ACCUMULATOR_BITS - 1)
    while bits > 1 and _bound(even, (1 << bits) - 1) + beside / (lsb * scale_at(bits)) >= limit:
        bits -= 1
    return bits


def quantize_label(layer: Layer, unit: float, bits: int, codes: np.ndarray, full: int) -> IntLabel | None:
    """The label's inputs on a grid of their own, None of a layer that does not see it; unit: float value of one LSB of
    the sums that they add to, in one step; codes: of all labels, in 0..full. Raises CompileError."""
    if layer.label is None:
        return None
    even, lsb = quantize_weights(layer.label, bits)
    most = ACCUMULATOR_BITS - 1
    if np.abs(layer.label).max() / unit >= 1 << most:
        raise CompileError(
            f"{layer.name}: its label adds up to {np.abs(layer.label).max() / unit:,.0f} units to its sums, "
            f"{ACCUMULATOR_BITS} bits hold {(1 << most) - 1:,}. The layer's weights are too small beside its label's: "
            "rescale one of them"
        )
    shift = min(most, int(np.floor(np.log2(((1 << INPUT_BITS) - 1) * unit / lsb))))
    while True:
        found = IntLabel(even, max(1, round(lsb / unit * 2.0**shift)), shift)
        if found.payload == 1 or shift == -most or found.reach(codes, full) < 1 << most:
            return found
        shift -= 1


def _graded_bias(layer: Layer, unit: float) -> np.ndarray:
    if layer.bias is None:
        return np.zeros(layer.neurons, np.int32)
    bias = np.rint(layer.bias.astype(np.float64) / unit)
    limit = 1 << (ACCUMULATOR_BITS - 1)
    if np.abs(bias).max() >= limit:
        raise CompileError(
            f"{layer.name}: a bias of {np.abs(bias).max():,.0f} accumulator units, {ACCUMULATOR_BITS} bits hold "
            f"{limit - 1:,}. The layer's weights are too small beside its biases: rescale one of them"
        )
    return bias.astype(np.int32)


def _norm_table(normalization: str, h: np.ndarray, bits: int) -> NormTable:
    """Table and shift for which the largest normalised activity of h (samples, n) fits `bits`."""
    power = 1 if normalization == "l1" else 2
    entries = 1 << NORM_ENTRY_BITS
    middle = (np.arange(((1 << power) - 1) * entries) + entries + 0.5) / entries
    table = np.rint((1 << NORM_FRACTION) / middle ** (1 / power)).astype(np.int32)
    top = (1 << bits) - 1
    norm = (h**power).sum(-1) ** (1 / power)
    peak = float((h.max(-1) / np.maximum(norm, 1)).max())  # the largest normalised activity, 0..1
    shift = NORM_FRACTION
    while shift and peak * 2.0 ** (NORM_FRACTION - shift + 1) <= top:
        shift -= 1
    gain = np.sqrt(h.shape[-1]) if normalization == "rms" else 1.0
    return NormTable(power, table, shift, top, scale=float(gain * 2.0 ** (shift - NORM_FRACTION)))


def _lif_layers(network: Network, grids: list, bits: int) -> tuple[IntLayer, ...]:
    """Layers with a threshold still to be set: scale is the float value of one accumulator LSB summed over steps."""
    layers = []
    for layer, (even, lsb) in zip(network.layers, grids, strict=True):
        reach = _bound(even, 1)
        reach += reach // 8 if layer.label is not None else 0  # room for what the label adds
        shift = max(0, reach.bit_length() - (DENDRITE_BITS - 1))
        unit = lsb * 2.0**shift  # of one LSB of a = (W s) >> shift
        layers.append(
            IntLayer(
                name=layer.name,
                weight=even,
                weight_bits=bits,
                bias=np.zeros(layer.neurons, np.int32),
                bias_exp=0,
                shift=shift,
                top=1,
                vth=1,
                v0=0,
                positive=layer.positive,
                scale=unit,
                conv=layer.conv,
                pool=layer.pool,
                averages=layer.averages,
            )
        )
    return tuple(layers)


def quantize_head(head: Head, bits: int) -> IntHead:
    """The head's weights on the same grid, one scale a layer; its bias stays with the read-out."""
    grids = [quantize_weights(weight, bits) for weight in head.weights]
    return IntHead(
        weights=tuple(even for even, _ in grids),
        scales=tuple(lsb for _, lsb in grids),
        bias=head.bias.astype(np.float32),
        activities=head.activities,
    )

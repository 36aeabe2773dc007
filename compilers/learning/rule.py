"""The learning rule: from a network's goodness and probability to the integers that Loihi 2's engine executes.

dw = 2^-e x0 y2 - 2^-e x0 y3 at each step of the window: x0 the input spike, y2 and y3 the post trace times the third
factor M (Terres-Escudero 2024, eq. 2 to 6), split in two because the chip's traces are unsigned. With a tag t:
dt = 2^-a x0 y2 - 2^-a x0 y3 - 2^-b t u0, dw = 2^-c t u0 (eq. 7, 8).
"""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from ff2loihi.compilers.choices import Curve, Eligibility, InputCode, TraceKind
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import Binning, LearningLayer, LearningNetwork, Network, UpdateRule, fields
from ff2loihi.compilers.ir.options import LIF
from ff2loihi.compilers.learning import from_events, from_spiking, library_rule
from ff2loihi.compilers.learning.from_trained import TRAINED_CURVE, on_grid, start_from_trained
from ff2loihi.compilers.learning.weight_grid import held, to_even_grid
from ff2loihi.processes.fixed_point import start_phases
from ff2loihi.processes.learning_rule import (
    CONTROL_STEPS,
    RATE_ONE,
    SYMMETRIC_ONE,
    TABLE_SIZE,
    Neuron,
    OutputTrace,
    ThirdFactor,
)
from ff2loihi.processes.limits import POST_TRACE_MAX

STEPS, WINDOW = 23, 8  # of a presentation, and its last ones that learn (Terres-Escudero 2024: 24 and 9)
LEAK = 614  # of 4096 a step: the paper's decay factor 0.85
VTH = 256  # mantissa
INPUT_FACTOR = 64  # of 256: the paper's rate factor 0.25
SMALL_IMAGE, SMALL_FACTOR = 256, 128  # pixels: images below it drive too few spikes at 64 (digits, validation)
LABEL_RATE = 64  # of 256, whatever the pixels' factor: both at 32 lost 1.8 points on Fashion-MNIST's validation
SPREAD = 32  # weight LSB, standard deviation of an untrained layer's weights
TRACE_KEEP, LI_IMPULSE = 218, 19  # of 256: the paper's 0.85; 19 / (1 - 0.85) stays below 127
SIGMOID_GAIN = 640  # of 256, of the sigmoid's error; its slope: see sigmoid_table
RATE_EXPONENT = 5  # dw = 2^-5 x0 y, the largest rate; 7 is the smallest that does not round to a bias
TAG_EXPONENT, TAG_DECAY, TAG_RATE = 2, 1, 4  # sum of a tag: 2^-2 x0 y 2^1, so that dw = 2^-5 x0 y as without


@dataclass(frozen=True)
class LearningOptions:
    """What `ff2loihi compile --learning on` lets a user choose.

    input_factor: None: 64, or 128 for images of fewer than 256 pixels.
    curve: of the symmetric probability, see `probability_table`; None: linear, and squared for a trained network.
    field: K: each neuron of the first layer sees K x K pixels at its own place, K and L: half of them L x L.
    library: --learning library: the rule of library neurons alone, see processes.library_rule.
    """

    trace: TraceKind = "relu"
    eligibility: Eligibility = "none"
    rate_exponent: int | None = None
    input_factor: int | None = None
    input_code: InputCode = "pixels"
    curve: Curve | None = None
    field: tuple[int, ...] = ()
    library: bool = False


def learning_network(
    network: Network, options: LearningOptions, trained: bool, pixels: np.ndarray, labels: np.ndarray
) -> LearningNetwork:
    """The network with its learning rule, in integers. Raises CompileError for what the chip cannot learn.

    trained: the weights carry something, and thresholds and third factors are measured on calibration images:
    pixels (samples, pixels) uint8, labels (samples,). Else each class gets as many label inputs of its own, and
    spiking neurons keep their leak and their trace's.
    """
    _check(network)
    if network.events and (trained or options.input_code != "pixels" or options.input_factor):
        raise CompileError(
            "events: an input spikes where an event is, and learning starts untrained: leave out --input-code and "
            "--input-factor, and use ff2loihi train --epochs 0"
        )
    if trained and network.probability.kind != "symmetric":
        raise CompileError(
            f"a trained network of probability {network.probability.kind!r} has no tuned third factor, symmetric has "
            "one. Use ff2loihi train --epochs 0"
        )
    factor = options.input_factor or (INPUT_FACTOR if network.pixels >= SMALL_IMAGE else SMALL_FACTOR)
    inputs = network.label.codes.shape[1]
    if trained:
        codes, phases = network.label.codes * factor, start_phases(inputs, RATE_ONE)
    else:
        codes, phases = _class_inputs(network.classes, inputs)
    probability, curve = network.probability.kind, options.curve or (TRAINED_CURVE if trained else "linear")
    layers = []
    for layer in network.layers:
        weight = layer.weight / max(layer.existing.std(), 1e-30) * SPREAD
        third = third_factor(probability, len(layer.positive), options.trace, curve)
        trace, lif = output_trace(options.trace), Neuron(VTH, LEAK)
        if network.neuron:
            lif = replace(lif, dv=from_spiking.leak(network.neuron))
            if trace.kind != "relu":
                trace = replace(trace, keep=from_spiking.trace_keep(network.neuron))
        layers.append(LearningLayer(layer.name, to_even_grid(weight), layer.positive, lif, trace, third, layer.mask))
    fresh = LearningNetwork(
        pixels=network.pixels,
        input_code="events" if network.events else options.input_code,
        input_factor=factor,
        label_codes=np.rint(codes).astype(np.int32),
        label_phases=phases,
        steps=network.events.presented if network.events else STEPS,
        window=_events_window(network.events) if network.events else WINDOW,
        layers=tuple(layers),
        update=_update(options),
        events=network.events,
    )
    if options.library:
        return _of_library_neurons(fresh, options, trained)
    if network.events:
        return from_events.fitted(fresh, pixels, labels, keep_rate=options.rate_exponent is not None)
    return start_from_trained(network, fresh, pixels, labels, probability_table(curve)) if trained else fresh


def _of_library_neurons(net: LearningNetwork[ThirdFactor], options: LearningOptions, trained: bool) -> LearningNetwork:
    """The untrained network with the rule of processes.library_rule. Raises CompileError where that has no form."""
    wrong = []
    layer, *above = net.layers
    if trained:
        wrong.append("a trained network: use ff2loihi train --epochs 0")
    if above:
        wrong.append(f"{len(net.layers)} layers: forced spikes would reach the layer above, use one")
    if wrong:
        raise CompileError(f"--learning library has no form for {'; '.join(wrong)}")
    steps, window = (net.steps, net.window) if net.events else (library_rule.STEPS, library_rule.WINDOW)
    factor = library_rule.gate_factor(layer.factor.probability, len(layer.positive), steps)
    layer = replace(layer, neuron=Neuron(layer.neuron.vth, library_rule.LEAK), factor=factor)
    return replace(
        net,
        steps=steps,
        window=window,
        layers=(replace(layer, weight=held(layer.weight, layer)),),
        update=UpdateRule("gate", options.rate_exponent or 0, 0, 0),
    )


def spiking_network(
    network: Network, neuron: LIF, options: LearningOptions, pixels: np.ndarray, labels: np.ndarray
) -> LearningNetwork[ThirdFactor]:
    """A net that was trained as it spikes, with its learning rule, in integers. Raises CompileError.

    pixels (samples, pixels) uint8, labels (samples,): training images, which set the third factors.
    """
    _check(network)
    if network.events and options.input_code != "pixels":
        raise CompileError(f"--input-code {options.input_code}: an input spikes where an event is, leave it out")
    factor = from_spiking.input_factor(neuron)
    curve = options.curve or TRAINED_CURVE
    layers = []
    for index, layer in enumerate(network.layers):
        behind = 0 if index else network.label.codes.shape[1]
        third = third_factor(network.probability.kind, len(layer.positive), neuron.trace, curve)
        lif, trace = from_spiking.integer_neuron(neuron, layer, behind), from_spiking.output_trace(neuron)
        layers.append(LearningLayer(layer.name, on_grid(layer, behind), layer.positive, lif, trace, third, layer.mask))
    net = LearningNetwork(
        pixels=network.pixels,
        input_code="events" if network.events else options.input_code,
        input_factor=factor,
        label_codes=np.rint(network.label.codes * factor).astype(np.int32),
        label_phases=start_phases(network.label.codes.shape[1], RATE_ONE),
        steps=neuron.steps,
        window=_events_window(network.events) if network.events else min(WINDOW, neuron.steps - CONTROL_STEPS),
        layers=tuple(layers),
        update=_update(options),
        events=network.events,
    )
    return from_spiking.with_measured_factors(net, pixels, labels)


def _events_window(events: Binning) -> int:
    """The last round, or as much of a single one as can learn."""
    return min(events.steps, events.presented - CONTROL_STEPS)


def _class_inputs(classes: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """(codes (classes, inputs), phases (inputs,) int32): as many inputs for each class, phases spread evenly."""
    each = inputs // classes
    codes = np.kron(np.eye(classes), np.ones(each)) * LABEL_RATE
    phases = np.arange(inputs) % each * RATE_ONE // each
    return np.pad(codes, ((0, 0), (0, inputs - codes.shape[1]))), phases.astype(np.int32)


def _update(options: LearningOptions) -> UpdateRule:
    """The string and the first exponent of the weights' update."""
    tag = options.eligibility == "tag"
    rate = options.rate_exponent if options.rate_exponent is not None else TAG_RATE if tag else RATE_EXPONENT
    return UpdateRule("tag", rate, TAG_EXPONENT, TAG_DECAY) if tag else UpdateRule("none", rate, 0, 0)


def output_trace(kind: TraceKind) -> OutputTrace:
    """eq. 13 (relu: the spike count), 11 (li) and 12 (hard-li) in integers."""
    if kind == "relu":
        return OutputTrace("relu", impulse=1, keep=256, top=POST_TRACE_MAX)
    return OutputTrace(kind, impulse=LI_IMPULSE, keep=TRACE_KEEP, top=POST_TRACE_MAX)


def third_factor(probability: str, neurons: int, trace: str, curve: str = "linear") -> ThirdFactor:
    """The constants of M for a layer of that width, as tuned on MNIST's validation images (examples/RESULTS.md).

    target: 1000, or 3 a neuron where that is more, with the sigmoid twice as much; theta and target grow with the
    trace's square, and the modulation falls with the trace. The sigmoid's theta is the target: P is 1/2 where balance
    holds the layer.
    """
    gains, thetas, targets, shift = {"relu": (1, 1, 1, 0), "li": (5.5, 30, 30, 5), "hard-li": (5, 50, 60, 6)}[trace]
    target = max(1000, 3 * neurons)
    shift += int(np.ceil(np.log2(target / 250)))
    theta = max(200, 6 * neurons // 10)
    gain = max(2048, 8 * neurons)
    if probability == "sigmoid":
        target = 2 * target * targets
        return ThirdFactor("sigmoid", int(SIGMOID_GAIN * gains / targets), target, target, shift + 1, sigmoid_table())
    table = probability_table(curve)
    return ThirdFactor("symmetric", int(gain * gains), int(theta * thetas), int(target * targets), shift, table)


def probability_table(curve: str) -> tuple[int, ...]:
    """P of p = G+ / (G+ + G-), both in 1/256: linear P = p (eq. 6); squared p^2 / (p^2 + (1 - p)^2), G^2 in place of G;
    stretched clip(2 p - 1/2, 0, 1): a sample that is right by a margin teaches nothing."""
    p = np.arange(SYMMETRIC_ONE + 1) / SYMMETRIC_ONE
    curves = {"linear": p, "squared": p**2 / (p**2 + (1 - p) ** 2), "stretched": np.clip(2 * p - 0.5, 0, 1)}
    return tuple(int(x) for x in np.rint(SYMMETRIC_ONE * curves[curve]))


def sigmoid_table() -> tuple[int, ...]:
    """255 / (1 + exp(-(i - 128) / 64)): P_sigma over (G - theta) >> balance_shift (eq. 5)."""
    index = np.arange(TABLE_SIZE) - TABLE_SIZE // 2
    return tuple(round(255 / (1 + np.exp(-i / 64))) for i in index)


def check_options(options: LearningOptions) -> None:
    """Raise CompileError for options that no network could be compiled with."""
    choices = {"trace": TraceKind, "eligibility": Eligibility, "input_code": InputCode, "curve": Curve}
    wrong = [
        f"--{name.replace('_', '-')} must be one of {', '.join(get_args(allowed))}, got {value!r}"
        for name, allowed in choices.items()
        if (value := getattr(options, name)) not in get_args(allowed) and not (name == "curve" and value is None)
    ]
    fields.check(options.field)
    if options.input_factor is not None and not 1 <= options.input_factor <= 256:
        wrong.append(f"--input-factor must be in 1..256, got {options.input_factor}")
    if options.library:
        names = ("trace", "eligibility", "curve")
        wrong += [
            f"--{name} {value}: has no form with --learning library"
            for name in names
            if (value := getattr(options, name)) != getattr(LearningOptions, name)
        ]
    if wrong:
        raise CompileError("; ".join(wrong))


def options_for(neuron: LIF, options: LearningOptions) -> LearningOptions:
    """`options` with the trace that the net was trained with. Raises CompileError where they ask for another."""
    wrong = []
    if options.library:
        wrong.append("--learning library: a net that was trained as it spikes keeps its own neuron, use --learning on")
    if options.trace not in (LearningOptions.trace, neuron.trace):
        wrong.append(f"--trace {options.trace}: the net was trained with {neuron.trace} (neuron.trace of its spec)")
    if options.input_factor is not None:
        wrong.append(
            f"--input-factor {options.input_factor}: neuron.rate of the spec sets it, "
            f"{from_spiking.input_factor(neuron)}"
        )
    if wrong:
        raise CompileError("; ".join(wrong))
    return replace(options, trace=neuron.trace)


def with_fields(network: Network, sizes: tuple[int, ...], shape: tuple[int, int, int] | None, trained: bool) -> Network:
    """The network whose first layer has fields of those sizes. Raises CompileError where it was trained without them.

    shape: (height, width, channels) of its images.
    """
    first, *above = network.layers
    if shape is None or first.conv or network.label.kind != "append":
        raise CompileError("--field: is of a dense first layer, with the label behind an image of known shape")
    exists = fields.mask(shape, network.label.codes.shape[1], first.positive, sizes)
    weight = np.where(exists, first.weight, 0)
    if trained and (weight != first.weight).any():
        size = ",".join(map(str, sizes))
        raise CompileError(
            f"--field {size}: the net was trained with other synapses. Use ff2loihi train --field {size}"
        )
    return replace(network, layers=(replace(first, weight=weight, mask=exists), *above))


def _check(network: Network) -> None:
    """Raise CompileError with everything in the network that the rule has no form for."""
    if network.neuron and network.label.kind == "none":
        raise CompileError(
            "label none: a net of spiking neurons compiles where labels spike beside the samples, and the goodness "
            "under each is read. Train such a one, as ff2loihi train --recipe ff-lif does"
        )
    wrong = []
    if network.probability.kind not in ("symmetric", "sigmoid"):
        wrong.append(
            f"probability {network.probability.kind!r} has no third factor of one sample; symmetric and sigmoid have"
        )
    if network.goodness != "sum_squares":
        wrong.append(f"goodness {network.goodness!r}: the rule's factor is the trace itself for sum_squares alone")
    if network.top_k:
        wrong.append(f"top_k {network.top_k}: the rule's goodness is that of all neurons of a polarity")
    if network.label.kind == "none":
        wrong.append("label none: the rule learns from right and wrong labels, and this network sees none")
    elif network.label.kind != "append":
        wrong.append("labels over pixels: the label inputs must stand behind the pixels (append)")
    elif network.label.codes.shape[1] < network.classes:
        wrong.append(f"{network.label.codes.shape[1]} label inputs for {network.classes} classes")
    if any(layer.bias is not None for layer in network.layers):
        wrong.append("biases: the plastic neuron has none")
    seeing = [layer.name for layer in network.layers if layer.label is not None]
    if seeing:
        wrong.append(f"{', '.join(seeing)}: label inputs above the first layer: the rule learns from the first's alone")
    if network.normalization != "none" and len(network.layers) > 1:
        wrong.append(f"normalization {network.normalization!r}: spikes pass between layers as they are, use none")
    if network.readout != "goodness" or len(network.readout_layers) < len(network.layers):
        wrong.append("the read-out must be the goodness of all layers, which the rule learns: drop readout")
    if wrong:
        raise CompileError("; ".join(wrong))

"""Generated networks: every mode, read-out and normalisation, weights and states at the edges of their ranges.

Each is drawn again until every layer spikes: two silent layers would be equal whatever they compute.
"""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import arithmetic_rules, quantization_error, quantize, thresholds
from ff2loihi.compilers.ir import Head, Label, Layer, Network, Program
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.options import Contrast, Sigmoid, Symmetric
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes import limits


def float_network(rng: np.random.Generator, lif: bool, wide: int = 64) -> Network:
    pixels, label_inputs, classes = (int(rng.integers(a, b)) for a, b in ((4, 41), (2, 9), (2, 6)))
    kind = str(rng.choice(["append", "overwrite", "none"]))
    if kind == "overwrite" and label_inputs >= pixels:
        kind = "append"
    label_inputs = 0 if kind == "none" else label_inputs
    depth = int(rng.integers(1, 5))
    image = None
    if kind != "append" and rng.random() < 0.4:  # the lower layers are convolutions
        image = int(rng.integers(1, 4)), int(rng.integers(3, 8)), int(rng.integers(3, 8))
        pixels = int(np.prod(image))
        label_inputs = min(label_inputs, pixels - 1)
    bias = rng.random() < 0.4
    normalization = "none" if lif and bias else str(rng.choice(["none", "l2", "l1", "rms"]))
    width = pixels if kind == "overwrite" else pixels + label_inputs
    layers = []
    for index in range(depth):
        conv = None if image is None else convolution(rng, image, classes)
        image = conv.out_shape if conv and rng.random() < 0.7 else None
        n = classes * int(rng.integers(1, wide // classes + 1))  # channels of the classes, if they are read
        shape = conv.weight_shape if conv else (n, width)
        n, each = (conv.neurons, conv.neurons // conv.channels) if conv else (n, 1)  # a bias a channel
        weight = rng.normal(0, 1, shape) * np.exp(rng.normal(0, 0.5, shape))
        weight += (rng.random() < 0.2) * 3 * rng.choice([-1, 1])  # all of one sign: Lava has modes for that
        layers.append(
            Layer(
                f"hidden{index + 1}",
                weight.astype(np.float32),
                np.repeat(rng.normal(0, 0.5, n // each), each).astype(np.float32) if bias else None,
                np.arange(n) < (n + 1) // 2,
                conv,
            )
        )
        width = n
    readout = str(rng.choice(["head", "channels"] if kind == "none" else ["goodness", "softmax", "head"]))
    head = None
    if readout == "head":
        weights = tuple(rng.normal(0, 1, (classes, len(layer.positive))).astype(np.float32) for layer in layers)
        head = Head(weights, rng.normal(0, 1, classes).astype(np.float32), str(rng.choice(["l2", "raw"])))
    codes = (rng.random((classes, label_inputs)) * (rng.random((classes, label_inputs)) < 0.6)).astype(np.float32)
    probability = [
        Symmetric(kind="symmetric"), Sigmoid(kind="sigmoid", theta=1.0), Contrast(kind="contrast")
    ][2 if readout == "channels" else rng.integers(3)]  # fmt: skip
    goodness = str(rng.choice(["sum_squares", "mean_squares", "l2", "l1"]))
    return Network(
        pixels=pixels,
        label=Label(kind, codes, codes.mean(0)),
        layers=tuple(layers),
        goodness=goodness,
        probability=probability,
        normalization=normalization,
        readout=readout,
        readout_layers=tuple(range(depth)),
        head=head,
    )


def convolution(rng: np.random.Generator, image: tuple[int, int, int], classes: int) -> Conv:
    """Kernels of 1 to 3, strides, paddings and groups that fit the image, channels a multiple of the classes."""
    kernel = tuple(int(rng.integers(1, min(3, side) + 1)) for side in image[1:])
    stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, min(kernel)))
    groups = image[0] if rng.random() < 0.4 else 1
    return Conv(image, classes * groups * int(rng.integers(1, 3)), kernel, stride, padding, groups)


def pooled_network(rng: np.random.Generator) -> Network:
    """Two pooled convolutions, some dilated, the second with a pool that averages, or below a dense layer."""
    classes, image = (
        int(rng.integers(2, 4)),
        (int(rng.integers(1, 3)), int(rng.integers(6, 10)), int(rng.integers(6, 10))),
    )
    bias, layers, used, pixels = rng.random() < 0.5, [], [], int(np.prod(image))
    for name, kind in (("hidden1", "max"), ("hidden2", str(rng.choice(["max", "average"])))):
        kernel, dilation = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        if (kernel - 1) * dilation >= min(image[1:]):  # what the first pool left is smaller than the kernel reaches
            kernel = 1
        conv = Conv(image, 2 * classes, (kernel, kernel), 1, int(rng.integers(0, kernel)), 1, dilation)
        size = int(rng.integers(1, min(3, *conv.out_shape[1:]) + 1)) if name == "hidden1" else min(conv.out_shape[1:])
        pool = MaxPool(conv.out_shape, (size, size), int(rng.integers(1, 3)))
        weight = rng.normal(0, 1, conv.weight_shape).astype(np.float32)
        biases = rng.normal(0, 0.5, conv.neurons).astype(np.float32) if bias else None  # each neuron's own
        ones = np.ones(conv.neurons, bool)
        half = np.arange(pool.outputs) < (pool.outputs + 1) // 2
        if kind == "max":
            layers.append(Layer(name, weight, biases, half, conv, pool))
        else:
            means = np.full(pool.kernels.weight_shape, 1 / size**2, np.float32)
            layers += [
                Layer(name, weight, biases, ones, conv),
                Layer(f"{name}_average", means, None, half, pool.kernels, averages=True),
            ]
        used.append(len(layers) - 1)
        image = pool.out_shape
    if rng.random() < 0.5:
        n = 2 * classes
        layers.append(
            Layer("dense", rng.normal(0, 1, (n, layers[-1].outputs)).astype(np.float32), None, np.ones(n, bool))
        )
        used.append(len(layers) - 1)
    none = np.zeros((classes, 0), np.float32)
    return Network(
        pixels=pixels, label=Label("none", none, none.mean(0)), layers=tuple(layers),
        goodness=str(rng.choice(["mean_squares", "l1"])), probability=Contrast(kind="contrast"),
        normalization="none" if bias else str(rng.choice(["none", "rms"])), readout="channels",
        readout_layers=tuple(used),
    )  # fmt: skip


def labelled_network(rng: np.random.Generator, lif: bool) -> Network:
    """As float_network, and its dense layers above the first see the label, too."""
    net, layers = float_network(rng, lif), []
    while net.label.kind == "none" or all(layer.conv for layer in net.layers[1:]):
        net = float_network(rng, lif)
    for index, layer in enumerate(net.layers):
        shape = layer.neurons, net.label.codes.shape[1]
        strength = np.exp(rng.normal(0, 1))  # beside the other inputs
        seen = index > 0 and not layer.conv
        layers.append(replace(layer, label=rng.normal(0, strength, shape).astype(np.float32)) if seen else layer)
    return replace(net, layers=tuple(layers), normalization="none" if lif else net.normalization)


def at_the_edges(rng: np.random.Generator, program: Program) -> Program:
    """Weights of -256, 0 and 254, thresholds of 1 and 2^17 - 1, biases at both ends; what would not fit is thinned."""
    net = program.network
    layers = []
    for layer in net.layers:
        low, high = -(1 << layer.weight_bits), (1 << layer.weight_bits) - 2
        kept = 1.0
        while True:
            edges = rng.choice([low, high, 0, 2, -2], layer.weight.shape)
            weight = (edges * (rng.random(layer.weight.shape) < kept)).astype(np.int16)
            changes = {"weight": weight}
            channels = layer.conv.channels if layer.conv else len(layer.bias)  # one bias each
            if net.neuron == "graded":
                bias = rng.choice([0, 1, -1, 1 << 20, -(1 << 20)], channels).astype(np.int32)
                changes["bias"] = np.repeat(bias, len(layer.bias) // channels)
                changes["shift"] = int(rng.integers(0, 14))
            else:
                exponent = int(rng.integers(0, limits.BIAS_EXP_MAX + 1))
                mantissa = rng.choice([0, 1, -1, limits.BIAS_MANT_MAX, -limits.BIAS_MANT_MAX], channels)
                changes["bias"] = np.repeat((mantissa << exponent).astype(np.int32), len(layer.bias) // channels)
                changes["bias_exp"] = exponent
                changes["vth"] = int(rng.choice([1, 2, 300, 20000, limits.VTH_MAX]))
                changes["v0"] = (changes["vth"] << limits.ALIGN) >> 1 if net.reset == "soft" else 0
                changes["shift"] = int(rng.integers(0, 4))
            if layer.label:
                edges = rng.choice([low, high, 0, 2, -2], layer.label.weight.shape)
                payload, shift = int(rng.choice([1, 2, 255])), int(rng.integers(-6, 17))
                edges = (edges * (rng.random(edges.shape) < kept)).astype(np.int16)
                changes["label"] = replace(layer.label, weight=edges, payload=payload, shift=shift)
            edge = replace(layer, **changes)
            try:
                arithmetic_rules.check(replace(net, layers=(*layers, edge, *net.layers[len(layers) + 1 :])))
            except CompileError:
                kept *= 0.7
                continue
            layers.append(edge)
            break
    return replace(program, network=replace(net, layers=tuple(layers)))


@pytest.fixture(scope="session")
def generate():
    """generate(seed) -> (Program, pixels): half of them as compiled, half pushed to the edges; every layer spikes.

    pooled: with pools, see pooled_network; labelled: with the label in upper layers, see labelled_network.
    """

    def make(seed: int, wide: int = 64, pooled: bool = False, labelled: bool = False) -> tuple[Program, np.ndarray]:
        for attempt in count():
            rng, lif = np.random.default_rng([seed, attempt] if attempt else seed), bool(seed % 2)
            network = pooled_network(rng) if pooled else None if labelled else float_network(rng, lif, wide)
            program, pixels = draw(rng, lif, network or labelled_network(rng, lif))
            if Emulator().run(program, pixels).spikes.any((0, 1)).all():
                return program, pixels
        return None

    def draw(rng: np.random.Generator, lif: bool, network: Network) -> tuple[Program, np.ndarray]:
        images = rng.integers(0, 256, (40, network.pixels)).astype(np.uint8)
        images[rng.random(images.shape) < 0.3] = 0
        images[rng.random(images.shape) < 0.3] = 255
        options = quantize.Options(
            neuron="lif" if lif else "graded",
            weight_bits=int(rng.integers(limits.MIN_WEIGHT_BITS, limits.WEIGHT_BITS + 1)),
            steps=int(rng.integers(2, 10)),
            reset=str(rng.choice(["soft", "hard"])),
        )
        calibration = quantize.Calibration(images, rng.integers(0, network.classes, len(images)))
        integers = quantize.quantize(network, calibration, options)
        if lif:
            integers, _ = thresholds.sweep(network, integers, images, None)
        arithmetic_rules.check(integers)
        program = Program(integers, quantization_error.measure(network, integers, images), {})
        if rng.random() < 0.5:
            program = at_the_edges(rng, program)
        return program, images[: int(rng.integers(1, 4))]

    return make

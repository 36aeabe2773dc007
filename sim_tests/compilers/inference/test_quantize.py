"""Weights, inputs, biases and normalisation in integers, against searches and divisions done another way."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import arithmetic_rules, readout
from ff2loihi.compilers.inference.integer_forward import Forward, powers, quantize_pixels
from ff2loihi.compilers.inference.quantize import (
    Calibration,
    Options,
    payload_bits,
    quantize,
    quantize_weights,
)
from ff2loihi.compilers.pipeline import check_options
from ff2loihi.processes.fixed_point import normalize

BITS = range(2, 9)


def calibration(images, count=60):
    return Calibration(images(count), np.arange(count) % 4)


def error_of_clip(values: list[float], clip: float, bits: int) -> float:
    """The squared error of one clip, value by value in Python's floats."""
    top = 2 ** (bits - 1) - 1
    scale = clip / top
    return sum((min(max(round(v / scale), -top - 1), top) * scale - v) ** 2 for v in values)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", ["normal", "tails", "one sided", "one outlier"])
def test_quantized_weights_are_on_the_grid_and_no_clip_is_better(bits, shape):
    rng = np.random.default_rng(bits)
    weight = rng.normal(0, 0.1, (8, 30))
    weight = {"normal": weight, "tails": weight**3, "one sided": np.abs(weight), "one outlier": weight}[shape]
    weight[0, 0] = {"one outlier": 5.0}.get(shape, weight[0, 0])
    even, lsb = quantize_weights(weight, bits)
    assert even.dtype == np.int16
    assert all(int(w) % 2 == 0 for w in even.ravel())
    assert -(2**bits) <= even.min() <= even.max() <= 2**bits - 2
    values = [float(v) for v in weight.ravel()]
    found = sum((int(w) * lsb - v) ** 2 for w, v in zip(even.ravel(), values, strict=True))
    largest = max(abs(v) for v in values)
    others = [error_of_clip(values, largest * step / 40, bits) for step in range(40, 0, -1)]
    assert found <= min(others) * (1 + 1e-4)
    assert all(found <= error_of_clip(values, largest * share, bits) * 1.03 for share in np.linspace(0.12, 1, 10))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6])
def test_the_quantized_weights_do_not_depend_on_the_unit(bits, size):
    weight = np.random.default_rng(0).normal(0, 1, (20, 20))
    even, lsb = quantize_weights(weight, bits)
    scaled, scaled_lsb = quantize_weights(weight * size, bits)
    assert (np.abs(scaled.astype(int) - even) <= 2).all()
    assert (scaled != even).mean() < 0.02  # ties of the rounding alone
    assert scaled_lsb == pytest.approx(lsb * size, rel=1e-5)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 40, 700, 5000, 20000]), st.sampled_from([-1, 0, 1]))
def test_no_image_overflows_the_sum_at_the_chosen_bits_and_one_bit_more_leaves_no_room(seed, inputs, sign):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (2, inputs)).astype(np.int16) * 2
    weight = sign * np.abs(weight) if sign else weight
    bits = payload_bits([weight[:1], weight[1:]], 8, "hidden1")
    assert 1 <= bits <= 8
    bright = max(sum(w for w in row if w > 0) for row in weight.tolist())  # of the worst images, white and black
    dark = min(sum(w for w in row if w < 0) for row in weight.tolist())
    worst = max(bright, -dark)
    assert worst * (2**bits - 1) < 2**23
    assert bits == 8 or worst * (2 ** (bits + 1) - 1) >= 2**23 * 7 / 8


def test_a_layer_with_too_many_inputs_for_one_bit_is_refused_by_name():
    with pytest.raises(CompileError, match="hidden1"):
        payload_bits([np.full((1, 40000), 254, np.int16)], 8, "hidden1")


@pytest.mark.parametrize("bits", range(1, 9))
def test_pixels_are_rounded_half_up_from_0_to_full(bits):
    full = 2**bits - 1
    got = quantize_pixels(np.arange(256, dtype=np.uint8)[None], bits)[0]
    assert got.tolist() == [int(Fraction(p, 255) * full + Fraction(1, 2)) for p in range(256)]
    assert (got[0], got[255]) == (0, full)


def float_activities(net, pixels, code, divide=True):
    """The float network on one image in float64, normalised by true divisions."""
    x = np.concatenate([pixels / 255, code])
    out = []
    for index, layer in enumerate(net.layers):
        if index and divide:
            norm = {
                "none": 1.0,
                "l1": sum(abs(v) for v in x),
                "l2": sum(v * v for v in x) ** 0.5,
                "rms": (sum(v * v for v in x) / len(x)) ** 0.5,
            }[net.normalization]
            x = x / norm if norm > 0 else x
        a = layer.weight.astype(np.float64) @ x + (0 if layer.bias is None else layer.bias)
        a = a if layer.label is None else a + layer.label @ code
        x = np.maximum(a, 0)
        out.append(x)
    return out


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("normalization", ["none", "l2", "l1", "rms"])
def test_a_graded_activity_times_its_scale_is_the_float_activity(float_net, images, bias, normalization):
    net = float_net(4, widths=(40, 30, 20), bias=bias, normalization=normalization)
    integers = quantize(net, calibration(images), Options())
    states = Forward(integers).run(quantize_pixels(images(8, seed=9), integers.input_bits), states=True).states
    for image, pixels in enumerate(images(8, seed=9)):
        wanted = float_activities(net, pixels, net.label.codes[2], divide=not integers.deferred)
        for layer, target in zip(integers.layers, wanted, strict=True):
            got = states[f"{layer.name}.h"][image, 2] * layer.scale
            assert np.abs(got - target).max() < 0.08 * target.max()


@pytest.mark.parametrize("strength", [0.01, 1, 5, 100])
@pytest.mark.parametrize("normalization", ["none", "l2", "l1", "rms"])
def test_a_label_adds_to_an_upper_layer_what_it_adds_to_the_float_one(float_net, images, normalization, strength):
    net = float_net(4, widths=(40, 30, 20), normalization=normalization, everywhere=True)
    first, *above = net.layers
    above = [replace(layer, label=layer.label * np.float32(strength)) for layer in above]
    net = replace(net, layers=(first, *above))
    integers = quantize(net, calibration(images), Options())
    arithmetic_rules.check(integers)
    assert not integers.deferred
    states = Forward(integers).run(quantize_pixels(images(8, seed=9), integers.input_bits), states=True).states
    for image, pixels in enumerate(images(8, seed=9)):
        for label, code in enumerate(net.label.codes):
            for layer, target in zip(integers.layers, float_activities(net, pixels, code), strict=True):
                got = states[f"{layer.name}.h"][image, label] * layer.scale
                assert np.abs(got - target).max() < 0.08 * target.max()
    shown = states["hidden2.h"]
    assert (shown[:, 0] != shown[:, 1]).any()


def test_a_label_that_leaves_no_room_for_a_layers_own_weights_is_refused_by_name(float_net, images):
    net = float_net(4, everywhere=True)
    heavy = replace(net.layers[1], label=net.layers[1].label * np.float32(1e7))
    with pytest.raises(CompileError, match="hidden2: its label adds up to .* 24 bits hold 8,388,607.*rescale"):
        quantize(replace(net, layers=(net.layers[0], heavy)), calibration(images), Options())


def test_graded_biases_are_the_float_biases_in_accumulator_units(float_net, images):
    net = float_net(5, bias=True)
    integers = quantize(net, calibration(images), Options())
    for layer, target in zip(integers.layers, net.layers, strict=True):
        unit = layer.scale / 2**layer.shift
        assert np.abs(layer.bias * unit - target.bias).max() <= 0.5 * unit * 1.0001


def test_a_bias_beyond_24_bits_is_refused_by_name(float_net, images):
    net = float_net(6, bias=True)
    heavy = replace(net.layers[0], bias=net.layers[0].bias * np.float32(1e6))
    with pytest.raises(CompileError, match="hidden1.*24 bits"):
        quantize(replace(net, layers=(heavy, net.layers[1])), calibration(images), Options())


@pytest.mark.parametrize("normalization", ["l2", "l1", "rms"])
@pytest.mark.parametrize("goodness", ["sum_squares", "mean_squares", "l2", "l1"])
@pytest.mark.parametrize("seed", range(3))
def test_deferred_normalisation_is_the_same_division_later(float_net, images, normalization, goodness, seed):
    net = float_net(seed, (20, 15, 10), normalization=normalization, goodness=goodness)
    integers = quantize(net, calibration(images), Options())
    assert integers.deferred
    exact = replace(integers, layers=tuple(replace(layer, scale=1.0) for layer in integers.layers))
    sums, wanted = np.zeros((10, 4, 3, len(powers(exact)), 2)), np.zeros((10, 4, 3))
    for image, pixels in enumerate(images(10)):
        for label, code in enumerate(net.label.codes):
            plain = float_activities(net, pixels, code, divide=False)
            divided = float_activities(net, pixels, code)
            for index, (h, y) in enumerate(zip(plain, divided, strict=True)):
                for at, power in enumerate(powers(exact)):
                    sums[image, label, index, at] = sum(h[::2] ** power), sum(h[1::2] ** power)
                wanted[image, label, index] = {
                    "sum_squares": sum(y * y), "mean_squares": sum(y * y) / len(y),
                    "l2": sum(y * y) ** 0.5, "l1": sum(y),
                }[goodness]  # fmt: skip
    assert np.allclose(readout.goodness(exact, sums), wanted, rtol=1e-9)
    assert readout.scores(exact, sums, None).argmax(1).tolist() == wanted.sum(2).argmax(1).tolist()


@pytest.mark.parametrize("probability", ["sigmoid", "symmetric"])
@pytest.mark.parametrize("normalization", ["none", "l2", "rms"])
def test_the_integer_network_predicts_as_the_float_one(float_net, images, probability, normalization):
    net = float_net(11, (60, 40), normalization=normalization, probability=probability)
    integers = quantize(net, calibration(images), Options())
    many = images(200, seed=2)
    result = Forward(integers).run(quantize_pixels(many, integers.input_bits))
    got = readout.scores(integers, result.sums, None).argmax(1)
    wanted = []
    for pixels in many:
        scores = []
        for code in net.label.codes:
            parts = [(sum(h[::2] ** 2), sum(h**2)) for h in float_activities(net, pixels, code)]
            scores.append(sum(p / t if probability == "symmetric" else t for p, t in parts))
        wanted.append(int(np.argmax(scores)))
    assert (got == wanted).mean() > 0.9


@given(st.integers(0, 2**32 - 1), st.sampled_from(["l2", "l1", "rms"]), st.integers(2, 200))
def test_table_normalisation_is_a_true_division_within_two_percent(seed, normalization, n):
    rng = np.random.default_rng(seed)
    table = TABLES[normalization]
    h = np.minimum(rng.geometric(rng.uniform(0.004, 0.5), (1, n)) - 1, 255)
    total = np.array([[sum(int(v) ** table.power for v in h[0])]], dtype=np.float64)
    got = normalize(h.astype(np.float64), total, table.power, table.table, table.shift, table.top, np)[0]
    norm = max(int(total[0, 0]), 1) ** (1 / table.power)
    for y, value in zip(got, h[0], strict=True):
        exact = int(value) / norm * 2 ** (15 - table.shift)
        assert y == table.top or exact * 0.98 - 1 <= y <= exact * 1.02
        assert y < table.top or exact * 1.02 >= table.top


@pytest.fixture(autouse=True, scope="module")
def _tables(float_net, images):
    for normalization in ("l2", "l1", "rms"):
        net = float_net(3, bias=True, normalization=normalization)
        TABLES[normalization] = quantize(net, calibration(images), Options()).norms[0]


TABLES: dict = {}


def test_a_bias_behind_normalisation_has_no_spiking_form(float_net, images):
    net = float_net(1, bias=True, normalization="l2")
    with pytest.raises(CompileError, match="hidden2: a bias behind normalisation 'l2'"):
        quantize(net, calibration(images), Options(neuron="lif"))
    below = replace(net, layers=(net.layers[0], replace(net.layers[1], bias=None)))
    assert quantize(below, calibration(images), Options(neuron="lif")).deferred


def test_a_label_behind_normalisation_has_no_spiking_form(float_net, images):
    net = float_net(6, widths=(20, 15, 10), normalization="l2", everywhere=True)
    words = "hidden2: a label behind normalisation 'l2' has no spiking form.* Use --neuron graded, or train .* without"
    with pytest.raises(CompileError, match=words):
        quantize(net, calibration(images), Options(neuron="lif"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight_bits": 1}, "--weight-bits must be in 2..8, got 1"),
        ({"weight_bits": 9}, "--weight-bits must be in 2..8, got 9"),
        ({"neuron": "adex"}, "--neuron must be graded or lif, got 'adex'"),
        ({"reset": "warm"}, "--reset must be soft or hard, got 'warm'"),
        ({"steps": 1}, "--steps must be in 2..1024, got 1"),
        ({"steps": 1025}, "--steps must be in 2..1024, got 1025"),
        ({"vth": 0}, "--vth must be in 1..131,071, got 0"),
        ({"vth": 1 << 17}, "--vth must be in 1..131,071, got 131072"),
    ],
)
def test_options_out_of_range_are_refused_with_the_range(changes, words):
    with pytest.raises(CompileError, match=words):
        check_options(Options(**changes))


def test_all_wrong_options_are_reported_at_once_and_good_ones_pass():
    with pytest.raises(CompileError, match=r"weight-bits.*neuron.*reset.*steps.*vth"):
        check_options(Options("adex", 0, 0, "warm", -1))
    check_options(Options("lif", 2, 1024, "hard", 1))

"""Rows of a layer that differ a thousandfold: the float net stays what it is, and its integers lose nothing by it."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.inference import float_forward, quantization_error, readout
from ff2loihi.compilers.inference.equalize import equalize, obstacle
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration, Options, quantize
from ff2loihi.compilers.inference.thresholds import sweep
from ff2loihi.compilers.ir import Head, Layer
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import load_data
from sim_tests.factories import fit_by_backprop, float_network

CONVOLUTIONS = (Conv((1, 3, 4), 4, (2, 2), 1, 0, 1), Conv((4, 2, 3), 8, (1, 2), 1, 0, 2))
NETS = {
    "dense": {"widths": (40, 24), "bias": True},
    "convolutions in groups": {"convolutions": CONVOLUTIONS, "bias": True},
    "a pool below a dense layer": {"convolutions": CONVOLUTIONS[:1], "bias": True},
}


def headed(kind: str, layers=(1,), activities="raw"):
    """A net with a head on some layers, whose first layer's rows are of one size."""
    net = float_network(4, labels=False, **NETS["dense"]) if kind == "dense" else float_network(4, **NETS[kind])
    rng = np.random.default_rng(1)
    if "pool" in kind:
        pool, [first] = MaxPool((4, 2, 3), (2, 2), 1), net.layers
        dense = Layer("hidden2", rng.normal(0, 1, (10, 8)).astype(np.float32), None, np.ones(10, bool))
        net = replace(net, layers=(replace(first, pool=pool, positive=np.ones(8, bool)), dense))
    weights = tuple(rng.normal(0, 1, (4, net.layers[index].outputs)).astype(np.float32) for index in layers)
    return replace(net, readout="head", readout_layers=layers, head=Head(weights, np.zeros(4, np.float32), activities))


def uneven(net, rows, times):
    """The same float net with some of the first layer's rows, or channels, so many times as large."""
    first, above = net.layers
    factors = np.ones(len(first.weight), np.float32)
    factors[rows] = times
    each, of_neurons = (np.repeat(factors, n // len(factors)) for n in (first.outputs, first.neurons))
    shape = (-1, *[1] * (first.weight.ndim - 1))
    if above.conv:
        groups = above.weight.reshape(above.conv.groups, -1, *above.weight.shape[1:])
        read = (groups / factors.reshape(above.conv.groups, 1, -1, 1, 1)).reshape(above.weight.shape)
    else:
        read = above.weight / each
    layers = replace(first, weight=first.weight * factors.reshape(shape), bias=first.bias * of_neurons)
    head = net.head
    if head and 0 in net.readout_layers:
        head = replace(head, weights=(head.weights[0] / each, *head.weights[1:]))
    return replace(net, layers=(layers, replace(above, weight=read)), head=head)


def test_a_labels_weights_are_evened_out_with_the_rows_beside_them(images):
    net = replace(float_network(4, (40, 24, 10), everywhere=True), readout_layers=(2,))
    first, middle, last = net.layers
    factors = np.where(np.arange(24) < 3, 1000, 1).astype(np.float32)
    middle = replace(middle, weight=middle.weight * factors[:, None], label=middle.label * factors[:, None])
    net = replace(net, layers=(first, middle, replace(last, weight=last.weight / factors)))
    evened, found = equalize(net)
    assert found["hidden2"] > 100
    assert np.ptp(np.abs(evened.layers[1].label).max(1)) < np.ptp(np.abs(middle.label).max(1)) / 10
    before, after = (float_forward.all_labels(one, images(20))[2] for one in (net, evened))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * before.max())


def scores_of(net, images, options):
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), options)
    if options.neuron == "lif":
        integers, _ = sweep(net, integers, images(60), None)
    found = Forward(integers).run(quantize_pixels(images(80, 1), integers.input_bits))
    return readout.scores(integers, found.sums, found.head), integers


def float_scores(net, pixels):
    return readout.float_scores(net, float_forward.all_labels(net, pixels))


@pytest.mark.parametrize("layers", [(1,), (0, 1)], ids=["above", "both"])
@pytest.mark.parametrize(("rows", "times"), [([2], 1000.0), ([1, 3], 1e-3), ([0], 5e4)])
@pytest.mark.parametrize("kind", NETS)
def test_the_float_net_is_the_same_and_its_integers_follow_it(images, kind, rows, times, layers):
    net = headed(kind, layers)
    broken = uneven(net, rows, times)
    evened, found = equalize(broken)
    assert list(found) == ["hidden1"]
    wanted = float_scores(net, images(80, 1))
    np.testing.assert_allclose(float_scores(broken, images(80, 1)), wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(float_scores(evened, images(80, 1)), wanted, rtol=1e-3, atol=1e-3)
    errors = {
        name: np.abs(scores_of(one, images, Options())[0] - wanted).mean() / np.abs(wanted).mean()
        for name, one in (("as it was", net), ("broken", broken), ("evened", evened))
    }
    assert errors["evened"] < 1.5 * errors["as it was"] + 0.002 < 0.05
    assert errors["broken"] > 5 * errors["evened"]


def test_spikes_follow_it_too(images):
    net = headed("dense")
    options = Options(neuron="lif", steps=64)
    wanted = float_scores(net, images(80, 1))
    evened, _ = equalize(uneven(net, [2], 1000.0))
    close, far = (
        readout.correlation(scores_of(one, images, options)[0], wanted) for one in (evened, uneven(net, [2], 1000.0))
    )
    assert close > 0.97
    assert far < 0.9


def test_a_net_of_even_rows_is_left_alone(images):
    net = headed("dense")
    assert equalize(net) == (net, {})
    assert equalize(uneven(net, [2], 20.0))[1] == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"goodness": True}, "the read-out takes the goodness of hidden1"),
        ({"normalization": "l2"}, "hidden1 is normalised"),
        ({"layers": (0, 1), "activities": "l2"}, "the read-out takes the norm of hidden1"),
        ({"layers": (0, 1), "activities": "rms"}, "the read-out takes the norm of hidden1"),
    ],
)
def test_what_else_reads_the_layer_stands_in_the_way_and_is_named(images, changes, words):
    changes = dict(changes)
    if changes.pop("goodness", False):
        net = float_network(4, **NETS["dense"])
    else:
        net = headed("dense", **{name: changes.pop(name) for name in ("layers", "activities") if name in changes})
    broken = uneven(replace(net, **changes), [2], 1e4)
    assert obstacle(broken, 0) == words
    assert equalize(broken)[1] == {}
    _, integers = scores_of(broken, images, Options())
    losses = quantization_error.measure(broken, integers, images(60))
    line, *_ = quantization_error.warnings(broken, integers, losses)
    said = re.match(r"hidden1: (\d+) of 40 neurons lost all their weights: the rows differ by ([\d,]+)\.", line)
    assert int(said[1]) == losses[0].vanished
    assert 3e3 < int(said[2].replace(",", "")) < 3e4
    assert line.endswith(f". They cannot be evened out: {words}")
    assert losses[0].vanished > 30
    assert losses[0].neurons_db[2] < 1
    assert losses[0].weight_sqnr_db > 30


def test_a_dead_layer_is_named(images):
    net = headed("dense")
    dead = replace(net, layers=(replace(net.layers[0], bias=net.layers[0].bias - 100), net.layers[1]))
    _, integers = scores_of(dead, images, Options())
    said = list(quantization_error.warnings(dead, integers, quantization_error.measure(dead, integers, images(60))))
    assert said == ["hidden1: no neuron fires on the calibration images, nor in the float net"]


@pytest.fixture(scope="module")
def trained():
    """A 64-40-24 net with a linear classifier, trained by backprop on digits: its state_dict."""
    data = load_data("digits", "train")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(64, 40), torch.nn.ReLU(), torch.nn.Linear(40, 24), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(24, 10))
    fit_by_backprop(net, data)
    return net.state_dict()


def compiled(files, tensors, activities, layers, **options):
    spec = {
        "pixels": 64, "label": {"kind": "none"},
        "layers": [{"weight": f"{index}.weight", "bias": f"{index}.bias"} for index in (0, 2)],
        "readout": {"kind": "head", "layers": layers,
                    "head": {"weights": ["4.weight"], "bias": "4.bias", "activities": activities}},
    }  # fmt: skip
    said = []
    program = api.compile(
        load_checkpoint(*files(tensors, spec)),
        "digits:300",
        Options(**options),
        progress=lambda *line: said.append(line),
    )
    return program, said


@pytest.mark.parametrize("options", [{}, {"neuron": "lif"}, {"weight_bits": 5}], ids=str)
def test_compile_evens_a_row_out_and_says_so(files, trained, options):
    test = load_data("digits", "test")
    broken = {name: tensor.clone() for name, tensor in trained.items()}
    broken["0.weight"][3] *= 1000
    broken["0.bias"][3] *= 1000
    broken["2.weight"][:, 3] /= 1000
    accuracy = {}
    for name, tensors in (("whole", trained), ("broken", broken)):
        program, said = compiled(files, tensors, "raw", [1], **options)
        accuracy[name] = (Emulator().run(program, test.images).predictions == test.labels).mean()
        assert "warning" not in dict(said)
        assert ("rows" in dict(said)) == ("rows" in program.provenance) == (name == "broken")
    assert accuracy["whole"] > 0.9
    assert abs(accuracy["broken"] - accuracy["whole"]) < 0.015
    assert "hidden1: one " in dict(said)["rows"]


def test_compile_warns_of_what_it_cannot_mend_and_of_what_that_costs(files, trained):
    broken = {name: tensor.clone() for name, tensor in trained.items()}
    broken["0.weight"][3] *= 1000
    broken["0.bias"][3] *= 1000
    broken["2.weight"][:, 3] /= 1000
    broken["4.weight"] = torch.cat([torch.zeros(10, 40), broken["4.weight"] * 3], 1)
    broken["4.weight"][:, 0] = 0.01
    program, said = compiled(files, broken, "l2", [0, 1])
    warnings = [text for stage, text in said if stage == "warning"]
    assert "They cannot be evened out: the read-out takes the norm of hidden1" in warnings[0]
    check = program.provenance["check"]
    assert check["float_accuracy"] > check["accuracy"] + 0.2
    lost = check["float_accuracy"] - check["accuracy"]
    assert f"the integers classify {lost:.1%} fewer images rightly than the float net" in warnings[1]
    assert program.losses[0].weight_sqnr_db > 30  # the layer as a whole, which the one row decides
    assert program.losses[0].neurons_db[1] < 1

"""Checkpoint files and small float networks for the compiler's tests."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save

from ff2loihi.compilers import artifact
from ff2loihi.compilers.board.populations import INPUT, Population, Rows
from ff2loihi.compilers.inference import quantization_error, thresholds
from ff2loihi.compilers.inference.quantize import Calibration, Options, quantize
from ff2loihi.compilers.ir import Head, Label, Layer, Network, PooledHead, Program
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.options import Contrast
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.compilers.learning import rule as learning
from sim_tests.factories import float_network


def plain_spec(**changes) -> dict:
    """Six pixels and a one-hot label of three classes, two layers of five and four neurons."""
    return {
        "pixels": 6,
        "label": {"kind": "append", "codes": "one_hot", "classes": 3},
        "layers": [{"weight": "a.weight", "bias": "a.bias"}, {"weight": "b.weight"}],
        "probability": {"kind": "sigmoid", "theta": 1.0},
    } | changes


def plain_tensors(**changes) -> dict:
    made = torch.Generator().manual_seed(1)
    tensors = {
        "a.weight": torch.randn(5, 9, generator=made),
        "a.bias": torch.randn(5, generator=made),
        "b.weight": torch.randn(4, 5, generator=made),
    }
    return tensors | changes


@pytest.fixture
def spec():
    return plain_spec


@pytest.fixture
def tensors():
    return plain_tensors


@pytest.fixture
def files(tmp_path):
    """files(content, spec) -> the paths of a .pt and, where a spec is given, of its spec.yaml."""

    def make(content=None, spec=None):
        model, about = tmp_path / "model.pt", tmp_path / "spec.yaml"
        torch.save(plain_tensors() if content is None else content, model)
        about.write_text(spec if isinstance(spec, str) else yaml.safe_dump(plain_spec() if spec is None else spec))
        return model, about

    return make


@pytest.fixture(scope="session")
def dense_chain():
    """dense_chain(widths) -> dense layers without a read-out on the chip: widths[0] inputs, then each layer's width."""

    def make(widths):
        names = [INPUT, *(f"hidden{index}" for index in range(1, len(widths)))]
        return tuple(
            Population(name, name, width, (Rows(below, inputs),))
            for name, width, below, inputs in zip(names[1:], widths[1:], names, widths, strict=False)
        )

    return make


@pytest.fixture(scope="session")
def float_net():
    """factories.float_network."""
    return float_network


@pytest.fixture(scope="session")
def images():
    """images(count, seed) -> (count, 12) uint8, black and white pixels among them."""

    def make(count=60, seed=0):
        rng = np.random.default_rng(seed)
        found = rng.integers(0, 256, (count, 12)).astype(np.uint8)
        found[rng.random(found.shape) < 0.2] = 0
        found[rng.random(found.shape) < 0.2] = 255
        return found

    return make


EPOCH = {
    "epoch": 1,
    "samples": 60,
    "learned": 0.1,
    "online_accuracy": None,
    "exponent": 5,
    "halve": 0,
    "saturated": [0],
}
SNAPSHOTS = {"neurons": [0, 19], "samples": [0, 60], "shape": [1, 2], "weights": "AAECA/8AgH8="}
LEARNED = {
    "learned": [
        {"data": "ünïcode", "schedule": {"seed": 0, "epochs": 1}, "log": [EPOCH], "samples": 60, "snapshots": SNAPSHOTS}
    ]
}


@pytest.fixture(scope="session")
def programs(float_net, images):
    """Graded with tables, graded deferred with a head, soft and hard LIF, the label in every layer of two, one without
    label inputs, convolutions read by their channels, pooled or not, by the largest of these, and by their cells; a
    rule on weights, one on tags, one whose neurons see some inputs each, and one of library neurons."""
    found = {}
    for name, neuron, bias, normalization in (
        ("tables", "graded", True, "l2"), ("head", "graded", False, "rms"), ("soft", "lif", True, "none"),
        ("hard", "lif", False, "l1"), ("labelled", "graded", False, "l2"), ("labelled lif", "lif", False, "none"),
    ):  # fmt: skip
        everywhere = name.startswith("labelled")
        net = float_net(8, bias=bias, normalization=normalization, probability="symmetric", everywhere=everywhere)
        if name == "head":
            weights = tuple(np.random.default_rng(n).normal(0, 1, (4, n)).astype(np.float32) for n in (20, 15))
            net = dataclasses.replace(net, readout="head", head=Head(weights, np.ones(4, np.float32)))
        options = Options(neuron=neuron, steps=5, reset="hard" if name == "hard" else "soft", weight_bits=6)
        integers = quantize(net, Calibration(images(), np.arange(60) % 4), options)
        if neuron == "lif":
            integers, _ = thresholds.sweep(net, integers, images(), None)
        provenance = {"calibration": {"images": 60, "data": "ünïcode"}, "sweep": [{"vth": [1, 2], "fidelity": 0.1}]}
        found[name] = Program(integers, quantization_error.measure(net, integers, images()), provenance)
    found["conv"] = Program(*convolutions(images), {})
    found["pooled"] = Program(*convolutions(images, MaxPool((8, 2, 2), (2, 1), 1)), {})
    found["top"] = Program(*convolutions(images, top_k=3), {})
    weights, bias = (np.random.default_rng(5).normal(0, 1, (4, n)).astype(np.float32) for n in (32, 1))
    cells = PooledHead((weights,), bias[:, 0], 2)
    found["cells"] = Program(*convolutions(images, readout="pooled", pooled=cells), {})
    found["no label"] = Program(*plain_classifier(float_net, images, Options()), {})
    for name, probability, choices in (
        ("direct", "symmetric", {"curve": "squared"}),
        ("tag", "sigmoid", {"eligibility": "tag", "trace": "hard-li", "input_code": "contrast"}),
    ):
        net, options = float_net(9, probability=probability), learning.LearningOptions(**choices)
        rule = learning.learning_network(net, options, False, images(), np.arange(60) % 4)
        found[name] = Program(rule, (), LEARNED)
    rule = found["direct"].network
    first, *above = rule.layers
    mask = np.random.default_rng(6).random(first.weight.shape) < 0.4
    first = dataclasses.replace(first, weight=np.where(mask, first.weight, 0), mask=mask)
    found["fields"] = Program(dataclasses.replace(rule, layers=(first, *above)), (), LEARNED)
    options = learning.LearningOptions(library=True)
    net = float_net(9, (20,), probability="symmetric")
    found["library"] = Program(learning.learning_network(net, options, False, images(), np.arange(60) % 4), (), {})
    return found


def convolutions(images, pool=None, **changes):
    """(IntNetwork, losses) of two convolutions on 1 x 3 x 4, four classes of two channels above; pool: of these;
    changes: fields of the network."""
    rng = np.random.default_rng(3)
    first, second = Conv((1, 3, 4), 2, (2, 2), 1, 1, 1), Conv((2, 4, 5), 8, (2, 2), 2, 0, 2)
    layers = tuple(
        Layer(name, rng.normal(0, 1, conv.weight_shape).astype(np.float32), None, np.ones(conv.neurons, bool), conv)
        for name, conv in (("hidden1", first), ("hidden2", second))
    )
    if pool:
        layers = layers[0], dataclasses.replace(layers[1], pool=pool, positive=np.ones(pool.outputs, bool))
    none = np.zeros((4, 0), np.float32)
    net = Network(
        12, Label("none", none, none.mean(0)), layers, "sum_squares", Contrast(kind="contrast"), "none", "channels",
        (1,),
    )  # fmt: skip
    net = dataclasses.replace(net, **changes)
    integers = quantize(net, Calibration(images(), np.arange(60) % 4), Options())
    return integers, quantization_error.measure(net, integers, images())


def plain_classifier(float_net, images, options):
    """(IntNetwork, losses) of a net without a label input and with a linear last layer."""
    net = float_net(8, bias=True, labels=False)
    head = Head((np.random.default_rng(1).normal(0, 1, (4, 15)).astype(np.float32),), np.ones(4, np.float32), "raw")
    net = dataclasses.replace(net, readout="head", readout_layers=(1,), head=head)
    integers = quantize(net, Calibration(images(), np.arange(60) % 4), options)
    return integers, quantization_error.measure(net, integers, images())


@pytest.fixture(scope="session")
def rehashed(programs):
    """rehashed(kind, change) -> an artifact's bytes; change(manifest, tensors) was made, and the hash is right."""

    def make(kind: str, change=lambda manifest, tensors: None, text=lambda text: text) -> bytes:
        manifest, tensors = artifact.pack(programs[kind])
        change(manifest, tensors)
        manifest["sha256"] = artifact.digest(manifest, tensors)
        return save(tensors, metadata={"manifest": text(json.dumps(manifest))})

    return make

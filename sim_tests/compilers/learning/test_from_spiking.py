"""A net trained as it spikes: its float LIF against the integers that its checkpoint compiles to."""

import functools

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.ir import Layer, LearningNetwork, Program
from ff2loihi.compilers.learning.from_trained import grid_scale, on_grid
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data

PIXELS, INPUTS, NEURONS, STEPS, DECAY, RATE = 64, 84, 100, 24, 0.85, 0.5
TRACES = ("relu", "li", "hard-li")
CODES = np.random.default_rng(5).random((10, INPUTS - PIXELS)) < 0.3
GOLDEN = 2654435769  # 2^32 / golden ratio: starts of the label inputs


def spikes(q: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(steps, samples, inputs) float, of inputs at q / 256 a step whose accumulators start at `start`."""
    counts = (start + np.arange(STEPS + 1)[:, None, None] * q) // 256
    return np.diff(counts, axis=0).astype(float)


def encoded(images: np.ndarray, labels: np.ndarray, start: np.ndarray) -> np.ndarray:
    q = np.concatenate([images.astype(np.int64) * 128 // 256, CODES[labels] * 128], axis=1)
    code_start = np.arange(INPUTS - PIXELS, dtype=np.int64) * GOLDEN % 2**32 // 2**24
    return spikes(q, np.concatenate([start, np.tile(code_start, (len(start), 1))], axis=1))


def float_layers(weights: list, x: np.ndarray, trace: str, learn=None) -> list[np.ndarray]:
    """Each layer's trace at the end, (samples, n); learn(x_t, r): called in the last 9 steps, of one layer."""
    v = [np.zeros((x.shape[1], w.shape[1])) for w in weights]
    r = [np.zeros_like(a) for a in v]
    for step, s in enumerate(x):
        below = s
        for i, w in enumerate(weights):
            v[i] = DECAY * v[i] + below @ w
            z = v[i] > 1
            v[i][z] = 0
            leaky = r[i] if trace == "relu" else DECAY * r[i]
            r[i] = np.where(z, 1, leaky) if trace == "hard-li" else leaky + z
            below = z.astype(float)
        if learn and step >= STEPS - 9:
            learn(s, r[0])
    return r


def float_goodness(weights: list, images: np.ndarray, trace: str) -> np.ndarray:
    """(samples, labels, layers, 2): G+ and G- of images under each label, presented as `ff2loihi run` does."""
    rng = np.random.default_rng(0)
    start = np.stack([rng.integers(0, 256, PIXELS) for _ in images])
    found = []
    for label in range(10):
        r = float_layers(weights, encoded(images, np.full(len(images), label), start), trace)
        halves = [(a[:, : a.shape[1] // 2] ** 2, a[:, a.shape[1] // 2 :] ** 2) for a in r]
        found.append(np.stack([np.stack([p.sum(1), m.sum(1)], -1) for p, m in halves], axis=1))
    return np.stack(found, axis=1)


@functools.cache
def trained() -> np.ndarray:
    """(inputs, neurons): the symmetric rule, eq. 6, of the count in float, 20 pairs of samples at a time."""
    data, rng = load_data("digits", "fit"), np.random.default_rng(0)
    w = rng.normal(0, 0.15, (INPUTS, NEURONS))
    polarity = np.where(np.arange(NEURONS) < NEURONS // 2, 1, -1)

    def update(x, r, sign):
        plus, minus = ((r**2 * (polarity == s)).sum(1, keepdims=True) for s in (1, -1))
        p = plus / np.maximum(plus + minus, 1e-9)
        error = (1 - p if sign > 0 else p) / (np.where(polarity > 0, plus, minus) + 200)
        w[:] += 0.1 * x.T @ (sign * polarity * error * r)

    for _ in range(3):
        for batch in np.split(rng.permutation(len(data.labels))[:1100], 55):
            images, labels, start = data.images[batch], data.labels[batch], rng.integers(0, 256, (20, PIXELS))
            for sign, shown in ((1, labels), (-1, (labels + rng.integers(1, 10, 20)) % 10)):
                float_layers([w], encoded(images, shown, start), "relu", lambda x, r, sign=sign: update(x, r, sign))
    return w


@pytest.fixture
def compiled(tmp_path):
    """compiled(weights, scale, options, **changes of neuron) -> the Program of weights (inputs, n) times `scale`."""

    def make(weights, scale=1.0, options=None, probability="symmetric", more=None, **neuron) -> Program:
        torch.save({f"w{i}": torch.from_numpy(w * scale).float() for i, w in enumerate(weights)}, tmp_path / "m.pt")
        np.save(tmp_path / "labels.npy", CODES.astype(np.uint8))
        chances = {"symmetric": {"kind": "symmetric"}, "sigmoid": {"kind": "sigmoid", "theta": 9.0}}
        neuron = {"kind": "lif", "decay": DECAY, "threshold": scale, "steps": STEPS, "rate": RATE} | neuron
        layers = [{"weight": f"w{i}", "orientation": "in_out", "polarity": "half"} for i in range(len(weights))]
        spec = {
            "pixels": PIXELS,
            "label": {"kind": "append", "codes": "labels.npy"},
            "layers": layers,
            "probability": chances[probability],
            "neuron": neuron,
        } | (more or {})
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
        return api.compile(tmp_path / "m.pt", load_data("digits", "fit", limit=300), options, tmp_path / "spec.yaml")

    return make


def random_weights(*widths: int) -> list[np.ndarray]:
    rng, made = np.random.default_rng(1), []
    for inputs, n in zip((INPUTS, *widths), widths, strict=False):
        made.append(rng.normal(0.02, 1.5 / np.sqrt(inputs), (inputs, n)))
    return made


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("scale", [1, 1000])
def test_a_trained_net_keeps_its_accuracy_within_a_point(compiled, trace, scale):
    weight, held_out = trained(), load_data("digits", "test")
    goodness = float_goodness([weight], held_out.images, trace)[:, :, 0]
    score = (goodness[..., 0] + 1e-9) / (goodness.sum(-1) + 2e-9)
    wanted = (score.argmax(1) == held_out.labels).mean()
    assert wanted > (0.4 if trace == "hard-li" else 0.8)  # chance is 0.1; the weights are those of the count
    program = compiled([weight], scale, trace=trace)
    found = api.run(program, held_out, api.backend("emulator")).accuracy
    assert abs(found - wanted) <= 0.01, (found, wanted)


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
def test_every_layers_goodness_is_the_float_nets(compiled, trace, probability):
    weights, images = random_weights(50, 40), load_data("digits", "test", limit=30).images
    program = compiled(weights, 7.0, trace=trace, probability=probability)
    assert program.network.probability == probability
    found = api.backend("emulator").run(program, images).sums[:, :, :, 0]
    wanted = float_goodness(weights, images, trace)
    first, second = (np.corrcoef(found[:, :, i].ravel(), wanted[:, :, i].ravel())[0, 1] for i in range(2))
    assert first > 0.98
    assert second > 0.9  # a spike that comes a step later below moves several above


@pytest.mark.parametrize("factor", [2.0**-12, 1000, 1024])
def test_weights_and_threshold_of_any_unit_give_the_same_integers(compiled, factor):
    weights = random_weights(50)
    one, other = compiled(weights).network, compiled(weights, factor).network
    assert one.layers[0].neuron == other.layers[0].neuron
    assert (one.layers[0].weight == other.layers[0].weight).all()
    assert one.layers[0].factor == other.layers[0].factor


def test_the_integers_are_those_of_the_spec(compiled):
    weight = np.random.default_rng(2).permutation(np.linspace(-2, 2, INPUTS * 10)).reshape(INPUTS, 10)
    net = compiled([weight], threshold=0.5, decay=0.75, trace="li", trace_decay=0.5, steps=10, rate=0.25).network
    layer, top = net.layers[0], np.percentile(np.abs(weight), 99.9)
    assert (layer.neuron.vth, layer.neuron.dv) == (round(0.5 * 254 / top), 1024)
    assert (layer.trace.kind, layer.trace.keep, layer.trace.impulse) == ("li", 128, 63)  # 63 (1 + 1/2 + ...) < 127
    assert (net.steps, net.window, net.input_factor) == (10, 7, 64)
    assert (net.label_codes == 64 * CODES).all()
    assert np.abs(layer.weight - weight.T * 254 / top)[np.abs(weight.T) < top].max() <= 1.001  # even numbers


@pytest.mark.parametrize("heavy", ["labels", "pixels"])
def test_labels_that_weigh_more_than_many_pixels_are_not_cut(heavy):
    """A thousandth of all weights may be beyond the grid: those of 10 labels beside 10,000 inputs, all of them."""
    rng, many, labels = np.random.default_rng(3), 10_000, 10
    weight = np.concatenate([rng.uniform(-0.1, 0.1, (20, many)), rng.uniform(-3, 3, (20, labels))], axis=1)
    if heavy == "pixels":
        weight[:, :many] *= 40
    layer = Layer("l", weight.astype(np.float32), None, np.ones(20, bool))
    cut = np.abs(on_grid(layer, labels) - weight * grid_scale(layer, labels)) > 1.001
    assert cut[:, many:].mean() <= 0.01
    assert cut.mean() <= 0.001
    alone = np.abs(on_grid(layer) - weight * grid_scale(layer)) > 1.001
    assert alone[:, many:].mean() == pytest.approx(0.95 if heavy == "labels" else 0, abs=0.05)


def test_it_compiles_without_asking_for_learning_and_learns(compiled):
    program = compiled(random_weights(50), trace="hard-li", probability="sigmoid")
    assert isinstance(program.network, LearningNetwork)
    assert program.provenance["options"]["trace"] == "hard-li"
    learner = Learner(program.network)
    before = learner.weights[0]
    learner.show(np.full(PIXELS, 40), np.arange(PIXELS))
    learner.present(3, 1)
    moved = np.abs(learner.weights[0] - before)
    assert 0 < moved.max() <= 127


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"decay": 1.5}, "neuron.decay"),
        ({"decay": -0.1}, "neuron.decay"),
        ({"threshold": 0}, "neuron.threshold"),
        ({"threshold": float("inf")}, "neuron.threshold"),
        ({"trace": "exponential"}, "neuron.trace"),
        ({"trace_decay": 2}, "neuron.trace_decay"),
        ({"steps": 3}, "neuron.steps"),
        ({"steps": 200}, "neuron.steps"),
        ({"rate": 0}, "neuron.rate"),
        ({"rate": 1.1}, "neuron.rate"),
        ({"kind": "izhikevich"}, "neuron.kind"),
        ({"reset": "subtract"}, "neuron.reset"),
    ],
)
def test_a_neuron_out_of_range_is_refused_by_its_key(compiled, values, words):
    with pytest.raises(CheckpointError, match=words):
        compiled(random_weights(10), **values)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": 1e6}, "hidden1: threshold 1e\\+06 .*unit of the weights"),
        ({"threshold": 100}, "no neuron of a layer fires"),
        ({"options": LearningOptions(trace="li")}, "--trace li: the net was trained with relu"),
        ({"options": LearningOptions(input_factor=32)}, "--input-factor 32: neuron.rate"),
        ({"options": Options(neuron="lif", steps=8)}, "leave out"),
        ({"more": {"normalization": "l2"}}, "normalization 'l2'"),
        ({"more": {"readout": {"kind": "goodness", "layers": [0]}}}, "goodness of all layers"),
        ({"more": {"goodness": "l1"}}, "goodness 'l1'"),
    ],
)
def test_what_a_spiking_net_cannot_have_is_refused(compiled, changes, words):
    with pytest.raises(CompileError, match=words):
        compiled(random_weights(20, 10), **changes)

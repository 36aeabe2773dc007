"""Small networks for every test, and a learning layer as it is defined. What a test is about, it passes by name.

Networks that are drawn at random, up to the edges of their ranges, are made by the conftest of the tests that compare
them: backends and learning.
"""

from dataclasses import fields, replace

import numpy as np

from ff2loihi.compilers.ir import (
    Binning,
    IntLayer,
    IntNetwork,
    Label,
    Layer,
    LearningLayer,
    LearningNetwork,
    Network,
    UpdateRule,
)
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.options import Contrast, Sigmoid, Symmetric
from ff2loihi.compilers.learning import rule as learning
from ff2loihi.processes import learning_rule
from ff2loihi.processes.learning_rule import Neuron
from ff2loihi.processes.library_rule import GROUPS, GateFactor

CHANCES = {
    "sigmoid": Sigmoid(kind="sigmoid", theta=1.0),
    "symmetric": Symmetric(kind="symmetric"),
    "contrast": Contrast(kind="contrast"),
}


def float_network(
    seed: int, widths: tuple[int, ...] = (20, 15), *, bias: bool = False, normalization: str = "none",
    goodness: str = "sum_squares", probability: str = "sigmoid", labels: bool = True,
    convolutions: tuple[Conv, ...] = (), everywhere: bool = False,
) -> Network:  # fmt: skip
    """Dense layers on 12 pixels and 4 label inputs, or on 12 pixels; or convolutions, with the label on 4 pixels.

    everywhere: the label enters the layers above the first, too.
    """
    rng = np.random.default_rng(seed)
    inputs = (16 if labels else 12, *widths)
    shapes = [(conv.weight_shape, conv.neurons, conv) for conv in convolutions] or [
        ((n, below), n, None) for below, n in zip(inputs, widths, strict=False)
    ]
    layers = []
    for index, (shape, n, conv) in enumerate(shapes):
        weight = rng.normal(0, 1, shape).astype(np.float32)
        values = rng.normal(0, 0.5, n).astype(np.float32) if bias else None
        label = rng.normal(0, 1, (n, 4)).astype(np.float32) if everywhere and index else None
        layers.append(Layer(f"hidden{index + 1}", weight, values, np.arange(n) % 2 == 0, conv, label=label))
    kind = "none" if not labels else "overwrite" if convolutions else "append"
    codes = np.eye(4, dtype=np.float32) if labels else np.zeros((4, 0), np.float32)
    return Network(
        pixels=12, label=Label(kind, codes, codes.mean(0)), layers=tuple(layers), goodness=goodness,
        probability=CHANCES[probability], normalization=normalization, readout="goodness",
        readout_layers=tuple(range(len(layers))),
    )  # fmt: skip


def integer_network(neuron: str = "lif", n: int = 4, inputs: int = 6, **changes) -> IntNetwork:
    """One layer of n neurons without weights, two classes appended; changes: fields of the network or of the layer."""
    weight, lif = changes.pop("weight", np.zeros((n, inputs), np.int16)), neuron == "lif"
    inputs = weight.shape[1] if weight.ndim == 2 else inputs
    bias = changes.pop("bias", np.zeros(n)).astype(np.int32)
    layer = IntLayer(
        name="hidden1", weight=weight, weight_bits=8, bias=bias, bias_exp=0, shift=0,
        top=1 if lif else 255, vth=100 if lif else 0, v0=0, positive=np.arange(n) % 2 == 0, scale=1.0, conv=None,
    )  # fmt: skip
    network = IntNetwork(
        neuron=neuron, reset="soft", steps=16 if neuron == "lif" else 1, pixels=inputs - 2, input_bits=8,
        label_kind="append", label_codes=np.eye(2, dtype=np.int32), neutral=np.zeros(2, np.int32),
        phases=np.zeros(inputs, np.int32), layers=(layer,), norms=(), goodness="sum_squares",
        probability=CHANCES["sigmoid"], normalization="none", deferred=False, readout="goodness", readout_layers=(0,),
        head=None,
    )  # fmt: skip
    return replace(network, layers=(replace(layer, **_fields_of(layer, changes)),), **changes)


def learning_layer(
    weight=(4, 6), name: str = "hidden1", *, probability: str = "symmetric", trace: str = "relu", positive=None,
    **changes,
) -> LearningLayer:  # fmt: skip
    """Weights (n, inputs), or zeros of that shape; changes: fields of the neuron, the output trace, third factor."""
    weight = np.zeros(weight, np.int16) if isinstance(weight, tuple) else weight.astype(np.int16)
    n = len(weight)
    parts = Neuron(256, 614), learning.output_trace(trace), learning.third_factor(probability, n, trace)
    parts = [replace(part, **_fields_of(part, changes)) for part in parts]
    assert not changes, f"no such fields: {changes}"
    return LearningLayer(name, weight, np.arange(n) % 2 == 0 if positive is None else positive, *parts)


def learning_network(
    *layers: LearningLayer, classes: int = 2, each: int = 1, code: int = 1, **changes
) -> LearningNetwork:
    """`each` label inputs a class, at rate `code`; changes: fields of the network or of its UpdateRule."""
    layers = layers or (learning_layer(),)
    codes = (np.kron(np.eye(classes), np.ones(each)) * code).astype(np.int32)
    update = UpdateRule("none", 5, 0, 0)
    network = LearningNetwork(
        pixels=layers[0].weight.shape[1] - codes.shape[1], input_code="pixels", input_factor=64, label_codes=codes,
        label_phases=np.zeros(codes.shape[1], np.int32), steps=23, window=8, layers=layers, update=update,
    )  # fmt: skip
    return replace(network, update=replace(update, **_fields_of(update, changes)), **changes)


def library_network(layer: LearningLayer | None = None, units: int = 1, **changes) -> LearningNetwork:
    """A network of library neurons alone, thermometers of so many units; see learning_network."""
    layer = layer or learning_layer()
    factor = GateFactor("symmetric", 1, ((2, -2),) * GROUPS, 0, (tuple(range(units)),) * GROUPS, 1, 22)
    return learning_network(replace(layer, factor=factor), **{"eligibility": "gate", "exponent": 0} | changes)


def _fields_of(part, changes: dict) -> dict:
    """What of `changes` belongs to the dataclass `part`, taken out of `changes`."""
    return {field.name: changes.pop(field.name) for field in fields(part) if field.name in changes}


class Definition:
    """A learning layer between two steps as learning_rule defines it, every synapse in every step."""

    def __init__(self, layer, update) -> None:
        self.layer, self.tags = layer, (update.tag_exponent, update.tag_decay)
        self.direct = update.eligibility == "none"
        self.weights = layer.weight.astype(np.int64)
        self.tag = np.zeros_like(self.weights)
        self.v = self.r = self.a = np.zeros(len(layer.positive), np.int64)
        self.m = self.control = (0, 0)

    def send_spikes(self, trace_shift: int):
        """The spikes of this step, from the drive, the control and the modulation of the step before."""
        layer, (reset, phase) = self.layer, self.control
        modulation = np.where(layer.positive, *self.m)
        self.g = learning_rule.goodness(self.r, layer.positive)
        self.m = learning_rule.third_factor(*self.g, phase, layer.factor)
        if reset:
            self.v = self.r = np.zeros_like(self.v)
        self.v, self.z = learning_rule.lif(self.v, self.a, layer.neuron)
        self.r = learning_rule.output_trace(self.r, self.z, layer.trace)
        self.y2, self.y3 = learning_rule.post_traces(self.r, modulation, trace_shift)
        return self.z

    def learn(self, spikes, control, exponent: int, u: float, draw: float) -> None:
        """What the connection does with the spikes of this step."""
        self.control, self.a = control, self.weights @ spikes
        y2, y3 = learning_rule.decayed(self.y2, draw), learning_rule.decayed(self.y3, draw)
        if self.direct:
            learned = learning_rule.update(self.weights.T, y2, y3, exponent, u).T
            self.weights = np.where(spikes, learned, self.weights)
        else:
            old = self.tag
            self.weights = learning_rule.apply_tag(self.weights, old, exponent, u)
            self.tag = learning_rule.update_tag(old.T, spikes[:, None].astype(np.int64), y2, y3, *self.tags, u).T
        if self.layer.mask is not None:
            self.weights, self.tag = self.weights * self.layer.mask, self.tag * self.layer.mask


def drawn_inputs(rng: np.random.Generator, pixels: int, classes: int, each: int) -> dict:
    """What a generated LearningNetwork takes in: pixels, and `each` inputs a label of one drawn rate."""
    return {
        "pixels": pixels,
        "input_code": "pixels",
        "input_factor": 64,
        "label_codes": (np.kron(np.eye(classes), np.ones(each)) * rng.integers(0, 257)).astype(np.int32),
        "label_phases": rng.integers(0, 256, classes * each).astype(np.int32),
    }


def with_events(net: LearningNetwork) -> LearningNetwork:
    """The network, whose samples are events in place of rates, in two rounds where they fit."""
    rounds = 2 if net.steps % 2 == 0 and net.steps >= 8 else 1
    binning = Binning(steps=net.steps // rounds, window=1.0, sensor=(1, net.pixels, 1), rounds=rounds)
    return replace(net, input_code="events", events=binning)


def drawn_events(net: LearningNetwork, rng: np.random.Generator) -> np.ndarray:
    """A sample of such a network, packed: spikes more or less often, from sample to sample."""
    assert net.events
    steps = net.events.steps
    bits = rng.random((steps, net.pixels)) < rng.choice([0.05, 0.3, 0.7])
    bits[rng.integers(steps), rng.integers(net.pixels)] = True
    return np.packbits(bits, axis=1).ravel()


def fit_by_backprop(net, data) -> None:
    """Sixty steps of Adam on the cross-entropy of all images, in place."""
    import torch

    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    images, labels = torch.from_numpy(data.images) / 255, torch.from_numpy(data.labels)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

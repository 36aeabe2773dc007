"""The label in every layer: what torch code computes, in float, integers and on Lava, from a drafted spec."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint
from ff2loihi.compilers.frontend.draft import draft
from ff2loihi.compilers.inference import arithmetic_rules, float_forward, readout
from ff2loihi.compilers.inference.library_form import obstacles
from ff2loihi.compilers.inference.quantization_error import warnings
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.interchange import netx, nir
from ff2loihi.compilers.ir import Program
from ff2loihi.compilers.pipeline import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment.mapping import design
from ff2loihi.verification.equality import equality_report

WIDTHS, CLASSES, THETA = (64, 150, 120), 10, 1.0


DIVIDED = {
    "none": lambda h: h,
    "l2": F.normalize,
    "rms": lambda h: h / (h.square().mean(1, keepdim=True).sqrt() + 1e-8),
}


class Beside(nn.Module):
    """What is below, divided by its norm or not, with the label's one-hot code behind it or before it."""

    def __init__(self, norm="l2", before=False, value=1.0):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n + CLASSES, m) for n, m in pairwise(WIDTHS))
        self.divided, self.before, self.value = DIVIDED[norm], before, value

    def activities(self, images, labels):
        x, code = images, self.value * F.one_hot(labels, CLASSES).float()
        for index, layer in enumerate(self.layers):
            below = self.divided(x) if index else x
            x = F.relu(layer(torch.cat([code, below] if self.before else [below, code], 1)))
            yield x
            x = x.detach()

    def forward(self, images):
        """The goodness of each label."""
        found = []
        for label in range(CLASSES):
            h = self.activities(images, torch.full((len(images),), label))
            found.append(sum(one.square().mean(1) for one in h))
        return torch.stack(found, 1)


class Projected(Beside):
    """The label comes through a matrix of its own at each layer, as an nn.Linear keeps it, or an nn.Embedding."""

    def __init__(self, embedded=False, batch_norm=False, **form):
        super().__init__(**form)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(WIDTHS))
        own = (nn.Embedding(CLASSES, n) if embedded else nn.Linear(CLASSES, n) for n in WIDTHS[1:])
        self.label_projections, self.embedded = nn.ModuleList(own), embedded
        self.norms = nn.ModuleList(nn.BatchNorm1d(n) if batch_norm else nn.Identity() for n in WIDTHS[1:])
        for tensor in self.norms.state_dict().values() if batch_norm else ():
            tensor.copy_(torch.rand(tensor.shape) + 0.5)

    def activities(self, images, labels):
        x, code = images, labels if self.embedded else F.one_hot(labels, CLASSES).float()
        for index, layer in enumerate(self.layers):
            below = self.divided(x) if index else x
            x = F.relu(self.norms[index](layer(below) + self.label_projections[index](code)))
            yield x
            x = x.detach()


def trained(net: Beside, epochs: int = 20) -> Beside:
    """Forward-Forward: goodness of the right label above THETA, of a wrong one below."""
    data = load_data("digits", "train")
    images, labels = torch.from_numpy(data.images) / 255, torch.from_numpy(data.labels).long()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(100):
            right = labels[rows]
            wrong = (right + torch.randint(1, CLASSES, right.shape)) % CLASSES
            both = zip(net.activities(images[rows], right), net.activities(images[rows], wrong), strict=True)
            loss = sum(
                F.softplus(THETA - pos.square().mean(1)).mean() + F.softplus(neg.square().mean(1) - THETA).mean()
                for pos, neg in both
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def drafted(net: nn.Module, **edits) -> dict:
    """The spec as `spec` drafts it, but for these keys."""
    made = draft("it", {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()})
    assert made.missing == made.unplaced == ()
    return made.values | edits


def wanted(net: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net.eval()(torch.from_numpy(images) / 255).numpy()


FORMS = {
    "behind": (Beside(), {}),
    "before": (Beside(before=True), {"label": {"kind": "prepend"}, "label of layers": "prepend"}),
    "raw, of another value": (
        Beside("none", value=-2.5), {"label": {"kind": "append", "value": -2.5}, "normalization": "none"},
    ),
    "projected": (Projected(), {}),
    "projected, undivided": (Projected(norm="none"), {"normalization": "none"}),
    "embedded": (Projected(embedded=True), {}),
    "projected, then batch norm": (Projected(batch_norm=True), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_drafted_spec_describes_what_torch_computes(name):
    net, edits = FORMS[name]
    spec = drafted(net, **{key: value for key, value in edits.items() if key != "label of layers"})
    if "label of layers" in edits:
        spec["layers"][1]["label"] = edits["label of layers"]
    images = load_data("digits", "test", limit=40).images
    built = network.build(live_checkpoint(net, spec))
    assert built.layers[1].label is not None
    found = readout.float_scores(built, float_forward.all_labels(built, images))
    np.testing.assert_allclose(found, wanted(net, images), rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def nets() -> dict[str, Beside]:
    torch.manual_seed(0)
    return {norm: trained(Beside(norm)) for norm in ("rms", "none")}


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("norm", "options", "lost"),
    [("rms", Options(), 0.003), ("none", Options(), 0.003), ("none", Options(neuron="lif", steps=16), 0.02)],
)
def test_a_trained_net_compiles_from_its_state_dict_and_gives_the_same_bits_on_lava(nets, norm, options, lost):
    net, test = nets[norm], load_data("digits", "test")
    spec = drafted(net, normalization=norm)
    program = api.compile(net.state_dict(), "digits", options, spec)
    accuracy = (wanted(net, test.images).argmax(1) == test.labels).mean()
    assert accuracy > 0.85
    assert (Emulator().run(program, test.images).predictions == test.labels).mean() >= accuracy - lost
    few = test.images[:2]
    ours = Emulator().run(program, few, states=True)
    found = equality_report(ours, LavaCpu().run(program, few, states=True))
    assert found.first_divergence is None
    state = "h" if options.neuron == "graded" else "r"
    active = {variable.name: variable.active for variable in found.variables}
    assert min(active[f"hidden1.{state}"], active[f"hidden2.{state}"], active["hidden2.a"]) > 0
    assert not (ours.states[f"hidden2.{state}"] == ours.states[f"hidden2.{state}"][:, :1]).all()


@pytest.mark.needs_lava
@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_a_label_that_enters_the_upper_layer_alone_changes_its_activity_there_and_on_lava(nets, neuron):
    net = nets["none"]
    spec = drafted(net, normalization="none")
    tensors = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    tensors["layers.0.weight"][:, -CLASSES:] = 0
    program = api.compile(tensors, "digits", Options(neuron=neuron, steps=8), spec)
    few = load_data("digits", "test", limit=1).images
    ours, lava = (backend.run(program, few, states=True) for backend in (Emulator(), LavaCpu()))
    assert equality_report(ours, lava).first_divergence is None
    state = "h" if neuron == "graded" else "r"
    for found in (ours, lava):
        first, second = (found.states[f"hidden{index}.{state}"] for index in (1, 2))
        assert first.any()
        assert (first == first[:, :1]).all()
        assert all((second[:, label] != second[:, 0]).any() for label in range(1, CLASSES))


@pytest.mark.needs_lava
def test_a_label_far_stronger_than_what_is_below_fits_sixteen_bits(nets):
    net, few = nets["none"], load_data("digits", "test", limit=1).images
    tensors = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    tensors["layers.1.weight"][:, :-CLASSES] *= 1e-3
    tensors["layers.1.bias"] *= 0.01
    spec = drafted(net, normalization="none")
    built = network.build(live_checkpoint(tensors, spec))
    images = load_data("digits", "test", limit=100).images
    wanted = readout.float_scores(built, float_forward.all_labels(built, images))
    program = api.compile(tensors, "digits", Options(neuron="lif", steps=16), spec)
    assert readout.correlation(Emulator().run(program, images).scores, wanted) > 0.9
    ours, lava = (backend.run(program, few, states=True) for backend in (Emulator(), LavaCpu()))
    assert equality_report(ours, lava).first_divergence is None


def test_payloads_of_few_bits_beside_a_strong_label_are_told(nets):
    for factor, told in ((1.0, False), (1e-4, True)):
        tensors = {name: tensor.clone() for name, tensor in nets["none"].state_dict().items()}
        tensors["layers.1.weight"][:, :-CLASSES] *= factor
        checkpoint = live_checkpoint(tensors, drafted(nets["none"], normalization="none"))
        program = api.compile(checkpoint, "digits")
        found = list(warnings(network.build(checkpoint), program.network, program.losses))
        assert [text.startswith("hidden1: its payloads have ") for text in found] == [True] * told


def test_what_a_labels_own_weights_lose_is_in_the_loss_table(nets):
    found = {}
    for factor in (1.0, 1e4):
        tensors = {name: tensor.clone() for name, tensor in nets["none"].state_dict().items()}
        tensors["layers.1.weight"][3, -1] *= factor  # which leaves the other neurons no steps of the grid
        checkpoint = live_checkpoint(tensors, drafted(nets["none"], normalization="none"))
        layer, program = network.build(checkpoint).layers[1], api.compile(checkpoint, "digits")
        loss, integers = program.losses[1], program.network.layers[1]
        signal = lost = 0.0
        for w, q in ((layer.weight, integers.weight), (layer.label, integers.label.weight)):
            w, q = w.astype(float), q.astype(float)
            signal, lost = signal + (w**2).sum(1), lost + ((w - q * (w * q).sum() / (q * q).sum()) ** 2).sum(1)
        assert loss.weight_sqnr_db == pytest.approx(10 * np.log10(signal.sum() / lost.sum()))
        assert loss.neurons_db[0] == pytest.approx(10 * np.log10((signal / lost).min()))
        found[factor] = integers.weight, loss
    assert (found[1.0][0] == found[1e4][0]).all()
    assert found[1.0][1].neurons_db[2] > found[1e4][1].neurons_db[2] + 3


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_sums_of_many_label_inputs_fit_the_accumulator_before_their_shift(neuron):
    rng, n, inputs = np.random.default_rng(0), 400, 64 + 400
    tensors = {"a": rng.normal(0, 1, (20, inputs)), "b": np.hstack([rng.normal(0, 1, (12, 20)), np.ones((12, n))])}
    codes = (rng.random((CLASSES, n)) < 0.9) * 1.0
    tensors = {name: torch.tensor(array).float() for name, array in (tensors | {"codes": codes}).items()}
    spec = SPEC | {"pixels": 64, "label": {"kind": "append", "codes": "key:codes"}}
    program = api.compile(tensors, "digits", Options(neuron=neuron), spec)
    net, layer = program.network, program.network.layers[1]
    assert (layer.label.weight == 254).all()
    reached = (layer.label.payloads(net.label_codes, net.full) @ layer.label.weight.T.astype(np.int64)).max()
    assert 1 << 21 < reached < 1 << 23
    wide = replace(layer, label=replace(layer.label, payload=255, shift=layer.label.shift + 2))
    with pytest.raises(CompileError, match=r"^hidden2: label: sums reach [\d,]+ before their shift, 24 signed bits"):
        arithmetic_rules.check(replace(net, layers=(net.layers[0], wide)))


def test_what_has_no_form_is_refused_by_name(nets):
    net = nets["none"]
    checkpoint = live_checkpoint(net, drafted(net, normalization="none"))
    program = api.compile(checkpoint, "digits", Options(neuron="lif", reset="hard", steps=4, vth=500))
    with pytest.raises(CompileError, match=r"^hidden2: netx has no form for the label's inputs .* Export golden"):
        netx.to_bytes(program.network, "0")
    with pytest.raises(CompileError, match=r"^hidden2: a chain of NIR nodes has no place for the label's inputs"):
        nir.to_bytes(program.network, {}, {})
    [found] = obstacles(program.network)
    assert "hidden2: the label enters above the first layer" in found
    with pytest.raises(CompileError, match="hidden2: label inputs above the first layer: the rule learns from the"):
        api.compile(checkpoint, "digits", LearningOptions())


def test_the_label_takes_axons_and_synapses_of_the_layers_that_see_it(nets):
    net = nets["none"]
    program = api.compile(net, "digits", Options(), drafted(net, normalization="none"))
    bare = replace(program.network.layers[1], label=None)
    without = replace(program.network, layers=(program.network.layers[0], bare))
    maps = [
        design(Program(one, program.losses, {}), form="microcode", share=False).mapping
        for one in (program.network, without)
    ]
    taken = [sum(core.fill.axons_in for core in found.cores) for found in maps]
    assert taken[0] - taken[1] == CLASSES
    assert program.network.layers[1].synapses - bare.synapses == CLASSES * WIDTHS[2]


SPEC = {
    "pixels": 6, "label": {"kind": "append", "classes": 3}, "probability": {"kind": "contrast"},
    "layers": [{"weight": "a"}, {"weight": "b", "label": "append"}],
}  # fmt: skip
SHAPES = {"a": (5, 9), "b": (4, 8), "plain": (4, 5), "pixels": (5, 6), "u": (4, 3), "u1": (5, 3), "t": (3, 4)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": [{"weight": "a"}, {"weight": "b"}]},
         "hidden2: 'b' takes 8 inputs, the layer below has 5 neurons. Are the other 3 the label's? Then set label: "
         "append, or prepend if they stand before"),
        ({"layers": [{"weight": "a"}, {"weight": "plain", "label": "append"}]},
         "hidden2: 'plain' takes 5 inputs, the layer below has 5 neurons, with the label's inputs behind them 8"),
        ({"layers": [{"weight": "a", "label": "append"}, {"weight": "b"}]},
         "layers.0.label: how a label enters the first layer says label.kind: append, drop it"),
        ({"layers": [{"weight": "a", "label": "u1"}, {"weight": "plain"}]},
         "hidden1: 'a' takes 9 inputs, 6 pixels are wanted where the label has a matrix of its own"),
        ({"layers": [{"weight": "a"}, {"weight": "plain", "label": "u1"}]},
         "hidden2: label 'u1' has shape (5, 3), (4, 3) is wanted"),
        ({"layers": [{"weight": "a"}, {"weight": "plain", "label": "x"}]}, "no tensor 'x'"),
        ({"layers": [{"weight": "a"}, {"weight": "b", "label": "append", "label_bias": "u"}]},
         "layers.1.label_bias: stands beside a label with a matrix of its own, drop it"),
        ({"layers": [{"weight": "a"}, {"weight": "plain", "label": "u", "label_bias": "t"}]},
         "hidden2: bias 't' has shape (3, 4), (4,) is wanted"),
        ({"label": {"kind": "none", "classes": 3}, "readout": {"kind": "channels"}},
         "layers: label.kind 'none' has no label inputs, drop each layer's label"),
        ({"label": {"kind": "overwrite", "classes": 3}, "layers": [{"weight": "pixels", "label": "u1"}]},
         "layers.0.label: a matrix of its own reads labels beside the pixels, label.kind is 'overwrite'"),
        ({"layers": [{"weight": "a"}, {"weight": "b", "label": "append", "conv": {}}]},
         "layers.1.label: a convolution has no place for label inputs beside the image"),
    ],
)  # fmt: skip
def test_a_spec_that_puts_a_label_where_it_is_not_is_refused_in_one_line(changes, words):
    tensors = {name: torch.ones(shape) for name, shape in SHAPES.items()}
    with pytest.raises(CheckpointError) as caught:
        network.build(live_checkpoint(tensors, SPEC | changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    network.build(live_checkpoint(tensors, SPEC))

"""One classifier over several layers, and votes of layers: what torch code computes, in float, integers and on Lava."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.backends.base import host_sums
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.board.populations import populations
from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import load_data
from ff2loihi.verification.equality import equality_report
from sim_tests.factories import fit_by_backprop

WIDTHS, CLASSES = (64, 50, 40, 30), 10
DIVIDED_BY = {
    "raw": lambda h: 1.0,
    "l2": lambda h: h.norm(dim=1, keepdim=True),
    "rms": lambda h: h.pow(2).mean(1, keepdim=True).sqrt(),
}


class Concatenated(torch.nn.Module):
    """A linear classifier over the activities of the second and the third layer, as public code has it."""

    def __init__(self, activities):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairwise(WIDTHS))
        self.classifier = torch.nn.Linear(sum(WIDTHS[2:]), CLASSES)
        self.divided_by = DIVIDED_BY[activities]

    def forward(self, x):
        seen = []
        for layer in self.layers:
            x = torch.relu(layer(x))
            seen.append(x / self.divided_by(x))
        return self.classifier(torch.cat(seen[1:], 1))


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train"), load_data("digits", "test")


def trained(activities, data) -> Concatenated:
    torch.manual_seed(0)
    net = Concatenated(activities)
    fit_by_backprop(net, data)
    return net


def spec_of(activities, layers) -> dict:
    head = {"weights": ["classifier.weight"], "bias": "classifier.bias", "activities": activities}
    return {
        "pixels": WIDTHS[0],
        "label": {"kind": "none"},
        "layers": [{"weight": f"layers.{index}.weight", "bias": f"layers.{index}.bias"} for index in range(3)],
        "readout": {"kind": "head", "layers": layers, "head": head},
    }


@pytest.mark.needs_lava
@pytest.mark.parametrize("activities", DIVIDED_BY)
@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_one_matrix_over_several_layers_is_what_torch_computes(tmp_path, digits, activities, neuron):
    data, test = digits
    net = trained(activities, data)
    torch.save(net.state_dict(), tmp_path / "m.pt")
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec_of(activities, [1, 2])))
    checkpoint = load_checkpoint(tmp_path / "m.pt", tmp_path / "spec.yaml")
    with torch.no_grad():
        wanted = net(torch.from_numpy(test.images) / 255).numpy()
    built = network.build(checkpoint)
    found = readout.float_scores(built, float_forward.all_labels(built, test.images))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    program = api.compile(checkpoint, data, Options(neuron=neuron, steps=16))
    predictions = Emulator().run(program, test.images).predictions
    accuracy = (wanted.argmax(1) == test.labels).mean()
    assert accuracy > 0.9
    if neuron == "graded":
        assert (predictions == wanted.argmax(1)).mean() > 0.98
    assert (predictions == test.labels).mean() > accuracy - (0.01 if neuron == "graded" else 0.1)
    few = test.images[:5]
    report = equality_report(Emulator().run(program, few, states=True), LavaCpu().run(program, few, states=True))
    assert report.equal
    assert all(variable.active for variable in report.variables)


def test_the_parts_of_one_matrix_follow_the_layers_as_the_spec_names_them(tmp_path, digits):
    net = Concatenated("raw")
    torch.save(net.state_dict(), tmp_path / "m.pt")
    for layers in ([1, 2], [2, 1]):
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec_of("raw", layers)))
        built = network.build(load_checkpoint(tmp_path / "m.pt", tmp_path / "spec.yaml"))
        whole = net.classifier.weight.detach().numpy()
        np.testing.assert_array_equal(np.concatenate(built.head.weights, 1), whole)
        assert [part.shape[1] for part in built.head.weights] == [WIDTHS[index + 1] for index in layers]


def test_a_vote_takes_the_label_that_most_layers_call_best_and_of_a_tie_the_first(float_net, images):
    net = float_net(3, (15, 12, 9))
    activities = float_forward.all_labels(net, images(80))
    voted = readout.combine([(h**2).sum(-1) for h in activities], "vote").argmax(1)
    counted, alone = [], 0
    for sample in range(80):
        goodness = [torch.from_numpy(h[sample]).pow(2).sum(1) for h in activities]
        votes = Counter(int(part.argmax()) for part in goodness)
        counted.append(min(votes, key=lambda label: (-votes[label], label)))
        alone += len(votes) == 3
    assert 0 < alone < 80
    assert len(set(counted)) > 1
    assert voted.tolist() == counted


@pytest.mark.needs_lava
@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_a_network_whose_layers_vote_compiles(files, tmp_path, neuron):
    made, data = torch.Generator().manual_seed(2), load_data("digits", "train", limit=200)
    tensors = {
        name: torch.randn(n, inputs, generator=made)
        for name, n, inputs in (("a", 40, 74), ("b", 30, 40), ("c", 20, 30))
    }
    spec = {
        "pixels": 64, "label": {"kind": "append"}, "layers": [{"weight": name} for name in tensors],
        "probability": {"kind": "contrast"}, "normalization": "l2", "readout": {"kind": "vote"},
    }  # fmt: skip
    program = api.compile(load_checkpoint(*files(tensors, spec)), data, Options(neuron=neuron, steps=8))
    api.save(program, tmp_path / "m.ffl")
    program = api.load(tmp_path / "m.ffl")
    trace = Emulator().run(program, data.images[:100])
    best = readout.goodness(program.network, trace.sums).argmax(1)
    assert trace.predictions.tolist() == [np.bincount(votes, minlength=CLASSES).argmax() for votes in best]
    assert LavaCpu().run(program, data.images[:3]).predictions.tolist() == trace.predictions[:3].tolist()


TOP = 8


class TopGoodness(torch.nn.Module):
    """Two layers whose goodness is the mean square of their 8 largest activities, the label behind the image."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(*pair, bias=False) for pair in ((74, 100), (100, 60)))

    def goodness(self, images, labels):
        x, found = torch.cat([torch.from_numpy(images) / 255, torch.eye(CLASSES)[labels]], 1), []
        for layer in self.layers:
            h = torch.relu(layer(x))
            found.append(h.topk(TOP, 1).values.square().mean(1))
            x = h / (h.norm(dim=1, keepdim=True) + 1e-9)
        return found

    def scores(self, images):
        with torch.no_grad():
            each = [sum(self.goodness(images, torch.full((len(images),), label))) for label in range(CLASSES)]
        return torch.stack(each, 1).numpy()


@pytest.fixture(scope="module")
def top_net(digits):
    torch.manual_seed(0)
    data, net = digits[0], TopGoodness()
    labels, optimizer = torch.from_numpy(data.labels), torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(60):
        wrong = (labels + torch.randint(1, CLASSES, labels.shape)) % CLASSES
        pairs = zip(net.goodness(data.images, labels), net.goodness(data.images, wrong), strict=True)
        optimizer.zero_grad()
        sum(torch.nn.functional.softplus(negative - positive).mean() for positive, negative in pairs).backward()
        optimizer.step()
    return net


def top_spec(**changes) -> dict:
    return {
        "pixels": 64, "label": {"kind": "append"}, "goodness": "mean_squares", "top_k": TOP, "normalization": "l2",
        "layers": [{"weight": "layers.0.weight"}, {"weight": "layers.1.weight"}], "probability": {"kind": "contrast"},
    } | changes  # fmt: skip


def check_lava_and_host(program, images: np.ndarray) -> None:
    """Lava has the emulator's states, sums and scores, and a board's host the same sums of what it is sent."""
    ours, theirs = Emulator().run(program, images, states=True), LavaCpu().run(program, images, states=True)
    report = equality_report(ours, theirs)
    assert report.equal
    assert not report.idle
    np.testing.assert_array_equal(ours.scores, theirs.scores)
    net, states = program.network, theirs.states
    for index, layer in enumerate(net.layers):
        sent = states[f"{layer.name}.h"] if net.neuron == "graded" else states[f"{layer.name}.r"][:, :, -1]
        np.testing.assert_array_equal(host_sums(net, layer.name, sent), theirs.sums[:, :, index])


@pytest.mark.needs_lava
@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_the_goodness_of_the_largest_activities_is_torchs_and_lavas(tmp_path, digits, top_net, neuron):
    data, test = digits
    checkpoint, wanted = live_checkpoint(top_net, top_spec()), top_net.scores(test.images)
    built = network.build(checkpoint)
    found = readout.float_scores(built, float_forward.all_labels(built, test.images))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    accuracy = (wanted.argmax(1) == test.labels).mean()
    assert accuracy > 0.93
    api.save(api.compile(checkpoint, data, Options(neuron=neuron, steps=16)), tmp_path / "m.ffl")
    program = api.load(tmp_path / "m.ffl")
    trace = Emulator().run(program, test.images)
    assert (trace.predictions == test.labels).mean() > accuracy - (0.01 if neuron == "graded" else 0.03)
    assert readout.correlation(trace.scores, wanted) > (0.999 if neuron == "graded" else 0.95)
    every = readout.scores(replace(program.network, top_k=None), trace.sums[:, :, :, :1], None)
    assert (every.argmax(1) != trace.predictions).any(), "the goodness of all activities says the same"
    check_lava_and_host(program, test.images[:4])


def test_of_a_head_or_without_normalisation_nothing_but_the_largest_is_summed(digits, top_net):
    program = api.compile(live_checkpoint(top_net, top_spec(normalization="none", goodness="l1")), digits[0])
    trace = Emulator().run(program, digits[1].images[:20], states=True)
    assert trace.sums.shape == (20, CLASSES, 2, 1, 1)
    payloads = np.sort(trace.states["hidden1.h"], -1)[..., -TOP:]
    assert trace.sums[:, :, 0, 0, 0].tolist() == payloads.sum(-1).tolist()
    scale = program.network.layers[0].scale
    np.testing.assert_allclose(trace.goodness[:, :, 0], payloads.sum(-1) * scale, rtol=1e-6)


def test_the_sums_by_which_a_normalisation_divides_are_on_the_chip_whatever_goodness_is_of(digits, top_net):
    tensors = top_net.state_dict() | {"bias": torch.full((60,), 0.1)}
    biased = [{"weight": "layers.0.weight"}, {"weight": "layers.1.weight", "bias": "bias"}]
    for changes, sums in (({}, [1]), ({"top_k": None}, [2, 2]), ({"top_k": None, "goodness": "l1"}, [4, 2])):
        program = api.compile(live_checkpoint(tensors, top_spec(layers=biased) | changes), digits[0])
        assert program.network.norms
        found = {population.name: population for population in populations(program.network)}
        assert {row.source for row in found["hidden1.norm"].rows} <= found.keys()
        assert [one.neurons for name, one in found.items() if name.endswith("goodness")] == sums


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_torch_sums_the_largest_and_the_pieces_of_cells_as_numpy_does(digits, top_net, neuron):
    for checkpoint in (live_checkpoint(top_net, top_spec()), live_checkpoint(Cells(3, "rms"), cells_spec(3, "rms"))):
        net = api.compile(checkpoint, digits[0], Options(neuron=neuron, steps=8)).network
        pixels = quantize_pixels(digits[1].images[:20], net.input_bits).astype(np.float32)
        wanted = Forward(net).run(pixels).sums
        made = Forward(net, torch, lambda a, kind: torch.from_numpy(np.array(a)).to(getattr(torch, kind)))
        np.testing.assert_array_equal(made.run(torch.from_numpy(pixels)).sums, wanted)
        assert wanted.any((0, 1, 4)).all()


def test_a_board_sums_what_cells_need_and_sends_home_what_the_largest_need(digits, top_net):
    def sums(checkpoint) -> dict:
        program = api.compile(checkpoint, digits[0])
        found = populations(program.network)
        return {one.name: one.neurons for one in found if one.name.endswith("goodness")}

    assert sums(live_checkpoint(Cells(2, "rms"), cells_spec(2, "rms"))) == {
        "hidden1.goodness": 8 * 2 * 2, "hidden2.goodness": 12 * 2 * 2,
    }  # fmt: skip
    assert sums(live_checkpoint(top_net, top_spec(normalization="none"))) == {}
    assert list(sums(live_checkpoint(top_net, top_spec()))) == ["hidden1.goodness", "hidden2.goodness"]  # a norm's


def test_more_than_a_layer_has_two_polarities_and_a_rule_are_refused(digits, top_net):
    def refused(**changes) -> str:
        with pytest.raises(CheckpointError) as caught:
            network.build(live_checkpoint(top_net, top_spec(**changes)))
        return str(caught.value)

    assert "hidden2: top_k is 61, more than its 60 activities. Use a smaller one" in refused(top_k=61)
    assert "hidden1" not in refused(top_k=61)
    assert "top_k: Input should be greater than or equal to 1 (got 0)" in refused(top_k=0)
    assert "top_k: probability symmetric compares both polarities" in refused(probability={"kind": "symmetric"})
    with pytest.raises(CompileError, match="top_k 8: the rule's goodness is that of all neurons"):
        api.compile(live_checkpoint(top_net, top_spec()), digits[0], LearningOptions())


def test_the_largest_of_each_class_are_read_from_channels(files, images):
    made = torch.Generator().manual_seed(2)
    spec = {
        "pixels": 12, "label": {"kind": "none", "classes": 4}, "layers": [{"weight": "a"}], "goodness": "mean_squares",
        "top_k": 2, "readout": {"kind": "channels"},
    }  # fmt: skip
    checkpoint = load_checkpoint(*files({"a": torch.randn(20, 12, generator=made)}, spec))
    h = np.maximum(images() / 255 @ checkpoint.tensors["a"].T, 0)
    wanted = np.sort(h.reshape(-1, 4, 5))[..., -2:]
    wanted = (wanted**2).mean(2)
    built = network.build(checkpoint)
    found = readout.float_scores(built, float_forward.all_labels(built, images()))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    program = api.compile(checkpoint, (images(), np.zeros(60, int)))
    found = Emulator().run(program, images()).scores
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.02 * wanted.max())
    with pytest.raises(CheckpointError, match="top_k is 6, more than its 5 activities of each class"):
        network.build(load_checkpoint(*files({"a": torch.ones(20, 12)}, spec | {"top_k": 6})))


class Cells(torch.nn.Module):
    """Two convolutions, the first pooled; a linear classifier of each one's goodness in grid x grid cells a channel."""

    def __init__(self, grid, pooled):
        super().__init__()
        self.conv = torch.nn.ModuleList([torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.Conv2d(8, 12, 3, padding=1)])
        self.heads = torch.nn.ModuleList(torch.nn.Linear(n * grid**2, CLASSES) for n in (8, 12))
        self.grid, self.pooled = grid, pooled

    def each(self, x):
        first = torch.max_pool2d(torch.relu(self.conv[0](x.view(-1, 1, 8, 8))), 2)
        for head, h in zip(self.heads, (first, torch.relu(self.conv[1](first))), strict=True):
            cells = torch.nn.functional.adaptive_avg_pool2d(h.square(), self.grid)
            yield head((cells if self.pooled == "mean_squares" else cells.sqrt()).flatten(1))

    def forward(self, x):
        return sum(self.each(x))


def cells_spec(grid, goodness, layers=(0, 1)) -> dict:
    weights, biases = ([f"heads.{index}.{name}" for index in layers] for name in ("weight", "bias"))
    return {
        "pixels": 64, "image": [1, 8, 8], "label": {"kind": "none"}, "goodness": goodness,
        "layers": [
            {"weight": "conv.0.weight", "bias": "conv.0.bias", "conv": {"padding": 1}, "pool": {"kind": "max"}},
            {"weight": "conv.1.weight", "bias": "conv.1.bias", "conv": {"padding": 1}},
        ],
        "readout": {
            "kind": "pooled", "layers": list(layers),
            "head": {"weights": weights, "bias": biases, "grid": grid},
        },
    }  # fmt: skip


@pytest.mark.needs_lava
@pytest.mark.parametrize(("neuron", "goodness", "grid"), [("graded", "mean_squares", 2), ("lif", "rms", 3)])
def test_a_classifier_of_the_goodness_of_cells_is_torchs_and_lavas(tmp_path, digits, neuron, goodness, grid):
    data, test = digits
    torch.manual_seed(0)
    net = Cells(grid, goodness)
    fit_by_backprop(net, data)
    with torch.no_grad():
        each = [logits.numpy() for logits in net.each(torch.from_numpy(test.images) / 255)]
    for layers, wanted in (((0,), each[0]), ((1,), each[1]), ((0, 1), each[0] + each[1])):
        checkpoint = live_checkpoint(net, cells_spec(grid, goodness, layers))
        built = network.build(checkpoint)
        found = readout.float_scores(built, float_forward.all_labels(built, test.images))
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    accuracy = (wanted.argmax(1) == test.labels).mean()
    assert accuracy > 0.9
    api.save(api.compile(checkpoint, data, Options(neuron=neuron, steps=16)), tmp_path / "m.ffl")
    program = api.load(tmp_path / "m.ffl")
    trace = Emulator().run(program, test.images)
    assert (trace.predictions == test.labels).mean() > accuracy - (0.01 if neuron == "graded" else 0.05)
    assert readout.correlation(trace.scores, wanted) > (0.999 if neuron == "graded" else 0.95)
    check_lava_and_host(program, test.images[:4])


def normalised(pooled: dict) -> dict:
    return {
        "pixels": 12, "image": [1, 3, 4], "label": {"kind": "none", "classes": 3}, "normalization": "rms",
        "layers": [{"weight": "a", "conv": {}}, {"weight": "b", "conv": {"stride": 2}}, {"weight": "c"}],
        "goodness": "l2", "readout": {"kind": "pooled", **pooled},
    }  # fmt: skip


def test_cells_of_a_net_that_is_normalised_and_of_dense_layers_are_read(files, images):
    made = torch.Generator().manual_seed(4)
    sizes = {"a": (6, 1, 2, 2), "b": (5, 6, 2, 2), "c": (7, 5), "low": (3, 6 * 4), "high": (3, 5 + 7)}
    tensors = {name: torch.randn(size, generator=made) for name, size in sizes.items()}
    layers = [torch.relu(torch.conv2d(torch.from_numpy(images() / 255).float().view(-1, 1, 3, 4), tensors["a"]))]
    for weight in (tensors["b"], tensors["c"][..., None, None]):
        divided = layers[-1] / layers[-1].square().mean((1, 2, 3), keepdim=True).sqrt()
        layers.append(torch.relu(torch.conv2d(divided, weight, stride=2)))
    low = (2 * torch.nn.functional.adaptive_avg_pool2d(layers[0].square(), 2)).sqrt()  # of cells of 1 x 2 that overlap
    high = torch.cat(layers[1:], 1)  # cells of a neuron each, whose l2 norm is its activity
    for pooled, seen, weight in (
        ({"layers": [0], "head": {"weights": ["low"], "grid": 2}}, low, tensors["low"]),
        ({"layers": [1, 2], "head": {"weights": ["high"]}}, high, tensors["high"]),
    ):
        wanted = (seen.flatten(1) @ weight.T).numpy()
        checkpoint = load_checkpoint(*files(tensors, normalised(pooled)))
        built = network.build(checkpoint)
        found = readout.float_scores(built, float_forward.all_labels(built, images()))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        program = api.compile(checkpoint, (images(), np.arange(60) % 3))
        assert program.network.deferred
        assert readout.correlation(Emulator().run(program, images()).scores, wanted) > 0.999


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": 5}, "readout.head.grid: 5 cells along the sides of hidden1, 4 x 4"),
        ({"grid": 1}, "'heads.0.weight' has shape (10, 32), (10, 8) is wanted"),
        ({"grid": 0}, "readout.head.grid: Input should be greater than or equal to 1 (got 0)"),
        ({"activities": "raw"}, "readout.kind 'pooled' reads the cells' goodness, drop it"),
        ({"bias": ["heads.0.bias", "conv.1.bias"]}, "bias 'conv.1.bias' has shape (12,), (10,) is wanted"),
    ],
)
def test_a_classifier_that_does_not_fit_its_cells_is_refused(changes, words):
    spec = cells_spec(2, "rms")
    spec["readout"]["head"] |= changes
    with pytest.raises(CheckpointError) as caught:
        network.build(live_checkpoint(Cells(2, "rms"), spec))
    assert words in str(caught.value)


def test_a_grid_of_a_head_and_the_largest_of_cells_are_refused(digits):
    spec = cells_spec(2, "rms")
    with pytest.raises(CheckpointError, match="top_k: readout.kind 'pooled' reads every neuron of a cell. Drop top_k"):
        live_checkpoint(Cells(2, "rms"), spec | {"top_k": 2})
    head = spec | {"readout": spec["readout"] | {"kind": "head"}}
    with pytest.raises(CheckpointError, match="readout.head.grid cuts channels into cells for readout.kind 'pooled'"):
        live_checkpoint(Cells(2, "rms"), head)

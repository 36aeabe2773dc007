"""One classifier over several layers, and votes of layers: what torch code computes, in float, integers and on Lava."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.quantize import Options
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

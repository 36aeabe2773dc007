"""compile classifies images with the float net and its integers, and tells what the spec left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.descent import Training, descend
from ff2loihi.verification.equality import equality_report

MEANS = {"digits": (0.3053, 0.3764), "mnist": (0.1307, 0.3081)}  # and standard deviations of their pixels
SPEC = {
    "label": {"kind": "overwrite", "value": "max"},
    "layers": [{"weight": "0.weight", "bias": "0.bias"}, {"weight": "1.weight", "bias": "1.bias"}],
    "goodness": "mean_squares",
    "probability": {"kind": "sigmoid", "theta": 2.0},
    "normalization": "l2",
}


class Foreign(torch.nn.Linear):
    """A layer as public code has it: its input is divided by its norm."""

    def forward(self, x):
        return torch.relu(super().forward(x / (x.norm(2, 1, keepdim=True) + 1e-4)))


class Net:
    """Two of them, trained on standardised images with labels of x.max(), as published code does it."""

    def __init__(self, folder, data, test, width, epochs):
        self.folder, self.data, self.test, (self.mean, self.std) = folder, data, test, MEANS[data.name]
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(Foreign(data.images.shape[1], width), Foreign(width, width))
        descend(self.layers.parameters(), self.loss, data, Training(epochs=epochs, batch=100, rate=0.03), seed=0)
        torch.save(self.layers.state_dict(), folder / "m.pt")

    def inputs(self, images, labels):
        x = (images - self.mean) / self.std
        x[:, :10] = 0
        x[range(len(x)), labels] = (1 - self.mean) / self.std
        return x

    def loss(self, images, labels, generator):
        wrong = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
        good, bad, total = self.inputs(images, labels), self.inputs(images, wrong), 0.0
        for layer in self.layers:
            good, bad = layer(good.detach()), layer(bad.detach())
            judged = torch.cat([2 - good.pow(2).mean(1), bad.pow(2).mean(1) - 2])
            total = total + torch.nn.functional.softplus(judged).mean()
        return total

    @torch.no_grad()
    def predictions(self):
        goodness = torch.zeros(len(self.test.labels), 10)
        for label in range(10):
            h = self.inputs(torch.from_numpy(self.test.images) / 255, torch.full((len(goodness),), label))
            for layer in self.layers:
                h = layer(h)
                goodness[:, label] += h.pow(2).mean(1)
        return goodness.argmax(1).numpy()

    def compiled(self, **changes):
        """(program, the lines of the check and of its warnings)."""
        own = {"pixels": self.data.images.shape[1], "input": {"mean": self.mean, "std": self.std, "norm": "l2"}}
        spec, said = {key: value for key, value in (SPEC | own | changes).items() if value is not None}, []
        (self.folder / "spec.yaml").write_text(yaml.safe_dump(spec))
        program = api.compile(
            self.folder / "m.pt", self.data, spec=self.folder / "spec.yaml", progress=lambda *line: said.append(line)
        )
        return program, [line for line in said if line[0] in ("check", "warning")]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    digits = load_data("digits", "train"), load_data("digits", "test")
    return Net(tmp_path_factory.mktemp("foreign"), *digits, width=60, epochs=80)


@pytest.fixture(scope="module")
def of_mnist(tmp_path_factory, mnist_root):
    images = load_data("mnist", "train", mnist_root, 10_000), load_data("mnist", "test", mnist_root, 1000)
    return Net(tmp_path_factory.mktemp("foreign"), *images, width=100, epochs=12)


def test_a_foreign_net_classifies_as_its_own_code_does(foreign):
    own = foreign.predictions()
    accuracy = (own == foreign.test.labels).mean()
    assert accuracy > 0.85
    program, said = foreign.compiled()
    trace = Emulator().run(program, foreign.test.images)
    assert (trace.predictions == own).mean() > 0.97
    assert abs((trace.predictions == foreign.test.labels).mean() - accuracy) < 0.015
    assert [stage for stage, _ in said] == ["check"]
    check = program.provenance["check"]
    assert check["float_accuracy"] > 0.85
    assert check["same"] > 0.97
    assert f"{check['float_accuracy']:.1%}" in said[0][1]


@pytest.mark.needs_lava
def test_it_is_the_same_in_lava(foreign):
    program, _ = foreign.compiled()
    images = foreign.test.images[:5]
    report = equality_report(Emulator().run(program, images, states=True), LavaCpu().run(program, images, states=True))
    assert report.equal
    assert all(variable.active for variable in report.variables)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"input": None}, "with input: {mean: 0.1"),
        ({"input": None, "label": {"kind": "overwrite"}}, "with input: {mean: 0.1"),
    ],
)
def test_a_spec_without_the_input_is_told_the_cause(of_mnist, changes, cause):
    best = of_mnist.compiled()[0].provenance["check"]["float_accuracy"]
    program, said = of_mnist.compiled(**changes)
    warnings = [text for stage, text in said if stage == "warning"]
    assert program.provenance["check"]["float_accuracy"] < best - 0.03
    assert warnings
    assert cause in warnings[0]
    assert len(warnings) <= 3


def test_a_net_at_chance_is_told_so(foreign, tmp_path):
    made = torch.Generator().manual_seed(3)
    torch.save({"w": torch.randn(20, 64, generator=made)}, tmp_path / "m.pt")
    spec = {
        "pixels": 64,
        "label": {"kind": "overwrite"},
        "layers": [{"weight": "w"}],
        "probability": {"kind": "contrast"},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    said, spec = [], tmp_path / "spec.yaml"
    api.compile(tmp_path / "m.pt", foreign.data, spec=spec, progress=lambda *line: said.append(line))
    assert any(stage == "warning" and "chance" in text for stage, text in said)


def test_a_network_of_ours_whose_spec_nobody_wrote_is_not_warned_about(tmp_path):
    from ff2loihi.ff.recipes import train

    train("ffa-symmetric", load_data("digits", "train", limit=50), epochs=0, widths=(10,)).save(tmp_path / "u.pt")
    said = []
    api.compile(tmp_path / "u.pt", load_data("digits", "train", limit=50), progress=lambda *line: said.append(line))
    assert "check" in dict(said)
    assert "warning" not in dict(said)


def test_two_classes_that_are_told_apart_well_are_not_at_chance(tmp_path):
    data = load_data("digits", "train", limit=300)
    two = replace(data, labels=(data.images[:, :32].sum(1) > data.images[:, 32:].sum(1)).astype(np.int64), classes=2)
    halves = np.zeros((2, 66), np.float32)
    halves[0, :32], halves[0, 32:64], halves[0, 65] = 1, -1, 4
    halves[1, 32:64], halves[1, :32], halves[1, 64] = 1, -1, 4
    torch.save({"w": torch.from_numpy(halves)}, tmp_path / "m.pt")
    spec = {"pixels": 64, "label": {"kind": "append", "classes": 2}, "layers": [{"weight": "w"}]}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec | {"probability": {"kind": "contrast"}}))
    said = []
    program = api.compile(
        tmp_path / "m.pt", two, spec=tmp_path / "spec.yaml", progress=lambda *line: said.append(line)
    )  # fmt: skip
    accuracy = program.provenance["check"]["float_accuracy"]
    assert accuracy > 0.6
    assert not [text for stage, text in said if stage == "warning" and "chance" in text]

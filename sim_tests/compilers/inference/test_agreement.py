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

    def compiled(self, expect=None, check=None, **changes):
        """(program, the lines of the check and of its warnings)."""
        own = {"pixels": self.data.images.shape[1], "input": {"mean": self.mean, "std": self.std, "norm": "l2"}}
        spec, said = {key: value for key, value in (SPEC | own | changes).items() if value is not None}, []
        (self.folder / "spec.yaml").write_text(yaml.safe_dump(spec))
        program = api.compile(
            self.folder / "m.pt", self.data, spec=self.folder / "spec.yaml", check=check, expect=expect,
            progress=lambda *line: said.append(line),
        )  # fmt: skip
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


def test_what_was_expected_and_is_not_reached_is_told_with_what_each_cause_would_give(of_mnist):
    program, said = of_mnist.compiled(input=None, label={"kind": "overwrite"}, expect=0.95)
    share = program.provenance["check"]["float_accuracy"]
    [warning] = [text for stage, text in said if stage == "warning"]
    assert warning.startswith(f"the float net classifies {share:.1%} of these 500 images rightly, and 95.0% were exp")
    causes = warning.partition("Tried: ")[2].split("; ")
    assert len(causes) == 3
    assert causes[0].startswith("with input: {mean: 0.1")
    assert float(causes[0].split()[-1].rstrip("%")) > 100 * share + 3


def test_a_net_that_is_as_good_as_expected_is_not_warned_about(of_mnist):
    share = of_mnist.compiled()[0].provenance["check"]["float_accuracy"]
    for expect in (share - 0.05, share, share + 0.03):  # of 500 images, the last is what their number explains
        assert [stage for stage, _ in of_mnist.compiled(expect=expect)[1]] == ["check"]


def test_images_of_the_test_split_are_classified_as_well(foreign):
    program, said = foreign.compiled(check=foreign.test)
    own = foreign.predictions()
    wanted = (own == foreign.test.labels).mean()
    found = program.provenance["test"]
    assert (found["images"], found["data"]) == (len(own), "digits")
    assert found["float_accuracy"] == pytest.approx(wanted, abs=0.003)
    assert found["accuracy"] == (Emulator().run(program, foreign.test.images).predictions == foreign.test.labels).mean()
    assert f"of {len(own)} test images the float net classifies {found['float_accuracy']:.1%}" in said[1][1]


def test_an_expectation_is_held_against_the_test_images_where_they_are_checked(foreign):
    _, said = foreign.compiled(check=foreign.test, expect=1.0)
    assert "and 100.0% were expected" in said[-1][1]
    assert f"of these {len(foreign.test.labels)} images" in said[-1][1]


def check_of(folder, data) -> tuple[float, list[str]]:
    """What compile finds of m.pt and spec.yaml: the float net's accuracy, and its warnings."""
    said = []
    program = api.compile(
        folder / "m.pt", data, spec=folder / "spec.yaml", progress=lambda *line: said.append(line)
    )  # fmt: skip
    return program.provenance["check"]["float_accuracy"], [text for stage, text in said if stage == "warning"]


@pytest.mark.parametrize(
    ("own", "other", "text"),
    [
        ({"kind": "overwrite", "pixels": list(range(54, 64))}, {"kind": "overwrite"}, "label.pixels: [54, ..., 63]"),
        ({"kind": "prepend"}, {"kind": "append"}, "label.kind: prepend"),
    ],
)
def test_the_labels_other_places_are_tried(tmp_path, foreign, own, other, text):
    """The classes' mean images, less their mean over all, recognise digits: each with a label input of its own."""
    data = foreign.data
    means = np.stack([data.images[data.labels == label].mean(0) for label in range(10)]) / 255
    shown = means - means.mean(0)
    shown /= np.linalg.norm(shown, axis=1, keepdims=True)
    inputs = 64 if own["kind"] == "overwrite" else 74
    places = own.get("pixels", range(10) if own["kind"] == "prepend" else range(64, 74))
    weight = np.zeros((10, inputs), np.float32)
    weight[:, [i for i in range(inputs) if own["kind"] == "overwrite" or i not in places]] = shown
    weight[:, list(places)] = 6 * np.eye(10)
    torch.save({"w": torch.from_numpy(weight), "b": torch.full((10,), -6.0)}, tmp_path / "m.pt")
    spec = {"pixels": 64, "layers": [{"weight": "w", "bias": "b"}], "probability": {"kind": "contrast"}}
    accuracy = {}
    for name, label in (("own", own), ("other", other)):
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec | {"label": label}))
        accuracy[name] = check_of(tmp_path, data)
    assert accuracy["own"][0] > accuracy["other"][0] + 0.05
    assert not any("label.kind" in line or "label.pixels" in line for line in accuracy["own"][1])
    assert any(f"with {text} the float net would classify {accuracy['own'][0]:.1%}" in t for t in accuracy["other"][1])


def test_a_square_layer_that_stands_on_its_side_is_told(foreign):
    layers = [SPEC["layers"][0], {**SPEC["layers"][1], "orientation": "in_out"}]
    program, said = foreign.compiled(layers=layers, readout={"kind": "goodness", "layers": [1]}, expect=0.9)
    assert program.provenance["check"]["float_accuracy"] < 0.8
    [warning] = [text for stage, text in said if stage == "warning"]
    assert "Tried: with layers[1].orientation: out_in" in warning

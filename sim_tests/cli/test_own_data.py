"""A person's own images through the commands: trained, compiled, run, learned and mapped, whatever their shape."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from ff2loihi import api
from ff2loihi.analysis.analyze import analyze
from ff2loihi.compilers.errors import DataError
from ff2loihi.data.datasets import load_data

SHAPES = {"two.npz": (2, (7, 9)), "three.npz": (3, (8, 8, 3)), "hundred.npz": (100, (12, 10)), "letters": (26, (7, 9))}
EACH = 4  # images of a class


def noisy(classes, shape, each=EACH):
    """Images and labels, those of a class alike."""
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 248, (classes, *shape), np.uint8)
    labels = np.arange(each * classes) % classes
    return faces[labels] + rng.integers(0, 8, (len(labels), *shape), np.uint8), labels


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with each of SHAPES in it."""
    for name, (classes, shape) in SHAPES.items():
        images, labels = noisy(classes, shape)
        if name.endswith(".npz"):
            np.savez(tmp_path / name, images=images, labels=labels)
            continue
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / name / chr(97 + label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def done(ff2loihi):
    """done("a command and its options") -> its report."""

    def call(words):
        code, out, err = ff2loihi(*words.split(), "--json", "-")
        assert code == 0, err
        return json.loads(out)

    return call


def test_images_of_as_many_pixels_in_another_shape_are_refused(here, done, refused):
    images, labels = noisy(2, (9, 7))
    np.savez("turned.npz", images=images, labels=labels)
    done("train --data two.npz --epochs 1 --widths 12 -o m.pt")
    assert done("compile m.pt")["provenance"]["calibration"]["shape"] == [7, 9, 1]
    for command in ("run m.ffl", "compare m.pt m.ffl", "verify m.ffl", "run m.ffl --predictions p.csv"):
        code, text = refused(*command.split(), "--data", "turned.npz")
        assert code == 2
        assert "turned.npz: images of 9 x 7 pixels, the model was compiled with images of 7 x 9. Bring" in text
    with pytest.raises(DataError, match=r"images of 9 x 7 pixels"):
        api.run(api.load("m.ffl"), "turned.npz")
    many = load_data("turned.npz", "train")
    many = replace(many, images=many.images.repeat(20, 0), labels=np.arange(20 * len(many.labels)) % 2)
    with pytest.raises(DataError, match=r"images of 9 x 7 pixels"):
        analyze(api.load("m.ffl"), many, many)
    assert api.run(api.load("m.ffl"), (images, labels)).samples == 8  # an array's shape is the caller's own matter
    tensors = {"a": np.random.default_rng(0).normal(0, 1, (4, 1, 2, 2)).astype(np.float32)}
    np.savez("net.npz", **tensors)
    spec = {
        "pixels": 63, "image": [1, 7, 9], "label": {"kind": "none", "classes": 2},
        "layers": [{"weight": "a", "conv": {}}], "readout": {"kind": "channels"},
    }  # fmt: skip
    (here / "spec.yaml").write_text(yaml.safe_dump(spec))
    command = "compile net.npz --spec spec.yaml -o net.ffl --calibrate"
    done(f"{command} two.npz")
    text = refused(*command.split(), "turned.npz")[1]
    assert "calibration images are 1 x 9 x 7 (channels, height, width), the model's are 1 x 7 x 9" in text


@pytest.mark.parametrize("name", SHAPES)
def test_own_images_are_trained_compiled_run_learned_and_mapped(here, done, name):
    classes, shape = SHAPES[name]
    done(f"train --data {name} --epochs 1 --widths 12 -o m.pt")
    compiled = done("compile m.pt")
    facts = compiled["provenance"]["calibration"]
    assert facts["data"] == name
    assert len(facts["sha256"]) == 64
    assert done(f"compile m.pt --calibrate {name}:5 -o few.ffl")["provenance"]["calibration"]["images"] == 5
    report = done("run m.ffl")
    assert report["samples"] == EACH * classes - EACH * classes * 4 // 5
    assert len(report["confusion"]) == classes
    assert api.load(here / "m.ffl").network.pixels == np.prod(shape)
    done(f"compile m.pt --learning on --calibrate {name} -o l.ffl")
    learned = done(f"learn l.ffl --data {name} --limit 20 --epochs 1 --jitter 1 -o learned.ffl --evaluate validation:3")
    assert learned["data"] == f"{name} train"
    assert learned["data_sha256"] == facts["sha256"]
    assert done("run learned.ffl --limit 2")["samples"] == 2
    for model in ("m.ffl", "learned.ffl"):
        assert done(f"map {model}")["chips"] == 1


@pytest.mark.parametrize("name", SHAPES)
def test_own_images_are_analyzed_and_packed_for_a_board(here, done, name):
    classes, shape = SHAPES[name]
    images, labels = noisy(classes, shape, each=90)  # of each class more than five must be in the test split
    np.savez(here / "more.npz", images=images, labels=labels)
    done("train --data more.npz --epochs 1 --widths 12 -o m.pt")
    done("compile m.pt -o m.ffl")
    found = done(f"analyze m.ffl --samples {18 * classes}")
    assert found["data"] == "more.npz"
    assert 0 < found["forms"][0]["layers"][0]["separability"] <= 1
    done("deploy m.ffl --dry-run d --samples 1")
    assert (here / "d" / "README.md").is_file()


@pytest.mark.needs_lava
@pytest.mark.parametrize("name", SHAPES)
def test_own_images_are_the_same_bits_on_lava(here, done, name):
    done(f"train --data {name} --epochs 1 --widths 12 -o m.pt")
    done("compile m.pt --neuron lif --steps 8 -o m.ffl")
    report = done("verify m.ffl --samples 1")
    assert report["equal"]
    assert all(variable["active"] for variable in report["variables"] if variable["name"] != "predictions")


@pytest.mark.parametrize("recipe", ["ff-mlp", "ff-hinton-jittered", "ff-negatives-hybrid", "hinton-unsupervised"])
def test_labels_moves_and_masks_fit_images_of_any_shape(here, done, recipe):
    for name in ("two.npz", "three.npz"):
        done(f"train --data {name} --recipe {recipe} --epochs 1 --widths 8-8 -o m.pt")
        assert done("compile m.pt")["provenance"]["calibration"]["data"] == name


def test_files_that_have_changed_are_not_taken_for_those_the_model_was_made_with(here, done, refused):
    done("train --data two.npz --epochs 0 --widths 8 -o m.pt")
    done("compile m.pt")
    images, labels = noisy(2, (7, 9))
    np.savez(here / "two.npz", images=images[::-1], labels=labels)
    for words, option in (
        ("run m.ffl", "--data"), ("learn m.ffl", "--data"), ("compile m.pt -o x.ffl", "--calibrate"),
        ("estimate m.ffl", "--data"), ("analyze m.ffl", "--data"),
    ):  # fmt: skip
        code, line = refused(*words.split())
        assert code == 2
        assert "two.npz: its content is not what the model was made with (sha256 " in line
        assert line.rstrip().endswith(f"use {option} two.npz")
    assert done("run m.ffl --data two.npz")["samples"] == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train --data nope.npz", "--data: 'nope.npz' is not one of 'digits', 'mnist'"),
        ("train --data mail.npz", "mail.npz: not a zip archive"),
        ("train --data hundred.npz --recipe ff-mlp --widths 8", "too many classes for it. Use a recipe that appends"),
        ("train --data two.npz --recipe cwc-ff", "cwc-ff takes square grey images"),
        ("compile m.pt --calibrate nope.npz:5", "--calibrate: 'nope.npz' is not one of"),
        ("compile m.pt --calibrate two.npz:0", "--calibrate two.npz:0: must be NAME or NAME:N"),
        ("compile m.pt --calibrate hundred.npz", "120 pixels, the model takes 63"),
        ("run m.ffl --data hundred.npz", "labels reach"),
    ],
)
def test_each_refusal_is_one_line(here, done, refused, words, line):
    (here / "mail.npz").write_text("Dear sir")
    if words.startswith(("compile", "run")):
        done("train --data two.npz --epochs 0 --widths 8 -o m.pt")
        done("compile m.pt")
    if "ff-mlp" in words:
        np.savez(here / "hundred.npz", images=np.zeros((200, 7, 9), np.uint8), labels=np.arange(200) % 100)
    code, found = refused(*words.split())
    assert code == 2
    assert line in found


def test_a_path_with_a_colon_and_a_count(here, done):
    (here / "two.npz").rename(here / "my:set.npz")
    done("train --data my:set.npz --epochs 0 --widths 8 -o m.pt")
    assert done("compile m.pt")["provenance"]["calibration"]["images"] == 6
    assert done("compile m.pt --calibrate my:set.npz:3")["provenance"]["calibration"]["images"] == 3


def test_the_python_form_takes_a_path(here, done):
    done("train --data two.npz --epochs 0 --widths 8 -o m.pt")
    program = api.compile("m.pt", "two.npz:5")
    assert api.run(program, "two.npz:1").samples == 1


def rows(path):
    """The lines of a file of predictions, without their head."""
    head, *lines = path.read_text().splitlines()
    assert head == "index,predicted,label"
    return [line.split(",") for line in lines]


def test_predictions_say_which_image_of_ones_own_set_they_are_of(here, done):
    done("train --data three.npz --epochs 1 --widths 8 -o m.pt")
    done("compile m.pt")
    images, labels = noisy(3, (8, 8, 3))
    written = []
    for split in ("train", "test"):
        report = done(f"run m.ffl --split {split} --predictions out.csv")
        found = rows(here / "out.csv")
        assert np.mean([predicted == label for _, predicted, label in found]) == pytest.approx(report["accuracy"])
        written += found
    assert sorted(int(index) for index, _, _ in written) == list(range(12))
    assert all(int(label) == labels[int(index)] for index, _, label in written)
    predicted = {int(index): int(predicted) for index, predicted, _ in written}
    for name, arrays in (("bare.npz", {"images": images}), ("bare", None)):
        if arrays:
            np.savez(here / name, **arrays)
        else:
            (here / name).mkdir()
            np.save(here / name / "images.npy", images)
        report = done(f"run m.ffl --data {name} --predictions out.csv")
        assert (report["samples"], report["accuracy"]) == (12, None)
        assert rows(here / "out.csv") == [[str(i), str(predicted[i]), ""] for i in range(12)]
    assert done("run m.ffl --data bare --predictions out.csv")  # over a file of its own kind
    assert api.classify(api.load("m.ffl"), "bare").predictions.tolist() == [predicted[i] for i in range(12)]


def test_images_without_labels_are_for_predictions_alone(here, done, refused):
    done("train --data two.npz --epochs 0 --widths 8 -o m.pt")
    done("compile m.pt")
    np.savez(here / "bare.npz", images=noisy(2, (7, 9))[0])
    for words in ("run m.ffl", "estimate m.ffl", "train -o x.pt"):
        code, line = refused(*words.split(), "--data", "bare.npz")
        assert code == 2
        assert "bare.npz: images without labels. Only run --predictions" in line
    line = refused("run", "m.ffl", "--data", "bare.npz", "--split", "train", "--predictions", "x.csv")[1]
    assert "images without labels are the test split" in line
    for target, words in (
        ("m.ffl", "would replace the input"), ("m.pt", "holds a torch checkpoint"), ("two.npz", "holds numpy arrays"),
        ("nowhere/x.csv", "does not exist"), (".", "a folder"),
    ):  # fmt: skip
        code, line = refused("run", "m.ffl", "--predictions", target)
        assert code == 2
        assert words in line
    assert "would write the same file" in refused("run", "m.ffl", "--predictions", "x", "--json", "x")[1]
    assert not (here / "x").exists()


def test_predictions_to_standard_output_come_alone(here, done):
    done("train --data two.npz --epochs 0 --widths 8 -o m.pt")
    done("compile m.pt")
    run = [sys.executable, "-m", "ff2loihi", "run", "m.ffl", "--predictions"]
    for target in ("-", "/dev/stdout"):
        found = subprocess.run([*run, target], cwd=here, capture_output=True, text=True, timeout=300, check=True)
        assert [line.count(",") for line in found.stdout.splitlines()] == [2, 2, 2]
        assert "accuracy" in found.stderr

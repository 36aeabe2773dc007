"""A training that is cut anywhere goes on to the same bytes; a state that no such training wrote is refused."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from ff2loihi import state_file
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import parse
from ff2loihi.ff import steps
from ff2loihi.ff.recipes import RECIPES, train
from ff2loihi.ff.steps import Kept
from ff2loihi.ff.train import LayerLosses
from ff2loihi.state_file import CheckpointMismatch

SAMPLES, EPOCHS = 170, 2  # in batches of 50: 3 steps an epoch, of the head 4
STEPS = {"network": 6, "head": 80}
NO_NETWORK = {"random-features"}  # its layers stay as they are drawn


class Cut(Exception):
    """Ends a training."""


@pytest.fixture(scope="module")
def images():
    return load_data("digits", "train", limit=SAMPLES)


@pytest.fixture(scope="module")
def samples(images):
    """Images, and events of them for recipes that take those."""
    moved = load_data("digits", "train", limit=SAMPLES, events=parse("saccades,steps=6,rounds=1"))
    return lambda recipe: moved if "events" in RECIPES[recipe].choices else images


def given(recipe):
    """Two small layers, a head and a bias where the recipe has them."""
    found = {key: True for key in ("head", "bias") if key in RECIPES[recipe].choices}
    return found if recipe.startswith(("cwc", "rbm")) else {**found, "widths": (20, 20)}


def state(network):
    return {name: value.numpy().tobytes() for name, value in network.checkpoint()["tensors"].items()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_that_is_cut_resumes_to_the_same_bytes(recipe, samples, tmp_path, monkeypatch):
    images = samples(recipe)
    options = {"epochs": EPOCHS, **given(recipe)}
    whole, drawn, taken = train(recipe, images, **options), train(recipe, images, **{**options, "epochs": 0}), []
    assert state(whole) != state(drawn)
    real = Kept.keep

    def keep(self, here):
        if (here.name, here.done) == (stage, done):
            real(self, here)
        taken.append((here.name, here.done))
        if cuts and taken[-1] == (stage, min(done + 1, here.total)):
            raise Cut

    monkeypatch.setattr(steps, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(Kept, "keep", keep)
    places = [] if recipe in NO_NETWORK else [("network", done) for done in (1, 3, 5)]
    has_head = "head" in options or recipe in ("hinton-unsupervised", "random-features", "rbm")
    last = 4 * EPOCHS if recipe in NO_NETWORK else STEPS["head"]
    places += [("head", 2), ("head", 4), ("head", last)] if has_head else []
    for stage, done in places:
        file, cuts = tmp_path / f"{stage}{done}", True
        with pytest.raises(Cut):
            train(recipe, images, checkpoint=file, **options)
        cuts = False
        taken.clear()
        again = train(recipe, images, checkpoint=file, resume=True, **options)
        of_head = [("head", step) for step in range(done + 1 if stage == "head" else 1, last + 1)] if has_head else []
        of_network = [("network", step) for step in range(done + 1, STEPS["network"] + 1)] if stage == "network" else []
        assert taken == of_network + of_head
        assert state(again) == state(whole), (stage, done)


def test_a_state_is_written_when_it_is_due(images, tmp_path, monkeypatch):
    now, times = [0.0], []
    monkeypatch.setattr(steps.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(steps.state_file, "write", lambda *arguments: times.append(now[0]))

    def tick(self, network, *more):
        now[0] += 8.0
        return real(self, network, *more)

    real = LayerLosses.forward
    monkeypatch.setattr(LayerLosses, "forward", tick)
    train("ffa-symmetric", images, epochs=4, widths=(20,), checkpoint=tmp_path / "x")
    assert times == [32.0, 64.0, 96.0]


@pytest.fixture(scope="module")
def written(images, tmp_path_factory):
    """written(change) -> the path of a state within a second epoch; change(facts, tensors) was made, the hash holds."""
    folder, patch = tmp_path_factory.mktemp("written"), pytest.MonkeyPatch()
    real = Kept.keep

    def keep(self, here):
        real(self, here)
        if here.done == 4:
            raise Cut

    patch.setattr(steps, "KEEP_SECONDS", 0.0)
    patch.setattr(Kept, "keep", keep)
    with pytest.raises(Cut):
        train("ffa-symmetric", images, epochs=EPOCHS, widths=(20,), checkpoint=folder / "x.run")
    patch.undo()
    data = (folder / "x.run").read_bytes()

    def make(change=lambda facts, tensors: None):
        tensors = load(data)
        facts = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["run"])
        change(facts, tensors)
        text = json.dumps(facts)
        path = folder / "changed.run"
        path.write_bytes(save(tensors, metadata={"run": text, "sha256": state_file.digest(text, tensors)}))
        return path

    return make


def put(key, value):
    return lambda facts, tensors: facts.update({key: value})


def gain(name, array):
    return lambda facts, tensors: tensors.update({name: array})


def fill(name, value):
    def change(facts, tensors):
        tensors[name] = np.full_like(tensors[name], value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("done", 0), "step 0 of 6"),
        (put("done", 7), "step 7 of 6"),
        (put("done", -1), "done: "),
        (put("stage", "tail"), "stage: "),
        (put("stage", "head"), "head 4 steps"),
        (put("rates", []), "rates [], at most [0.003]"),
        (put("rates", [1.0]), "rates [1.0], at most [0.003]"),
        (put("rates", [-1.0]), "rates.0: "),
        (put("rates", ["x"]), "rates.0: "),
        (put("more", 1), "more: "),
        (put("identity", {}), "another run's checkpoint: recipe was None"),
        (put("identity", []), "identity: "),
        (lambda facts, tensors: tensors.pop("order"), "order is not there"),
        (lambda facts, tensors: tensors.pop("network.0"), "network.0 is not there"),
        (lambda facts, tensors: tensors.pop("exp_avg.0"), "exp_avg.0 is not there"),
        (fill("order", 0), "each of 170 samples must be there once"),
        (gain("order", np.arange(9)), "order holds int64 (9,), int64 (170,) is wanted"),
        (fill("network.0", np.nan), "network.0 holds values that are not finite"),
        (gain("network.0", np.zeros((20, 164))), "network.0 holds float64"),
        (gain("network.0", np.zeros((2, 2), np.float32)), "network.0 holds float32 (2, 2)"),
        (gain("y" * 10**5, np.zeros(1)), "belongs to nothing"),
        (fill("generator", 255), "no state of a generator"),
        (gain("generator", np.zeros(0, np.uint8)), "generator holds uint8 (0,)"),
    ],
)
def test_what_no_training_wrote_is_refused_in_one_short_line(written, images, change, words):
    with pytest.raises(CheckpointMismatch) as caught:
        train("ffa-symmetric", images, epochs=EPOCHS, widths=(20,), checkpoint=written(change), resume=True)
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert len(text) < 700


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 3}, "epochs was 2, is 3"), ({"seed": 1}, "seed was 0, is 1"), ({"widths": (30,)}, "widths was"),
        ({"head": True}, "head was False, is True"), ({"field": (4,)}, "field was [], is [4]"),
        ({"recipe": "ffa-sigmoid"}, "recipe was 'ffa-symmetric', is 'ffa-sigmoid'"),
        ({"limit": 160}, "data was 'digits train, 170 samples"),
    ],
)  # fmt: skip
def test_another_trainings_state_is_refused_by_what_differs(written, change, words):
    asked = {"recipe": "ffa-symmetric", "limit": SAMPLES, "epochs": EPOCHS, "widths": (20,), **change}
    recipe, data = asked.pop("recipe"), load_data("digits", "train", limit=asked.pop("limit"))
    with pytest.raises(CheckpointMismatch, match="another run's checkpoint") as caught:
        train(recipe, data, checkpoint=written(), resume=True, **asked)
    assert words in str(caught.value)


def test_a_killed_command_is_refused_anew_and_resumes_to_the_same_bytes(tmp_path, refused, ff2loihi, monkeypatch):
    line = ["train", "--recipe", "ff-mlp", "--head", "--epochs", "15", "--widths", "100-100"]
    started = "import runpy, sys; from ff2loihi.ff import steps; steps.KEEP_SECONDS = 0.0; "
    started += "sys.argv[0] = 'ff2loihi'; runpy.run_module('ff2loihi', run_name='__main__')"
    monkeypatch.chdir(tmp_path)
    assert ff2loihi(*line, "-o", "whole.pt")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.pt"]
    child = subprocess.Popen([sys.executable, "-c", started, *line, "-o", "cut.pt"], stdout=subprocess.PIPE)
    while not (tmp_path / "cut.pt.run").exists():
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "cut.pt").exists()
    kept = (tmp_path / "cut.pt.run").read_bytes()
    code, text = refused(*line, "-o", "cut.pt")
    assert code == 2
    assert "cut.pt.run: an unfinished run is kept there. Use --resume to continue it, or remove the file" in text
    assert (tmp_path / "cut.pt.run").read_bytes() == kept
    code, text = refused(*line[:-1], "90-90", "-o", "cut.pt", "--resume")
    assert code == 2
    assert "widths was [100, 100], is [90, 90]" in text
    assert (tmp_path / "cut.pt.run").read_bytes() == kept
    assert ff2loihi(*line, "-o", "cut.pt", "--resume")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.pt", "whole.pt"]
    cut, whole = (torch.load(tmp_path / name, weights_only=True) for name in ("cut.pt", "whole.pt"))
    assert all(torch.equal(cut["tensors"][name], value) for name, value in whole["tensors"].items())
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --resume -o {}/x.pt", "x.pt.run: No such file or directory. Without --resume the run starts anew"),
        ("train --resume -o /dev/null", "/dev/null: no file, and a run keeps its state beside one"),
        ("train --resume -o {}/text.pt", "text.pt.run: holds another kind of file"),
        ("train -o {}/text.pt", "text.pt.run: holds another kind of file"),
        ("train -o {}/x.pt --json {}/x.pt.run", "would write the same file"),
        ("train -o {}/locked.pt", "locked.pt.run.lock: holds another kind of file"),
    ],
)
def test_what_cannot_be_kept_or_resumed_is_refused_at_the_start(refused, tmp_path, line, words):
    for name in ("text.pt.run", "locked.pt.run.lock"):
        (tmp_path / name).write_text("mine")
    code, text = refused(*line.format(tmp_path, tmp_path).split())
    assert code == 2
    assert words in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locked.pt.run.lock", "text.pt.run"]


def test_a_checkpoint_goes_into_a_stream_as_before(ff2loihi):
    assert ff2loihi("train", "--epochs", 1, "--widths", 12, "-o", "/dev/null")[0] == 0

"""Events through the commands: trained, compiled, learned, run, verified; what does not fit is refused in one line."""

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from ff2loihi import api
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CompileError, DataError
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import EventOptions
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule


def moving_bars(samples, seed=0):
    """(samples, 12, 1, 6, 6) and labels: bars that move down, or to the right, from where they begin, some noise."""
    rng = np.random.default_rng(seed)
    events, labels = np.zeros((samples, 12, 1, 6, 6), np.uint8), np.arange(samples) % 2
    for k, label in enumerate(labels):
        at = rng.integers(6)
        for step in range(12):
            lines = events[k, step, 0] if label else events[k, step, 0].T
            lines[(at if label else at + 3) % 6] |= rng.random(6) < 0.5
            events[k, step, 0] |= rng.random((6, 6)) < 0.02
    return events, labels


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with bars.npz, u.pt, u.ffl (its rule) and g.ffl (of library neurons); s.ffl takes digits that move; f.pt
    was trained on bars in float, and is f.ffl in integers, as d.pt, with a trace that decays, is d.ffl; b.pt has no
    compiled form."""
    folder = tmp_path_factory.mktemp("events")
    events, labels = moving_bars(400)
    np.savez(folder / "bars.npz", events=events, labels=labels)
    for line in (
        "train --epochs 0 --widths 40 --data bars.npz --events steps=6,rounds=3 -o u.pt",
        "compile u.pt --learning on --rate-exponent 7",
        "compile u.pt --learning library -o g.ffl",
        "train --epochs 0 --widths 60 --data digits --events saccades,steps=15 -o s.pt",
        "compile s.pt --learning on",
        "train --recipe ff-lif --epochs 3 --widths 24-16 --data bars.npz --events steps=6 -o f.pt",
        "compile f.pt",
        "train --recipe ff-lif-decay --epochs 1 --widths 24 --data bars.npz --events steps=6 -o d.pt",
        "compile d.pt",
        "train --recipe bptt-lif --epochs 0 --widths 8 --data bars.npz -o b.pt",
    ):  # fmt: skip
        subprocess.run([sys.executable, "-m", "ff2loihi", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


def test_events_are_learned_and_the_artifact_bins_as_it_was_asked(ff2loihi, here, tmp_path):
    code, _, err = ff2loihi("learn", "u.ffl", "--epochs", 12, "--evaluate", "test", "-o", tmp_path / "l.ffl")
    assert (code, err) == (0, "")
    network = api.load(tmp_path / "l.ffl").network
    assert network.events.model_dump() == {
        "steps": 6, "window": 12.0, "sensor": (6, 6, 1), "merged": False, "downsample": 1, "most": None,
        "saccades": False, "parts": 1, "rounds": 3,
    }  # fmt: skip
    assert (network.steps, network.window, network.pixels) == (18, 6, 36)
    assert (network.layers[0].weight != api.load("u.ffl").network.layers[0].weight).mean() > 0.3
    assert ff2loihi("run", tmp_path / "l.ffl", "--json", tmp_path / "r.json")[0] == 0
    assert json.loads((tmp_path / "r.json").read_text())["accuracy"] > 0.8
    code, text, _ = ff2loihi("inspect", tmp_path / "l.ffl")
    assert code == 0
    text = " ".join(text.replace("│", " ").split())
    assert "36 inputs of events, 6 steps in 3 rounds" in text
    assert "steps 6, window 12, sensor (6, 6, 1), downsample 1, parts 1, rounds 3" in text
    assert "{" not in text
    assert "None" not in text


def test_denoise_stands_only_where_it_is_used_and_null_is_read(here, tmp_path):
    """As artifacts were written before events could be denoised, and for a while after."""
    program = api.load("u.ffl")
    plain, tensors = artifact.pack(program)
    assert "denoise" not in plain["events"]
    plain["events"]["denoise"] = None
    plain["sha256"] = artifact.digest(plain, tensors)
    (tmp_path / "x.ffl").write_bytes(save(tensors, metadata={"manifest": json.dumps(plain)}))
    assert api.save(api.load(tmp_path / "x.ffl"), tmp_path / "y.ffl") == artifact.read("u.ffl")[1]
    assert (tmp_path / "y.ffl").read_bytes() == (here / "u.ffl").read_bytes()
    events = program.network.events.model_copy(update={"denoise": 2.0})
    changed = dataclasses.replace(program, network=dataclasses.replace(program.network, events=events))
    api.save(changed, tmp_path / "z.ffl")
    assert artifact.pack(changed)[0]["events"]["denoise"] == api.load(tmp_path / "z.ffl").network.events.denoise == 2


def test_images_that_move_are_learned(ff2loihi, here, tmp_path):
    assert ff2loihi("learn", "s.ffl", "--epochs", 4, "-o", tmp_path / "l.ffl")[0] == 0
    assert ff2loihi("run", tmp_path / "l.ffl", "--json", tmp_path / "r.json")[0] == 0
    assert json.loads((tmp_path / "r.json").read_text())["accuracy"] > 0.6


@pytest.mark.needs_lava
@pytest.mark.parametrize("model", ["u.ffl", "g.ffl", "f.ffl", "d.ffl"])
def test_ten_samples_of_events_are_the_same_bits_on_lava(ff2loihi, here, tmp_path, model):
    assert ff2loihi("verify", model, "--samples", 10, "--json", tmp_path / "v.json")[0] == 0
    report = json.loads((tmp_path / "v.json").read_text())
    active = {variable["name"]: variable["active"] for variable in report["variables"]}
    assert report["equal"]
    assert all(active.values()), active
    assert active["hidden1.weights"] > 100


def test_a_resumed_run_of_events_ends_with_the_same_bytes(here, tmp_path):
    program, data = api.load("u.ffl"), load_data("bars.npz", "train", limit=60, events=api._events(api.load("u.ffl")))
    schedule = Schedule(epochs=2)
    whole = api.learn(program, data, schedule)
    seen = []

    class Ended(Exception):
        """What ends the first run."""

    def end(entry):
        seen.append(entry)
        raise Ended

    with pytest.raises(Ended):
        api.learn(program, data, schedule, checkpoint=tmp_path / "x", hooks=api.Hooks(epoch=end))
    again = api.learn(program, data, schedule, checkpoint=tmp_path / "x", resume=True)
    assert len(seen) == 1
    assert api.artifact.to_bytes(again)[0] == api.artifact.to_bytes(whole)[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run u.ffl --data digits", "digits: images, no events"),
        (
            "run u.ffl --data yin-yang",
            r"a sensor of 1 x 5 x 1 \(height, width, polarities\), the model takes 6 x 6 x 1",
        ),
        ("learn u.ffl --jitter 1", "--jitter: moves images, bars.npz is events"),
        ("run u.ffl --presentations 2", "others, and events, give the same"),
        ("compile u.pt", "takes events, which a network that learns takes. Use --learning on"),
        ("compile u.pt --learning on --input-factor 3", "leave out --input-code and --input-factor"),
        ("compile u.pt --learning on --events downsample=2", "calibration images have 9 inputs, the model takes 36"),
        ("compile u.pt --learning on --calibrate digits", "digits: images, no events"),
        ("compile u.pt --learning on --events rounds=30", "12 steps in 30 rounds, a trace counts"),
        (
            "train --data yin-yang",
            "yin-yang: events, and ffa-symmetric trains on images. Use --recipe ff-lif",
        ),
        ("train --epochs 0 --data yin-yang --recipe rbm", "rbm trains on images"),
        ("train --recipe ff-lif", "digits: images, and this recipe trains on events. Use --events saccades"),
        ("train --recipe bptt-lif --head", "--head: no meaning with --recipe bptt-lif"),
        ("compile b.pt", "label none: a net of spiking neurons compiles where labels spike beside the samples"),
        ("compile f.pt --events steps=4", "f.pt: was trained on events as its spec bins them. Leave --events out"),
        ("compile f.pt --calibrate digits", "digits: images, no events"),
        (
            "compile f.pt --learning on --input-code contrast",
            "--input-code contrast: an input spikes where",
        ),
        ("compile f.pt --neuron lif", "its spec describes its neurons: leave out --neuron"),
        ("train --data digits --events quick", "--events quick: is none of"),
        ("train --epochs 0 --data digits --events steps=9", "digits: images, no events"),
    ],
)
def test_what_does_not_fit_is_one_line(refused, here, words, said):
    code, line = refused(*words.split())
    assert code == 2
    assert re.search(said, line), line


def test_a_binning_that_does_not_belong_to_the_network_is_refused(here):
    network = api.load("u.ffl").network
    program = dataclasses.replace(api.load("u.ffl"), network=dataclasses.replace(network, steps=12, window=6))
    with pytest.raises(CompileError, match="events of 36 inputs and 18 steps for 36 inputs and 12 steps"):
        api.pipeline.learning_fit.check(program.network)
    images = load_data("digits", "train", limit=5)
    with pytest.raises(DataError, match="images, the model takes events"):
        api.learn(api.load("u.ffl"), images)


def test_samples_to_check_are_binned_as_those_of_calibration(refused, tmp_path, monkeypatch):
    """As they lie, 200 frames are more than a trace counts."""
    monkeypatch.chdir(tmp_path)
    events = np.random.default_rng(0).random((20, 200, 9)) < 0.05
    np.savez("long.npz", events=events, labels=np.arange(20) % 2)
    data = load_data("long.npz", "train", events=EventOptions(steps=10))
    train("ffa-symmetric", data, epochs=0, widths=(8,)).save("m.pt")
    said = "takes events, which a network that learns takes. Use --learning on"
    with pytest.raises(CompileError, match=said):
        api.compile("m.pt", "long.npz", check="long.npz:4")
    code, line = refused("compile", "m.pt", "--calibrate", "long.npz", "--check", 4)
    assert (code, said in line) == (2, True), line


def test_a_float_network_of_events_compiles_to_what_it_classifies(ff2loihi, here, tmp_path):
    line = "train --recipe ff-lif --epochs 3 --widths 24-16 --data bars.npz --events steps=6"
    assert ff2loihi(*line.split(), "-o", tmp_path / "f.pt", "--json", tmp_path / "t.json")[0] == 0
    assert (tmp_path / "f.pt").read_bytes() == (here / "f.pt").read_bytes()
    reached = json.loads((tmp_path / "t.json").read_text())["test_accuracy"]
    assert reached > 0.8
    assert ff2loihi("run", "f.ffl", "--json", tmp_path / "r.json")[0] == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["samples"] == 80
    assert abs(report["accuracy"] - reached) <= 2 / 80


def test_a_float_network_of_events_is_analysed_in_the_form_that_it_compiles_to(ff2loihi, refused, here, tmp_path):
    found = []
    for model in ("f.pt", "f.ffl"):
        line = ("analyze", model, "--samples", 60, "-o", tmp_path / "a", "--json", tmp_path / "a.json")
        assert ff2loihi(*line)[0] == 0
        found.append(json.loads((tmp_path / "a.json").read_text())["forms"])
    assert found[0] == found[1]
    assert len(found[0]) == 1
    assert found[0][0]["accuracy"] > 0.8
    line = refused("analyze", "b.pt", "-o", tmp_path / "b")[1]
    assert "label none: a net of spiking neurons compiles where labels spike" in line
    assert (
        "u.pt: an untrained net of events, which has no float form"
        in refused("analyze", "u.pt", "-o", tmp_path / "b")[1]
    )


def test_an_untrained_network_of_spiking_neurons_learns_with_its_own_leak(ff2loihi, here, tmp_path):
    line = "train --recipe ff-lif --epochs 0 --widths 40 --data bars.npz --events steps=6"
    assert ff2loihi(*line.split(), "-o", tmp_path / "u.pt")[0] == 0
    line = ("compile", tmp_path / "u.pt", "--learning", "on", "--rate-exponent", 7, "-o", tmp_path / "u.ffl")
    assert ff2loihi(*line)[0] == 0
    assert ff2loihi("learn", tmp_path / "u.ffl", "--epochs", 8, "-o", tmp_path / "l.ffl")[0] == 0
    program = api.load(tmp_path / "l.ffl")
    assert program.provenance["options"]["start"] == "untrained"
    assert program.network.layers[0].neuron.dv < 614 == api.load("u.ffl").network.layers[0].neuron.dv
    assert ff2loihi("run", tmp_path / "l.ffl", "--json", tmp_path / "r.json")[0] == 0
    assert json.loads((tmp_path / "r.json").read_text())["accuracy"] > 0.8


def test_times_that_are_no_numbers_are_one_line(refused, tmp_path):
    rows = np.tile([[0.0, 1, 2, 0], [1.5, 2, 2, 1], [np.nan, 0, 0, 1]], (4, 1))
    np.savez(
        tmp_path / "x.npz", events=rows, offsets=np.arange(5) * 3, sensor=(4, 4, 2), labels=np.arange(4) % 2,
    )  # fmt: skip
    code, line = refused("train", "--recipe", "ff-lif", "--data", tmp_path / "x.npz", "-o", tmp_path / "m.pt")
    assert code == 2
    assert "a sample ends at a time that is no finite number" in line
    assert not (tmp_path / "m.pt").exists()

"""`ff2loihi learn`, as a person meets it: it learns, resumes to the same bytes, warns, and refuses in one line."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.learning import run as runs
from ff2loihi.learning.controller import FAR, Controller, Schedule

CHANCE = 0.1
ENTRY = [sys.executable, "-m", "ff2loihi"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with u.pt (untrained, 60 neurons, digits), u.ffl (its rule), t.ffl (with tags), f.ffl (with fields) and
    m.ffl (no rule)."""
    folder = tmp_path_factory.mktemp("made")
    for line in (
        "train --epochs 0 --widths 60 -o u.pt", "compile u.pt --learning on", "compile u.pt -o m.ffl",
        "compile u.pt --learning on --eligibility tag -o t.ffl", "compile u.pt --learning on --field 4,6 -o f.ffl",
    ):  # fmt: skip
        subprocess.run([*ENTRY, *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


def test_fields_learn_and_stay_as_they_were(ff2loihi, made, tmp_path):
    assert ff2loihi("learn", made / "f.ffl", "--epochs", 2, "-o", tmp_path / "l.ffl")[0] == 0
    before, after = (api.load(path).network.layers[0] for path in (made / "f.ffl", tmp_path / "l.ffl"))
    np.testing.assert_array_equal(after.mask, before.mask)
    assert np.unique(after.mask[:, :64].sum(axis=1)).tolist() == [16, 36]
    assert (after.weight != before.weight)[after.mask].mean() > 0.5
    assert not after.weight[~after.mask].any()
    code, text, _ = ff2loihi("inspect", tmp_path / "l.ffl")
    assert code == 0
    assert "a neuron sees 16..36 of 64 pixels" in " ".join(text.replace("│", " ").split())
    assert api.run(api.load(tmp_path / "l.ffl"), load_data("digits", "test")).accuracy > 0.7
    code, text, _ = ff2loihi("run", tmp_path / "l.ffl", "--presentations", 2, "--limit", 50)
    assert code == 0


def digest(path):
    return api.artifact.read(path)[1]


def test_it_learns_and_the_artifact_says_how(ff2loihi, made, tmp_path):
    out = tmp_path / "l.ffl"
    code, text, _ = ff2loihi("learn", made / "u.ffl", "--epochs", 2, "--evaluate", "test:200", "-o", out)
    assert code == 0
    assert text.count("epoch ") == 2
    lines = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[1]["held_out_accuracy"] > 0.8
    assert lines[0]["online_accuracy"] < lines[1]["online_accuracy"]
    assert not (tmp_path / "l.ffl.run").exists()
    program = api.load(out)
    assert not (program.network.layers[0].weight % 2).any()
    assert program.provenance["learned"][0]["log"] == lines
    report = api.run(program, load_data("digits", "test"), api.backend("emulator"))
    untrained = api.run(api.load(made / "u.ffl"), load_data("digits", "test"), api.backend("emulator"))
    assert untrained.accuracy < 3 * CHANCE
    assert report.accuracy > 0.8
    code, text, _ = ff2loihi("inspect", out)
    assert code == 0
    for words in ("eq. 6", "2^-5*x0*y2 - 2^-5*x0*y3", "run 1: digits train", "learns on the chip"):
        assert words in text


def test_a_killed_run_resumes_to_the_same_bytes(made, tmp_path):
    line = [*ENTRY, "learn", str(made / "u.ffl"), "--epochs", "30"]
    subprocess.run([*line, "-o", "whole.ffl"], cwd=tmp_path, check=True, capture_output=True)
    child = subprocess.Popen([*line, "-o", "cut.ffl"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().startswith("epoch")  # its log and its checkpoint are on their way
    while not (tmp_path / "cut.ffl.run").exists():
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "cut.ffl").exists()
    refused = subprocess.run([*line, "-o", "cut.ffl"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    subprocess.run([*line, "-o", "cut.ffl", "--resume"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "cut.ffl").read_bytes() == (tmp_path / "whole.ffl").read_bytes()
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("samples_a_second", "sizes"), [(2, {1}), (128, {1, 6, 25, 32}), (10**9, {1, 6, 12, 25, 50, 100})]
)
def test_as_many_samples_go_into_a_call_as_fit_in_a_quarter_of_a_second(made, monkeypatch, samples_a_second, sizes):
    program, data, now, found = api.load(made / "u.ffl"), load_data("digits", "train", limit=400), [0.0], []
    whole = api.learn(program, data, Schedule(epochs=1))
    real = Controller.learn

    def learn(self, images, labels):
        found.append(len(labels))
        now[0] += len(labels) / samples_a_second
        real(self, images, labels)

    monkeypatch.setattr(Controller, "learn", learn)
    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    again = api.learn(program, data, Schedule(epochs=1))
    assert sum(found) == len(data.labels)
    assert sizes <= set(found)
    assert max(found) == max(sizes)
    assert (again.network.layers[0].weight == whole.network.layers[0].weight).all()


class Cut(Exception):
    """Ends a run in the middle of an epoch."""


@pytest.mark.parametrize("revisit", [0, 1])
@pytest.mark.parametrize(("name", "rounding"), [("u.ffl", "lava"), ("u.ffl", "chip"), ("t.ffl", "lava")])
def test_a_run_cut_within_an_epoch_resumes_to_the_same_bytes(made, tmp_path, monkeypatch, name, rounding, revisit):
    program, data = api.load(made / name), load_data("digits", "train", limit=400)
    schedule, file = Schedule(epochs=2, margin=0.01 if revisit else 0.05, revisit=revisit), tmp_path / "x.run"
    whole = api.learn(program, data, schedule, rounding=rounding)
    assert not revisit or whole.provenance["learned"][0]["log"][1]["left_out"] > 20
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)

    def cut(done, total, note):
        if done >= 550:
            raise Cut

    with pytest.raises(Cut):
        api.learn(program, data, schedule, rounding=rounding, checkpoint=file, hooks=runs.Hooks(progress=cut))
    rest = api.learn(program, data, schedule, rounding=rounding, checkpoint=file, resume=True)
    assert (rest.network.layers[0].weight == whole.network.layers[0].weight).all()
    assert rest.provenance == whole.provenance


@pytest.mark.parametrize("revisit", [1, 2])
def test_images_that_were_far_ahead_are_left_out_of_the_next_epochs(made, monkeypatch, revisit):
    program, data, calls, epochs = api.load(made / "u.ffl"), load_data("digits", "train", limit=300), [], [0]
    data = dataclasses.replace(data, images=data.images + (np.arange(300)[:, None] == np.arange(data.images.shape[1])))
    schedule, real = Schedule(epochs=4, margin=0.01, revisit=revisit), Controller.learn

    def learn(self, images, labels):
        leads = real(self, images, labels)
        calls.extend((epochs[-1], image.tobytes(), lead) for image, lead in zip(images, leads, strict=True))
        return leads

    monkeypatch.setattr(Controller, "learn", learn)
    hooks = runs.Hooks(epoch=lambda entry: epochs.append(entry["epoch"]))
    learned = api.learn(program, data, schedule, hooks=hooks).provenance["learned"][0]
    left_out = [0] * schedule.epochs
    for image in data.images:
        due = 0
        visits = {epoch: lead for epoch, found, lead in calls if found == image.tobytes()}
        for epoch in range(schedule.epochs):
            assert (epoch in visits) == (epoch >= due)
            left_out[epoch] += epoch < due
            if visits.get(epoch, 0) > FAR * schedule.margin:
                due = epoch + 1 + revisit
    assert left_out[0] == 0
    assert all(20 < count < 280 for count in left_out[1:])
    assert [entry["left_out"] for entry in learned["log"]] == left_out
    assert [entry["spared"] for entry in learned["log"]] == [10 * count for count in left_out]
    assert [entry["samples"] for entry in learned["log"]] == [300 - count for count in left_out]
    assert learned["samples"] == len(calls) == 1200 - sum(left_out)
    assert learned["schedule"]["revisit"] == revisit


def test_an_epoch_may_ask_for_no_image_at_all(ff2loihi, made, tmp_path):
    out = tmp_path / "l.ffl"
    line = ("learn", made / "u.ffl", "--epochs", 30, "--limit", 1, "--margin", 0.01, "-o", out)
    code, text, _ = ff2loihi(*line, "--revisit", 1)
    assert code == 0
    assert "1 images left out, 10 presentations spared" in text
    lines = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    empty = next(entry for entry in lines if not entry["samples"])
    assert (empty["learned"], empty["online_accuracy"], empty["left_out"], empty["spared"]) == (0.0, None, 1, 10)
    assert ff2loihi("inspect", out)[0] == 0
    code, text, _ = ff2loihi(*line)
    assert "left out" not in text
    assert "revisit" not in api.load(out).provenance["learned"][0]["schedule"]


def test_a_run_cut_at_the_end_of_an_epoch_resumes_to_the_same_bytes(made, tmp_path, monkeypatch):
    program, data = api.load(made / "u.ffl"), load_data("digits", "train", limit=100)
    schedule, file = Schedule(epochs=2), tmp_path / "x.run"
    whole = api.learn(program, data, schedule)
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)

    def cut(entry):
        raise Cut

    with pytest.raises(Cut):
        api.learn(program, data, schedule, checkpoint=file, hooks=runs.Hooks(epoch=cut))
    rest = api.learn(program, data, schedule, checkpoint=file, resume=True)
    assert rest.provenance == whole.provenance


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"held_out": 20}, "held_out was None"),
        ({"schedule": Schedule(epochs=1, seed=1)}, "seed was 0, is 1"),
        ({"schedule": Schedule(epochs=2)}, "epochs was 1, is 2"),
        ({"limit": 50}, "data was"),
        ({"name": "t.ffl"}, "artifact was"),
        ({"rounding": "chip"}, "rounding was 'lava', is 'chip'"),
    ],
)
def test_another_runs_checkpoint_is_refused_by_what_differs(made, tmp_path, change, words):
    given = {"schedule": Schedule(epochs=1), "limit": 60, "name": "u.ffl", "rounding": "lava", "held_out": None}
    file = tmp_path / "x.run"
    learn_with(made, file, False, **given)
    with pytest.raises(FF2LoihiError, match="another run's checkpoint") as caught:
        learn_with(made, file, True, **{**given, **change})
    assert words in str(caught.value)


def learn_with(made, file, resume, schedule, limit, name, rounding="lava", held_out=None):
    data = load_data("digits", "train", limit=limit)
    held_out = held_out and load_data("digits", "test", limit=held_out)
    program = api.load(made / name)
    api.learn(program, data, schedule, rounding=rounding, checkpoint=file, resume=resume, held_out=held_out)


@pytest.mark.parametrize("damage", ["truncated", "changed", "absent"])
def test_a_damaged_checkpoint_is_refused(made, tmp_path, refused, damage):
    file = tmp_path / "l.ffl.run"
    learn_with(made, file, False, Schedule(epochs=1), 60, "u.ffl")
    data = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "changed":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        file.unlink()
    code, text = refused("learn", made / "u.ffl", "--epochs", 1, "--limit", 60, "-o", tmp_path / "l.ffl", "--resume")
    assert code == 2
    assert "l.ffl.run" in text


@pytest.mark.parametrize("full_at", [2, 3, 4])
def test_a_full_disk_ends_in_one_line_and_keeps_the_last_checkpoint(
    made, tmp_path, refused, ff2loihi, monkeypatch, full_at
):
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == full_at:  # the first epoch's checkpoint and log, then the second one's
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    out = tmp_path / "l.ffl"
    line = ("learn", made / "u.ffl", "--epochs", 3, "--limit", 60, "-o", out)
    monkeypatch.setattr(os, "fsync", full)
    code, text = refused(*line)
    assert code == 2
    assert "No space left" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.ffl.run", "l.jsonl"][: full_at - 1]
    monkeypatch.setattr(os, "fsync", real)
    assert ff2loihi(*line, "--resume")[0] == 0
    assert len((tmp_path / "l.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("learn {m}/m.ffl", "no learning rule"),
        ("learn {m}/u.ffl --epochs 0", "--epochs"),
        ("learn {m}/u.ffl --negatives easy", "--negatives"),
        ("learn {m}/u.ffl --margin 2", "--margin"),
        ("learn {m}/u.ffl --jitter -1", "--jitter"),
        ("learn {m}/u.ffl --rounding nearest", "--rounding"),
        ("learn {m}/t.ffl --rounding chip", "no form for tags"),
        ("learn {m}/u.ffl --plan later", "--plan"),
        ("learn {m}/u.ffl --seed -1", "--seed"),
        ("learn {m}/u.ffl -o {m}", "a folder"),
        ("bench {m}/u.ffl --samples 1", "--samples"),
        ("bench {m}/u.ffl --device cuda", "--device cuda"),
        ("verify {m}/m.ffl --form one_process", "--form one_process"),
        ("learn {m}/u.ffl --single --margin 0.1", "--margin"),
        ("learn {m}/u.ffl --evaluate test:x", "--evaluate"),
        ("learn {m}/u.ffl --split holdout", "'holdout' is not one of 'train'"),
        ("learn {m}/nowhere.ffl", "nowhere.ffl"),
        ("compile {m}/u.pt --learning maybe", "--learning"),
        ("compile {m}/u.pt --learning on --rate-exponent 8", "2^-8"),
        ("compile {m}/u.pt --learning on --rate-exponent -1", "2^--1"),
        ("compile {m}/u.pt --learning on --trace exponential", "--trace"),
        ("compile {m}/u.pt --learning on --eligibility both", "--eligibility"),
        ("compile {m}/u.pt --learning on --input-factor 0", "--input-factor"),
        ("compile {m}/u.pt --learning on --curve cubic", "--curve"),
        ("compile {m}/u.pt --learning on --steps 8", "--steps: no meaning with --learning on"),
        ("compile {m}/u.pt --trace li", "--trace: no meaning with --learning off"),
        ("compile {m}/u.pt --field 4", "--field: no meaning with --learning off"),
        ("compile {m}/u.pt --learning on --field 4x4", "--field must be K, or K,L for half of the neurons each"),
        ("train --recipe ff-mlp --field 4", "--field: no meaning with --recipe ff-mlp"),
        ("verify {m}/u.ffl --form tree", "--form"),
        ("verify {m}/f.ffl --form own_plastic", "--form own_plastic: is of LearningDense, and this layer has fields"),
        ("run {m}/m.ffl --presentations 2", "--presentations 2: is 1 or more for a network that learns"),
        ("run {m}/u.ffl --presentations 0", "--presentations 0: is 1 or more"),
    ],
)
def test_bad_input_is_one_line(refused, made, line, words):
    code, text = refused(*line.format(m=made).split())
    assert code == 2
    assert words in text


def test_a_probability_without_a_chip_form_is_refused_by_name(refused, ff2loihi, tmp_path):
    ff2loihi("train", "--recipe", "ff-mlp", "--epochs", 0, "--widths", "20", "-o", tmp_path / "c.pt")
    code, text = refused("compile", tmp_path / "c.pt", "--learning", "on")
    assert code == 2
    assert "probability 'contrast'" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((4, 63), np.uint8)}, "images of 63 pixels"),
        ({"labels": np.array([0, 1, 2, 10])}, "labels 0..10"),
        ({"labels": np.array([0, 1, 2, -1])}, "labels -1..2"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(made, change, words):
    data = Dataset("strange", "train", np.zeros((4, 64), np.uint8), np.arange(4), 10)
    with pytest.raises(DataError) as caught:
        api.learn(api.load(made / "u.ffl"), dataclasses.replace(data, **change))
    assert words in str(caught.value)


def warnings_of(program):
    found = []
    api.learn(program, load_data("digits", "train"), Schedule(epochs=1), hooks=runs.Hooks(warn=found.append))
    return found


def test_a_silent_layer_and_saturated_weights_are_warned_of(made):
    program = api.load(made / "u.ffl")
    layer = program.network.layers[0]

    def with_weights(value):
        full = dataclasses.replace(layer, weight=np.full_like(layer.weight, value))
        return dataclasses.replace(program, network=dataclasses.replace(program.network, layers=(full,)))

    assert warnings_of(program) == []
    silent = warnings_of(with_weights(-256))
    assert any("sample 1,000: hidden1: 100% of the neurons were silent" in text for text in silent)
    assert any("100% of the weights are saturated" in text for text in silent)


@pytest.mark.needs_lava
@pytest.mark.parametrize("name", ["u.ffl", "t.ffl"])
@pytest.mark.parametrize("schedule", [Schedule(epochs=2), Schedule(epochs=5, margin=0.01, revisit=1)])
def test_lava_learns_the_same_bytes_also_after_a_cut(made, tmp_path, monkeypatch, name, schedule):
    program, data = api.load(made / name), load_data("digits", "train", limit=3)
    file = tmp_path / "x.run"
    whole = api.learn(program, data, schedule)
    left_out = [entry.get("left_out", 0) for entry in whole.provenance["learned"][0]["log"]]
    assert not schedule.revisit or sum(left_out[2:]) > 1
    assert (whole.network.layers[0].weight != program.network.layers[0].weight).any()

    def cut(entry):
        if entry["epoch"] == 2:
            raise Cut

    with pytest.raises(Cut):
        api.learn(program, data, schedule, "lava", checkpoint=file, hooks=runs.Hooks(epoch=cut))
    rest = api.learn(program, data, schedule, "lava", checkpoint=file, resume=True)
    assert rest.provenance == whole.provenance
    assert (rest.network.layers[0].weight == whole.network.layers[0].weight).all()


@pytest.mark.needs_lava
def test_verify_run_and_bench_of_a_rule(ff2loihi, made, tmp_path):
    for form in ("graph", "one_process"):
        line = ("--samples", 1, "--form", form, "--json", tmp_path / "v.json")
        code, text, _ = ff2loihi("verify", made / "t.ffl", *line)
        assert code == 0
        assert "1 sample in 2 presentations" in " ".join(text.split())
        report = json.loads((tmp_path / "v.json").read_text())
        assert (report["samples"], report["presentations"]) == (1, 2)
        assert "every bit agrees" in text
        assert "hidden1.tags" in text
    ff2loihi("run", made / "u.ffl", "--limit", 2, "--backend", "lava", "--json", tmp_path / "lava.json")
    ff2loihi("run", made / "u.ffl", "--limit", 2, "--json", tmp_path / "ours.json")
    lava, ours = (json.loads((tmp_path / name).read_text()) for name in ("lava.json", "ours.json"))
    assert lava["confusion"] == ours["confusion"]
    assert lava["goodness_wrong"] == ours["goodness_wrong"]
    code, text, _ = ff2loihi("bench", made / "u.ffl", "--samples", 50, "--lava-samples", 2, "--json", tmp_path / "b")
    assert code == 0
    assert json.loads((tmp_path / "b").read_text())["equal"] is True


def test_a_network_that_sees_no_label_has_no_rule_and_says_so(refused, tmp_path):
    tensors = {"w": torch.randn(20, 64), "out": torch.randn(10, 20)}
    torch.save(tensors, tmp_path / "bp.pt")
    about = {
        "pixels": 64,
        "label": {"kind": "none"},
        "layers": [{"weight": "w"}],
        "readout": {"kind": "head", "head": {"weights": ["out"], "activities": "raw"}},
    }
    (tmp_path / "bp.yaml").write_text(yaml.safe_dump(about))
    line = ["compile", tmp_path / "bp.pt", "--spec", tmp_path / "bp.yaml", "--calibrate", "digits:50"]
    code, text = refused(*line, "--learning", "on")
    assert code == 2
    assert "label none: the rule learns from right and wrong labels" in text

"""The command `spec`: a draft that compiles, nobody's edits lost, questions on a terminal."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest
import torch
import yaml

from ff2loihi.cli.commands import spec as command

ENTRY = [sys.executable, "-m", "ff2loihi"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a bare checkpoint of 64 pixels."""
    monkeypatch.chdir(tmp_path)
    made = torch.Generator().manual_seed(1)
    layers = {"layers.0": (30, 64), "layers.1": (25, 30)}
    tensors = {f"{name}.weight": torch.randn(shape, generator=made) / 8 for name, shape in layers.items()}
    tensors |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in layers.items()}
    torch.save({"epoch": 3, "model": tensors}, "bare.pt")
    return tmp_path


def test_compile_without_a_spec_names_the_command_whose_draft_compiles(ff2loihi, refused, here):
    code, text = refused("compile", "bare.pt")
    assert code == 2
    assert "`ff2loihi spec bare.pt` drafts" in text
    code, out, err = ff2loihi("spec", "bare.pt")
    assert (code, err) == (0, "")
    assert "ff2loihi compile bare.pt --spec spec.yaml --calibrate DATA" in out
    assert yaml.safe_load((here / "spec.yaml").read_text())["layers"][0]["weight"] == "model.layers.0.weight"
    code, out, err = ff2loihi("compile", "bare.pt", "--spec", "spec.yaml", "--calibrate", "digits:60")
    assert (code, err) == (0, "")
    assert "64-30-25, goodness mean_squares" in out


def test_compile_counts_the_files_tensors_as_inspect_does(ff2loihi, here):
    assert ff2loihi("spec", "bare.pt")[0] == 0
    told = ff2loihi("compile", "bare.pt", "--spec", "spec.yaml", "--calibrate", "digits:60")[1]
    assert ff2loihi("inspect", "bare.pt", "--json", "inspect.json")[0] == 0
    assert len(json.loads((here / "inspect.json").read_text())["tensors"]) == 4
    assert "bare.pt: 4 tensors\n" in told


def test_a_spec_that_is_there_is_not_overwritten(refused, ff2loihi, here):
    (here / "spec.yaml").write_text("pixels: 64  # mine\n")
    code, text = refused("spec", "bare.pt")
    assert code == 2
    assert "spec.yaml: exists, and may hold edits: not overwritten" in text
    assert (here / "spec.yaml").read_text() == "pixels: 64  # mine\n"
    assert "bare.pt: exists, and may hold edits" in refused("spec", "bare.pt", "-o", "bare.pt")[1]
    assert ff2loihi("spec", "bare.pt", "-o", "other.yaml")[0] == 0


def test_the_report_holds_the_draft_and_its_questions(ff2loihi, refused, here):
    assert ff2loihi("spec", "bare.pt", "--json", "report.json")[0] == 0
    report = json.loads((here / "report.json").read_text())
    assert report["spec"] == yaml.safe_load((here / "spec.yaml").read_text())
    assert (report["output"], report["missing"]) == ("spec.yaml", [])
    assert report["questions"][0]["key"] == "label"
    assert report["questions"][0]["choices"][0]["value"] == "{kind: overwrite, classes: 10, value: max}"
    assert "both to stdout" in refused("spec", "bare.pt", "-o", "-", "--json", "-")[1]


def test_what_the_draft_lacks_is_a_warning(ff2loihi, here):
    torch.save(torch.ones(884, 20), "codes.pt")
    code, _, err = ff2loihi("spec", "codes.pt")
    assert code == 0
    assert err == "warning: spec.yaml: to fill in: labels.npy beside this file, the label codes as a (10, 100) array\n"


def test_a_tensor_without_a_place_is_a_warning(ff2loihi, here):
    layer = {"fc.weight": torch.ones(40, 784), "norm.gain": torch.ones(40), "act.weight": torch.ones(1)}
    torch.save(layer, "norm.pt")
    code, _, err = ff2loihi("spec", "norm.pt")
    assert code == 0
    assert err == "warning: spec.yaml: no place found for norm.gain; act.weight. Does the net need them?\n"
    assert "# Tensors without a place: norm.gain (40,); act.weight (1,)" in (here / "spec.yaml").read_text()


def test_a_layer_norm_is_a_warning_with_what_to_train_instead(ff2loihi, here):
    net = torch.nn.Sequential(
        torch.nn.Linear(784, 40), torch.nn.LayerNorm(40), torch.nn.ReLU(), torch.nn.Linear(40, 30), torch.nn.PReLU()
    )
    torch.save(net.state_dict(), "norm.pt")
    code, _, err = ff2loihi("spec", "norm.pt")
    assert code == 0
    about, other = err.splitlines()
    assert about.startswith("warning: spec.yaml: the tensors of 1 look like a LayerNorm's. LayerNorm, which takes the")
    assert about.endswith("Train with h / ||h|| (l2), or with h / sqrt(mean h^2) (rms, LayerNorm without the mean), "
                          "without weight and bias")  # fmt: skip
    assert other == "warning: spec.yaml: no place found for 4.weight. Does the net need them?"


@pytest.mark.parametrize(
    ("file", "words"),
    [("m.pt", "its spec is inside. Use: ff2loihi compile"), ("g.ffl", "so compiled already"),
     ("g.nir", "g.nir: exported by ff2loihi, so it needs no spec. Use: ff2loihi compile"),
     ("on.nir", "on.nir: exported by ff2loihi, so it needs no spec. Use: ff2loihi compile"),
     ("g.net", "g.net: a netx network needs no spec. Use: ff2loihi compile"),
     ("text.txt", "not a torch checkpoint"), ("old.pt", "no tensor has the shape of a layer")],
)  # fmt: skip
def test_a_file_that_needs_no_draft_or_can_have_none_is_one_line(refused, every_kind, file, words):
    code, text = refused("spec", every_kind[file], "-o", "/dev/null")
    assert code == 2
    assert words in text


@pytest.fixture
def answers(monkeypatch):
    """answers(text): somebody answers, with that."""

    def give(text: str) -> None:
        monkeypatch.setattr(command, "_somebody_answers", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return give


def test_each_question_is_asked_and_its_answer_taken(ff2loihi, here, answers):
    answers("2\n9\nx\n1\n" + "\n" * 5)
    code, out, err = ff2loihi("spec", "bare.pt")
    assert code == 0
    text = (here / "spec.yaml").read_text()
    assert yaml.safe_load(text)["label"] == {"kind": "overwrite", "classes": 10}  # the second choice
    assert yaml.safe_load(text)["goodness"] == "mean_squares"  # the first, as Enter takes it
    assert "How does a label enter? (label)" in err
    assert "  1  {kind: overwrite, classes: 10, value: max}" in err
    assert err.count("number [1]: ") == 9
    assert "assumed" not in text + out


def test_an_end_of_input_at_a_question_is_one_line_and_writes_nothing(ff2loihi, here, answers):
    answers("1\n")
    code, _, err = ff2loihi("spec", "bare.pt")
    assert code == 2
    assert err.splitlines()[-1] == "ff2loihi: standard input ended at a question. Nothing was written"
    assert not (here / "spec.yaml").exists()


def test_at_a_terminal_standard_output_holds_the_draft_alone(here):
    ours, theirs = pty.openpty()
    os.write(ours, b"\n" * 9)
    done = subprocess.run(
        [*ENTRY, "spec", "bare.pt", "-o", "-"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    assert done.stdout.startswith(b"# Drafted")
    assert yaml.safe_load(done.stdout)["pixels"] == 64
    assert b"How does a label enter?" in os.read(ours, 1 << 16)
    for end in (ours, theirs):
        os.close(end)

"""Nothing that exists is lost: outputs against inputs, against each other, and against files of another kind."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from ff2loihi import choices
from ff2loihi.cli import kinds
from ff2loihi.data.datasets import NAMES, TORCHVISION

ENTRY = [sys.executable, "-m", "ff2loihi"]


@pytest.fixture(scope="module")
def kept(every_kind, tmp_path_factory):
    """A folder with a file of every kind that a command reads or writes."""
    folder = tmp_path_factory.mktemp("kept")
    for name in every_kind:
        shutil.copy(every_kind[name], folder / name)
    return folder


@pytest.fixture
def here(kept, tmp_path, monkeypatch):
    """A copy of `kept`, as the current folder."""
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


KINDS = {
    "m.pt": kinds.CHECKPOINT, "g.ffl": kinds.ARTIFACT, "on.ffl": kinds.ARTIFACT, "on.ffl.run": kinds.RUN_STATE,
    "g.nir": kinds.NIR, "on.nir": kinds.NIR, "g.net": kinds.NETX, "on.net": kinds.NETX, "on.rule.json": kinds.RULE,
    "golden.npz": kinds.GOLDEN, "recording.npz": kinds.RECORDING, "plain.npz": kinds.ARRAYS, "on.jsonl": kinds.LOG,
    "report.json": kinds.JSON, "spec.yaml": kinds.OTHER, "text.txt": kinds.OTHER, "list.json": kinds.OTHER,
    "empty": None, "picture.png": kinds.PNG, "old.pt": kinds.CHECKPOINT, "bare.safetensors": kinds.SAFETENSORS,
}  # fmt: skip


def test_a_kind_is_told_by_content_whatever_the_name(kept, tmp_path):
    for name, kind in KINDS.items():
        shutil.copy(kept / name, tmp_path / "file.pt")
        assert kinds.kind(tmp_path / "file.pt") == kind, name
    assert kinds.kind(tmp_path / "absent") is None
    assert kinds.kind(tmp_path) is None


REFUSED = [
    ("compile m.pt -o m.pt", "m.pt: --output would replace the input m.pt"),
    ("compile m.pt -o hard.pt", "hard.pt: --output would replace the input m.pt"),
    ("compile m.pt -o soft.pt", "soft.pt: --output would replace the input m.pt"),
    ("compile m.pt -o ../{here}/m.pt", "m.pt: --output would replace the input m.pt"),
    ("compile soft.pt -o m.pt", "m.pt: --output would replace the input soft.pt"),
    ("compile m.pt -o old.pt", "old.pt: holds a torch checkpoint, and --output writes an ff2loihi artifact"),
    ("compile on.nir -o on.rule.json", "on.rule.json: --output would replace the input on.rule.json"),
    ("compile m.pt --spec spec.yaml -o spec.yaml", "spec.yaml: --output would replace the input spec.yaml"),
    ("compile m.pt -o x --json x", "x: --json and --output would write the same file"),
    ("compile m.pt -o dangling --json nowhere", "nowhere: --json and --output would write the same file"),
    ("compile m.pt -o text.txt", "text.txt: holds another kind of file"),
    ("train -o g.ffl", "g.ffl: holds an ff2loihi artifact, and --output writes a torch checkpoint"),
    ("train -o x --json x", "would write the same file"),
    ("run g.ffl --json g.ffl", "g.ffl: --json would replace the input g.ffl"),
    ("run g.ffl --json on.ffl", "on.ffl: holds an ff2loihi artifact, and --json writes a JSON report"),
    ("run g.ffl --json on.rule.json", "holds a learning rule, and --json writes a JSON report"),
    ("run g.ffl --json on.jsonl", "holds a learning log, and --json writes a JSON report"),
    ("run g.ffl --json list.json", "list.json: holds another kind of file"),
    ("inspect m.pt --json m.pt", "--json would replace the input"),
    ("verify g.ffl --json g.ffl", "--json would replace the input"),
    ("bench g.ffl --json g.ffl", "--json would replace the input"),
    ("map g.ffl --chips spec.yaml --json spec.yaml", "--json would replace the input spec.yaml"),
    ("estimate g.ffl --json g.ffl", "--json would replace the input"),
    ("reproduce tosato --json g.ffl", "holds an ff2loihi artifact"),
    ("reproduce continual --picture g.ffl", "g.ffl: holds an ff2loihi artifact, and --picture writes a PNG picture"),
    ("reproduce continual --picture x --json x", "would write the same file"),
    ("doctor --json g.ffl", "holds an ff2loihi artifact"),
    ("learn on.ffl -o on.ffl", "on.ffl: --output would replace the input on.ffl"),
    ("learn on.ffl -o x.ffl --json x.ffl.run.lock", "would write the same file"),
    ("learn on.ffl -o locked.ffl", "locked.ffl.run.lock: holds a torch checkpoint, and --output writes the lock"),
    ("learn locked.ffl.run.lock -o locked.ffl", "not an ff2loihi artifact"),
    ("learn input.ffl.run.lock -o input.ffl", "--output would replace the input input.ffl.run.lock"),
    ("learn on.ffl -o piped.ffl", "piped.ffl.run.lock: no lock of a dead process, so not overwritten"),
    ("learn on.ffl -o .", ".: a folder"),
    ("learn on.ffl -o /dev/null", "/dev/null: no file, and a run keeps its state beside one"),
    ("learn on.ffl -o x.ffl --json x.jsonl", "would write the same file"),
    ("learn on.ffl -o x.ffl --json x.ffl.run", "would write the same file"),
    ("learn on.ffl -o text.ffl", "text.jsonl: holds another kind of file, and --output writes a learning log"),
    ("export g.ffl --format nir -o g.ffl", "--output would replace the input"),
    ("export g.ffl --format nir -o g.net", "g.net: holds a netx network, and --output writes a NIR graph"),
    ("export g.ffl --format netx -o g.nir", "g.nir: holds a NIR graph, and --output writes a netx network"),
    ("export on.ffl --format nir -o x.nir --json x.rule.json", "would write the same file"),
    ("export g.ffl --format golden -o g.ffl", "g.ffl: not a folder"),
    ("export g.ffl --format golden -o recordings", "golden.npz: holds a recording, and --output writes golden vectors"),
    ("analyze g.ffl -o text.txt", "text.txt: not a folder"),
    ("report g.ffl -o text.txt", "text.txt: holds another kind of file, and --output writes a report"),
    ("report g.ffl on.ffl -o on.ffl", "--output would replace the input"),
    ("deploy g.ffl -o golden.npz", "golden.npz: holds golden vectors, and --output writes a recording"),
    ("deploy g.ffl -o g.ffl", "--output would replace the input"),
    ("deploy g.ffl --dry-run new --json new/golden.npz", "--json would write into new, which is an output itself"),
    ("deploy g.ffl --dry-run x --json x", "--json would write into x, which is an output itself"),
    ("analyze g.ffl -o new --json new/similarity.png", "--json would write into new, which is an output itself"),
    ("deploy g.ffl --dry-run recordings", "recordings: exists and is not an empty folder"),
    ("deploy g.ffl --dry-run x -o y", "--output: nothing is recorded with --dry-run"),
    ("diff-golden golden.npz recording.npz --json recording.npz", "--json would replace the input recording.npz"),
    ("diff-golden . recording.npz --json golden.npz", "holds golden vectors"),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_an_output_that_would_destroy_a_file_is_refused(refused, here, line, words):
    (here / "soft.pt").symlink_to("m.pt")
    (here / "hard.pt").hardlink_to("m.pt")
    (here / "dangling").symlink_to("nowhere")
    (here / "locked.ffl.run.lock").hardlink_to("m.pt")
    shutil.copy("on.ffl", "input.ffl.run.lock")
    os.mkfifo("piped.ffl.run.lock")
    shutil.copy("text.txt", "text.jsonl")
    (here / "recordings").mkdir()
    (here / "new").mkdir()
    shutil.copy("recording.npz", here / "recordings" / "golden.npz")
    before = content(here)
    code, text = refused(*line.format(here=here.name).split())
    assert code == 2
    assert words in text
    assert content(here) == before


def test_a_file_of_the_same_kind_is_replaced_and_an_empty_one_taken(ff2loihi, here):
    (here / "link.ffl").symlink_to("g.ffl")
    for line in (
        "compile m.pt -o on.ffl", "compile m.pt -o empty", "compile m.pt -o link.ffl --json report.json",
        "export g.ffl --format nir -o on.nir", "export g.ffl --format netx -o on.net", "run g.ffl --json /dev/null",
    ):  # fmt: skip
        assert ff2loihi(*line.split())[0] == 0, line
    assert (here / "link.ffl").is_symlink()
    assert len({(here / name).read_bytes() for name in ("on.ffl", "empty", "g.ffl")}) == 1
    assert json.loads((here / "report.json").read_text())["artifact"] == "link.ffl"
    assert kinds.kind(here / "on.nir") == kinds.NIR


def test_what_a_hint_proposes_works(ff2loihi, refused, here):
    for line in ("run m.pt", "inspect absent.ffl", "run g.nir", "run absent.ffl"):
        _, text = refused(*line.split())
        assert "-o m.pt" not in text
    for name in ("m.pt", "bare.safetensors", "plain.npz"):
        _, text = refused("run", name)
        assert f"Make it one with: ff2loihi compile {name}" in text
    assert ff2loihi("compile", "m.pt")[0] == 0
    assert ff2loihi("run", "m.ffl", "--limit", 1)[0] == 0
    os.rename("old.pt", "x.pth")  # whose name says nothing: the content does
    assert ff2loihi("inspect", "x.pth")[0] == 0
    assert ff2loihi("inspect", "m.pt")[0] == 0


def test_every_data_set_that_can_be_named_can_be_loaded():
    assert set(NAMES) == {"digits", "yin-yang", *TORCHVISION}
    assert set(choices.EXPORT_SUFFIXES) < set(choices.get_args(choices.ExportFormat))


def test_the_second_of_two_runs_with_one_output_is_refused_at_its_start(refused, here):
    first = subprocess.Popen([*ENTRY, "learn", "on.ffl", "--epochs", "100000", "-o", "x.ffl"], stderr=subprocess.PIPE)
    try:
        while not (here / "x.ffl.run.lock").exists():  # before anything heavy is imported
            assert first.poll() is None
        (here / "alias.ffl").symlink_to("x.ffl")
        for output in ("x.ffl", "alias.ffl"):
            code, text = refused("learn", "on.ffl", "-o", output)
            assert code == 2
            assert f"{output}: another run learns into it: process {first.pid} holds" in text
    finally:
        first.terminate()
        assert first.communicate()[1].count(b"\n") == 1
    assert first.returncode == 128 + signal.SIGTERM
    assert list(here.glob("x.*")) == []

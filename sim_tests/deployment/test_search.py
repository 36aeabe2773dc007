"""What `doctor` and `deploy` believe: only what answers. SLURMs that lie, extensions that are not whole, dead hosts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ff2loihi.backends.loihi import search as board_search
from ff2loihi.backends.loihi.search import search
from ff2loihi.compilers import artifact
from ff2loihi.compilers.ir import Program
from sim_tests.factories import integer_network

HEAD = "NODELIST NODES PARTITION STATE"
EXTENSION = Path(__file__).parent / "extension"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A PATH of our own, and none of Loihi's variables. Returns the folder of the PATH."""
    for name in ("SLURM", "NOSLURM", "BOARD", "PARTITION", "LOIHI_GEN", "NXSDKHOST", "HOST_BINARY"):
        monkeypatch.delenv(name, raising=False)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    return commands


def command(folder: Path, name: str, *lines: str) -> None:
    file = folder / name
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)


def sinfo(folder: Path, *rows: str, srun: str = "exit 0") -> None:
    command(folder, "sinfo", *(f"echo '{row}'" for row in (HEAD, *rows)))
    command(folder, "srun", srun)


def test_a_board_that_is_listed_up_and_granted_is_found(bare):
    sinfo(bare, "cpu-1 1 debug* idle", "ncl-og-04 1 oheogulch down*", "ncl-og-05 1 oheogulch idle")
    board = search()
    assert board.slurm.ok
    assert board.environment == {
        "SLURM": "1", "BOARD": "ncl-og-05", "PARTITION": "oheogulch", "LOIHI_GEN": "N3B3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "srun", "said"),
    [
        ((), "exit 0", "lists 0 nodes, no Loihi board"),
        (("cpu-1 1 debug* idle", "gpu-1 1 gpu mix"), "exit 0", "lists 2 nodes, no Loihi board"),
        (("ncl-og-05 1 oheogulch idle*",), "exit 0", "which is idle*"),
        (("ncl-og-05 1 oheogulch down",), "exit 0", "which is down"),
        (("ncl-og-05 1 oheogulch drained~",), "exit 0", "which is drained~"),
        (("ncl-og-05 1 oheogulch idle",), "exit 1", "does not grant it"),
        (("ncl-og-05 1 oheogulch idle",), "/bin/sleep 5", "does not grant it"),
    ],
)
def test_a_slurm_without_a_board_that_answers_is_not_believed(bare, rows, srun, said):
    sinfo(bare, *rows, srun=srun)
    board = search()
    assert said in board.slurm.text
    assert not board.slurm.ok
    assert not board.ready
    assert board.environment == {}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("exit 0",), "not with a table"), (("echo all is well",), "not with a table"),
        (("exit 4",), "failed with status 4"), (("/bin/sleep 60",), "did not answer"),
        (("printf '\\377\\376'",), "not with a table"),
    ],
)  # fmt: skip
def test_a_sinfo_that_lies_is_not_believed_and_waited_for_no_longer_than_the_patience(bare, monkeypatch, lines, said):
    command(bare, "sinfo", *lines)
    limits, run = [], subprocess.run
    spy = lambda *words, **options: limits.append(options["timeout"]) or run(*words, **options)  # noqa: E731
    monkeypatch.setattr(board_search.subprocess, "run", spy)
    board = search()
    assert limits == [board_search.PATIENCE]
    assert said in board.slurm.text
    assert not board.slurm.ok


def test_the_board_or_partition_that_was_asked_for_counts_whatever_its_name(bare, monkeypatch):
    sinfo(bare, "desk-1 1 lab idle", "ncl-og-05 1 oheogulch idle")
    monkeypatch.setenv("PARTITION", "lab")
    assert search().environment["BOARD"] == "desk-1"
    monkeypatch.setenv("BOARD", "ncl-og-09")
    assert "BOARD=ncl-og-09" in search().slurm.text
    monkeypatch.setenv("NOSLURM", "1")
    assert "NOSLURM" in search().slurm.text


def test_a_host_counts_if_it_answers(bare, monkeypatch):
    monkeypatch.setenv("NXSDKHOST", "board.invalid")
    command(bare, "ping", "exit 1")
    assert "does not answer" in search().host.text
    command(bare, "ping", "exit 0")
    monkeypatch.setenv("LOIHI_GEN", "N3C1")
    board = search()
    assert board.host.ok
    assert board.environment["NXSDKHOST"] == "board.invalid"
    assert (board.environment["NOSLURM"], board.environment["LOIHI_GEN"]) == ("1", "N3C1")


@pytest.mark.parametrize("generation", ["N2A2", "Loihi9"])
def test_a_generation_that_is_not_loihi_2_is_named(monkeypatch, generation):
    monkeypatch.setenv("LOIHI_GEN", generation)
    assert generation in search().generation.text
    assert not search().generation.ok


def extension(tmp_path: Path, version: str | None = "0.7.0", without: str | None = None) -> Path:
    """A copy of the stand-in, of another version (None: no package), or without a module."""
    tree = tmp_path / "extension"
    shutil.copytree(EXTENSION, tree, ignore=shutil.ignore_patterns("__pycache__"))
    facts = tree / "lava_loihi-0.7.0.dist-info"
    if version is None:
        shutil.rmtree(facts)
    else:
        text = (facts / "METADATA").read_text().replace("0.7.0", version)
        (facts / "METADATA").write_text(text)
        facts.rename(tree / f"lava_loihi-{version}.dist-info")
    if without:
        (tree / without).unlink()
    return tree


def in_a_process(tree: Path | None) -> dict:
    """search().extension where `tree` is on the path: a process of its own, for Lava's namespace is for ever."""
    code = "import json; from ff2loihi.backends.loihi.search import search; e = search().extension; "
    paths = [str(tree)] if tree else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code + "print(json.dumps([e.ok, e.text]))"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return dict(zip(("ok", "text"), json.loads(done.stdout), strict=True))


@pytest.mark.needs_lava
def test_without_an_extension_there_is_no_board():
    absent = "Intel's extension lava-loihi is not installed (it is for Python 3.10 alone)"
    assert in_a_process(None) == {"ok": False, "text": absent}


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("changes", "ok", "said"),
    [
        ({}, True, "lava-loihi 0.7.0 with lava-nc 0.10.0"),
        ({"version": "0.5.0"}, False, "lava-loihi 0.5.0 does not belong to lava-nc 0.10.0, which wants 0.7"),
        ({"version": None}, False, "its version is unknown"),
        ({"without": "lava/proc/embedded_io/spike.py"}, False, "not whole: no lava.proc.embedded_io.spike"),
    ],
)
def test_only_a_whole_extension_of_the_right_version_counts(tmp_path, changes, ok, said):
    found = in_a_process(extension(tmp_path / "extension", **changes))
    assert (found["ok"], said in found["text"]) == (ok, True), found


def test_without_a_board_deploy_ends_with_3_before_anything_heavy_is_imported(tmp_path):
    artifact.write(Program(integer_network(), (), {}), tmp_path / "m.ffl")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ff2loihi", "deploy", "m.ffl"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    timed = [line.startswith("import time:") for line in done.stderr.splitlines()]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    (said,) = [line for line, of_import in zip(done.stderr.splitlines(), timed, strict=True) if not of_import]
    assert done.returncode == 3
    for word in ("extension", "sinfo", "NXSDKHOST", "--dry-run"):
        assert word in said
    assert "ff2loihi.backends.loihi.search" in loaded
    # the extension is looked for inside Lava's packages, whose own files are empty; a Process is not loaded
    assert not loaded & {"torch", "torchvision", "numba", "scipy", "sklearn", "lava.magma.core.process.process"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "m.ffl"]


def test_doctor_says_what_is_there(ff2loihi, tmp_path):
    assert ff2loihi("doctor", "--json", tmp_path / "d.json")[0] == 0
    found = json.loads((tmp_path / "d.json").read_text())
    assert "no SLURM" in found["Loihi 2 over SLURM"]
    assert "none from here" in found["Loihi 2 board"]

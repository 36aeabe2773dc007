"""Commands that are ended at any moment: nothing half-written, nothing left behind, no orphan.

Each runs in a fork of a server that has imported everything, so that the moments fall into its work and not into the
imports; the server forks, the test sends the signal. What is written must be the bytes of an unbroken run, or absent.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SERVER = """
import atexit, gc, json, os, runpy, signal, sys, tempfile
import ff2loihi.cli.app, h5py, nir, numba, rich.progress, sklearn.datasets, torch._dynamo, typer
from ff2loihi import api
from ff2loihi.cli import console
from ff2loihi.deployment import folder, interchange, mapping
from ff2loihi.ff import recipes
gc.freeze()  # or each fork copies it all when it ends
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a fork is ended before its command begins; a background job ignores it

for line in iter(sys.stdin.readline, ""):
    words, folder, environment = json.loads(line)
    log = os.open(environment["TMPDIR"] + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(folder)
        os.environ.update(environment)
        tempfile.tempdir = None
        for handle, stream in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(handle, stream)
        sys.argv[:] = ["ff2loihi", *words]
        try:
            runpy.run_module("ff2loihi", run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)  # without the modules' end, which takes longer than most commands
    os.close(log)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL)
MOMENTS, ALL_MOMENTS = 3, 20
COMMANDS = {
    "train": "train --epochs 1 --widths 12 -o x.pt",
    "compile": "compile {}/m.pt --neuron lif -o x.ffl",
    "learn": "learn {}/l.ffl --epochs 3 --limit 150 -o x.ffl",
    "export": "export {}/l.ffl --format nir -o x.nir",
    "deploy": "deploy {}/m.ffl --dry-run d --samples 2",
    "verify": "verify {}/m.ffl --samples 2 --json x.json",
    "verify-workers": "verify {}/m.ffl --samples 2 --workers 2 --json x.json",
}
KEPT = {"learn": {"x.jsonl", "x.ffl.run"}}  # what an interrupted command leaves on purpose
MARK = "FF2LOIHI_KILLED_RUN"


@dataclass
class Server:
    process: subprocess.Popen

    def start(self, words: str, folder: Path, temporary: Path) -> int:
        """Its process id."""
        environment = {"TMPDIR": str(temporary), MARK: str(temporary)}
        self.process.stdin.write(json.dumps([words.split(), str(folder), environment]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def status(self) -> int:
        return int(self.process.stdout.readline())

    def run(self, words: str, folder: Path, temporary: Path) -> None:
        self.start(words, folder, temporary)
        assert self.status() == 0, log(temporary)


def log(temporary: Path) -> str:
    return Path(f"{temporary}.log").read_text()


@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        yield Server(process)
        process.stdin.close()


@pytest.fixture
def temporary():
    """The runs' folder for temporary files; its path leaves room for Lava's sockets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        path.mkdir()
        yield path


@pytest.fixture(scope="module")
def models(server, tmp_path_factory):
    """A folder with m.pt, m.ffl and l.ffl, which learns."""
    folder = tmp_path_factory.mktemp("models")
    with tempfile.TemporaryDirectory() as other:
        for words in (
            "train --epochs 1 --widths 12 -o m.pt", "compile m.pt --neuron lif --reset hard --steps 4 -o m.ffl",
            "compile m.pt --learning on -o l.ffl",
        ):  # fmt: skip
            server.run(words, folder, Path(other))
    return folder


@dataclass(frozen=True)
class Whole:
    words: str
    seconds: float
    files: dict[str, bytes]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, or of a report in JSON, which names seconds, its keys."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}
    return {name: str(sorted(json.loads(data))).encode() if name == "x.json" else data for name, data in files.items()}


@pytest.fixture(scope="module")
def unbroken(server, models, tmp_path_factory):
    """unbroken(command): its run from start to end, measured once."""
    found = {}

    def run(command: str) -> Whole:
        if command not in found:
            words, folder = COMMANDS[command].format(models), tmp_path_factory.mktemp(command)
            with tempfile.TemporaryDirectory() as other:
                server.run(words, folder, Path(other))  # what is made once, as compiled kernels, is made
                for path in sorted(folder.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                started = time.monotonic()
                server.run(words, folder, Path(other))
                found[command] = Whole(words, time.monotonic() - started, contents(folder))
            assert found[command].files
        return found[command]

    return run


def started_by(temporary: Path) -> list[int]:
    """The run's processes and what they started, but not the run's first: a fork keeps the server's environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(temporary) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def gone(temporary: Path) -> bool:
    deadline = time.monotonic() + 5
    while (left := started_by(temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not left


def moments(count: int) -> list:
    return [(step + 0.5) / count for step in range(count)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=[pytest.mark.needs_lava] * name.startswith("verify")) for name in COMMANDS],
)
@pytest.mark.parametrize("count", [MOMENTS, pytest.param(ALL_MOMENTS, marks=pytest.mark.slow)])
def test_a_command_that_is_ended_leaves_whole_files_or_none(
    server, unbroken, temporary, tmp_path, command, number, count
):
    whole = unbroken(command)
    for moment in moments(count):
        folder = tmp_path / str(moment)
        folder.mkdir()
        pid = server.start(whole.words, folder, temporary)
        time.sleep(moment * whole.seconds)
        children = started_by(temporary)
        with contextlib.suppress(ProcessLookupError):  # it was faster than before
            os.kill(pid, number)
        code = server.status()
        assert gone(temporary), "an orphan after 5 s"
        if number != signal.SIGKILL or children:
            assert list(temporary.iterdir()) == []
        assert code in (0, -number, 128 + number), log(temporary)
        assert code == 0 or "Traceback" not in log(temporary)
        assert "Traceback" not in log(temporary) or "in main" not in log(temporary)  # main had not begun
        found = contents(folder)
        left = found.keys() - whole.files.keys() - KEPT.get(command, set())
        assert code == -signal.SIGKILL or not left
        for name in whole.files.keys() & found.keys() - KEPT.get(command, set()):
            assert found[name] == whole.files[name], name
        if command == "learn" and code:
            resumed = " --resume" if "x.ffl.run" in found else ""
            server.run(whole.words + resumed, folder, temporary)
            assert contents(folder) == whole.files
        for path in temporary.iterdir():  # of a parent that was killed before it had a child
            assert path.name.startswith("ff2l")
            shutil.rmtree(path)

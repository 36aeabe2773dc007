"""NIR files with damaged bytes: one line, whatever the HDF5 library makes of them."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.formats import hdf5_file
from ff2loihi.deployment import interchange

HEAP = b"GCOL"  # HDF5's heap of strings; with a wrong size, libhdf5 reads it for ever


@pytest.fixture
def exported(artifacts, tmp_path):
    """A graph as it was exported, and its bytes."""
    path = tmp_path / "m.nir"
    interchange.export(artifacts["ff-mlp", "plain", "graded"], "nir", path)
    return path, bytearray(path.read_bytes())


def test_a_file_with_which_the_library_hangs_is_one_line(refused, exported, monkeypatch):
    path, data = exported
    data[data.index(HEAP) + 9] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(hdf5_file, "PATIENCE", 4.0)
    code, line = refused("compile", path)
    assert code == 2
    assert "damaged HDF5 file, reading it takes more than 4 s" in line


def test_a_file_with_which_the_library_crashes_is_one_line(refused, exported, monkeypatch):
    path, data = exported
    path.write_bytes(data[:-1])
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(hdf5_file.children, "command", lambda _: [sys.executable, "-c", code])
    code, line = refused("compile", path)
    assert (code, "ends in signal 11" in line) == (2, True)


def test_flipped_bits_are_one_line_or_change_nothing(exported):
    path, data = exported
    before, rng, refusals = artifact.to_bytes(interchange.read_exported(path)), random.Random(1), 0
    for _ in range(4):
        damaged = bytearray(data)
        for at in rng.sample(range(len(data)), 40):
            damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert artifact.to_bytes(interchange.read_exported(path)) == before
        except FF2LoihiError:
            refusals += 1
    assert refusals


def test_a_child_that_the_library_holds_ends_with_its_parent(tmp_path):
    """A pipe without a writer holds it in C, as a damaged file does: no thread of Python's runs meanwhile."""
    os.mkfifo(tmp_path / "m.nir")
    code = (
        "import os, subprocess, sys; from ff2loihi.compilers import children; "
        "code = f'from ff2loihi.compilers.formats import hdf5_file as h; h.in_child({sys.argv[1]!r}, {os.getpid()})'; "
        "child = subprocess.Popen(children.command(code), env=children.environment()); print(child.pid, flush=True); "
        "child.wait()"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "m.nir")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        while "h5py" not in "".join(mapping.path for mapping in child.memory_maps()):
            time.sleep(0.05)
        time.sleep(0.5)  # into the library's open()
        assert child.is_running()
        os.kill(parent.pid, signal.SIGKILL)
    assert psutil.wait_procs([child], timeout=5) == ([child], [])

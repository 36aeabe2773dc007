"""Modules in the current folder are not executed, whatever a command starts."""

import subprocess
import sys

import pytest

from ff2loihi import api
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import folder as deployment
from ff2loihi.deployment import interchange
from ff2loihi.ff.recipes import train

# what our children import, and the Pythons that multiprocessing starts; `python -m` itself imports none of them
NAMES = ("json", "random", "queue", "numpy", "lava", "h5py", "torch", "socket", "signal", "multiprocessing")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with m.ffl, l.ffl (learns), m.nir and d (a deployment)."""
    folder = tmp_path_factory.mktemp("models")
    images = load_data("digits", "train", limit=40)
    train("ffa-symmetric", images, widths=(10,), epochs=0, seed=1).save(folder / "m.pt")
    program = api.compile(folder / "m.pt", images, Options(neuron="lif", steps=4, reset="hard", vth=60))
    api.save(program, folder / "m.ffl")
    api.save(api.compile(folder / "m.pt", images, LearningOptions()), folder / "l.ffl")
    interchange.export(program, "nir", folder / "m.nir")
    deployment.write(folder / "d", program, load_data("digits", "test", limit=1))
    return folder


@pytest.fixture
def hostile(tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w')\nraise SystemExit('executed')\n")
    return folder


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-m ff2loihi run {}/m.ffl --backend lava --limit 1", 0),
        ("-m ff2loihi learn {}/l.ffl --backend lava --epochs 1 --limit 3 -o {}/x.ffl", 0),
        ("-m ff2loihi compile {}/m.nir -o {}/y.ffl", 0),
        ("{}/d/run_on_board.py", 3),  # no board here: it ends where it would build the network
    ],
)
def test_a_command_executes_nothing_of_the_current_folder(models, hostile, words, code):
    done = subprocess.run(
        [sys.executable, *words.format(*[models] * 2).split()], cwd=hostile, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr if code == 0 else "") == (code, "")
    assert [file.name for file in hostile.parent.iterdir()] == ["hostile"]


def test_the_modules_would_be_executed_if_they_were_found(hostile):
    """Else the tests above could not fail."""
    for name in NAMES:
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.modules.pop({name!r}, 0); import {name}"], cwd=hostile,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
    assert {file.name for file in hostile.parent.iterdir()} == {*NAMES, "hostile"}

"""What a command does not need, it does not import: torch alone takes seconds of CPU."""

import subprocess
import sys
from typing import get_args

import pytest

from ff2loihi import api, choices
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import RECIPES, train
from ff2loihi.reproduce.experiments import EXPERIMENTS
from ff2loihi.sweeps.execution import run_trial
from ff2loihi.sweeps.space import read_space
from ff2loihi.sweeps.trial import content, splits, trial_of

LISTED = """
import sys
from ff2loihi.cli.entry import main

try:
    main()
finally:
    print("imported", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
TORCH = ("torch", "torchvision")
HEAVY = (*TORCH, "lava", "numba", "sklearn", "scipy", "matplotlib", "h5py", "nir", "networkx")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A graded, a LIF and two learning artifacts of an untrained network."""
    folder = tmp_path_factory.mktemp("made")
    images = load_data("digits", "train", limit=100)
    train("ffa-symmetric", load_data("digits", "train"), epochs=0, seed=0).save(folder / "u.pt")
    for name, options in (
        ("graded", Options()),
        ("lif", Options(neuron="lif", steps=4)),
        ("learns", LearningOptions()),
        ("library", LearningOptions(library=True)),
    ):
        api.save(api.compile(folder / "u.pt", images, options), folder / f"{name}.ffl")
    (folder / "finished.yaml").write_text("train: {epochs: 0, widths: 12}\n")
    [settings] = read_space(folder / "finished.yaml").trials()
    trial = trial_of(settings, content(splits("digits", None)), None)
    (folder / "finished-sweep").mkdir()
    (folder / "finished-sweep" / "results.jsonl").write_text(f"{run_trial(trial.model_dump_json())}\n")
    return folder


@pytest.mark.parametrize(
    ("unwanted", "words"),
    [
        (HEAVY, "run graded.ffl --limit 3"),
        (HEAVY, "inspect graded.ffl"),
        (HEAVY, "map graded.ffl"),
        (TORCH, "run lif.ffl --limit 3"),
        (TORCH, "run learns.ffl --limit 3"),
        (TORCH, "run library.ffl --limit 3"),
        (TORCH, "learn learns.ffl --epochs 1 --limit 3 -o learned.ffl"),
        (TORCH, "learn learns.ffl --epochs 1 --limit 3 -o logged.ffl --log-dir events"),
        (TORCH, "inspect learns.ffl"),
        (TORCH, "map learns.ffl"),
        (TORCH, "estimate learns.ffl --limit 3"),
        ((*TORCH, "numba", "sklearn", "h5py", "lava", "distributed"), "sweep finished.yaml"),
        pytest.param(TORCH, "verify graded.ffl --samples 1", marks=pytest.mark.needs_lava),
    ],
)
def test_a_command_imports_no_more_than_it_needs(made, unwanted, words):
    assert not imported_by(made, words).intersection(unwanted)


@pytest.mark.parametrize(
    "words",
    [
        "run nope.ffl", "run graded.ffl --backend laav", "run graded.ffl --data minst", "train --recipe nope",
        "train --data minst", "reproduce nope", "learn nope.ffl", "verify nope.ffl", "map nope.ffl", "compile nope.pt",
        "analyze nope.pt", "compare nope.pt nope.ffl", "deploy nope.ffl --dry-run d", "export nope.ffl --format nir",
        "run graded.ffl --nope", "spec nope.pt", "sweep nope.yaml", "report graded.ffl nope.ffl",
    ],
)  # fmt: skip
def test_a_cheap_mistake_is_told_before_anything_heavy_is_imported(made, words):
    assert not imported_by(made, words, code=2).intersection((*HEAVY, "numpy"))


def test_the_choices_are_the_recipes_and_the_experiments():
    assert tuple(RECIPES) == get_args(choices.Recipe)
    assert tuple(EXPERIMENTS) == get_args(choices.Experiment)


def test_what_a_checkpoint_needs_is_seen(made):
    assert "torch" in imported_by(made, "inspect u.pt")


def imported_by(folder, words, code=0) -> set[str]:
    """The top-level modules that a command has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED, *words.split()], cwd=folder, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-2000:]
    return set(done.stderr.rpartition("imported ")[2].split())

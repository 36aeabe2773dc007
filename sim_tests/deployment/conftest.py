"""The artifacts of every recipe and form, from short trainings on digits; which there are is stated in nets.py."""

import dataclasses
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from sim_tests.deployment.nets import LEARNABLE

WIDTHS = {"ffa": (12,), "random": (12,), "ff-prospective": (12, 12), "cwc-ff": (10, 10, 20, 10)}
FORMS = {
    "graded": Options(),
    "soft": Options(neuron="lif", steps=4),
    "hard": Options(neuron="lif", steps=4, reset="hard", vth=70),
    "rule": LearningOptions(),
    "tag": LearningOptions(eligibility="tag"),
    "library": LearningOptions(library=True),
    "fields": LearningOptions(library=True, field=(4,)),
}
EXTENSION = Path(__file__).parent / "extension"
SINFO = "echo 'NODELIST NODES PARTITION STATE'; echo 'ncl-og-05 1 oheogulch idle'"


def _images():
    return load_data("digits", "train", limit=60)


def _pixels():
    """The same as arrays, which may be taken for images of any shape."""
    return _images().images, _images().labels


class Artifacts:
    """artifacts[recipe, change, form] -> Program, made when it is first asked for. Raises what compiling raises."""

    def __init__(self, folder) -> None:
        self.checkpoint = cache(lambda *net: self._train(folder, *net))
        self.program = cache(self._compile)

    def __getitem__(self, net: tuple[str, str, str]):
        return self.program(*net)

    def _train(self, folder, recipe: str, change: str, epochs: int):
        widths = next((sizes for name, sizes in WIDTHS.items() if recipe.startswith(name)), (12, 10))
        changes, file = {} if change == "plain" else {change: True}, folder / f"{recipe}-{change}-{epochs}.pt"
        train(recipe, _images(), widths=widths, epochs=epochs, seed=1, **changes).save(file)
        return file

    def _compile(self, recipe: str, change: str, form: str):
        on_chip = isinstance(FORMS[form], LearningOptions) and (recipe, change) in LEARNABLE
        epochs = 0 if on_chip else 1  # what learns on the chip starts there
        checkpoint = self.checkpoint(recipe, change, epochs)
        return api.compile(checkpoint, _images(), FORMS[form])


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    return Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def digits():
    """The first test images of digits."""
    return load_data("digits", "test", limit=3)


@pytest.fixture(scope="session")
def mixed_content():
    """(tensors, spec): two convolutions with groups, an oblong kernel and biases, and a dense layer, on 2 x 4 x 8."""
    made = torch.Generator().manual_seed(5)
    sizes = {"a.weight": (6, 1, 3, 2), "a.bias": (6,), "b.weight": (4, 6, 2, 2), "c.weight": (10, 32)}
    layers = [
        {"weight": "a.weight", "bias": "a.bias", "conv": {"padding": 1, "groups": 2}},
        {"weight": "b.weight", "conv": {"stride": 2}},
        {"weight": "c.weight"},
    ]
    about = {"pixels": 64, "image": [2, 4, 8], "label": {"kind": "none"}, "layers": layers}
    about["readout"] = {"kind": "channels", "layers": [2]}
    return {name: torch.randn(size, generator=made) for name, size in sizes.items()}, about


@pytest.fixture(scope="session")
def mixed(mixed_content, tmp_path_factory):
    """form -> Program of `mixed_content`; its images are those of digits, taken for another shape."""
    folder, images = tmp_path_factory.mktemp("mixed"), _pixels()
    torch.save(mixed_content[0], folder / "m.pt")
    (folder / "spec.yaml").write_text(yaml.safe_dump(mixed_content[1]))
    read = load_checkpoint(folder / "m.pt", folder / "spec.yaml")
    forms = {"graded": Options(), "hard": Options(neuron="lif", steps=8, reset="hard", vth=70)}
    return {form: api.compile(read, images, options) for form, options in forms.items()}


@pytest.fixture(scope="session")
def pooled(mixed_content, tmp_path_factory):
    """form -> Program of `mixed_content` whose convolutions are pooled: the largest, dilated, then the mean."""
    folder, (tensors, about) = tmp_path_factory.mktemp("pooled"), mixed_content
    first, second, dense = about["layers"]
    layers = [
        {**first, "pool": {"kind": "max", "stride": 1}},
        {**second, "conv": {"dilation": 2}, "pool": {"kind": "average", "size": "global"}},
        dense,
    ]
    torch.save({**tensors, "c.weight": tensors["c.weight"][:, :4]}, folder / "m.pt")
    (folder / "spec.yaml").write_text(yaml.safe_dump({**about, "layers": layers}))
    read = load_checkpoint(folder / "m.pt", folder / "spec.yaml")
    forms = {"graded": Options(), "hard": Options(neuron="lif", steps=8, reset="hard", vth=70)}
    return {form: api.compile(read, _pixels(), options) for form, options in forms.items()}


@pytest.fixture
def board(tmp_path):
    """The environment of a machine with the stand-in and a SLURM; `board.tree` is the stand-in, a copy to change."""
    bin_folder, tree, scratch = tmp_path / "bin", tmp_path / "extension", tmp_path / "scratch"
    shutil.copytree(EXTENSION, tree, ignore=shutil.ignore_patterns("__pycache__"))
    bin_folder.mkdir()
    scratch.mkdir()
    for name, text in (("sinfo", SINFO), ("srun", "exit 0")):
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(scratch),
        "PYTHONPATH": os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip

    def call(*words, cwd):
        if Path(words[0]).name == "run_on_board.py" and sys.version_info >= (3, 11):
            pytest.skip("a board's machine has Python 3.10: Intel's extension is for no other, nor is Lava as it comes")
        return subprocess.run(
            [sys.executable, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    call.tree, call.scratch, call.environment = tree, scratch, environment
    return call


@pytest.fixture
def learned(artifacts):
    """A network that has learned: weights at both ends."""
    program = artifacts["ffa-symmetric", "plain", "rule"]
    rng, layer = np.random.default_rng(3), program.network.layers[0]
    weight = (2 * rng.integers(-128, 128, layer.weight.shape)).astype(np.int16)
    layer = dataclasses.replace(layer, weight=weight)
    return dataclasses.replace(program, network=dataclasses.replace(program.network, layers=(layer,)))

"""The command `doctor`: what this machine can do."""

import importlib.metadata
import os
import platform
import sys

import torch

from ff2loihi.backends.lava import child as lava_child
from ff2loihi.backends.loihi import search as board_search
from ff2loihi.cli import console
from ff2loihi.compilers.errors import BackendError, DataError
from ff2loihi.data.datasets import NAMES as DATA_NAMES
from ff2loihi.data.datasets import absent, data_folder, load_data

LIBRARIES = (
    "lava-nc",
    "numpy",
    "numba",
    "torch",
    "torchvision",
    "typer",
    "rich",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "matplotlib",
    "h5py",
    "nir",
)
ABSENT = "not in this folder"


def doctor() -> dict:
    """What this machine has, and what to do about what it has not."""
    facts = {
        "Python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "Lava simulator": _lava(),
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "none: the emulator uses the CPU",
        "CPU cores": str(os.cpu_count()),
        **board_search.facts(),
        "data folder": str(data_folder()),
        **{f"data {name}": _found(name) for name in DATA_NAMES},
    }
    console.table("this machine", ("what", "found"), list(facts.items()))
    if ABSENT in facts.values():
        console.say(
            f'"{ABSENT}": give a command --data-root FOLDER, or set FF2LOIHI_DATA, to a folder in torchvision\'s '
            "layout; with neither, the first command that needs the data set downloads it"
        )
    return facts


def _lava() -> str:
    try:
        lava_child.require_lava()
    except BackendError as error:
        return f"absent: {error}"
    return "ready"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed in {sys.executable}"


def _found(name: str) -> str:
    if absent(name, True, data_folder()):
        return ABSENT
    try:
        return f"{len(load_data(name, 'test', download=False).labels):,} test samples"
    except DataError as error:
        return str(error)

"""What several commands need: a place to write to, and the data set that an artifact stands for."""

import os
from pathlib import Path

from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.compilers.ir import Program
from ff2loihi.ff.data import Dataset, load_data


def folder_is_writable(path: Path) -> None:
    """Raise FF2LoihiError where no file could be written at `path`."""
    if path.is_dir():
        raise FF2LoihiError(f"{path}: a folder. Name the file with -o")
    if not path.parent.is_dir():
        raise FF2LoihiError(f"{path}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise FF2LoihiError(f"{path}: cannot write into {path.parent}: permission denied. Choose another -o")


def dataset(program: Program, name: str | None, split: str, limit: int | None, root: Path | None) -> Dataset:
    """The data set of that name, or the one that the program was compiled with. Raises DataError."""
    name = name or program.provenance.get("calibration", {}).get("data")
    if name is None:
        raise DataError("the artifact does not name a data set. Use --data NAME")
    return load_data(name, split, root=root, limit=limit)

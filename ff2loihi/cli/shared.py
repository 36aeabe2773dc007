"""What several commands need: the data set that an artifact stands for."""

from pathlib import Path

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir import AnyProgram
from ff2loihi.data.datasets import Dataset, load_data


def dataset(program: AnyProgram, name: str | None, split: str, limit: int | None, root: Path | None) -> Dataset:
    """The data set of that name, or the one that the program was compiled with. Raises DataError."""
    name = name or program.provenance.get("calibration", {}).get("data")
    if name is None:
        raise DataError("the artifact does not name a data set. Use --data NAME")
    return load_data(name, split, root=root, limit=limit)

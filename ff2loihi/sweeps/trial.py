"""A trial and its outcome, which go between processes, and into the file of results, as JSON."""

import hashlib
import json
import os
from pathlib import Path

from pydantic import TypeAdapter

from ff2loihi import __version__
from ff2loihi.choices import data_and_count
from ff2loihi.compilers.ir.options import Float, Strict
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.sweeps.settings import Settings

Band = tuple[Float, Float]


class Trial(Strict):
    """What a worker is given. hash: of the options, the data's content and the version of ff2loihi."""

    hash: str
    version: str
    data_sha256: str
    data_root: str | None
    options: Settings


class _Line(Strict):
    """What every line of the results says."""

    trial: str
    version: str
    data_sha256: str
    options: Settings


class Measured(_Line):
    """accuracy: of the integers, on the validation split; float_accuracy: of the trained net, there.

    cores, board, energy_mj, time_ms: of a sample that is classified, as `map` and `estimate` say, the chip's share;
    None where no board holds the network.
    """

    accuracy: Float
    float_accuracy: Float
    samples: int
    board: str | None = None
    cores: int | None = None
    energy_mj: Band | None = None
    time_ms: Band | None = None


class Refused(_Line):
    """error: why a net of these options cannot be trained or compiled."""

    error: str


Outcome = Measured | Refused
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def trial_of(settings: Settings, data_sha256: str, data_root: Path | None) -> Trial:
    """The trial of these options on data of that content."""
    facts = {"version": __version__, "data_sha256": data_sha256, "options": settings.model_dump()}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    root = None if data_root is None else os.path.abspath(data_root)  # a worker may be in another folder
    return Trial(hash=digest, version=__version__, data_sha256=data_sha256, data_root=root, options=settings)


def splits(data: str, root: Path | None) -> tuple[Dataset, Dataset]:
    """What DATA[:N] is trained and judged on: the (first N) training images without the last ones, and these."""
    name, count = data_and_count(data, "train.data")
    return load_data(name, "fit", root=root, limit=count), load_data(name, "validation", root=root)


def content(parts: tuple[Dataset, Dataset]) -> str:
    """The SHA-256 of images, their shape, and labels."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.shape} {len(part.labels)}".encode() + part.images.tobytes() + part.labels.tobytes())
    return digest.hexdigest()[:16]

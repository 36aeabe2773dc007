"""The data sets, as uint8 images in rows: scikit-learn's digits, always there, and torchvision's."""

import importlib.util
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from ff2loihi.choices import DataName, Split
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.files import read_bytes

TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "svhn": "SVHN", "cifar10": "CIFAR10"}
IDX = ("mnist", "fashion-mnist")
IDX_FILES = (  # of the training images, and of the test images
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
NAMES, SPLITS = get_args(DataName), get_args(Split)
HELD_OUT = 10_000  # last training images, held out for tuning; digits: the last fifth
DIGITS_SEED = 0  # of the one permutation that splits digits


@dataclass(frozen=True)
class Dataset:
    """images (samples, side side channels) uint8, channels last; labels (samples,) int64 in 0..classes - 1."""

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray
    classes: int
    channels: int = 1


def data_folder() -> Path:
    """$FF2LOIHI_DATA, else the user's cache."""
    return Path(os.environ.get("FF2LOIHI_DATA") or Path.home() / ".cache" / "ff2loihi")


def load_data(
    name: str, split: str, root: Path | None = None, limit: int | None = None, download: bool = True
) -> Dataset:
    """A split: train, test; fit and validation are train without, and only, its last 10,000 images (tuning).

    root: torchvision's layout, else data_folder(); a missing set is downloaded into the cache folder alone.
    Raises DataError.
    """
    if name not in NAMES:
        raise DataError(f"data set must be one of {', '.join(NAMES)}, got {name!r}")
    if split not in SPLITS:
        raise DataError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if limit is not None and limit < 1:
        raise DataError(f"limit must be at least 1, got {limit}")
    test = split == "test"
    images, labels, channels = _digits(test) if name == "digits" else _torchvision(name, test, root, download)
    if split in ("fit", "validation"):
        held = HELD_OUT if name != "digits" else len(labels) // 5
        part = slice(None, -held) if split == "fit" else slice(-held, None)
        images, labels = images[part], labels[part]
    return Dataset(name, split, images[:limit], labels[:limit], 10, channels)


def _digits(test: bool) -> tuple[np.ndarray, np.ndarray, int]:
    rows = _digits_table()
    order = np.random.default_rng(DIGITS_SEED).permutation(len(rows))
    cut = len(order) * 4 // 5
    rows = rows[order[cut:] if test else order[:cut]]
    return np.rint(rows[:, :-1] * (255 / 16)).astype(np.uint8), rows[:, -1].astype(np.int64), 1


def _digits_table() -> np.ndarray:
    """(1797, 65): 64 pixels in 0..16 and the label, from scikit-learn's own file: importing it takes seconds of CPU."""
    spec = importlib.util.find_spec("sklearn")
    if spec and spec.origin:
        path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits  # a release that keeps its data elsewhere

    return np.column_stack(tuple(load_digits(return_X_y=True)))


def _torchvision(name: str, test: bool, root: Path | None, download: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """A data set in torchvision's layout; torchvision itself, and so torch, for those that are absent or in colour."""
    folder = Path(root) if root else data_folder()
    may_download = download and root is None and not os.environ.get("FF2LOIHI_DATA")
    try:
        if name in IDX:
            raw = folder / TORCHVISION[name] / "raw"
            if may_download and not all((raw / file).is_file() for split in IDX_FILES for file in split):
                _read_by_torchvision(name, test, folder, download=True)
            images, labels = (_idx(raw / file) for file in IDX_FILES[test])
        else:
            images, labels = _read_by_torchvision(name, test, folder, may_download)
    except Exception as error:  # torchvision raises RuntimeError, ValueError, URLError, ... for one thing: no data
        raise DataError(
            f"{name}: not found, or damaged, in {folder} ({' '.join(str(error).split())[:80]}). "
            "Use --data-root DIR or FF2LOIHI_DATA, a folder in torchvision's layout, or --data digits"
        ) from None
    if name == "svhn" and images.ndim == 4:
        images = images.transpose(0, 2, 3, 1)
    if len(images) != len(labels) or images.ndim not in (3, 4):
        raise DataError(f"{name}: {folder} holds {len(images)} images and {len(labels)} labels: copy it again")
    return images.reshape(len(images), -1), labels.astype(np.int64), images.shape[3] if images.ndim == 4 else 1


def _read_by_torchvision(name: str, test: bool, folder: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
    from torchvision import datasets

    part = {"split": "test" if test else "train"} if name == "svhn" else {"train": not test}
    found = getattr(datasets, TORCHVISION[name])(str(folder), **part, download=download)
    return np.asarray(found.data), np.asarray(found.labels if name == "svhn" else found.targets)


def _idx(path: Path) -> np.ndarray:
    """A file of bytes in LeCun's IDX format: 0, 0, the type 8, the axes, each axis' length in four bytes, the values.

    Raises ValueError.
    """
    found = np.frombuffer(bytearray(read_bytes(path, DataError, "an IDX file")), np.uint8)
    if len(found) < 4 or tuple(found[:3]) != (0, 0, 8) or len(found) < 4 + 4 * found[3]:
        raise ValueError(f"{path.name} is no IDX file of bytes")
    start = 4 + 4 * int(found[3])
    shape = tuple(map(int, found[4:start].view(">u4")))
    if len(found) - start != math.prod(shape):
        raise ValueError(f"{path.name} holds {len(found) - start:,} values, its header says {shape}")
    return found[start:].reshape(shape)

"""The data sets, as uint8 images in rows: scikit-learn's digits, always there, torchvision's, a person's own; events as
rows of packed spikes."""

import hashlib
import importlib.util
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from ff2loihi.choices import TONIC, YIN_YANG, DataName, Split
from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.ir import AnyProgram, Binning
from ff2loihi.data import own
from ff2loihi.data.events.options import EventOptions
from ff2loihi.data.idx import NAMED, from_idx
from ff2loihi.data.jitter import Shape

if TYPE_CHECKING:
    from ff2loihi.data.events.recordings import Found

TORCHVISION = {
    "mnist": "MNIST", "fashion-mnist": "FashionMNIST", "svhn": "SVHN", "cifar10": "CIFAR10", "kmnist": "KMNIST",
    "emnist": "EMNIST", "qmnist": "QMNIST", "usps": "USPS",
}  # fmt: skip
BY_TORCHVISION = {  # the files it reads of training and of test images, those not in NAMED
    "svhn": (("train_32x32.mat",), ("test_32x32.mat",)),
    "cifar10": (("cifar-10-batches-py",),) * 2,
    "usps": (("usps.bz2",), ("usps.t.bz2",)),
}
ELSEWHERE = "Use --data-root DIR or FF2LOIHI_DATA, a folder in torchvision's layout, or --data digits"
CLASSES = {"emnist": 47}  # 10 of the others
SMALL = ("digits", "usps", YIN_YANG)
NAMES, SPLITS = get_args(DataName), get_args(Split)
IMAGES = tuple(name for name in NAMES if name != YIN_YANG)
HELD_OUT = 10_000  # last training images, held out for tuning; small sets: the last fifth
UNKNOWN = -1  # in place of a label
HASHED = 10_000  # samples at a time
FIFTH_SEED = 0  # of the one permutation that splits a set


@dataclass(frozen=True)
class Dataset:
    """images (samples, height width channels) uint8, channels last; labels (samples,) int64 in 0..classes - 1.

    name: or path; sides: height and width, None for square images; sha256: of what was read of a person's own files;
    places: of the images in the person's own set, None where they are as they lie. Images alone: classes 0, labels -1.
    events: how the samples became spikes, where they are events; images are then (samples, steps row_bytes) uint8, each
    step's spikes packed, a map of a file without a name: see events.binned.
    """

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray
    classes: int
    channels: int = 1
    sides: tuple[int, int] | None = None
    sha256: str | None = None
    places: np.ndarray | None = None
    events: Binning | None = None

    @property
    def inputs(self) -> int:
        """Values of an image, or inputs that spike."""
        return self.events.inputs if self.events else self.images.shape[1]

    @property
    def shape(self) -> Shape:
        if self.events:
            return self.events.shape
        side = math.isqrt(self.images.shape[1] // self.channels)
        return (*(self.sides or (side, side)), self.channels)

    def spikes(self, most: int) -> float | None:
        """Of a sample of events, in one round: the mean over the first ones, `most` at most; of images None."""
        events, some = self.events, self.images[:most]
        return float(np.count_nonzero(events.spikes(some)[: events.steps])) / len(some) if events else None

    @property
    def content(self) -> str:
        """Which images and labels they are, whatever file they came from."""
        digest = hashlib.sha256()
        for begin in range(0, len(self.images), HASHED):
            digest.update(np.ascontiguousarray(self.images[begin : begin + HASHED]))  # no copy of what is mapped
        digest.update(self.labels.tobytes())
        size = " x ".join(map(str, self.shape))
        return f"{self.name} {self.split}, {len(self.labels)} samples of {size}, sha256 {digest.hexdigest()[:16]}"


def check_shape(data: Dataset, program: AnyProgram) -> None:
    """Raise DataError for images of as many pixels as those that the program was compiled with, and another shape."""
    shape = tuple(program.provenance.get("calibration", {}).get("shape") or data.shape)
    if shape != data.shape and math.prod(shape) == math.prod(data.shape):
        ours, theirs = (" x ".join(map(str, one if one[2] > 1 else one[:2])) for one in (data.shape, shape))
        raise DataError(
            f"{data.name}: images of {ours} pixels, the model was compiled with images of {theirs}. Bring them into "
            "that shape"
        )


def check_events(data: Dataset, program: AnyProgram) -> None:
    """Raise DataError for events that the program does not bin so, and for one of events and images in place of the
    other."""
    wanted = program.network.events
    if data.events == wanted:
        return
    if data.events and wanted:
        raise DataError(f"{data.name}: events binned as {data.events}, the model takes {wanted}. Bin them so")
    found, taken = ("events", "images") if data.events else ("images", "events")
    raise DataError(f"{data.name}: {found}, the model takes {taken}. Use the data set that the model was made for")


def data_folder() -> Path:
    """$FF2LOIHI_DATA, else the user's cache."""
    return Path(os.environ.get("FF2LOIHI_DATA") or Path.home() / ".cache" / "ff2loihi")


def load_data(
    name: str, split: str, root: Path | None = None, limit: int | None = None, download: bool = True,
    unlabelled: bool = False, events: EventOptions | None = None,
) -> Dataset:  # fmt: skip
    """A split: train, test; fit and validation are train without, and only, its last 10,000 images (tuning).

    name: or tonic:NAME, or the path of one's own set; a fifth of those with fewer than 50,000 training images is held
    out.
    root: torchvision's layout, else data_folder(); a missing set is downloaded into the cache folder alone.
    unlabelled: whether images alone will do. events: how events become spikes, or that images become events first;
    events without it are binned as fits them. Raises DataError.
    """
    if name not in NAMES and not name.startswith(TONIC) and not os.path.exists(name):
        raise DataError(f"data set must be one of {', '.join(NAMES)}, or a file or folder, got {name!r}")
    if split not in SPLITS:
        raise DataError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if limit is not None and limit < 1:
        raise DataError(f"limit must be at least 1, got {limit}")
    recordings = _recordings(name, root, download)
    if recordings:
        if events and events.saccades:
            raise DataError(f"{name}: events already. Leave saccades out of --events")
        return _binned(name, split, limit, recordings, events or EventOptions())
    found = _named(name, split == "test", root, download) if name in IMAGES else _own(name, split == "test")
    if not (found.classes or unlabelled):
        raise DataError(f"{name}: images without labels. Only run --predictions FILE takes such")
    if not found.classes and split != "test":
        raise DataError(f"{name}: images without labels are the test split, got {split}. Leave out --split")
    part = _part(name, split, len(found.labels))
    images, labels = found.images[part][:limit], found.labels[part][:limit]
    if not len(labels):
        raise DataError(f"{name}: too few images: none is left for the split {split}")
    places = None if found.places is None else found.places[part][:limit]
    found = replace(found, split=split, images=images, labels=labels, places=places)
    return _moved(found, events) if events else found


def _part(name: str, split: str, samples: int) -> slice:
    """Of the training samples, those of the split."""
    if split not in ("fit", "validation"):
        return slice(None)
    few = name in SMALL or (name not in NAMES and samples < 5 * HELD_OUT)
    held = max(1, samples // 5) if few else HELD_OUT
    return slice(None, -held) if split == "fit" else slice(-held, None)


def _recordings(name: str, root: Path | None, download: bool) -> "Found | None":
    """The events of that name or path; None where images stand for it."""
    if name == YIN_YANG:
        from ff2loihi.data.events import yin_yang

        return yin_yang.found()
    if name in NAMES:
        return None
    if name.startswith(TONIC) and not os.path.exists(name):
        from ff2loihi.data.events import tonic_sets

        return tonic_sets.found(name, *_place(root, download))
    from ff2loihi.data.events import files

    return files.find(Path(name))


def _binned(name: str, split: str, limit: int | None, found: "Found", asked: EventOptions) -> Dataset:
    """A split of recordings, binned. Raises DataError."""
    from ff2loihi.data.events import binned

    test = split == "test"
    source = found.test if test and found.test else found.train
    samples = np.arange(len(source.labels)) if found.test else _fifth_apart(len(source.labels), test)
    samples = samples[_part(name, split, len(samples))][:limit]
    if not len(samples):
        raise DataError(f"{name}: too few samples: none is left for the split {split}")
    binning = binned.binning_for(name, source, asked)
    return Dataset(
        name, split, binned.rows(name, source, samples, binning), source.labels[samples], found.classes,
        sha256=found.sha256, places=None if found.test else samples, events=binning,
    )  # fmt: skip


def _moved(data: Dataset, asked: EventOptions) -> Dataset:
    """The events that images give as they move. Raises DataError."""
    if not asked.saccades:
        raise DataError(
            f"{data.name}: images, no events. Use --events saccades to make events of them, or leave it out"
        )
    if data.channels > 1:
        raise DataError(f"{data.name}: --events saccades is of grey images, these are in colour")
    from ff2loihi.data.events import binned, saccades

    source = saccades.Saccades(data.images.reshape(-1, *data.shape[:2]), data.labels)
    binning = binned.binning_for(data.name, source, asked)
    return replace(data, images=binned.rows(data.name, source, np.arange(len(data.labels)), binning), events=binning)


def _named(name: str, test: bool, root: Path | None, download: bool) -> Dataset:
    images, labels, channels = _digits(test) if name == "digits" else _torchvision(name, test, root, download)
    return Dataset(name, "", images, labels, CLASSES.get(name, 10), channels)


def _own(name: str, test: bool) -> Dataset:
    """The test images that are given, else the last fifth of all; all of those that have no labels."""
    found = own.read(Path(name))
    images, labels = found.test if test and found.test else found.train
    samples, height, width, channels = images.shape
    rows, places = images.reshape(samples, -1), None
    if labels is None:
        labels = np.full(samples, UNKNOWN)
    elif not found.test:
        places = _fifth_apart(samples, test)
        rows, labels = rows[places], labels[places]
    return Dataset(name, "", rows, labels, found.classes, channels, (height, width), found.sha256, places)


def _fifth_apart(samples: int, test: bool) -> np.ndarray:
    """Which samples of one set are the test images, the last fifth in a fixed order, or the others."""
    order = np.random.default_rng(FIFTH_SEED).permutation(samples)
    cut = samples * 4 // 5
    return order[cut:] if test else order[:cut]


def _digits(test: bool) -> tuple[np.ndarray, np.ndarray, int]:
    rows = _digits_table()
    rows = rows[_fifth_apart(len(rows), test)]
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


def _place(root: Path | None, download: bool) -> tuple[Path, bool]:
    """The folder of the data sets, and whether one may be downloaded into it."""
    folder = Path(root) if root else data_folder()
    return folder, download and root is None and not os.environ.get("FF2LOIHI_DATA")


def _files(name: str, test: bool, folder: Path) -> list[Path]:
    """What stands for a split in torchvision's layout."""
    if name in NAMED:
        return [folder / TORCHVISION[name] / "raw" / file for file in NAMED[name][test]]
    return [folder / file for file in BY_TORCHVISION[name][test]]


def absent(name: str, test: bool, folder: Path) -> Path | None:
    """The first file of a split that is not in that folder, None where all are there or the set needs none."""
    files = _files(name, test, folder) if name in TORCHVISION else ()
    return next((file.relative_to(folder) for file in files if not os.path.exists(file)), None)


def _torchvision(name: str, test: bool, root: Path | None, download: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """A data set in torchvision's layout; torchvision itself, and so torch, for those that are absent or in colour."""
    folder, may_download = _place(root, download)
    missing = absent(name, test, folder)
    if missing and not may_download:
        raise DataError(f"{name}: not in {folder}, which has no {missing}. {ELSEWHERE}")
    try:
        if name in NAMED:
            if missing:
                _read_by_torchvision(name, test, folder, download=True)
            images, labels = (
                from_idx(file.name, read_bytes(file, DataError, "an IDX file")) for file in _files(name, test, folder)
            )
            labels = labels[:, 0] if name == "qmnist" and labels.ndim == 2 else labels  # behind it: who wrote it, where
        else:
            images, labels = _read_by_torchvision(name, test, folder, may_download)
    except Exception as error:  # torchvision raises RuntimeError, ValueError, URLError, ... for one thing: no data
        wrong = f"not in {folder}, and its download failed" if missing else f"damaged in {folder}"
        raise DataError(f"{name}: {wrong} ({brief(' '.join(str(error).split()), 200)}). {ELSEWHERE}") from None
    if name == "svhn" and images.ndim == 4:
        images = images.transpose(0, 2, 3, 1)
    if len(images) != len(labels) or images.ndim not in (3, 4):
        raise DataError(f"{name}: {folder} holds {len(images)} images and {len(labels)} labels: copy it again")
    return images.reshape(len(images), -1), labels.astype(np.int64), images.shape[3] if images.ndim == 4 else 1


def _read_by_torchvision(name: str, test: bool, folder: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
    from torchvision import datasets

    part = {"split": "test" if test else "train"} if name == "svhn" else {"train": not test}
    part = part | {"split": "balanced"} if name == "emnist" else part
    found = getattr(datasets, TORCHVISION[name])(str(folder), **part, download=download)
    return np.asarray(found.data), np.asarray(found.labels if name == "svhn" else found.targets)

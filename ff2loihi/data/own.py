"""A person's own images: an .npz, an .h5, .npy files, IDX files, or a folder of pictures by class.

Each function raises DataError, in one line, for what cannot be used as it is.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats.array_files import from_npy, from_npz
from ff2loihi.data.folders import Folder
from ff2loihi.data.idx import IDX_FILES, from_idx
from ff2loihi.processes.limits import MAX_CLASSES

IMAGES = "images"
TRAIN_NAMES = ((IMAGES, "labels"), ("train_images", "train_labels"), ("x_train", "y_train"))
TEST_NAMES = (("test_images", "test_labels"), ("x_test", "y_test"))
NPY_FILES = ("images.npy", "labels.npy")
SPLIT_FOLDERS = ("train", "test")
CHANNELS = (1, 3)
ROUNDED = 1e-6  # beyond 0..1, as interpolation leaves it
HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins
NPZ = "an .npz with images and labels, or train_images, train_labels, test_images and test_labels, or an .h5 with them"
FOLDER = f"a folder with a folder of pictures for each class, or with {' and '.join(NPY_FILES)}, or MNIST's IDX files"


class Part(NamedTuple):
    """images (samples, height, width, channels) uint8; labels (samples,) int64, or None for images alone."""

    images: np.ndarray
    labels: np.ndarray | None


class Own(NamedTuple):
    """test: None where one set is all there is; classes: 0 without labels; sha256: of a folder, see Folder.digest."""

    train: Part
    test: Part | None
    classes: int
    sha256: str


def read(path: Path) -> Own:
    """The data set in that file or folder; its form is told by what is there."""
    train, test, digest = _folder(path) if os.path.isdir(path) else _file(path)
    parts = [part for part in (train, test) if part]
    sizes = [" x ".join(map(str, part.images.shape[1:])) for part in parts]
    if len(set(sizes)) > 1:
        raise DataError(f"{path}: training images are {sizes[0]}, test images {sizes[1]}. Make them of one size")
    labels = [part.labels for part in parts if part.labels is not None]
    if 0 < len(labels) < len(parts):
        unlabelled = "test" if train.labels is not None else "training"
        raise DataError(f"{path}: the {unlabelled} images have no labels, the others have. Add them")
    if not labels:
        return Own(train, test, 0, digest)
    return Own(train, test, classes(str(path), labels), digest)


def classes(where: str, labels: list[np.ndarray]) -> int:
    """How many there are. Raises DataError where they are not numbered from 0, or only one."""
    least, most = (pick(int(pick(found)) for found in labels) for pick in (min, max))
    if least < 0:
        raise DataError(f"{where}: a label is {least}. Number the classes from 0")
    if least > 0:
        raise DataError(f"{where}: labels start at {least}, and the first class is 0. Subtract {least} from each")
    if most < 1:
        raise DataError(f"{where}: every label is 0. Give images of two classes or more")
    return most + 1


def _file(path: Path) -> tuple[Part, Part | None, str]:
    wanted = f"{NPZ}, or {FOLDER},"
    data = read_bytes(path, DataError, wanted)
    if data.startswith(HDF5):
        from ff2loihi.compilers.formats import hdf5_file  # and with it h5py

        names = dict.fromkeys(name for pair in (*TRAIN_NAMES, *TEST_NAMES) for name in pair)
        arrays = hdf5_file.arrays(path, names, DataError, wanted)
    else:
        try:
            arrays = from_npz(data)
        except ValueError as error:
            raise DataError(f"{path}: {error}. Use {NPZ}, or {FOLDER}") from None
    train, test = (
        next((_part(path, *pair, arrays) for pair in names if arrays.keys() >= set(pair)), None)
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    for pair in (*TRAIN_NAMES, *TEST_NAMES):
        half = arrays.keys() & set(pair)
        if len(half) == 1 and half != {IMAGES}:
            raise DataError(f"{path}: holds {min(half)} without {min(set(pair) - half)}. Use {NPZ}")
    if train is None and IMAGES in arrays:
        train = Part(images(f"{path}: {IMAGES}", arrays[IMAGES]), None)
    if train is None:
        raise DataError(f"{path}: holds {brief(', '.join(arrays) or 'nothing')}. Use {NPZ}")
    return train, test, hashlib.sha256(data).hexdigest()


def _folder(path: Path) -> tuple[Part, Part | None, str]:
    folder, test = Folder(path), None
    if folder.has(*NPY_FILES):
        train = _part(path, *NPY_FILES, _read(folder, NPY_FILES, _from_npy))
    elif folder.has(NPY_FILES[0]):
        arrays = _read(folder, NPY_FILES[:1], _from_npy)
        train = Part(images(f"{path}: {NPY_FILES[0]}", arrays[NPY_FILES[0]]), None)
    elif folder.has(*IDX_FILES[0]):
        train = _part(path, *IDX_FILES[0], _read(folder, IDX_FILES[0], from_idx))
        if folder.has(*IDX_FILES[1]):
            test = _part(path, *IDX_FILES[1], _read(folder, IDX_FILES[1], from_idx))
    else:
        train, test = _pictures(folder)
    return train, test, folder.digest()


def _from_npy(_: str, data: bytes) -> np.ndarray:
    return from_npy(data)


def _read(folder: Folder, names: Iterable[str], to_array: Callable[[str, bytes], np.ndarray]) -> dict[str, np.ndarray]:
    arrays = {}
    for name in names:
        data = folder.read(name, "an array")
        try:
            arrays[name] = to_array(name, data)
        except ValueError as error:
            raise DataError(f"{folder.path / name}: {error}. Write it again") from None
    return arrays


def _pictures(folder: Folder) -> tuple[Part, Part | None]:
    top = folder.names()
    if not top:
        raise DataError(f"{folder.path}: holds nothing that is read. Use {FOLDER}, or {NPZ}")
    from ff2loihi.data.pictures import by_class  # and with it pillow

    classes, tested = (folder.names(name) if name in top else [] for name in SPLIT_FOLDERS)
    if not (classes and tested):  # or these are two classes
        return Part(*by_class(folder, "", top)), None
    others = sorted(set(top) - set(SPLIT_FOLDERS))
    if others:
        raise DataError(f"{folder.path}: {brief(others[0])} stands beside train and test. Move it elsewhere")
    odd = set(tested) - set(classes)
    if odd:
        raise DataError(f"{folder.path}: the class {min(odd)} is in test and not in train. Give it training images")
    return Part(*by_class(folder, "train", classes)), Part(*by_class(folder, "test", classes, tested))


def _part(path: Path, images_name: str, labels_name: str, arrays: dict[str, np.ndarray]) -> Part:
    pixels = images(f"{path}: {images_name}", arrays[images_name])
    labels = class_labels(f"{path}: {labels_name}", arrays[labels_name])
    if len(pixels) != len(labels):
        raise DataError(f"{path}: {len(pixels):,} images and {len(labels):,} labels. Give each image one label")
    return Part(pixels, labels)


def images(where: str, found: np.ndarray) -> np.ndarray:
    """(samples, height, width, 1 or 3) uint8. Raises DataError."""
    if found.ndim == 3:
        found = found[..., None]
    elif found.ndim == 4 and found.shape[3] not in CHANNELS and found.shape[1] in CHANNELS:
        found = found.transpose(0, 2, 3, 1)
    if found.ndim != 4 or found.shape[3] not in CHANNELS or not found.size:
        raise DataError(
            f"{where}: an array {found.shape}, where images of (samples, height, width) are wanted, 1 or 3 channels "
            "behind that or not. Reshape it"
        )
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise DataError(f"{where}: a value is NaN or infinite. Replace it")
        if found.min() < -ROUNDED or found.max() > 1 + ROUNDED:
            raise DataError(
                f"{where}: values of {found.min():g}..{found.max():g}, and floats are taken in 0..1. Divide them by "
                "the largest that is possible, or save them as uint8"
            )
        found = np.rint(found.clip(0, 1) * found.dtype.type(255))
    elif found.dtype != np.uint8:
        raise DataError(f"{where}: values of type {found.dtype}. Save them as uint8, 0..255, or as floats in 0..1")
    return np.array(found, np.uint8, order="C")


def class_labels(where: str, found: np.ndarray) -> np.ndarray:
    """(samples,) int64. Raises DataError."""
    if found.ndim == 2 and found.shape[1] == 1:  # as Keras has them
        found = found[:, 0]
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(
            f"{where}: an array {found.shape} of type {brief(found.dtype)}, where one whole number an image is wanted, "
            "its class from 0"
        )
    if len(found) and not -MAX_CLASSES < int(found.min()) <= int(found.max()) < MAX_CLASSES:
        raise DataError(f"{where}: {found.min()}..{found.max()}, and at most {MAX_CLASSES:,} classes are taken")
    return found.astype(np.int64)

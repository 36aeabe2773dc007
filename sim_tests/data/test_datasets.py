"""The colour data sets, read by torchvision from small files in its own layout, told that their checksums are right."""

import bz2
import os
import pickle
import re

import numpy as np
import pytest
import torch
from scipy.io import savemat

from ff2loihi.compilers.errors import DataError
from ff2loihi.data import datasets as data
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.networks.labels import make_embedding

TRAIN, TEST = 12, 5


def images(n):
    """(n, 32, 32, 3): each value says where it is, modulo 256."""
    return np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """SVHN's .mat files and CIFAR-10's pickles."""
    for module in ("svhn", "cifar"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda *_: True)
    for split, n in (("train", TRAIN), ("test", TEST)):
        labels = np.arange(n) % 10 + 1  # SVHN writes 10 for the digit 0
        savemat(tmp_path / f"{split}_32x32.mat", {"X": images(n).transpose(1, 2, 3, 0), "y": labels[:, None]})
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    (batches / "batches.meta").write_bytes(pickle.dumps({"label_names": list("0123456789")}))
    parts = {f"data_batch_{i + 1}": part for i, part in enumerate(np.array_split(np.arange(TRAIN), 5))}
    for name, chosen in {**parts, "test_batch": np.arange(TEST)}.items():
        found = images(TEST if name == "test_batch" else TRAIN)[chosen]
        content = {"data": found.transpose(0, 3, 1, 2).reshape(len(chosen), -1), "labels": (chosen % 10).tolist()}
        (batches / name).write_bytes(pickle.dumps(content))
    return tmp_path


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
@pytest.mark.parametrize(("split", "n"), [("train", TRAIN), ("test", TEST)])
def test_colour_images_are_rows_of_pixels_with_their_channels_last(folder, name, split, n):
    data = load_data(name, split, root=folder)
    np.testing.assert_array_equal(data.images, images(n).reshape(n, 3072))
    assert data.images.dtype == np.uint8
    expected = (np.arange(n) + 1) % 10 if name == "svhn" else np.arange(n) % 10
    np.testing.assert_array_equal(data.labels, expected)
    assert data.labels.dtype == np.int64
    assert (data.classes, data.channels) == (10, 3)


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
def test_a_colour_data_set_that_is_not_there_says_what_to_do(tmp_path, name):
    with pytest.raises(DataError, match=f"{name}: not in {tmp_path}, which has no .*FF2LOIHI_DATA"):
        load_data(name, "test", root=tmp_path)


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
def test_a_colour_data_set_whose_bytes_are_others_is_damaged(folder, monkeypatch, name):
    monkeypatch.undo()  # the checksums are asked for
    with pytest.raises(DataError, match=f"{name}: damaged in {folder} "):
        load_data(name, "test", root=folder)


def test_a_download_that_fails_is_told_in_whole_words_with_the_option_that_mends_it(tmp_path, monkeypatch):
    def unreachable(self):
        raise RuntimeError("Error downloading:\nTried https://example.org/" + "a" * 90 + "/ , got:\n" + "no way " * 30)

    monkeypatch.delenv("FF2LOIHI_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("torchvision.datasets.MNIST.download", unreachable)
    words = r"mnist: not in .*, and its download failed \(Error.*--data-root DIR"
    with pytest.raises(DataError, match=words) as caught:
        load_data("mnist", "test")
    assert re.search(r"https://example.org/a{90}/ , got: (no way )+no( way)?\.\.\.\)", str(caught.value))


def test_validation_holds_the_last_training_images(folder, monkeypatch):
    monkeypatch.setattr("ff2loihi.data.datasets.HELD_OUT", 4)
    held, fit = (load_data("cifar10", split, root=folder) for split in ("validation", "fit"))
    np.testing.assert_array_equal(np.concatenate([fit.images, held.images]), images(TRAIN).reshape(TRAIN, -1))
    assert len(held.labels) == 4


def test_a_label_over_a_colour_images_first_pixels_is_white_there_and_leaves_the_rest():
    embedding = make_embedding("pixels", 10, torch.Generator(), channels=3)
    image, label = embedding.columns(3072)
    row = torch.full((3072,), 0.5)
    row[label] = embedding.codes[4]
    shown = row.reshape(32, 32, 3)
    assert shown[0, :10].tolist() == [[1.0] * 3 if column == 4 else [0.0] * 3 for column in range(10)]
    assert (row[image] == 0.5).all()
    assert (shown.flatten()[30:] == 0.5).all()


def idx(array):
    """LeCun's IDX format, written by another road than it is read."""
    return b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def grey(tmp_path):
    """Fashion-MNIST in torchvision's layout: 7 training and 3 test images."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for split, n in (("train", 7), ("t10k", 3)):
        pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), np.uint8)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx(np.arange(n, dtype=np.uint8)))
    return tmp_path


@pytest.mark.parametrize(("split", "n", "train"), [("train", 7, True), ("test", 3, False)])
def test_grey_images_are_those_that_torchvision_reads(grey, split, n, train):
    from torchvision.datasets import FashionMNIST

    data, theirs = load_data("fashion-mnist", split, root=grey), FashionMNIST(str(grey), train=train)
    np.testing.assert_array_equal(data.images, theirs.data.reshape(n, 784).numpy())
    np.testing.assert_array_equal(data.labels, theirs.targets.numpy())
    assert (data.images.dtype, data.labels.dtype, data.channels) == (np.uint8, np.int64, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:-1], "holds 2,351 values, its header says \\(3, 28, 28\\)"),
        (lambda content: content + b"0", "holds 2,353 values"),
        (lambda content: b"\0\0\x0d" + content[3:], "no IDX file of bytes"),
        (lambda content: content[:7], "no IDX file of bytes"),
        (lambda content: b"", "no IDX file of bytes"),
        (lambda content: idx(np.zeros((2, 28, 28), np.uint8)), "holds 2 images and 3 labels"),
        (lambda content: idx(np.zeros((3, 784), np.uint8)), "holds 3 images and 3 labels"),
    ],
)
def test_a_damaged_idx_file_is_refused_in_one_line(grey, change, words):
    path = grey / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        load_data("fashion-mnist", "test", root=grey)
    assert "\n" not in str(caught.value)


def test_a_data_file_that_is_a_pipe_is_refused_and_not_waited_for(grey):
    path = grey / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="fashion-mnist: damaged in .*a FIFO"):
        load_data("fashion-mnist", "test", root=grey)


def test_the_digits_are_those_of_scikit_learn_whether_or_not_its_file_lies_where_we_look(monkeypatch):
    from sklearn.datasets import load_digits

    found = load_digits()
    read = data._digits_table()
    np.testing.assert_array_equal(read, np.column_stack([found.data, found.target]))
    monkeypatch.setattr(data.Path, "is_file", lambda path: False)
    np.testing.assert_array_equal(data._digits_table(), read)


NAMED = {  # name -> its folder, its files of images and of labels, its classes
    "kmnist": ("KMNIST", "{0}-images-idx3-ubyte", "{0}-labels-idx1-ubyte", ("train", "t10k"), 10),
    "emnist": ("EMNIST", "emnist-balanced-{0}-images-idx3-ubyte", "emnist-balanced-{0}-labels-idx1-ubyte",
               ("train", "test"), 47),
    "qmnist": ("QMNIST", "qmnist-{0}-images-idx3-ubyte", "qmnist-{0}-labels-idx2-int", ("train", "test"), 10),
}  # fmt: skip


@pytest.fixture
def relatives(tmp_path):
    """MNIST's relatives and USPS in torchvision's layout: 7 training and 3 test images."""
    for folder, images_file, labels_file, splits, _ in NAMED.values():
        raw = tmp_path / folder / "raw"
        raw.mkdir(parents=True)
        for split, n in zip(splits, (7, 3), strict=True):
            pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), np.uint8)
            (raw / images_file.format(split)).write_bytes(idx(pixels))
            labels = np.arange(n, dtype=np.uint8)
            if folder == "QMNIST":  # the class, and seven numbers more, of 32 bits
                table = (np.arange(n)[:, None] + [0, 5, 300, 70000, 1, 2, 3, 4]).astype(">i4")
                content = b"\0\0\x0c\2" + n.to_bytes(4, "big") + (8).to_bytes(4, "big") + table.tobytes()
            else:
                content = idx(labels)
            (raw / labels_file.format(split)).write_bytes(content)
    for file, n in (("usps.bz2", 7), ("usps.t.bz2", 3)):
        values = np.random.default_rng(n).uniform(-1, 1, (n, 256))
        lines = (
            f"{row + 1} " + " ".join(f"{index + 1}:{value:.4f}" for index, value in enumerate(line))
            for row, line in enumerate(values)
        )
        (tmp_path / file).write_bytes(bz2.compress("\n".join(lines).encode() + b"\n"))
    return tmp_path


@pytest.mark.parametrize(("split", "n", "train"), [("train", 7, True), ("test", 3, False)])
@pytest.mark.parametrize("name", [*NAMED, "usps"])
def test_the_relatives_of_mnist_are_those_that_torchvision_reads(relatives, name, split, n, train):
    import torchvision

    data = load_data(name, split, root=relatives)
    options = {"emnist": {"split": "balanced"}}.get(name, {})
    theirs = getattr(torchvision.datasets, data_class(name))(str(relatives), train=train, **options)
    np.testing.assert_array_equal(data.images, np.asarray(theirs.data).reshape(n, -1))
    assert data.labels.tolist() == [theirs[index][1] for index in range(n)]
    assert (data.images.dtype, data.labels.dtype, data.channels) == (np.uint8, np.int64, 1)
    assert data.classes == (47 if name == "emnist" else 10)
    assert data.shape == ((16, 16, 1) if name == "usps" else (28, 28, 1))


def data_class(name):
    return data.TORCHVISION[name]


@pytest.mark.parametrize("name", [*NAMED, "usps"])
def test_a_relative_that_is_not_there_or_damaged_says_what_to_do(relatives, tmp_path_factory, name):
    with pytest.raises(DataError, match=f"{name}: not in .*, which has no .*FF2LOIHI_DATA") as caught:
        load_data(name, "test", root=tmp_path_factory.mktemp("empty"))
    assert "\n" not in str(caught.value)
    file = relatives / "usps.t.bz2"
    if name != "usps":
        folder, images_file, _, splits, _ = NAMED[name]
        file = relatives / folder / "raw" / images_file.format(splits[1])
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match=f"{name}: damaged in {relatives} "):
        load_data(name, "test", root=relatives)


def test_of_usps_a_fifth_is_held_out(relatives):
    assert [len(load_data("usps", split, root=relatives).labels) for split in ("fit", "validation")] == [6, 1]

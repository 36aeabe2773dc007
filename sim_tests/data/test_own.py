"""A person's own images: each form is read as it was written, and what cannot be used is refused in one line."""

import hashlib
import io
import os
import struct
import subprocess
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from ff2loihi.compilers.errors import DataError
from ff2loihi.data import own
from ff2loihi.data.datasets import load_data


def grey(n, seed=0):
    """(n, 7, 9) uint8, images that differ from each other."""
    return np.random.default_rng(seed).integers(0, 256, (n, 7, 9), np.uint8)


LABELS = np.arange(20) % 3


def idx(array):
    """LeCun's IDX format."""
    return b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def npz(tmp_path):
    """npz(**arrays) -> the name of a file that holds them."""

    def write(**arrays):
        np.savez(tmp_path / "x.npz", **arrays)
        return str(tmp_path / "x.npz")

    return write


@pytest.fixture
def pictures(tmp_path):
    """pictures({name: array or bytes}) -> the name of the folder that holds them."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                Image.fromarray(content).save(path)
        return str(tmp_path / "set")

    return write


def both(name):
    return load_data(name, "train"), load_data(name, "test")


def refusal(name, split="train"):
    """The one line."""
    with pytest.raises(DataError) as caught:
        load_data(name, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pairs(*sets):
    """Each image with its label, in no order."""
    return sorted(
        (row.tobytes(), int(label)) for data in sets for row, label in zip(data.images, data.labels, strict=True)
    )


def test_of_one_set_the_last_fifth_of_a_fixed_order_is_the_test_split(npz):
    name = npz(images=grey(20), labels=LABELS)
    train, test = both(name)
    assert (train.images.shape, test.images.shape) == ((16, 63), (4, 63))
    assert (train.classes, train.channels, train.shape) == (3, 1, (7, 9, 1))
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_array_equal(np.concatenate([train.images, test.images]), grey(20).reshape(20, -1)[order])
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), LABELS[order])
    fit, validation = load_data(name, "fit"), load_data(name, "validation")
    np.testing.assert_array_equal(np.concatenate([fit.images, validation.images]), train.images)
    assert len(validation.labels) == 3


@pytest.mark.parametrize(
    "names",
    [("train_images", "train_labels", "test_images", "test_labels"), ("x_train", "y_train", "x_test", "y_test")],
)
def test_both_splits_are_read_by_their_names_and_in_their_order(npz, names):
    arrays = grey(6, 1), np.arange(6) % 2, grey(2, 2), np.array([3, 1])
    train, test = both(npz(**dict(zip(names, arrays, strict=True))))
    np.testing.assert_array_equal(train.images, arrays[0].reshape(6, -1))
    np.testing.assert_array_equal(test.images, arrays[2].reshape(2, -1))
    assert test.labels.tolist() == [3, 1]
    assert train.classes == test.classes == 4  # of both together


@pytest.mark.parametrize("first", [True, False])
def test_channels_are_last_wherever_they_were(npz, first):
    colour = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), np.uint8)
    data = load_data(npz(x_train=colour.transpose(0, 3, 1, 2) if first else colour, y_train=np.arange(5) % 2), "train")
    assert data.shape == (8, 6, 3)
    assert {row.tobytes() for row in data.images} <= {image.tobytes() for image in colour}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_0_to_1_are_the_bytes_that_they_were(npz, kind):
    name = npz(images=(grey(20) / 255).astype(kind), labels=LABELS[:, None].astype(np.uint8))
    assert pairs(*both(name)) == sorted(
        (image.tobytes(), int(label)) for image, label in zip(grey(20), LABELS, strict=True)
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "PNG"])
@pytest.mark.parametrize("colour", [False, True])
def test_a_folder_of_pictures_by_class(pictures, suffix, colour):
    shape = (26 * 5, 7, 9, 3) if colour else (26 * 5, 7, 9)
    made = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    name = pictures(
        {f"{chr(97 + i % 26)}/{i}.{suffix}": image for i, image in enumerate(made)} | {"notes.txt": b"mine"}
    )
    train, test = both(name)
    assert (train.classes, train.shape) == (26, (7, 9, 3 if colour else 1))
    assert pairs(train, test) == sorted((image.tobytes(), i % 26) for i, image in enumerate(made))


def test_pictures_of_jpeg_are_what_pillow_reads_and_grey_ones_beside_colour_become_colour(pictures):
    file = io.BytesIO()
    Image.fromarray(grey(1)[0]).save(file, "JPEG")
    colour = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    name = pictures({"train/a/1.jpg": file.getvalue(), "train/b/1.png": colour, "test/b/1.png": colour})
    train, test = both(name)
    assert train.labels.tolist() == [0, 1]
    expected = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    np.testing.assert_array_equal(train.images[0].reshape(7, 9, 3), np.repeat(expected[:, :, None], 3, 2))
    np.testing.assert_array_equal(test.images[0].reshape(7, 9, 3), colour)
    assert test.labels.tolist() == [1]  # b, as in train


def test_two_classes_may_be_called_train_and_test(pictures):
    train, test = both(pictures({f"{name}/{i}.png": grey(1, i)[0] for name in ("train", "test") for i in range(5)}))
    assert sorted([*train.labels, *test.labels]) == [0] * 5 + [1] * 5


def test_npy_files_and_idx_files_in_a_folder(tmp_path):
    for name, array in (("images.npy", grey(20)), ("labels.npy", LABELS)):
        np.save(tmp_path / name, array)
    wanted = sorted((image.tobytes(), int(label)) for image, label in zip(grey(20), LABELS, strict=True))
    assert pairs(*both(str(tmp_path))) == wanted
    other = tmp_path / "idx"
    other.mkdir()
    for name, array in (("images-idx3", grey(20)), ("labels-idx1", LABELS.astype(np.uint8))):
        (other / f"train-{name}-ubyte").write_bytes(idx(array))
    assert pairs(*both(str(other))) == wanted
    for name, array in (("images-idx3", grey(2, 9)), ("labels-idx1", np.array([2, 1], np.uint8))):
        (other / f"t10k-{name}-ubyte").write_bytes(idx(array))
    train, test = both(str(other))
    assert pairs(train) == wanted
    np.testing.assert_array_equal(test.images, grey(2, 9).reshape(2, -1))


def test_the_hash_is_what_sha256sum_says(npz, pictures):
    name = npz(images=grey(20), labels=LABELS)
    with open(name, "rb") as file:
        assert load_data(name, "test").sha256 == hashlib.sha256(file.read()).hexdigest()
    folder = pictures({f"{c}/{i}.png": grey(1, i)[0] for c in "ab" for i in range(3)})
    train, test = both(folder)
    said = subprocess.run("sha256sum */*.png | sha256sum", shell=True, cwd=folder, capture_output=True, check=True)
    assert train.sha256 == test.sha256 == said.stdout.decode().split()[0]
    assert load_data("digits", "test").sha256 is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": LABELS[:-1]}, "20 images and 19 labels"),
        ({"labels": LABELS - 1}, "a label is -1. Number the classes from 0"),
        ({"labels": LABELS + 1}, "labels start at 1, and the first class is 0. Subtract 1"),
        ({"labels": LABELS * 0}, "two classes or more"),
        ({"labels": LABELS * 10**12}, "at most 1,000 classes"),
        ({"labels": LABELS.astype(np.uint64) + np.uint64(2**63)}, "at most 1,000 classes"),
        ({"labels": LABELS / 2}, "float64, where one whole number an image"),
        ({"labels": np.eye(20, dtype=int)}, "one whole number an image"),
        ({"labels": LABELS.astype(str)}, "one whole number an image"),
        ({"labels": LABELS.astype(object)}, "pickled objects"),
        ({"images": grey(20).astype(object)}, "pickled objects"),
        ({"images": np.full((20, 7, 9), np.nan)}, "NaN or infinite"),
        ({"images": grey(20) / 1.0}, "0..255, and floats are taken in 0..1. Divide"),
        ({"images": grey(20).astype(int)}, "values of type int64. Save them as uint8"),
        ({"images": grey(20).reshape(20, 63)}, "(20, 63), where images of (samples, height, width)"),
        ({"images": np.zeros((20, 8, 8, 4), np.uint8)}, "1 or 3 channels"),
        ({"images": np.zeros((0, 8, 8), np.uint8), "labels": LABELS[:0]}, "Reshape it"),
        ({"images": grey(1), "labels": LABELS[1:2]}, "labels start at 1"),
        ({"test_images": grey(5)[:, 1:], "test_labels": LABELS[:5]}, "images are 7 x 9 x 1, test images 6 x 9 x 1"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_used_are_refused(npz, change, words):
    name = npz(**{"images": grey(20), "labels": LABELS, **change})
    line = refusal(name)
    assert words in line
    assert line.startswith(name)


def test_an_npz_of_other_arrays_says_which_are_wanted(npz):
    assert "holds a, b. Use an .npz with images and labels, or train_images" in refusal(npz(a=LABELS, b=LABELS))


def test_a_split_that_would_be_empty_is_refused(npz):
    assert "none is left for the split fit" in refusal(npz(images=grey(2), labels=LABELS[:2]), "fit")


@pytest.mark.parametrize("content", [b"", b"Dear sir", b"PK\x03\x04 and so on", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_such_thing(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    assert "not a zip archive" in refusal(str(path))


def bomb():
    """A PNG of 10,000 x 10,000 grey pixels in few bytes: of a size at which pillow only warns."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (10_000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def png():
    file = io.BytesIO()
    Image.fromarray(grey(1)[0]).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b/2.png": grey(1)[0, 1:]}, "b/2.png is 9 x 6 pixels, a/1.png 9 x 7. Make all of one size"),
        ({"b/2.png": png()[:-30]}, "b/2.png: not a PNG, JPEG or BMP that can be read"),
        ({"b/2.png": b""}, "b/2.png: not a PNG"),
        ({"b/2.txt": b"mine"}, "b/2.txt: not a PNG"),
        ({"b/2.png": bomb()}, "exceeds limit of 89478485 p"),
        ({"b/2.png": grey(1)[0].astype(np.uint16)}, "more than 8 bits a value"),
        ({"c/.hidden": b""}, "c: a class without images"),
    ],
)
def test_pictures_that_cannot_be_used_are_refused(pictures, change, words):
    assert words in refusal(pictures({"a/1.png": grey(1)[0], "b/1.png": grey(1)[0], **change}))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a/1.png": png(), "a/2.png": png()}, "two classes or more"),
        ({"notes.txt": b""}, "holds nothing that is read"),
        ({"train/a/1.png": png(), "train/b/1.png": png(), "test/c/1.png": png()}, "the class c is in test and not in"),
        ({"images.npy": b"", "labels.npy": b""}, "images.npy: not an array"),
        ({"train-images-idx3-ubyte": b"", "train-labels-idx1-ubyte": b""}, "no IDX file of bytes"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_refused(pictures, files, words):
    assert words in refusal(pictures(files))


@pytest.mark.parametrize("place", ["x.npz", "set/a/2.png", "set/images.npy"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, pictures, place):
    pictures({"a/1.png": grey(1)[0], "b/1.png": grey(1)[0], "labels.npy": b""})
    if place != "set/images.npy":
        (tmp_path / "set" / "labels.npy").unlink()
    os.mkfifo(tmp_path / place)
    assert "a FIFO" in refusal(str(tmp_path / place.partition("/")[0]))


def test_a_link_that_leaves_the_folder_is_read_as_a_file_is(tmp_path, pictures):
    name = pictures({f"{c}/{i}.png": grey(1, i)[0] for c in "ab" for i in range(3)})
    outside = tmp_path / "outside.png"
    Image.fromarray(grey(1, 5)[0]).save(outside)
    (tmp_path / "set" / "a" / "link.png").symlink_to(outside)
    assert (grey(1, 5)[0].tobytes(), 0) in pairs(*both(name))


def test_folders_whose_names_are_numbers_are_classes_in_the_order_of_the_numbers(tmp_path):
    for label in (0, 1, 2, 10):
        folder = tmp_path / str(label)
        folder.mkdir()
        for copy in range(5):
            Image.fromarray(np.full((4, 4), 20 * label, np.uint8)).save(folder / f"{copy}.png")
    data = load_data(str(tmp_path), "train")
    by_value = {int(image[0]): int(label) for image, label in zip(data.images, data.labels, strict=True)}
    assert by_value == {0: 0, 20: 1, 40: 2, 200: 3}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train_images": 9, "train_labels": 9, "test_images": 9}, "holds test_images without test_labels"),
        ({"train_images": 9, "test_images": 9, "test_labels": 9}, "holds train_images without train_labels"),
        ({"images": 9, "test_images": 9, "test_labels": 9}, "the training images have no labels"),
        ({"labels": 9}, "holds labels without images"),
    ],
)
def test_what_lacks_its_partner_is_refused(tmp_path, arrays, words):
    np.savez(
        tmp_path / "x.npz",
        **{name: np.arange(n) % 2 if "labels" in name else np.zeros((n, 4, 4), np.uint8) for name, n in arrays.items()},
    )
    for split in ("train", "test"):
        with pytest.raises(DataError, match=words):
            load_data(str(tmp_path / "x.npz"), split)


def test_folders_that_no_split_reads_are_named(tmp_path):
    for name in ("train/a", "train/b", "test/a", "validation/a"):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "1.png")
    with pytest.raises(DataError, match="validation stands beside train and test"):
        load_data(str(tmp_path), "train")


def test_a_folder_inside_a_class_is_named(tmp_path):
    for name in ("a", "b/more"):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "1.png")
    with pytest.raises(DataError, match="b: holds a folder, more"):
        load_data(str(tmp_path), "train")


def test_a_picture_of_16_bits_a_value_is_refused_in_every_mode(tmp_path):
    """A colour PNG of 16 bits, which pillow would read as 8 without a word."""
    row = b"\x00" + b"\x00\xff" * 3 * 2
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row * 2)), (b"IEND", b""),
    ):  # fmt: skip
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"".join(parts))
    with pytest.raises(DataError, match="more than 8 bits a value"):
        load_data(str(tmp_path), "train")


def folder_of(tmp_path, save):
    """Two classes of one picture each; save(path) writes them."""
    for name in "ab":
        (tmp_path / "own" / name).mkdir(parents=True)
        save(tmp_path / "own" / name / "1.png")
    return own.read(tmp_path / "own").train.images


def test_a_picture_stands_as_its_camera_was_held(tmp_path):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turn by a quarter, clockwise
    found = folder_of(tmp_path, lambda path: Image.fromarray(values).save(path, exif=turned))
    assert (found[0, ..., 0] == np.rot90(values, -1)).all()


@pytest.mark.parametrize(("colours", "channels"), [([0, 0, 0, 90, 90, 90], 1), ([0, 0, 0, 90, 90, 91], 3)])
def test_a_palette_of_greys_is_a_grey_picture(tmp_path, colours, channels):
    indices = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)

    def save(path):
        picture = Image.fromarray(indices, "P")
        picture.putpalette([*colours, 255, 0, 0])  # a red that no pixel has
        picture.save(path)

    found = folder_of(tmp_path, save)
    assert found.shape == (2, 2, 3, channels)
    assert (found[0, ..., 0] == 90 * indices).all()


@pytest.fixture
def h5(tmp_path):
    """h5(**arrays) -> the name of an HDF5 file that holds them."""

    def write(**arrays):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            for name, values in arrays.items():
                file.create_dataset(name, data=values, compression="gzip" if name == "images" else None)
        return str(tmp_path / "x.h5")

    return write


def test_an_h5_is_what_an_npz_of_the_same_arrays_is(h5, npz):
    images, more = grey(20), grey(9, 1)
    for arrays in (
        {"images": images, "labels": LABELS, "names": np.arange(3.0)},
        {"train_images": images, "train_labels": LABELS, "test_images": more, "test_labels": LABELS[:9]},
        {"x_train": images / 255, "y_train": LABELS[:, None], "x_test": more / 255, "y_test": LABELS[:9, None]},
        {"images": np.stack([images] * 3, 1), "labels": LABELS},
    ):
        name, other = h5(**arrays), npz(**{key: value for key, value in arrays.items() if key != "names"})
        for ours, theirs in zip(both(name), both(other), strict=True):
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            assert (ours.shape, ours.classes) == (theirs.shape, theirs.classes)
        assert ours.sha256 == hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_an_h5_that_cannot_be_trusted_is_refused_in_one_line(h5, tmp_path):
    def refused(path):
        with pytest.raises(DataError) as caught:
            load_data(str(path), "test")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    whole = Path(h5(images=grey(20), labels=LABELS)).read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    assert "half.h5" in refused(tmp_path / "half.h5")
    (tmp_path / "head.h5").write_bytes(whole[:8])
    assert "not an HDF5 file, or a truncated" in refused(tmp_path / "head.h5")
    assert "holds /a, /b/c, where an .npz with images" in refused(nested(tmp_path / "other.h5"))
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["labels"] = LABELS
        file["images"] = h5py.ExternalLink("x.h5", "images")
    assert "link to somewhere else" in refused(tmp_path / "link.h5")
    with h5py.File(tmp_path / "soft.h5", "w") as file:
        file["labels"], file["real"], file["images"] = LABELS, grey(20), h5py.SoftLink("/real")
    text = refused(tmp_path / "soft.h5")
    assert text.endswith("soft.h5: '/images' is a link to somewhere else, and none is followed. Write the values")
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["images"] = np.zeros(3, [("a", "u1"), ("b", "u1")])
    assert "neither numbers nor text. Write it as numbers" in refused(tmp_path / "pairs.h5")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("images", (10**6, 1000, 1000), np.uint8, chunks=(1, 1000, 1000), compression="gzip")
        file["labels"] = LABELS
    assert "claims 1,000,000,000,000 bytes" in refused(tmp_path / "huge.h5")


def nested(path):
    with h5py.File(path, "w") as file:
        file["a"] = LABELS
        file.create_group("b")["c"] = LABELS
    return path

"""LeCun's IDX files, in which MNIST and its relatives come."""

import math

import numpy as np

IDX_FILES = (  # of the training images, and of the test images
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


NAMED: dict[str, tuple[tuple[str, str], ...]] = {  # where torchvision puts others: of training, of test images
    "mnist": IDX_FILES,
    "fashion-mnist": IDX_FILES,
    "kmnist": IDX_FILES,
    "emnist": tuple(
        (f"emnist-balanced-{part}-images-idx3-ubyte", f"emnist-balanced-{part}-labels-idx1-ubyte")
        for part in ("train", "test")
    ),
    "qmnist": tuple(
        (f"qmnist-{part}-images-idx3-ubyte", f"qmnist-{part}-labels-idx2-int") for part in ("train", "test")
    ),
}
TYPES = {"ubyte": (8, ">u1", "bytes"), "int": (12, ">i4", "32-bit integers")}  # a file's name ends in its type


def from_idx(name: str, data: bytes) -> np.ndarray:
    """The bytes of the file of that name: 0, 0, the type, the axes, each axis' length in four bytes, the values.

    Raises ValueError.
    """
    code, kind, values = TYPES[name.rpartition("-")[2]]
    found = np.frombuffer(bytearray(data), np.uint8)
    if len(found) < 4 or tuple(found[:3]) != (0, 0, code) or len(found) < 4 + 4 * int(found[3]):
        raise ValueError(f"{name} is no IDX file of {values}")
    start, size = 4 + 4 * int(found[3]), np.dtype(kind).itemsize
    shape = tuple(map(int, found[4:start].view(">u4")))
    if len(found) - start != math.prod(shape) * size:
        raise ValueError(f"{name} holds {(len(found) - start) // size:,} values, its header says {shape}")
    return found[start:].view(kind).reshape(shape)

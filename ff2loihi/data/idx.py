"""LeCun's IDX files, in which MNIST comes."""

import math

import numpy as np

IDX_FILES = (  # of the training images, and of the test images
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


def from_idx(name: str, data: bytes) -> np.ndarray:
    """The bytes of the file of that name: 0, 0, the type 8, the axes, each axis' length in four bytes, the values.

    Raises ValueError.
    """
    found = np.frombuffer(bytearray(data), np.uint8)
    if len(found) < 4 or tuple(found[:3]) != (0, 0, 8) or len(found) < 4 + 4 * int(found[3]):
        raise ValueError(f"{name} is no IDX file of bytes")
    start = 4 + 4 * int(found[3])
    shape = tuple(map(int, found[4:start].view(">u4")))
    if len(found) - start != math.prod(shape):
        raise ValueError(f"{name} holds {len(found) - start:,} values, its header says {shape}")
    return found[start:].reshape(shape)

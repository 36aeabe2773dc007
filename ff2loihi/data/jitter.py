"""The one augmentation, for training and for learning on the chip: images moved by some pixels, black coming in."""

import math

import numpy as np

from ff2loihi.compilers.errors import DataError

Shape = tuple[int, int, int]  # of an image: height, width, channels


def check_square(pixels: int, channels: int) -> None:
    """Raise DataError where images of that many values are not square."""
    if math.isqrt(pixels // channels) ** 2 * channels != pixels:
        raise DataError(f"--jitter: images of {pixels} pixels in {channels} channels are not square. Leave it out")


def moved(images: np.ndarray, by: np.ndarray, shape: Shape) -> np.ndarray:
    """Each of images (samples, values) of that shape moved by by (samples, 2) pixels: down and to the right."""
    samples, most = len(images), int(np.abs(by).max())
    grid = images.reshape(samples, *shape)
    framed = np.pad(grid, ((0, 0), (most, most), (most, most), (0, 0)))
    rows, columns = (np.arange(most, most + shape[axis]) - by[:, axis, None] for axis in (0, 1))
    return framed[np.arange(samples)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(samples, -1)

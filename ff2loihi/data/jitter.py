"""The one augmentation, for training and for learning on the chip: images moved by some pixels, black coming in."""

import numpy as np

Shape = tuple[int, int, int]  # of an image: height, width, channels


def moved(images: np.ndarray, by: np.ndarray, shape: Shape) -> np.ndarray:
    """Each of images (samples, values) of that shape moved by by (samples, 2) pixels: down and to the right."""
    height, width, _ = shape
    by = by.clip(-max(height, width), max(height, width))  # beyond them all is black
    grid = images.reshape(len(images), *shape)
    result = np.zeros_like(grid)
    for down, right in np.unique(by, axis=0):
        these = np.flatnonzero((by == (down, right)).all(1))
        rows, columns = _overlap(down, height), _overlap(right, width)
        result[these, rows[0], columns[0]] = grid[these, rows[1], columns[1]]
    return result.reshape(len(images), -1)


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where what stays in the image lies after a move, and before it."""
    return slice(max(by, 0), max(size + by, 0)), slice(max(-by, 0), max(size - by, 0))

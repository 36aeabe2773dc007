"""The one augmentation, for training and for learning on the chip: images moved by some pixels, black coming in."""

import numpy as np

Shape = tuple[int, int, int]  # of an image: height, width, channels


def moved(images: np.ndarray, by: np.ndarray, shape: Shape) -> np.ndarray:
    """Each of images (samples, values) of that shape moved by by (samples, 2) pixels: down and to the right."""
    by = by.clip(-max(shape[:2]), max(shape[:2]))  # beyond them all is black
    samples, most = len(images), int(np.abs(by).max())
    grid = images.reshape(samples, *shape)
    framed = np.pad(grid, ((0, 0), (most, most), (most, most), (0, 0)))
    rows, columns = (np.arange(most, most + shape[axis]) - by[:, axis, None] for axis in (0, 1))
    return framed[np.arange(samples)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(samples, -1)

"""Events of any image set: an image moves in three saccades under a detector of changes of the logarithm of intensity.

Not N-MNIST, which was recorded: a sensor has noise, a refractory time and thresholds that differ, this has none.
"""

from itertools import pairwise

import numpy as np
from numba import njit

from ff2loihi.data.events.recordings import Recording

SACCADES, MOVES = 3, 20  # along the sides of a triangle; movements of a saccade
REACH = 1 / 14  # of an image's longer side, of each saccade: 2 pixels of 28; twice as many move no more accurately
MILLISECONDS = 100.0  # of a saccade, as those of N-MNIST
DARK = 0.1  # added to an intensity of 0..1 before its logarithm is taken
STEPS = 30
THRESHOLD = 0.4  # of the logarithm's change
CORNERS = np.array([(-0.5, -0.5), (0.0, 0.5), (0.5, -0.5), (-0.5, -0.5)])  # (y, x), in multiples of the reach


class Saccades:
    """The recordings of images (samples, height, width) uint8: an on and an off polarity, times in ms."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        _, height, width = images.shape
        self.sensor, self.span, self.steps = (height, width, 2), SACCADES * MILLISECONDS, STEPS
        self.parts = SACCADES
        self.path = _path(REACH * max(height, width))

    def recording(self, sample: int) -> Recording:
        rows = _events(self.images[sample], self.path)
        return Recording(rows[:, 0] * (MILLISECONDS / MOVES), *rows[:, 1:].T)


def _path(reach: float) -> np.ndarray:
    """Where the image stands after each movement, (1 + moves, 2): down and to the right."""
    sides = pairwise(reach * CORNERS)
    way = [begin + (end - begin) * (np.arange(1, MOVES + 1) / MOVES)[:, None] for begin, end in sides]
    return np.concatenate([reach * CORNERS[:1], *way])


@njit(cache=True, nogil=True)
def _bright(image, y, x):
    """Intensity 0..1 between four pixels; 0 beyond the image."""
    top, left = int(np.floor(y)), int(np.floor(x))
    down, right = y - top, x - left
    total = 0.0
    for i in range(2):
        for j in range(2):
            if 0 <= top + i < image.shape[0] and 0 <= left + j < image.shape[1]:
                total += image[top + i, left + j] * (down if i else 1 - down) * (right if j else 1 - right)
    return total / 255


@njit(cache=True, nogil=True)
def _events(image, path):
    """(events, 4) int64: movement, x, y, p = 1 where it became brighter by THRESHOLD since the pixel's last event."""
    height, width = image.shape
    first, level, black = np.empty((height, width)), np.zeros((height, width), np.int64), np.log(DARK)
    rows = np.empty((height * width * len(path), 4), np.int64)
    count = 0
    for move in range(len(path)):
        for y in range(height):
            for x in range(width):
                bright = _bright(image, y - path[move, 0], x - path[move, 1])
                seen = np.log(DARK + bright) if bright else black
                if move == 0:
                    first[y, x] = seen
                    continue
                change = (seen - first[y, x]) / THRESHOLD - level[y, x]
                crossed = int(change)  # toward 0
                if crossed:
                    level[y, x] += crossed
                    rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = move - 1, x, y, int(change > 0)
                    count += 1
    return rows[:count]

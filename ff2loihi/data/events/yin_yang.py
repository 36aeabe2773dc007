"""Yin-Yang (Kriener 2022): points of a disc in three classes, each of four coordinates the time of one spike."""

import numpy as np

from ff2loihi.data.events.recordings import Found, Recording

TRAIN, TEST = 5000, 1000
SEEDS = {"train": 42, "test": 40}  # of the samples
BIG, SMALL = 0.5, 0.1  # radii of the disc, and of the dots
EARLY, LATE, SPAN = 0.0, 0.9, 1.0  # a coordinate of 0 is a spike at EARLY, of 1 at LATE; how long a sample lasts
INPUTS = 5  # x, y, 1 - x, 1 - y, and one that always spikes first
CLASSES = 3  # yin, yang, dot


class YinYang:
    """Each class as often as the others; input 0 to 3 spike at EARLY + (LATE - EARLY) (x, y, 1 - x, 1 - y)."""

    sensor, span, steps, parts = (1, INPUTS, 1), SPAN, 32, 16

    def __init__(self, samples: int, seed: int) -> None:
        self.points, self.labels = points(samples, seed)

    def recording(self, sample: int) -> Recording:
        x, y = self.points[sample]
        t = np.array([0, *(EARLY + (LATE - EARLY) * np.array([x, y, 1 - x, 1 - y]))])
        order = np.argsort(t, kind="stable")
        place, nothing = np.array([4, 0, 1, 2, 3])[order], np.zeros(INPUTS, np.int64)
        return Recording(t[order], place, nothing, nothing)


def found() -> Found:
    """Both splits, always the same points."""
    return Found(YinYang(TRAIN, SEEDS["train"]), YinYang(TEST, SEEDS["test"]), CLASSES)


def points(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(samples, 2) in 0..1 and labels (samples,) int64: drawn from the disc until the class that is due comes up."""
    rng = np.random.default_rng(seed)
    found, labels = np.empty((samples, 2)), np.empty(samples, np.int64)
    for k in range(samples):
        labels[k] = rng.integers(CLASSES)
        while True:
            found[k] = rng.random(2) * 2 * BIG
            if np.hypot(*(found[k] - BIG)) <= BIG and which(*found[k]) == labels[k]:
                break
    return found, labels


def which(x: float, y: float) -> int:
    """0 yin, 1 yang, 2 dot, of a point of the disc."""
    right, left = np.hypot(x - 1.5 * BIG, y - BIG), np.hypot(x - 0.5 * BIG, y - BIG)
    if right < SMALL or left < SMALL:
        return 2
    yin = left <= 0.5 * BIG or (y > BIG and right > 0.5 * BIG)
    return 0 if yin else 1

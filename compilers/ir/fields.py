"""Receptive fields: neurons of the first layer that see a square of the image each, at their own place, and the label.

Places fill the image as evenly as their number allows, those of each polarity and size by themselves, row by row.
"""

import numpy as np

from ff2loihi.compilers.errors import CompileError, shortened

MAX_SIZES = 2
SEQUENCE = 0.7548776662466927, 0.5698402909980532  # 1/p and 1/p^2, p^3 = p + 1: its multiples fill a square evenly


def check(sizes: object, side: int | None = None) -> tuple[int, ...]:
    """The sizes of fields, none or up to MAX_SIZES. side: the image's shorter one. Raises CompileError."""
    if not isinstance(sizes, list | tuple) or len(sizes) > MAX_SIZES or not all(type(one) is int for one in sizes):
        raise CompileError(f"--field must be K, or K,L for half of the neurons each, got {shortened(sizes)}")
    wrong = [size for size in sizes if size < 1 or (side is not None and size > side)]
    if wrong:
        most = "at least 1" if side is None else f"1..{side}, the image's shorter side"
        raise CompileError(f"--field must be {most}, got {wrong[0]}")
    return tuple(sizes)


def mask(shape: tuple[int, int, int], labels: int, positive: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """(n, pixels + labels) bool, the synapses that exist. Raises CompileError.

    shape: (height, width, channels) of the image, whose values lie pixel by pixel; labels: inputs behind them;
    positive (n,): each polarity's neurons have the sizes in turn.
    """
    height, width, _ = shape
    sizes = check(sizes, min(height, width))
    found = np.ones((len(positive), int(np.prod(shape)) + labels), bool)
    for polarity in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        for turn, size in enumerate(sizes):
            neurons = polarity[turn :: len(sizes)]
            for neuron, (top, left) in zip(neurons, _places(len(neurons), height - size, width - size), strict=True):
                seen = np.zeros(shape, bool)
                seen[top : top + size, left : left + size] = True
                found[neuron, : seen.size] = seen.ravel()
    return found


def _places(count: int, last_row: int, last_column: int) -> list[tuple[int, int]]:
    """So many places in 0..last_row, 0..last_column, in order."""
    steps = np.arange(1, count + 1)[:, None] * np.array(SEQUENCE) % 1
    rows, columns = (steps * (last_row + 1, last_column + 1)).astype(int).T.tolist()
    return sorted(zip(rows, columns, strict=True))

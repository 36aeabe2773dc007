"""The cells of a layer's channels, whose goodness a classifier reads: where torch's adaptive pooling has them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Cells:
    """Each channel's image in grid x grid cells: of a side n, cell i is floor(i n / grid)..ceil((i + 1) n / grid).

    Cells overlap where grid does not divide n. So the sums that a layer sends are those of pieces, which never do, and
    the host joins them. shape: (channels, height, width) of the outputs; a dense layer's neurons are channels.
    """

    shape: tuple[int, int, int]
    grid: int

    @property
    def sides(self) -> tuple[int, int]:
        """Cells along the rows' and the columns' axis: grid, and no more than there are."""
        return min(self.grid, self.shape[1]), min(self.grid, self.shape[2])

    @property
    def count(self) -> int:
        return self.shape[0] * self.sides[0] * self.sides[1]

    @property
    def pieces(self) -> int:
        rows, columns = self._cuts
        return self.shape[0] * (len(rows) - 1) * (len(columns) - 1)

    @property
    def piece_of(self) -> np.ndarray:
        """(neurons,) int64: the piece of each neuron, numbered channel by channel, row by row."""
        channels, height, width = self.shape
        rows, columns = self._cuts
        row, column = (
            np.searchsorted(cuts, np.arange(n), "right") - 1 for cuts, n in ((rows, height), (columns, width))
        )
        in_channel = row[:, None] * (len(columns) - 1) + column
        each = (len(rows) - 1) * (len(columns) - 1)
        return (np.arange(channels)[:, None, None] * each + in_channel).ravel()

    @property
    def sizes(self) -> np.ndarray:
        """(cells,): the neurons of each."""
        return self.joined(np.bincount(self.piece_of))

    @property
    def _cuts(self) -> tuple[list[int], list[int]]:
        rows, columns = (
            sorted({cut for pair in _bounds(n, cells) for cut in pair})
            for n, cells in zip(self.shape[1:], self.sides, strict=True)
        )
        return rows, columns

    def sums(self, x, xp):
        """x (..., neurons) -> (..., pieces), arrays of xp, numpy or torch."""
        image = x.reshape(*x.shape[:-1], *self.shape)
        rows, columns = (list(pairwise(cuts)) for cuts in self._cuts)
        found = [image[..., top:bottom, left:right].sum((-2, -1)) for top, bottom in rows for left, right in columns]
        return xp.stack(found, -1).reshape(*x.shape[:-1], -1)

    def joined(self, sums: np.ndarray) -> np.ndarray:
        """Sums of the pieces (..., pieces) -> sums of the cells (..., cells)."""
        rows, columns = (
            np.array([[start <= cut < stop for start, stop in _bounds(n, cells)] for cut in cuts[:-1]], np.int64)
            for n, cells, cuts in zip(self.shape[1:], self.sides, self._cuts, strict=True)
        )  # (pieces, cells) of each side
        parts = sums.reshape(*sums.shape[:-1], self.shape[0], len(rows), len(columns))
        return (rows.T @ parts @ columns).reshape(*sums.shape[:-1], -1)


def _bounds(n: int, cells: int) -> list[tuple[int, int]]:
    return [(i * n // cells, -(-(i + 1) * n // cells)) for i in range(cells)]

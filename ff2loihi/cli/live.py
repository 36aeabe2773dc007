"""What `learn --live` draws below its bar: accuracy over the run so far, and weights of the first layer as images."""

import math
from collections.abc import Iterator

import numpy as np
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.text import Text

from ff2loihi.data.jitter import Shape
from ff2loihi.learning.snapshots import averaged, over_inputs

COLUMNS, ROWS = 60, 4  # of the plot; a row has eight heights
EIGHTHS = " ▁▂▃▄▅▆▇█"
SIDE = 14  # pixels of a field at most: larger ones are averaged
MOST = 12  # fields
BLUE, ORANGE = np.array([0, 114, 178]), np.array([230, 159, 0])  # positive, negative; of Okabe and Ito


class Picture:
    """Of a run of `total` samples on images of that shape; rich draws it in whatever width there is."""

    def __init__(self, shape: Shape, total: int) -> None:
        self._shape, self._total = shape, total
        self._seen, self._right = np.zeros(COLUMNS), np.zeros(COLUMNS)  # samples of each column's share of the run
        self._done = 0  # samples of the run that were told
        self._epoch = (0, 0)  # samples that were seen and right of the epoch when it was last told
        self._fields = np.zeros((0, 0, 0))

    def score(self, done: int, seen: int, right: int) -> None:
        """Of `done` samples of the run the last `seen` are of this epoch, `right` of them classified rightly.

        Of a run that goes on, no more is known of the epochs before.
        """
        before = self._epoch if seen >= self._epoch[0] else (0, 0)
        begin = self._done or done - seen
        first, last = (COLUMNS * (each - 1) // self._total for each in (begin + 1, done))
        columns = slice(first, last + 1)  # of as many samples as are told at once
        self._seen[columns] += (seen - before[0]) / (last + 1 - first)
        self._right[columns] += (right - before[1]) / (last + 1 - first)
        self._done, self._epoch = done, (seen, right)

    def weights(self, first: np.ndarray) -> None:
        """The first layer's weights, (out, in): neurons evenly spread over it are drawn."""
        chosen = np.unique(np.linspace(0, len(first) - 1, MOST).astype(int))
        images = over_inputs(first[chosen, : math.prod(self._shape)], self._shape, in_a_row=False)
        size = math.ceil(max(self._shape[:2]) / SIDE)
        self._fields = averaged(images, size, size)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        if self._seen.any():
            yield from self._plot()
        if self._fields.size and console.color_system and not console.no_color:
            yield Text("the first layer's weights, blue above 0, orange below", overflow="ellipsis", no_wrap=True)
            yield from self._images(options.max_width)

    def _plot(self) -> Iterator[Text]:
        known = np.flatnonzero(self._seen)
        shares = np.divide(self._right, self._seen, out=np.zeros(COLUMNS), where=self._seen > 0)
        heights = np.maximum(1, np.round(8 * ROWS * shares)) * (self._seen > 0)
        for row in range(ROWS - 1, -1, -1):
            line = "".join(EIGHTHS[int(min(8, max(0, height - 8 * row)))] for height in heights)
            end = {ROWS - 1: "100 %", 0: "0 %"}.get(row, "")
            yield Text(f"{end:>5} {line}", overflow="crop", no_wrap=True)
        last = shares[known[-1]]
        yield Text(f"accuracy of the samples as they came, {last:.1%} at last", overflow="ellipsis", no_wrap=True)

    def _images(self, width: int) -> Iterator[Text]:
        """Two pixels a character, one above the other."""
        fields = self._fields[: max(1, (width + 1) // (self._fields.shape[2] + 1))]
        largest = np.abs(fields).max() or 1
        share = (fields / largest)[..., None]
        colours = (np.where(share > 0, share * BLUE, -share * ORANGE)).astype(int)
        for row in range(0, fields.shape[1], 2):
            line = Text(overflow="crop", no_wrap=True)
            for field in colours:
                below = field[row + 1] if row + 1 < len(field) else np.zeros_like(field[row])
                for upper, lower in zip(field[row], below, strict=True):
                    line.append("▀", Style(color=_colour(upper), bgcolor=_colour(lower)))
                line.append(" ")
            yield line


def _colour(rgb: np.ndarray) -> Color:
    return Color.from_triplet(ColorTriplet(*rgb.tolist()))

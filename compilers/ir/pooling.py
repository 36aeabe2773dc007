"""Max pooling: each window of a layer's neurons sends its largest activity to what is above."""

import math
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np

from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.limits import Int


@dataclass(frozen=True)
class MaxPool:
    """out[c, i, j] = the largest in[c, i stride + a, j stride + b], a and b below `size`.

    shape: (channels, height, width) of the neurons; those at the right and the bottom that fill no window are left
    out. What leaves is numbered as neurons are, channel by channel, row by row.
    """

    shape: tuple[Int, Int, Int]
    size: tuple[Int, Int]
    stride: Int

    @property
    def out_shape(self) -> tuple[int, int, int]:
        rows, columns = ((n - k) // self.stride + 1 for n, k in zip(self.shape[1:], self.size, strict=True))
        return self.shape[0], rows, columns

    @property
    def inputs(self) -> int:
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        return math.prod(self.out_shape)

    @property
    def windows(self) -> np.ndarray:
        """(outputs, neurons of a window) int64: which neurons each output sees."""
        image = np.arange(self.inputs).reshape(self.shape)
        return np.stack([part.ravel() for part in self._shifted(image)], axis=1)

    @property
    def kernels(self) -> Conv:
        """The convolution whose synapses carry the neurons of each window to its output: a kernel a channel."""
        return Conv(self.shape, self.shape[0], self.size, self.stride, 0, self.shape[0])

    def _shifted(self, image) -> list:
        """For each place in a window the neurons that are there, (..., *out_shape), of an image (..., *shape)."""
        _, rows, columns = self.out_shape
        return [
            image[..., a : a + (rows - 1) * self.stride + 1 : self.stride,
                  b : b + (columns - 1) * self.stride + 1 : self.stride]
            for a, b in product(*map(range, self.size))
        ]  # fmt: skip

    def largest(self, x, xp):
        """x (..., neurons) -> (..., outputs), arrays of xp, numpy or torch."""
        image = x.reshape(*x.shape[:-1], *self.shape)
        return reduce(xp.maximum, self._shifted(image)).reshape(*x.shape[:-1], -1)

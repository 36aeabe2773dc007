"""The geometry of a convolution, and its product as matrix products: exact wherever a matrix product is.

A library's own convolution may compute in the frequency domain or by Winograd's transform, and is then not exact.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ff2loihi.processes.limits import Int

CHUNK = 1 << 20  # elements of the patches that are formed at a time: what a core's cache holds


@dataclass(frozen=True)
class Conv:
    """out[o, i, j] = sum W[o, c, a, b] in[g(o) + c, i stride + a dilation - padding, ...], zeros outside.

    shape: (channels, height, width) below; channels: of this layer; groups: as in torch, output channels see
    shape[0] / groups of the channels below. Neurons are numbered channel by channel, row by row.
    """

    shape: tuple[Int, Int, Int]
    channels: Int
    kernel: tuple[Int, Int]
    stride: Int
    padding: Int
    groups: Int
    dilation: Int = 1

    @property
    def extent(self) -> tuple[int, int]:
        """(rows, columns) of the image that a kernel reaches over."""
        rows, columns = ((k - 1) * self.dilation + 1 for k in self.kernel)
        return rows, columns

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of this layer."""
        sides = zip(self.shape[1:], self.extent, strict=True)
        rows, columns = ((n + 2 * self.padding - k) // self.stride + 1 for n, k in sides)
        return self.channels, rows, columns

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(channels, channels below / groups, rows, columns) of the kernels."""
        return self.channels, self.shape[0] // self.groups, *self.kernel

    @property
    def inputs(self) -> int:
        return math.prod(self.shape)

    @property
    def neurons(self) -> int:
        return math.prod(self.out_shape)

    @cached_property
    def patches(self) -> np.ndarray:
        """(groups, taps, positions) int64: the input of each tap at each position; number `inputs` is the padding."""
        channels, height, width = self.shape
        rows, columns = (
            np.arange(k)[:, None] * self.dilation + np.arange(n)[None] * self.stride - self.padding
            for k, n in zip(self.kernel, self.out_shape[1:], strict=True)
        )  # (k, n) each
        rows, columns = rows[:, None, :, None], columns[None, :, None, :]  # (k, k, n, n)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        place = np.arange(channels)[:, None, None, None, None] * height * width + rows * width + columns
        place = np.where(inside, place, self.inputs)
        return place.reshape(self.groups, -1, self.out_shape[1] * self.out_shape[2])

    @property
    def synapses(self) -> int:
        """Connections, each position's own."""
        return int((self.patches < self.inputs).sum()) * (self.channels // self.groups)

    @property
    def fan_out(self) -> np.ndarray:
        """(inputs,) int64: the connections of each input, fewer at the borders."""
        found = np.bincount(self.patches.ravel(), minlength=self.inputs + 1)[: self.inputs]
        return found * (self.channels // self.groups)

    def grouped(self, weight: np.ndarray) -> np.ndarray:
        """The weights as `convolve` takes them: (groups, channels / groups, taps)."""
        return weight.reshape(self.groups, self.channels // self.groups, -1)

    def per_channel(self, values: np.ndarray) -> np.ndarray | None:
        """(channels,): values (neurons,) that are the same everywhere in a channel; None where they are not.

        Biases are, but those that an input's offset became, which is missing at zero padding.
        """
        found = values.reshape(self.channels, -1)
        return found[:, 0] if (found == found[:, :1]).all() else None

    def unrolled(self, weight: np.ndarray):
        """The scipy.sparse.csr_matrix (neurons, inputs) int32 that does the same, zeros left out."""
        from scipy.sparse import csr_matrix  # not for those who only read an artifact

        groups, taps, positions = self.patches.shape
        each = self.channels // groups
        values = np.broadcast_to(self.grouped(weight.astype(np.int32))[..., None], (groups, each, taps, positions))
        columns = np.broadcast_to(self.patches[:, None], values.shape)
        rows = np.broadcast_to(np.arange(self.neurons).reshape(groups, each, 1, positions), values.shape)
        kept = (columns < self.inputs) & (values != 0)
        return csr_matrix((values[kept], (rows[kept], columns[kept])), shape=(self.neurons, self.inputs))


def convolve(x, weights, patches, xp):
    """x (..., inputs) -> (..., neurons) by one matrix product a sample and group; weights as Conv.grouped has them.

    x, weights and patches are arrays of xp, numpy or torch, weights and x of one dtype.
    """
    flat = x.reshape(-1, x.shape[-1])
    step = max(1, CHUNK // math.prod(patches.shape))
    padded = xp.concatenate([flat, flat[:, :1] * 0], 1)
    parts = [xp.matmul(weights, padded[at : at + step][:, patches]) for at in range(0, len(flat), step)]
    return xp.concatenate(parts).reshape(*x.shape[:-1], -1)


def product(x: np.ndarray, weight: np.ndarray, conv: Conv | None) -> np.ndarray:
    """W x for x (..., inputs) in numpy, (..., neurons): dense, weight (neurons, inputs), or a convolution."""
    if conv is None:
        return x @ weight.T.astype(x.dtype)
    return convolve(x, conv.grouped(weight).astype(x.dtype), conv.patches, np)

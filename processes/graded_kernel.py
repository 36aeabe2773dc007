"""Graded layers in numba: the rows of the inputs that are not zero, the activation, and the sums of its powers.

Sums of inputs times weights are floats of 32 bits, in units of 2^shift: exact in any order, as every partial sum holds
less than 2^24 units of its last bit (compilers.inference.integer_forward decides that).
"""

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import IN_PLACE, in_place

ANY_ORDER = {"contract", "reassoc"}


@in_place
def list_nonzero(x, values, idx, found):
    """The places of x (n,) uint8 with a value that is not 0, in order, and those values; returns how many.

    values (256,): of each x, 0 of 0. idx, found (n + 1,). Eight zeros are passed over at once.
    """
    count, whole = 0, x.shape[0] // 8
    words = x[: 8 * whole].view(np.uint64)
    for word in range(whole):
        if words[word] != 0:
            for i in range(8 * word, 8 * word + 8):
                value = values[x[i]]
                idx[count] = i
                found[count] = value
                count += value != 0
    for i in range(8 * whole, x.shape[0]):
        value = values[x[i]]
        idx[count] = i
        found[count] = value
        count += value != 0
    return count


@njit(cache=True, nogil=True, fastmath=ANY_ORDER, **IN_PLACE)
def add_products(w, idx, x, n, out):
    """out += the rows idx[:n] of w, each times its x, eight rows at a time: out is passed once for them."""
    k = 0
    while k + 7 < n:
        w0, w1, w2, w3 = w[idx[k]], w[idx[k + 1]], w[idx[k + 2]], w[idx[k + 3]]
        w4, w5, w6, w7 = w[idx[k + 4]], w[idx[k + 5]], w[idx[k + 6]], w[idx[k + 7]]
        x0, x1, x2, x3, x4, x5, x6, x7 = x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4], x[k + 5], x[k + 6], x[k + 7]
        for j in range(out.shape[0]):
            half = w0[j] * x0 + w1[j] * x1 + w2[j] * x2 + w3[j] * x3
            out[j] += half + w4[j] * x4 + w5[j] * x5 + w6[j] * x6 + w7[j] * x7
        k += 8
    while k < n:
        row, value = w[idx[k]], x[k]
        for j in range(out.shape[0]):
            out[j] += row[j] * value
        k += 1


@in_place
def activate(a, more, top, h):
    """h (n,) uint8 = min(max(floor(a + more), 0), top); more (n,): the bias, and what the label adds."""
    zero = np.float32(0)
    for j in range(h.shape[0]):
        h[j] = np.uint8(np.int32(min(max(a[j] + more[j], zero), top)))


@njit(cache=True, nogil=True)
def image_layer(pixels, values, w, more, top, h):
    """The first layer: what an image adds is summed up once for all its labels.

    pixels (samples, inputs) uint8; values (256,) float32: the payload of each; w (inputs, n); more (labels, n);
    h (samples, labels, n) uint8.
    """
    idx, x = np.empty(w.shape[0] + 1, np.int32), np.empty(w.shape[0] + 1, np.float32)
    a = np.empty(w.shape[1], np.float32)
    for sample in range(h.shape[0]):
        count = list_nonzero(pixels[sample], values, idx, x)
        a[:] = np.float32(0)
        add_products(w, idx, x, count, a)
        for label in range(h.shape[1]):
            activate(a, more[label], top, h[sample, label])


@njit(cache=True, nogil=True)
def sparse_layer(payloads, w, more, top, h):
    """A layer above the first, by its inputs' rows: payloads (samples, labels, inputs) uint8; more (labels or 1, n)."""
    values = np.arange(256).astype(np.float32)
    idx, x = np.empty(w.shape[0] + 1, np.int32), np.empty(w.shape[0] + 1, np.float32)
    a = np.empty(w.shape[1], np.float32)
    for sample in range(h.shape[0]):
        for label in range(h.shape[1]):
            count = list_nonzero(payloads[sample, label], values, idx, x)
            a[:] = np.float32(0)
            add_products(w, idx, x, count, a)
            activate(a, more[label if more.shape[0] > 1 else 0], top, h[sample, label])


@in_place
def dense_layer(a, more, top, h):
    """The same of sums a (samples, labels, n) that a matrix product gave."""
    for sample in range(h.shape[0]):
        for label in range(h.shape[1]):
            activate(a[sample, label], more[label if more.shape[0] > 1 else 0], top, h[sample, label])


@njit(cache=True, nogil=True)
def byte_layer(a, offset, unit, more, top, h):
    """The same of sums 2 a + offset, in `unit`: a (samples, labels, n) int32, offset (n,) int32, unit float32."""
    scaled = np.empty(a.shape[2], np.float32)
    for sample in range(h.shape[0]):
        for label in range(h.shape[1]):
            row = a[sample, label]
            for j in range(row.shape[0]):
                scaled[j] = np.float32(np.int32(np.int32(2 * row[j]) + offset[j])) * unit
            activate(scaled, more[label if more.shape[0] > 1 else 0], top, h[sample, label])


@in_place
def power_sums(h, inside, sums, active):
    """Of activities h (samples, labels, n): how many are not 0, and the sums of h and of h^2 over two parts.

    inside (n,), of h's type: all bits set in neurons of the first part, none in those of the second; sums
    (samples, labels, 2, 2) int64: power, part; active (samples, labels) int64. A sum holds less than 2^31.
    """
    for sample in range(h.shape[0]):
        for label in range(h.shape[1]):
            row = h[sample, label]
            count = plain = squares = first = first_squares = np.int32(0)
            for j in range(row.shape[0]):
                x, y = np.int32(row[j]), np.int32(row[j] & inside[j])
                count = np.int32(count + np.int32(x > 0))
                plain, squares = np.int32(plain + x), np.int32(squares + np.int32(x * x))
                first, first_squares = np.int32(first + y), np.int32(first_squares + np.int32(y * y))
            active[sample, label] = count
            sums[sample, label, 0, 0], sums[sample, label, 0, 1] = first, plain - first
            sums[sample, label, 1, 0], sums[sample, label, 1, 1] = first_squares, squares - first_squares

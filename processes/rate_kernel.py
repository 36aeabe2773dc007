"""Spikes as events, in numba: the code of the inputs' rates, and what the rows of the inputs that spike add up to."""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning_kernels import add_rows, list_inputs
from ff2loihi.processes.learning_rule import RATE_ONE

INVERSES = np.array([0, *(-(-(1 << 32) // rate) for rate in range(1, RATE_ONE + 1))])  # 2^32 / rate, rounded up


class Events(NamedTuple):
    """idx[step, :counts[step]] are the inputs that spike in a step, in order.

    idx (steps, inputs) int32, counts (steps,) int32; of several labels with an axis in front.
    """

    idx: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, steps: int, inputs: int, *labels: int) -> "Events":
        """No spike yet."""
        return cls(np.zeros((*labels, steps, inputs), np.int32), np.zeros((*labels, steps), np.int32))


@in_place
def encode(q, phases, full, events):
    """The spikes of inputs at rate q / full, whose accumulators start at phases 0..full - 1.

    The k-th spike comes in the first step s (from 1) with phase + q s >= k full; q is at most full, which is at most
    RATE_ONE: a quotient is the upper half of a product, exact as long as dividend times divisor is below 2^32.
    """
    counts = events.counts
    counts[:] = 0
    for i in range(q.shape[0]):
        rate = q[i]
        if rate == 0:
            continue
        inverse, missing = INVERSES[rate], full - phases[i] + rate - 1
        step = (missing * inverse >> 32) - 1
        while step < counts.shape[0]:
            events.idx[step, counts[step]] = i
            counts[step] += 1
            missing += full
            step = (missing * inverse >> 32) - 1


@njit(cache=True, nogil=True)
def rate_drive(q, phases, full, w, scale, out):
    """What images at rates q / full drive in a layer, scale times the rows of w (inputs, n) int16 that spike.

    q (samples, inputs) int32, phases (inputs,) int32: see encode; out (steps, samples, n), of floats that are exact.
    """
    steps, samples, n = out.shape
    events = Events(np.empty((steps, q.shape[1]), np.int32), np.empty(steps, np.int32))
    a = np.empty(n, np.int32)
    for sample in range(samples):
        encode(q[sample], phases, full, events)
        for step in range(steps):
            a[:] = 0
            add_rows(w, events.idx[step], events.counts[step], a)
            row = out[step, sample]
            for j in range(n):
                row[j] = a[j] * scale


@njit(cache=True, nogil=True)
def spike_drive(spikes, w, scale, out):
    """The same of spikes (rows, inputs) 0 or 1 of any type: out (rows, n)."""
    idx, a = np.empty(w.shape[0], np.int32), np.empty(w.shape[1], np.int32)
    for index in range(spikes.shape[0]):
        count = list_inputs(spikes[index], idx)
        a[:] = 0
        add_rows(w, idx, count, a)
        row = out[index]
        for j in range(row.shape[0]):
            row[j] = a[j] * scale

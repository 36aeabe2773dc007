"""Spikes as events, in numba: idx[step, :counts[step]] are the inputs that spike in a step, in order."""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.learning_kernels import add_rows
from ff2loihi.processes.learning_rule import RATE_ONE

INVERSES = np.array([0, *(-(-(1 << 32) // rate) for rate in range(1, RATE_ONE + 1))])  # 2^32 / rate, rounded up


class Events(NamedTuple):
    """idx (steps, inputs) int32, counts (steps,) int32; of several labels with an axis in front."""

    idx: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, steps: int, inputs: int, *labels: int) -> "Events":
        """No spike yet."""
        return cls(np.zeros((*labels, steps, inputs), np.int32), np.zeros((*labels, steps), np.int32))


@njit(cache=True, nogil=True)
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
def list_spikes(spikes, events):
    """Spikes (steps, n) int32 0/1 as events."""
    for step in range(spikes.shape[0]):
        count, found, z = 0, events.idx[step], spikes[step]
        for j in range(z.shape[0]):
            found[count] = j
            count += z[j]
        events.counts[step] = count


@njit(cache=True, nogil=True)
def mark(spikes, fired):
    """fired (n,) int32 becomes other than 0 where one of spikes (steps, n) is."""
    for step in range(spikes.shape[0]):
        z = spikes[step]
        for j in range(z.shape[0]):
            fired[j] |= z[j]


@njit(cache=True, nogil=True)
def copy_spikes(spikes, first, events):
    """Spikes (steps, inputs) bool as they are; first: the index of their first input."""
    events.counts[:] = 0
    for step in range(spikes.shape[0]):
        for i in range(spikes.shape[1]):
            if spikes[step, i]:
                events.idx[step, events.counts[step]] = first + i
                events.counts[step] += 1


@njit(cache=True, nogil=True)
def merge(events, more, out):
    """The events of two groups of inputs in one list."""
    for step in range(events.counts.shape[0]):
        n, m = events.counts[step], more.counts[step]
        out.idx[step, :n] = events.idx[step, :n]
        out.idx[step, n : n + m] = more.idx[step, :m]
        out.counts[step] = n + m


@njit(cache=True, nogil=True)
def drives(w, events, steps, out):
    """out[:steps] (steps, n) int32: the sum of the rows that spike in each of the first steps."""
    for step in range(steps):
        out[step] = 0
        add_rows(w, events.idx[step], events.counts[step], out[step])

"""Spikes as events, in numba: idx[step, :counts[step]] are the inputs that spike in a step, in order."""

from typing import NamedTuple

import numpy as np
from numba import njit

from ff2loihi.processes.learning_kernels import add_rows


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

    The k-th spike comes in the first step s (from 1) with phase + q s >= k full; q is at most full.
    """
    events.counts[:] = 0
    for i in range(q.shape[0]):
        rate = np.int32(q[i])
        if rate == 0:
            continue
        missing = np.int32(full - phases[i] + rate - 1)
        step = np.int32(missing // rate) - 1
        while step < events.counts.shape[0]:
            events.idx[step, events.counts[step]] = i
            events.counts[step] += 1
            missing += np.int32(full)
            step = np.int32(missing // rate) - 1


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

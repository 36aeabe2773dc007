"""The LIF of inference in numba: fixed_point.integrate and the reset, all steps of a neuron in one pass."""

import numpy as np
from numba import njit

from ff2loihi.processes.limits import ALIGN, DECAY_ONE, V_LIMIT

UNIT, ONE, TOP = float(1 << ALIGN), float(DECAY_ONE), float(V_LIMIT)


@njit(cache=True, nogil=True)
def integrate(drive, labels, bias, constants, soft, counts, trains, states):
    """Integrate every step: v += (floor(a) << 6) + bias, a spike where v > threshold, then the reset.

    drive (steps, samples, 1 or passes, n): a, of which labels (steps, passes, n), or (1, 1, n) of zeros, is the
    labels' part; bias (n,); constants: v0, threshold, 2^6, the limit of v, 1. All are floats of one type that hold
    integers. soft: v -= threshold at a spike, else v = 0. counts (samples, passes, n) become the spikes of a sample;
    trains (steps, samples, passes, n) those of each step, states (3, samples, passes, steps, n) a, v and the counts so
    far; either may be empty, and is then left out.
    """
    start, threshold, unit, top, one = constants
    steps, shared = drive.shape[0], drive.shape[2] == 1
    keep, record = trains.shape[0] > 0, states.shape[0] > 0
    v = np.empty_like(bias)
    spikes = np.empty_like(bias)
    for sample in range(counts.shape[0]):
        for label in range(counts.shape[1]):
            v[:] = start
            count = counts[sample, label]
            count[:] = 0
            for step in range(steps):
                a = drive[step, sample, 0 if shared else label]
                more = labels[step if labels.shape[0] > 1 else 0, label if labels.shape[1] > 1 else 0]
                for j in range(v.shape[0]):
                    x = min(top, max(-top, v[j] + np.floor(a[j] + more[j]) * unit + bias[j]))
                    fired = x > threshold
                    spikes[j] = one if fired else one - one
                    v[j] = ((x - threshold) if soft else one - one) if fired else x
                    count[j] += spikes[j]
                if keep:
                    trains[step, sample, label] = spikes
                if record:
                    states[0, sample, label, step] = np.floor(a + more)
                    states[1, sample, label, step] = v
                    states[2, sample, label, step] = count


@njit(cache=True, nogil=True)
def integrate_leaky(drive, labels, bias, decays, threshold, counts, trains, states):
    """As integrate with a hard reset, of neurons that forget: u' = u (1 - decays[0] / 4096) + (a << 6), the product
    rounded toward 0, and v' = v (1 - decays[1] / 4096) + u' + bias.

    All floats are of 64 bits, which hold the products. states (4, ...): a, u, v and the counts so far.
    """
    steps, shared = drive.shape[0], drive.shape[2] == 1
    keep, record = trains.shape[0] > 0, states.shape[0] > 0
    u, v, spikes = np.empty_like(bias), np.empty_like(bias), np.empty_like(bias)
    for sample in range(counts.shape[0]):
        for label in range(counts.shape[1]):
            u[:] = 0.0
            v[:] = 0.0
            count = counts[sample, label]
            count[:] = 0.0
            for step in range(steps):
                a = drive[step, sample, 0 if shared else label]
                more = labels[step if labels.shape[0] > 1 else 0, label if labels.shape[1] > 1 else 0]
                for j in range(v.shape[0]):
                    u[j] = np.trunc(u[j] * (ONE - decays[0]) / ONE) + np.floor(a[j] + more[j]) * UNIT
                    x = min(TOP, max(-TOP, np.trunc(v[j] * (ONE - decays[1]) / ONE) + u[j] + bias[j]))
                    fired = x > threshold
                    spikes[j] = 1.0 if fired else 0.0
                    v[j] = 0.0 if fired else x
                    count[j] += spikes[j]
                if keep:
                    trains[step, sample, label] = spikes
                if record:
                    states[0, sample, label, step] = np.floor(a + more)
                    states[1, sample, label, step] = u
                    states[2, sample, label, step] = v
                    states[3, sample, label, step] = count

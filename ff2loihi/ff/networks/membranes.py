"""A layer of LIF neurons over all steps of a presentation, in float, and its surrogate gradient, in numba."""

import numpy as np
from numba import njit

NO, ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True)
def forward(drive, decay, threshold, keep, before, trace):
    """v' = decay v + a, z = v' > threshold, v = 0 where z; before: each step's v'; trace: sum_t keep^(steps - 1 - t) z.

    drive, before (steps, samples, n), trace (samples, n), of zeros; float32.
    """
    v = np.zeros(drive.shape[2], np.float32)
    for sample in range(drive.shape[1]):
        r = trace[sample]
        v[:] = NO
        for step in range(drive.shape[0]):
            a, now = drive[step, sample], before[step, sample]
            for j in range(v.shape[0]):
                x = decay * v[j] + a[j]
                fired = x > threshold
                now[j] = x
                v[j] = NO if fired else x
                r[j] = keep * r[j] + (ONE if fired else NO)


@njit(cache=True, nogil=True)
def backward(before, of_trace, of_spikes, slope, decay, threshold, keep, of_drive):
    """The gradient of_drive (steps, samples, n), from that of the trace (samples, n) and, where there is one, of z.

    dz/dv' = 1 / (1 + slope |v' / threshold - 1|)^2 / threshold; what a reset takes is a constant. of_spikes: of no
    steps where nothing reads z.
    """
    later, unit, read = np.zeros(before.shape[2], np.float32), ONE / threshold, of_spikes.shape[0] > 0
    for sample in range(before.shape[1]):
        wanted, kept = of_trace[sample], ONE
        later[:] = NO
        for step in range(before.shape[0] - 1, -1, -1):
            g, v = of_drive[step, sample], before[step, sample]
            if read:
                g[:] = of_spikes[step, sample]
            else:
                g[:] = NO
            for j in range(g.shape[0]):
                x = ONE + slope * abs(v[j] * unit - ONE)
                found = (g[j] + kept * wanted[j]) * unit / (x * x) + (NO if v[j] > threshold else later[j])
                g[j] = found
                later[j] = decay * found
            kept = kept * keep

"""The usual filter of a sensor's background activity (Delbruck 2008): what no neighbour supports is noise."""

import numpy as np
from numba import njit

from ff2loihi.compilers.ir.events import Sensor
from ff2loihi.data.events.recordings import Recording


def denoised(found: Recording, sensor: Sensor, within: float) -> Recording:
    """The events with another one, of any polarity, at most `within` before them, at their pixel or one of the eight
    around it; what is dropped supports later ones, too. Of events at the same time those in earlier rows are before."""
    height, width, _ = sensor
    latest = np.zeros((height + 2, width + 2), np.int64)  # a border without events; memory only where a pixel has some
    t, x, y = found.t.astype(np.float64), found.x.astype(np.int64), found.y.astype(np.int64)
    kept = _supported(t, x, y, within, latest)
    return Recording(*(values[kept] for values in found))


@njit(cache=True, nogil=True)
def _supported(t, x, y, within, latest):
    """(events,) bool. latest: 1 + the number of each pixel's last event, 0: none."""
    kept = np.zeros(len(t), np.bool_)
    for k in range(len(t)):
        for i in range(y[k], y[k] + 3):
            for j in range(x[k], x[k] + 3):
                if latest[i, j] and t[k] - t[latest[i, j] - 1] <= within:
                    kept[k] = True
        latest[y[k] + 1, x[k] + 1] = k + 1
    return kept

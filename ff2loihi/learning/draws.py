"""What a controller draws for a block of samples, in numba: numpy's draws in numpy's order, see processes.pcg64."""

from numba import njit

from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.pcg64 import below, uniform


@njit(cache=True, nogil=True)
def draw(stream, labels, seen, single, classes, hard, mixed, hard_share, jitter, by, phases, wrong):
    """How far each sample's image is moved, where its accumulators start, its wrong label, or -1 for the best one.

    labels (samples,), of which the first is an epoch's sample number `seen`; single: every other sample is shown with
    its true label alone; hard: the best wrong labels, mixed: those with share hard_share, else random ones. Filled are
    by (samples, 2), phases (samples, pixels) and wrong (samples,).
    """
    for k in range(labels.shape[0]):
        for axis in range(2):
            by[k, axis] = below(stream, 2 * jitter + 1) - jitter
        for pixel in range(phases.shape[1]):
            phases[k, pixel] = below(stream, RATE_ONE)
        wrong[k] = -1
        if single and (seen + k) % 2 == 0:
            continue
        if not hard and not (mixed and uniform(stream) < hard_share):
            wrong[k] = (labels[k] + 1 + below(stream, classes - 1)) % classes

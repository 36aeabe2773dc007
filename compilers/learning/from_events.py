"""An untrained network that takes events: label rate, thresholds and learning rate as calibration sets them.

Images of one code drive every network alike; events are many or few, at all times or some.
"""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.from_trained import responses
from ff2loihi.compilers.learning.readout import label_spikes, sample_spikes
from ff2loihi.processes import limits
from ff2loihi.processes.learning_rule import RATE_ONE, ThirdFactor

SAMPLES = 100  # calibration samples that are presented, each with its own label
SHARE = 3.0  # of a label in a neuron's drive, beside a sample's events; half of it cost MNIST in saccades 5 points
THRESHOLDS = tuple(int(2 ** (k / 2)) for k in range(8, 33))  # mantissas that are tried
REACH = 14_000  # sum over inputs of spikes, times those that learn, at which the rule's own rate is kept


def fitted(
    net: LearningNetwork[ThirdFactor], q: np.ndarray, labels: np.ndarray, keep_rate: bool
) -> LearningNetwork[ThirdFactor]:
    """`net` with a rate of its label inputs, a threshold for each layer, and its learning rate unless it is to be kept.

    With n_i the spikes of input i in a presentation, m_i those in its window: the label inputs' root of sum n_i^2 is
    SHARE times the events'. vth: where the goodness of samples under their own labels comes nearest to what balance
    will hold. The learning rate falls as REACH / sum n_i m_i, what an update changes of a sample's own drive: by the
    exponent, and beyond its range by the third factor's gain. q (samples, row) uint8, labels (samples,). Raises
    CompileError where nothing fires.
    """
    q, labels = q[:SAMPLES], labels[:SAMPLES]
    own = sample_spikes(net, q, np.zeros((len(q), 0), np.int64))
    net = replace(net, label_codes=_label_codes(net, own))
    spikes = np.concatenate([own, label_spikes(net)[:, labels]], axis=2).astype(np.float32)
    layers, below = [], spikes
    for layer in net.layers:
        drive = below @ layer.weight.T.astype(np.float32)
        found = [replace(layer, neuron=replace(layer.neuron, vth=vth)) for vth in THRESHOLDS]
        goodness = np.array([(responses(drive, one)[0] ** 2).sum(1).mean() for one in found])
        if not goodness.any():
            raise CompileError(
                f"{layer.name}: no neuron fires for the calibration events. Use more neurons, or other events"
            )
        best = np.abs(np.log(np.maximum(goodness, 1e-9) / layer.factor.target)).argmin()
        layers.append(found[best])
        below = responses(drive, found[best])[1].astype(np.float32)
    net = replace(net, layers=tuple(layers))
    if keep_rate:
        return net
    reach = float((spikes.sum(0) * spikes[-net.window :].sum(0)).sum(1).mean())
    fall = max(0, round(np.log2(reach / REACH)))
    exponent = min(limits.RATE_EXPONENT_MAX, net.update.exponent + fall)
    rest = net.update.exponent + fall - exponent
    factors = [replace(layer.factor, gain=max(1, layer.factor.gain >> rest)) for layer in net.layers]
    layers = tuple(replace(layer, factor=factor) for layer, factor in zip(net.layers, factors, strict=True))
    return replace(net, layers=layers, update=replace(net.update, exponent=exponent))


def _label_codes(net: LearningNetwork, own: np.ndarray) -> np.ndarray:
    """The codes at the rate that gives labels their SHARE beside spikes own (steps, samples, pixels)."""
    events = float(np.sqrt((own.sum(0, np.int64) ** 2).sum(1).mean()))
    each = float(np.count_nonzero(net.label_codes, axis=1).mean())
    rate = round(RATE_ONE * SHARE * events / (np.sqrt(each) * net.steps))
    return np.where(net.label_codes > 0, min(RATE_ONE, max(1, rate)), 0).astype(np.int32)

"""A net trained as it spikes becomes a LearningNetwork: its own neuron, trace, steps and rates, in integers.

v' = decay v + W s, spike where v' > threshold: the spikes stay the same where W and threshold are scaled alike, so
each layer's W and threshold meet the 8-bit grid together, whatever unit they were trained in.
"""

from dataclasses import replace

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import Layer, LearningNetwork
from ff2loihi.compilers.ir.options import LIF
from ff2loihi.compilers.learning.from_trained import (
    IMAGES,
    grid_scale,
    input_drive,
    measured_factor,
    responses,
)
from ff2loihi.processes import limits
from ff2loihi.processes.learning_rule import RATE_ONE, Neuron, OutputTrace, ThirdFactor


def input_factor(neuron: LIF) -> int:
    """Spikes in 256 steps of a white pixel."""
    return round(RATE_ONE * neuron.rate)


def output_trace(neuron: LIF) -> OutputTrace:
    """The net's trace in integers; li: the largest impulse with which a spike in every step stays within 127."""
    if neuron.trace == "relu":
        return OutputTrace("relu", impulse=1, keep=256, top=limits.POST_TRACE_MAX)
    top = limits.POST_TRACE_MAX
    impulse = int(top / (neuron.trace_decay ** np.arange(neuron.steps)).sum())
    return OutputTrace(neuron.trace, impulse=impulse, keep=trace_keep(neuron), top=top)


def trace_keep(neuron: LIF) -> int:
    """What a trace keeps in a step, in 256ths."""
    return round(256 * neuron.trace_decay)


def _held(trace: OutputTrace, spikes: np.ndarray) -> OutputTrace:
    """The trace with the largest impulse with which the trace of these spikes, (steps, ...) bool, stays within 127.

    Each step drops what is below 1, half of one on average: with an impulse for a spike in every step, where a sample
    makes few, Yin-Yang loses 15 points.
    """
    r, peak = np.zeros(spikes.shape[1:], np.float32), 1.0
    for z in spikes:
        r = r * np.float32(trace.keep / 256) + z
        peak = max(peak, float(r.max()))
    return replace(trace, impulse=int(trace.top / peak))


def integer_neuron(neuron: LIF, layer: Layer, labels: int = 0) -> Neuron:
    """The leak, and the threshold on the weights' grid, see grid_scale. Raises CompileError where it is beyond vth."""
    vth = max(1, round(neuron.threshold * grid_scale(layer, labels)))
    if vth > limits.VTH_MAX:
        raise CompileError(
            f"{layer.name}: threshold {neuron.threshold:g} is {vth:,} where its largest weights are "
            f"{limits.WEIGHT_MAX}, {limits.VTH_MAX:,} is possible. neuron.threshold must be in the unit of the weights"
        )
    return Neuron(vth, leak(neuron))


def leak(neuron: LIF) -> int:
    """dv, in 4096ths a step."""
    return round(limits.DECAY_ONE * (1 - neuron.decay))


def with_measured_factors(
    net: LearningNetwork[ThirdFactor], pixels: np.ndarray, labels: np.ndarray
) -> LearningNetwork[ThirdFactor]:
    """`net` with traces and third factors that fit its spikes of training images. Raises CompileError where nothing
    fires.

    pixels (samples, pixels) uint8, labels (samples,).
    """
    pixels, labels = pixels[:IMAGES], labels[:IMAGES]
    drive, layers = input_drive(net, net.layers[0].weight, pixels), []
    for index, layer in enumerate(net.layers):
        if layer.trace.kind == "li":
            layer = replace(layer, trace=_held(layer.trace, responses(drive, layer)[1]))
        r, spikes = responses(drive, layer)
        own = r[np.arange(len(labels)), labels]
        layers.append(replace(layer, factor=measured_factor(own, layer.factor.probability, layer.factor.table)))
        if index + 1 < len(net.layers):
            drive = spikes.astype(np.float32) @ net.layers[index + 1].weight.T.astype(np.float32)
    return replace(net, layers=tuple(layers))

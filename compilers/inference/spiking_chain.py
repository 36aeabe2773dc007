"""A chain of layers that was trained on spikes, in the chip's integers: weights and thresholds of a scale each."""

from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import Binning, IntLayer, IntNetwork, Leak
from ff2loihi.compilers.ir.counting import SpikingLayer, counting_network
from ff2loihi.processes.limits import (
    ACCUMULATOR_BITS,
    ALIGN,
    BIAS_EXP_MAX,
    BIAS_MANT_MAX,
    DECAY_ONE,
    DENDRITE_BITS,
    DU_NO_MEMORY,
    V_LIMIT,
    VTH_MAX,
    WEIGHT_BITS,
    WEIGHT_MAX,
)


def integers(chain: tuple[SpikingLayer, ...], events: Binning) -> IntNetwork:
    """The network that counts the last layer's spikes of events.

    A layer's weights are w = 2 round(W vth 2^shift / 2), its threshold vth: the largest with which no weight is beyond
    254, at the least shift with which the sums, and what a current keeps of them, fit. A current forgets at least
    1/4096 of itself in a step. Raises CompileError.
    """
    first, *above = chain
    layers = tuple(_layer(layer, events.presented) for layer in (_channels_last(first, events), *above))
    network = counting_network(layers, "hard", events.presented, layers[-1].neurons, events=events)
    arithmetic_rules.check(network)
    return network


def _channels_last(layer: SpikingLayer, events: Binning) -> SpikingLayer:
    """The layer whose inputs are numbered as ours, channels last; a graph's stand in torch's order, channels first."""
    height, width, channels = events.shape
    order = np.arange(events.inputs).reshape(channels, height, width).transpose(1, 2, 0).ravel()
    return layer._replace(weight=layer.weight[:, order])


def _layer(layer: SpikingLayer, steps: int) -> IntLayer:
    largest, n = float(np.abs(layer.weight).max()), len(layer.weight)
    if not largest:
        raise CompileError(f"{layer.name}: its weights are all 0")
    leak = Leak(max(1, round(DECAY_ONE * (1 - layer.current))) - 1, round(DECAY_ONE * (1 - layer.decay)))
    for shift, vth in _scales(largest):
        weight = 2 * np.rint(layer.weight * (vth * 2.0**shift) / 2).astype(np.int64)
        if _fits(weight, shift, leak, steps):
            break
    else:
        raise CompileError(
            f"{layer.name}: {layer.weight.shape[1]:,} inputs of up to {largest:.2g} thresholds each: their sums are "
            "beyond the chip's at any scale. Train with smaller weights, or fewer inputs"
        )
    if not weight.any():
        raise CompileError(
            f"{layer.name}: its weights are at most {largest:.2g} thresholds, the smallest that the chip holds is "
            f"{1 / VTH_MAX:.1g}. Train with larger ones"
        )
    bias = layer.bias * (vth << ALIGN)  # v LSB
    exponent = next((e for e in range(BIAS_EXP_MAX) if np.abs(bias).max() < BIAS_MANT_MAX << e), BIAS_EXP_MAX)
    if np.abs(bias).max() > BIAS_MANT_MAX << exponent:
        raise CompileError(
            f"{layer.name}: biases up to {np.abs(layer.bias).max():.3g} thresholds, beside such weights at most "
            f"{(BIAS_MANT_MAX << exponent) / (vth << ALIGN):.3g} is possible. Train with smaller ones"
        )
    return IntLayer(
        layer.name, weight.astype(np.int16), WEIGHT_BITS,
        (np.rint(bias / (1 << exponent)).astype(np.int64) << exponent).astype(np.int32), exponent, shift,
        top=1, vth=vth, v0=0, positive=np.ones(n, bool), scale=1.0, conv=None,
        leak=None if leak == Leak(DU_NO_MEMORY, 0) else leak,
    )  # fmt: skip


def _scales(largest: float) -> Iterator[tuple[int, int]]:
    """(shift, vth), the finest first; largest: magnitude of a weight in thresholds."""
    for shift in range(ACCUMULATOR_BITS):
        vth = int(min(VTH_MAX, WEIGHT_MAX / (largest * 2**shift)))
        if vth:
            yield shift, vth


def _fits(weight: np.ndarray, shift: int, leak: Leak, steps: int) -> bool:
    """Whether the sums of any spikes fit the dendrite, and a current of them its bits: as in arithmetic_rules."""
    reach = (max(int(np.maximum(weight, 0).sum(1).max()), int(np.maximum(-weight, 0).sum(1).max())) >> shift) + 1
    return reach < 1 << (DENDRITE_BITS - 1) and arithmetic_rules.current_reach(reach, leak, steps) <= V_LIMIT

"""The learning rule of library neurons alone: its constants for a layer, and whether they fit."""

from collections.abc import Iterator
from typing import Literal

from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.processes import limits
from ff2loihi.processes.library_rule import (
    CLEAR,
    GROUPS,
    SLOTS,
    THERMOMETER_TOP,
    GateFactor,
    potentiates,
)

STEPS, WINDOW = 31, 8  # logical steps of a presentation, as many as 128 time steps hold, and its last ones that learn
LEAK = 163  # of 4096 a time step; four of them are the paper's 0.85 a logical step
UNITS = 8  # of a thermometer
UNIT, BALANCE = 8, 4  # the weight of G+ - G-, and of the balance G - GT, in a thermometer's sum
RAMP = 1.2  # of GT: where |G+ - G-| reaches it, all units of a thermometer spike, or none
TARGET = 2900  # of the goodness, or TARGET_A_NEURON times the neurons where that is more
TARGET_A_NEURON = 9
GAIN = 1  # of a thermometer unit's spike on its gates
LIF_DECAY_MAX = 4095  # 12 bits
GATE = 22  # sums of spikes times units that a gate gathers before it spikes


def gate_factor(probability: Literal["symmetric", "sigmoid"], neurons: int, steps: int) -> GateFactor:
    """The constants of a layer of that width, as tuned on MNIST's validation images (examples/RESULTS.md).

    S = -(G+ - G-) - balance (G - GT) for + neurons of a positive presentation, and so on by sign: see `_group`. With
    the sigmoid G - GT stands for G+ - G-.
    """
    target = max(TARGET, TARGET_A_NEURON * neurons)
    largest = (neurons + 1) // 2 * steps**2 * (UNIT + BALANCE)
    if probability == "sigmoid":
        target, largest = 2 * target, neurons * steps**2 * (UNIT + BALANCE)
    shift = max(0, (largest // (THERMOMETER_TOP + 1)).bit_length())
    groups = [_group(probability, group, target) for group in range(GROUPS)]
    ramp = [RAMP * target * (2 * k + 1 - UNITS) / UNITS for k in range(UNITS)]
    return GateFactor(
        probability=probability,
        target=target,
        weights=tuple(weights for weights, _ in groups),
        shift=shift,
        thresholds=tuple(tuple(round((UNIT * x + offset) / 2**shift) for x in ramp) for _, offset in groups),
        gain=GAIN,
        vth=GATE,
    )


def _group(probability: str, group: int, target: int) -> tuple[tuple[int, int], int]:
    """((plus, minus), offset): S = plus G+ + minus G-, to be compared with offset and the ramp."""
    sign = -1 if group < 2 else 1  # of the difference: a positive presentation learns the more, the smaller it is
    balance = -BALANCE if potentiates(probability, group) else BALANCE
    if probability == "sigmoid":
        weight = sign * UNIT + balance
        return (weight, weight), weight * target
    return (sign * UNIT + balance, -sign * UNIT + balance), balance * target


def factor_fits(net: LearningNetwork, layer: LearningLayer[GateFactor]) -> Iterator[str]:
    factor, top = layer.factor, net.steps**2
    plus = int(layer.positive.sum())
    if not 0 <= factor.shift < limits.ACCUMULATOR_BITS:
        yield f"a thermometer's sum is shifted by {factor.shift}, 0..{limits.ACCUMULATOR_BITS - 1} are possible"
        return
    if factor.target < 1:
        yield f"the goodness that balance holds is {factor.target}, at least 1 is possible"
    for pair, units in zip(factor.weights, factor.thresholds, strict=True):
        if any(weight % 2 or not limits.WEIGHT_MIN <= weight <= limits.WEIGHT_MAX for weight in pair):
            yield f"thermometer weights {pair} must be even and in {limits.WEIGHT_MIN}..{limits.WEIGHT_MAX}"
        sums = [0, pair[0] * plus * top, pair[1] * (len(layer.positive) - plus) * top]
        reach = max(sum(x for x in sums if x > 0), -sum(x for x in sums if x < 0)) >> factor.shift
        if reach > THERMOMETER_TOP:
            yield f"a thermometer's sum reaches {reach:,}, {THERMOMETER_TOP:,} fit. Use a narrower layer"
        if any(abs(threshold) > limits.BIAS_MANT_MAX for threshold in units):
            yield f"thermometer thresholds {min(units)}..{max(units)}, +-{limits.BIAS_MANT_MAX:,} fit a bias"


def trace_counts(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    if (layer.trace.kind, layer.trace.impulse, layer.trace.keep) != ("relu", 1, 256):
        yield f"output trace {layer.trace.kind}: library neurons count spikes, relu"


def gate_fits(net: LearningNetwork, layer: LearningLayer[GateFactor]) -> Iterator[str]:
    factor, dendrite = layer.factor, (1 << (limits.DENDRITE_BITS - 1)) - 1
    most = net.steps * factor.gain * max(len(units) for units in factor.thresholds)
    if not 1 <= factor.gain <= 255:
        yield f"a thermometer's weight on its gates is {factor.gain}, 1..255 are possible"
    if most > dendrite:
        yield f"a gate gathers up to {most:,} a step, {dendrite:,} fit. Use fewer steps"
    if layer.neuron.dv > LIF_DECAY_MAX:
        yield f"decay {layer.neuron.dv}, Lava's LIF holds 0..{LIF_DECAY_MAX:,}"
    if not 1 <= factor.vth <= limits.VTH_MAX:
        yield f"gate threshold {factor.vth:,}, the mantissa holds 1..{limits.VTH_MAX:,}"


def schedule_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    if net.steps >= CLEAR:
        yield f"{net.steps} steps, a counter is cleared of up to {CLEAR - 1} spikes"
    if not 1 <= net.window < net.steps:
        yield f"window {net.window} of {net.steps} steps: 1..{net.steps - 1} are possible"
    if not 0 <= net.update.exponent <= limits.RATE_EXPONENT_MAX:
        yield (
            f"learning rate 2^-{net.update.exponent}: a gate spikes once a step at most, and the last of a window in "
            f"any case. Use --rate-exponent 0..{limits.RATE_EXPONENT_MAX}"
        )


def describe(net: LearningNetwork, layer: LearningLayer[GateFactor]) -> list[tuple[str, str, str]]:
    """(quantity, the paper's equation, what library neurons do), for `ff2loihi inspect`."""
    factor, units = layer.factor, len(layer.factor.thresholds[0])
    names = ("+ positive", "- positive", "+ negative", "- negative")
    slots = ["A1 (grows)" if potentiates(factor.probability, group) else "A2 (falls)" for group in range(GROUPS)]
    rows = [
        (f"thermometer {name}", "1 - P, P (eq. 5, 6)",
         f"{units} LIFReset: ({plus} G+ + {minus} G-) >> {factor.shift} > {values[0]}..{values[-1]}; forces in {slot}")
        for name, (plus, minus), values, slot in zip(names, factor.weights, factor.thresholds, slots, strict=True)
    ]  # fmt: skip
    return [
        ("output trace", "r' = r + z (eq. 13)", "GradedReluVec with an identity on itself: r' = max(0, r + z)"),
        *rows,
        (
            "gate",
            "M r",
            f"ProdNeuron {factor.gain} r m, LIF of dv = 0: a spike over {factor.vth} forces the neuron",
        ),
        ("schedule", "-", f"{SLOTS} time steps a logical step; {net.period} a presentation"),
    ]


RULES = (factor_fits, trace_counts, gate_fits, schedule_fits)

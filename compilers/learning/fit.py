"""Whether a learning rule fits the chip: every width, exponent and bound, each violation with value, limit and mend.

The compiler checks what it made, and an artifact is held to the same when it is read.
"""

from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.errors import CompileError, together
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, structure
from ff2loihi.compilers.learning import library_rule
from ff2loihi.processes import limits
from ff2loihi.processes.learning_rule import (
    BALANCE_MAX,
    CONTROL_STEPS,
    RATE_ONE,
    SIGMOID_ONE,
    SYMMETRIC_ONE,
    TABLE_SIZE,
    Neuron,
    ThirdFactor,
)
from ff2loihi.processes.library_rule import DW, T_EPOCH


def largest_modulation(layer: LearningLayer[ThirdFactor]) -> int:
    """The largest |m| that the third factor gives, balance included."""
    factor = layer.factor
    if factor.probability == "symmetric":
        size = factor.gain * SYMMETRIC_ONE // max(1, factor.theta)
    else:
        size = factor.gain * SIGMOID_ONE >> 8
    return size * (256 + BALANCE_MAX) >> 8


def weights_fit(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    w = layer.weight
    if (w % 2).any():
        yield f"{int((w % 2).sum()):,} odd weights, a mixed-sign synapse holds even ones. Compile the model again"
    if w.min() < limits.WEIGHT_MIN or w.max() > limits.WEIGHT_MAX:
        yield (
            f"weights {w.min()}..{w.max()}, {limits.WEIGHT_BITS} bits hold {limits.WEIGHT_MIN}..{limits.WEIGHT_MAX}. "
            "Compile the model again"
        )
    absent = np.count_nonzero(w) - np.count_nonzero(layer.existing)
    if absent:
        yield f"{absent:,} weights of synapses that do not exist, which must be 0. Compile the model again"
    if layer.mask is not None and not layer.mask.any(axis=1).all():
        yield f"{np.count_nonzero(~layer.mask.any(axis=1)):,} neurons without a synapse. Compile the model again"


def synapses_begin(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    """Of library neurons: see weight_grid.held."""
    zeros = 0 if layer.mask is None else np.count_nonzero(layer.mask & (layer.weight == 0))
    if zeros:
        yield f"{zeros:,} synapses begin at 0, where Lava's LearningSparse drops them. Compile the model again"


def sums_fit(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    reach = layer.weight.shape[1] * -limits.WEIGHT_MIN
    top = (1 << (limits.ACCUMULATOR_BITS - 1)) - 1
    if reach > top:
        yield f"sums reach {reach:,} where every weight saturates, {top:,} fit. Use fewer inputs"


def neuron_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    if not 1 <= layer.neuron.vth <= limits.VTH_MAX:
        yield f"threshold {layer.neuron.vth:,}, the mantissa holds 1..{limits.VTH_MAX:,}"
    if not 0 <= layer.neuron.dv <= 4096:
        yield f"decay {layer.neuron.dv}, 0..4096 are possible"


def trace_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    trace = layer.trace
    if not 1 <= trace.top <= limits.POST_TRACE_MAX:
        yield f"output trace up to {trace.top}, 1..{limits.POST_TRACE_MAX} are possible"
    if not 0 <= trace.keep <= 256 or not 1 <= trace.impulse <= limits.POST_TRACE_MAX:
        yield (
            f"output trace keeps {trace.keep}/256 and adds {trace.impulse}; 0..256 and 1..{limits.POST_TRACE_MAX} "
            "are possible"
        )


def goodness_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    largest = layer.trace.top**2 * len(layer.positive)
    if largest >= 1 << (limits.PAYLOAD_BITS - 1):
        yield f"the goodness reaches {largest:,}, a spike carries {limits.PAYLOAD_BITS} bits. Use a narrower layer"


def third_factor_fits(net: LearningNetwork, layer: LearningLayer[ThirdFactor]) -> Iterator[str]:
    factor, m = layer.factor, largest_modulation(layer)
    if factor.theta < 1 or factor.gain < 1 or factor.target < 0:
        yield (
            f"third factor: gain {factor.gain} and theta {factor.theta} must be at least 1, target {factor.target} "
            "at least 0"
        )
    entries, one = (TABLE_SIZE + 1, SYMMETRIC_ONE) if factor.probability == "symmetric" else (TABLE_SIZE, SIGMOID_ONE)
    if len(factor.table) != entries or min(factor.table) < 0 or max(factor.table) > one:
        yield f"third factor: the probability's table must hold {entries} numbers in 0..{one}"
    if not 0 <= factor.balance_shift <= 31:
        yield f"third factor: balance shift {factor.balance_shift}, 0..31 are possible"
    most = (1 << (limits.MODULATION_BITS - 1)) - 1
    if m > most:
        yield f"third factor reaches {m:,}, {most:,} fit. Lower gain, or raise theta"
    if (layer.trace.top * m + 32) >> 6 < 1:
        yield f"third factor reaches {m}: every update is rounded to 0. Raise gain"


def rate_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    rule = net.update
    exponents = {"learning rate": rule.exponent}
    if rule.eligibility == "tag":
        exponents |= {"tag": rule.tag_exponent, "tag decay": rule.tag_decay}
    for name, exponent in exponents.items():
        if not 0 <= exponent <= limits.RATE_EXPONENT_MAX:
            yield (
                f"{name} 2^-{exponent}: exponents 0..{limits.RATE_EXPONENT_MAX} are possible, a smaller step would "
                "round toward minus infinity. Use --rate-exponent"
            )


def schedule_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    if net.steps > limits.MAX_LEARNING_STEPS:
        yield f"{net.steps:,} steps, a trace counts up to {limits.MAX_LEARNING_STEPS}"
    if not 1 <= net.window <= net.steps - CONTROL_STEPS:
        yield f"window {net.window} of {net.steps} steps: 1..{net.steps - CONTROL_STEPS} are possible"


def input_fits(net: LearningNetwork, layer: LearningLayer) -> Iterator[str]:
    if not 1 <= net.input_factor <= 256:
        yield f"input factor {net.input_factor}, 1..256 are possible"
    for what, values, top in (("rates", net.label_codes, RATE_ONE), ("phases", net.label_phases, RATE_ONE - 1)):
        if values.min() < 0 or values.max() > top:
            yield f"label {what} {values.min()}..{values.max()}, 0..{top} are possible"


RULES = (
    weights_fit, sums_fit, neuron_fits, trace_fits, goodness_fits, third_factor_fits, rate_fits, schedule_fits,
    input_fits,
)  # fmt: skip
LIBRARY_RULES = (weights_fit, synapses_begin, sums_fit, neuron_fits, trace_fits, input_fits, *library_rule.RULES)


def rules(net: LearningNetwork) -> tuple:
    """The rules that hold for its form."""
    return LIBRARY_RULES if net.library else RULES


def check(net: LearningNetwork) -> None:
    """Raise CompileError with everything that is broken, in one line: structure, else every rule of every layer."""
    found = list(structure.learning(net)) or [
        f"{layer.name}: {text}" for layer in net.layers for rule in rules(net) for text in rule(net, layer)
    ]
    if found:
        raise CompileError(together(found))


def describe(net: LearningNetwork) -> list[tuple[str, str, str]]:
    """(quantity, the paper's equation, what the chip computes), for `ff2loihi inspect`; Terres-Escudero 2024."""
    if net.library:
        layer = net.layers[0]
        return [
            *_synapse_rows(net, layer),
            ("neuron", "LIF", _lif_row(layer.neuron)),
            *library_rule.describe(net, layer),
            ("weight", "dw_ij = M r_j x_i (eq. 5, 6)", f"dw = {DW}, every {T_EPOCH} time steps"),
        ]
    first, rest = net.layers[0], net.layers[1:]
    rows = _synapse_rows(net, first)
    same = all(_layer_rows(layer) == _layer_rows(first) for layer in rest)
    for layer in (first,) if same else net.layers:
        rows += [(what if same else f"{layer.name}: {what}", paper, chip) for what, paper, chip in _layer_rows(layer)]
    strings = engine_strings(net)
    if "dt" not in strings:
        return [*rows, ("weight", "dw_ij = M r_j x_i (eq. 5, 6)", f"dw = {strings['dw']}")]
    return [
        *rows,
        ("tag", "de = (1 - tau) (dL/dw - e) (eq. 7)", f"dt = {strings['dt']}"),
        ("weight", "dw = eta e (eq. 8)", f"dw = {strings['dw']}"),
    ]


def _synapse_rows(net: LearningNetwork, layer: LearningLayer) -> list[tuple[str, str, str]]:
    """What a first layer of fields sees."""
    if layer.mask is None:
        return []
    seen = layer.mask[:, : net.pixels].sum(axis=1)
    pixels = f"{seen.min()}" if seen.min() == seen.max() else f"{seen.min()}..{seen.max()}"
    text = f"{layer.synapses:,} of {layer.weight.size:,}: a neuron sees {pixels} of {net.pixels} pixels, and the label"
    return [("synapses", "all; ours: fields", text)]


def engine_strings(net: LearningNetwork) -> dict[str, str]:
    """dw, and dt where there are tags, as Loihi 2's learning engine reads them."""
    rule = net.update
    if net.library:
        return {"dw": DW}
    if rule.eligibility == "none":
        return {"dw": f"2^-{rule.exponent}*x0*y2 - 2^-{rule.exponent}*x0*y3"}
    tag = f"2^-{rule.tag_exponent}*x0*y2 - 2^-{rule.tag_exponent}*x0*y3 - 2^-{rule.tag_decay}*t*u0"
    return {"dw": f"2^-{rule.exponent}*t*u0", "dt": tag}


def _layer_rows(layer: LearningLayer[ThirdFactor]) -> list[tuple[str, str, str]]:
    factor, trace, neuron = layer.factor, layer.trace, layer.neuron
    traces = {
        "relu": ("r' = r + z (eq. 13)", f"r' = min({trace.top}, r + z)"),
        "li": ("r' = lambda r + z (eq. 11)", f"r' = min({trace.top}, (r {trace.keep} >> 8) + {trace.impulse} z)"),
        "hard-li": ("r' = 1 where z, lambda r else (eq. 12)", f"r' = {trace.top} where z, r {trace.keep} >> 8 else"),
    }
    if factor.probability == "symmetric":
        paper = "M = (1 - P) / G+, P = G+ / (G+ + G-) (eq. 6)"
        chip = (
            f"p = table[256 G+ // (G+ + G- + 1)]; m+ = {factor.gain} (256 - p) // (G+ + {factor.theta}), "
            "m- of G- likewise; a negative sample: p in place of 256 - p, signs exchanged"
        )
    else:
        paper = "M = 1 - P, P = sigmoid(G - theta) (eq. 5)"
        chip = (
            f"m = {factor.gain} (255 - p) >> 8, p = table[((G - {factor.theta}) >> {factor.balance_shift}) + 128]; "
            "a negative sample: p in place of 255 - p, depressing"
        )
    deviation = f"d = ({factor.target} - G) >> {factor.balance_shift}"
    balance = f"m (256 + d) >> 8 where potentiating, m (256 - d) >> 8 else; {deviation}"
    return [
        ("neuron", "LIF", _lif_row(neuron)),
        ("output trace", *traces[trace.kind]),
        ("third factor", paper, chip),
        ("balance", "ours: holds the layer's goodness", f"{balance}, |d| <= {BALANCE_MAX}"),
        ("post trace", "M r", "y = min(127, (r |m| + 32) >> 6): y2 where m > 0, y3 where m < 0"),
    ]


def _lif_row(neuron: Neuron) -> str:
    return f"v' = v {4096 - neuron.dv} 2^-12 + (a << 6); spike over {neuron.vth} << 6, then 0"

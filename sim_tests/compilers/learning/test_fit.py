"""The learning rule's limits: what just fits passes, what just does not is refused with value, limit and mend."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from ff2loihi.compilers import choices
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import rule as learning
from sim_tests.factories import learning_layer as layer
from sim_tests.factories import learning_network as network


def holding(value: int) -> LearningLayer:
    weight = np.zeros((4, 6), np.int16)
    weight[1, 2] = value
    return layer(weight)


def seeing(inputs: int, value: int = 0) -> LearningLayer:
    """The second neuron has synapses from the first few inputs alone; a weight of it is `value`."""
    exists = np.ones((4, 6), bool)
    exists[1, inputs:] = False
    return replace(holding(value), mask=exists)


def wide(inputs: int) -> LearningLayer:
    return layer((4, inputs))


def tall(neurons: int) -> LearningLayer:
    return layer(positive=np.ones(neurons, bool), weight=np.zeros((neurons, 6), np.int16))


def coded(rate: int, phase: int = 0) -> LearningNetwork:
    return network(label_codes=np.diag([rate, 0]).astype(np.int32), label_phases=np.array([0, phase], np.int32))


def second(**parts) -> LearningLayer:
    return layer((4, 4), "hidden2", **parts)


def sigmoid(**parts) -> LearningLayer:
    return layer(probability="sigmoid", **parts)


NARROW, ONES = (1 << 31) // 127**2, {"theta": 256, "balance_shift": 2}  # neurons of G below 2^31
LARGEST = ((1 << 23) * 256 - 1) // 320  # K 256 / theta whose 5 / 4 still fits 24 signed bits
TABLE = learning.probability_table("linear")
TAG = {"eligibility": "tag"}

# rule, what just fits, what just does not, the words of the refusal (.*: others between)
CASES = [
    ("weights_fit", holding(254), holding(255), "1 odd weights"),
    ("weights_fit", holding(-256), holding(-255), "even ones. Compile the model again"),
    ("weights_fit", holding(254), holding(256), "weights 0..256, 8 bits hold -256..254. Compile the model again"),
    ("weights_fit", holding(-256), holding(-258), "weights -258..0, 8 bits hold -256..254"),
    ("weights_fit", seeing(3, 2), seeing(2, 2), "1 weights of synapses that do not exist, which must be 0. Compile"),
    ("weights_fit", seeing(1), seeing(0), "1 neurons without a synapse. Compile the model again"),
    ("sums_fit", wide(32767), wide(32768), "sums reach 8,388,608 .* 8,388,607 fit. Use fewer inputs"),
    ("neuron_fits", layer(vth=1), layer(vth=0), "threshold 0, the mantissa holds 1..131,071"),
    ("neuron_fits", layer(vth=131071), layer(vth=131072), "threshold 131,072, the mantissa holds 1..131,071"),
    ("neuron_fits", layer(dv=0), layer(dv=-1), "decay -1, 0..4096 are possible"),
    ("neuron_fits", layer(dv=4096), layer(dv=4097), "decay 4097, 0..4096 are possible"),
    ("trace_fits", layer(top=1), layer(top=0), "output trace up to 0, 1..127 are possible"),
    ("trace_fits", layer(top=127), layer(top=128), "output trace up to 128, 1..127 are possible"),
    ("trace_fits", layer(keep=256), layer(keep=257), "output trace keeps 257/256 .* 0..256 .* are possible"),
    ("trace_fits", layer(keep=0), layer(keep=-1), "output trace keeps -1/256"),
    ("trace_fits", layer(impulse=1), layer(impulse=0), "adds 0; .* 1..127 are possible"),
    ("trace_fits", layer(impulse=127), layer(impulse=128), "adds 128; .* 1..127 are possible"),
    ("goodness_fits", tall(NARROW), tall(NARROW + 1), "2,147,495,705, a spike carries 32 bits. Use a narrower layer"),
    ("third_factor_fits", layer(gain=1, theta=1), layer(gain=0, theta=1), "gain 0 and theta 1 must be at least 1"),
    ("third_factor_fits", layer(gain=1, theta=1), layer(gain=1, theta=0), "gain 1 and theta 0 must be at least 1"),
    ("third_factor_fits", layer(target=0), layer(target=-1), "target -1 at least 0"),
    ("third_factor_fits", layer(table=TABLE), layer(table=TABLE[:-1]), "must hold 257 numbers in 0..256"),
    ("third_factor_fits", layer(table=TABLE), layer(table=(*TABLE[:-1], 257)), "must hold 257 numbers in 0..256"),
    ("third_factor_fits", layer(table=TABLE), layer(table=(-1, *TABLE[1:])), "must hold 257 numbers in 0..256"),
    ("third_factor_fits", sigmoid(table=(255,) * 256), sigmoid(table=(256,) * 256), "256 numbers in 0..255"),
    ("third_factor_fits", sigmoid(), sigmoid(table=TABLE), "must hold 256 numbers in 0..255"),
    ("third_factor_fits", layer(balance_shift=31), layer(balance_shift=32), "balance shift 32, 0..31 are possible"),
    ("third_factor_fits", layer(balance_shift=0), layer(balance_shift=-1), "balance shift -1, 0..31 are possible"),
    (
        "third_factor_fits", layer(gain=LARGEST, **ONES), layer(gain=LARGEST + 1, **ONES),
        "third factor reaches 8,388,608, 8,388,607 fit. Lower gain, or raise theta",
    ),
    (
        "third_factor_fits", layer(gain=1, theta=256), layer(gain=1, theta=257),
        "third factor reaches 0: every update is rounded to 0. Raise gain",
    ),
    (
        "third_factor_fits", layer(top=11, gain=13, theta=1024), layer(top=10, gain=13, theta=1024),
        "third factor reaches 3: every update is rounded to 0. Raise gain",
    ),
    ("rate_fits", network(exponent=7), network(exponent=8), "learning rate 2^-8: .* 0..7 .* Use --rate-exponent"),
    ("rate_fits", network(exponent=0), network(exponent=-1), "learning rate 2^--1: exponents 0..7 are possible"),
    ("rate_fits", network(**TAG, tag_exponent=7), network(**TAG, tag_exponent=8), "tag 2^-8: exponents 0..7"),
    ("rate_fits", network(**TAG, tag_decay=7), network(**TAG, tag_decay=8), "tag decay 2^-8: exponents 0..7"),
    ("schedule_fits", network(window=20), network(window=21), "window 21 of 23 steps: 1..20 are possible"),
    ("schedule_fits", network(steps=127), network(steps=128), "128 steps, a trace counts up to 127"),
    ("schedule_fits", network(window=1), network(window=0), "window 0 of 23 steps: 1..20 are possible"),
    ("input_fits", network(input_factor=256), network(input_factor=257), "input factor 257, 1..256 are possible"),
    ("input_fits", coded(256), coded(257), "label rates 0..257, 0..256 are possible"),
    ("input_fits", coded(0), coded(-1), "label rates -1..0, 0..256 are possible"),
    ("input_fits", coded(1, 255), coded(1, 256), "label phases 0..256, 0..255 are possible"),
    ("input_fits", coded(1, 0), coded(1, -1), "label phases -1..0, 0..255 are possible"),
    ("input_fits", network(input_factor=1), network(input_factor=0), "input factor 0, 1..256 are possible"),
]  # fmt: skip


def found(what) -> dict[str, list[str]]:
    """Rule -> its violations, of a network or of a layer in one."""
    net = what if isinstance(what, LearningNetwork) else network(what)
    texts = {rule.__name__: list(rule(net, net.layers[0])) for rule in learning_fit.RULES}
    return {name: words for name, words in texts.items() if words}


@pytest.mark.parametrize(("rule", "fits", "fails", "words"), CASES, ids=[f"{c[0]}-{c[3][:28]}" for c in CASES])
def test_what_just_fits_passes_and_what_just_does_not_is_refused_by_its_rule(rule, fits, fails, words):
    assert found(fits).get(rule, []) == []
    assert rule in found(fails)
    net = fails if isinstance(fails, LearningNetwork) else network(fails)
    with pytest.raises(CompileError) as caught:
        learning_fit.check(net)
    text = str(caught.value)
    assert text.startswith("hidden1: ")
    assert "\n" not in text
    assert [part for part in words.split(" .* ") if part not in text] == []


def test_every_rule_has_its_edge():
    assert {case[0] for case in CASES} == {rule.__name__ for rule in learning_fit.RULES}


def test_a_rule_without_a_tag_is_not_asked_for_the_tags_exponents():
    learning_fit.check(network(tag_exponent=9, tag_decay=-1))


def refusal(net: LearningNetwork) -> list[str]:
    with pytest.raises(CompileError) as caught:
        learning_fit.check(net)
    assert "\n" not in str(caught.value)
    return str(caught.value).split("; ")


def test_all_violations_of_all_layers_stand_in_one_line():
    lines = refusal(network(layer(vth=0, keep=300), exponent=8, window=0))
    for start in ("threshold 0", "output trace keeps 300/256", "learning rate 2^-8", "window 0"):
        assert sum(line.startswith(f"hidden1: {start}") for line in lines) == 1
    lines = refusal(network(layer(), second(vth=0, gain=1 << 30)))
    assert [line.split(",")[0] for line in lines] == ["hidden2: threshold 0", "hidden2: third factor reaches 1"]
    lines = refusal(network(layer(vth=0, keep=300), second(vth=0, keep=300), exponent=8, window=0))
    assert lines[-1] == "and 3 more"


def test_layers_of_two_probabilities_are_refused():
    learning_fit.check(network(layer(), second()))
    with pytest.raises(CompileError, match="different probabilities"):
        learning_fit.check(network(layer(), second(probability="sigmoid")))


@pytest.mark.parametrize("neurons", [1, 200, 1000, 4000])
@pytest.mark.parametrize("curve", get_args(choices.Curve))
@pytest.mark.parametrize("trace", get_args(choices.TraceKind))
@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
def test_the_tuned_constants_fit_at_every_width(probability, trace, curve, neurons):
    third = learning.third_factor(probability, neurons, trace, curve)
    plain = layer((neurons, 6), positive=np.ones(neurons, bool))
    learning_fit.check(network(replace(plain, factor=third, trace=learning.output_trace(trace))))

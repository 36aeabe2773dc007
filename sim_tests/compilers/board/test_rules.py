"""Each rule, of a chip and of the arithmetic, has a network that just fits and one that just does not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.compilers.board import rules
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import Population, Rows, populations
from ff2loihi.compilers.board.rules import Design, violations
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import IntHead, IntNetwork, Leak, LearningNetwork, NormTable, PooledHead
from ff2loihi.compilers.ir.convolution import Conv
from sim_tests.factories import integer_network as inference
from sim_tests.factories import learning_layer, learning_network, library_network

TABLE = load_table()
OHEO = TABLE.board("oheo-gulch")


def library(vth=256) -> LearningNetwork:
    return library_network(learning_layer(vth=vth))


def learning(weight=(4, 6), eligibility="none", **changes) -> LearningNetwork:
    return learning_network(learning_layer(weight, **changes), eligibility=eligibility)


def chip(**limits):
    return replace(OHEO, chip=OHEO.chip.model_copy(update=limits))


def loihi1():
    return TABLE.board("nahuku")


def one(axons: int, groups: int = 1) -> tuple[Population, ...]:
    return (Population("hidden1", "hidden1", 1, (Rows("input", axons),), groups),)


def fed(width: int) -> tuple[Population, ...]:
    """A neuron whose spikes go to `width` cores of one neuron each."""
    return (*one(1), Population("hidden2", "hidden2", width, (Rows("hidden1", 1), Rows("input", 9000))))


def driven(weight: int, inputs: int = 64) -> np.ndarray:
    return np.full((4, inputs), weight, np.int16)


# rule: what just fits, what just does not: (network, board[, populations])
CASES = {
    "axons_in": ((inference(), OHEO, one(16000)), (inference(), OHEO, one(16001))),
    "synaptic_words": ((inference(), OHEO, one(12000)), (inference(), OHEO, one(12001))),
    "core_memory": ((inference(), OHEO, one(9998)), (inference(), OHEO, one(9999))),
    "axons_out": ((inference(), chip(axons_out=9), fed(9)), (inference(), chip(axons_out=8), fed(9))),
    "neuron_groups": ((inference(), OHEO, one(4, 8)), (inference(), OHEO, one(4, 9))),
    "board_cores": ((inference(), OHEO, fed(119)), (inference(), OHEO, fed(120))),
    "neuron_model": ((inference(reset="hard"), loihi1()), (inference(reset="soft"), loihi1())),
    "weight_bits": ((inference(weight_bits=6), chip(weight_bits=6)), (inference(weight_bits=7), chip(weight_bits=6))),
    "thresholds": ((inference(vth=131071), OHEO), (inference(vth=131072), OHEO)),
    "decays": ((learning(dv=4096), OHEO), (learning(dv=4097), OHEO)),
    "biases": (
        (inference(bias=np.full(4, -4095 << 3), bias_exp=3), OHEO),
        (inference(bias=np.full(4, -4096 << 3), bias_exp=3), OHEO),
    ),
    "graded_payload": (  # 255^2 4 = 260,100 has 18 bits
        (inference("graded"), chip(payload_bits=18)),
        (inference("graded"), chip(payload_bits=17)),
    ),
    "third_factor": ((inference(reset="hard"), loihi1()), (learning(), loihi1())),
    "trace_widths": ((learning(top=127), OHEO), (learning(top=128), OHEO)),
    "tag_widths": ((learning(eligibility="tag"), OHEO), (learning(eligibility="tag"), chip(tag_bits=7))),
    "reset_interval": ((inference(steps=8), OHEO), (inference(steps=9), OHEO)),
    "states_may_saturate": (  # 16 steps of 64 inputs: 16 * 64 * 126 << 6 = 8,257,536 beside vth 100 << 6
        (inference(weight=driven(126)), OHEO),
        (inference(weight=driven(128)), OHEO),
    ),
}  # fmt: skip


def broken(network, board, groups=None) -> set[str]:
    groups = populations(network) if groups is None else groups
    try:
        mapping = place(groups, board.chip_name, board.chip)
    except CompileError:
        mapping = None
    found = violations(Design(network, groups, board, mapping, TABLE))
    assert all(v.text and v.mend and v.layer and v.value != v.limit for v in found)
    return {v.rule for v in found}


@pytest.mark.parametrize("rule", CASES)
def test_the_rule_holds_up_to_its_limit_and_is_broken_beyond(rule):
    fitting, failing = CASES[rule]
    assert rule not in broken(*fitting)
    assert rule in broken(*failing)


@given(st.integers(1, 20000), st.integers(1, 9), st.booleans())
def test_what_no_core_holds_breaks_a_rule_and_nothing_else_does(axons, groups, plastic):
    one = (Population("hidden1", "hidden1", 1, (Rows("input", axons, plastic=plastic),), groups),)
    try:
        place(one, "loihi2", OHEO.chip)
        held = True
    except CompileError:
        held = False
    assert (broken(inference(), OHEO, one) == set()) == held


def test_every_rule_has_its_edge():
    assert set(CASES) == {rule.__name__ for rule in rules.RULES}


@pytest.mark.parametrize(("weight", "breaks"), [(126, set()), (128, {"states_may_saturate"})])
def test_a_convolutions_states_saturate_as_those_of_a_dense_layer_with_its_taps(weight, breaks):
    """64 taps, as in CASES."""
    kernel = np.full((1, 1, 8, 8), weight, np.int16)
    assert broken(inference(inputs=81, weight=kernel, conv=Conv((1, 9, 9), 1, (8, 8), 1, 0, 1)), OHEO) == breaks


def test_library_neurons_that_learn_need_loihi_2_but_no_third_factor_and_force_the_neuron():
    """A gate adds 255 << 7 to what a neuron is driven by."""
    found = broken(library(), loihi1())
    assert found == {"neuron_model", "graded_payload"}
    assert broken(library(), OHEO) == set()
    assert broken(library(vth=131071 - 32640), OHEO) == set()
    assert broken(library(vth=131072 - 32640), OHEO) == {"states_may_saturate"}


@pytest.mark.parametrize("network", [inference(), inference("graded"), inference(reset="hard"), learning()])
def test_ordinary_networks_break_no_rule_of_loihi_2(network):
    assert broken(network, OHEO) == set()


def test_a_violation_names_rule_layer_value_limit_and_the_way_out():
    network = inference(vth=200_000, steps=12)
    mapping = place(populations(network), "loihi2", OHEO.chip)
    found = violations(Design(network, populations(network), OHEO, mapping, TABLE))
    assert [(v.rule, v.layer, v.value, v.limit) for v in found] == [
        ("thresholds", "hidden1", 200_000, 131_071),
        ("reset_interval", "network", 12, 16),
        ("states_may_saturate", "hidden1", 200_000 << 6, 8_388_607),
    ]
    assert [v.kind for v in found] == ["limit", "limit", "risk"]
    assert found[1].mend == "--steps 16"


def test_a_network_that_outgrows_its_board_is_told_which_board_holds_it(dense_chain):
    for widths, board, larger in (
        ((784, 12000), "oheo-gulch", "kapoho-point"),
        ((2000, 40000), "kapoho-point", "hala"),
    ):
        chosen = TABLE.board(board)
        mapping = place(dense_chain(widths), "loihi2", chosen.chip)
        [found] = violations(Design(inference(), dense_chain(widths), chosen, mapping, TABLE))
        assert found.rule == "board_cores"
        assert found.mend.startswith(f"--board {larger}")
    [found] = violations(Design(inference(), dense_chain(widths), chosen, mapping, replace(TABLE, boards={})))
    assert found.mend == "--widths: no board of loihi2 is large enough"


def row(*weights: int, times: int = 1) -> np.ndarray:
    """Four neurons with those weights, again and again, and three inputs of 0."""
    return np.tile(np.array([0, 0, 0, *weights * times], np.int16), (4, 1))


def headed(weight: int = 2, bias: float = 0.0, scale: float = 1.0) -> IntNetwork:
    head = IntHead((np.full((2, 4), weight, np.int16),), (scale,), np.full(2, bias, np.float32), "raw")
    return inference(readout="head", head=head)


def classified(weight: float = 0.0, bias: float = 0.0) -> IntNetwork:
    cells = PooledHead((np.full((2, 4), weight, np.float32),), np.full(2, bias, np.float32), 1)
    return inference(readout="pooled", pooled=cells)


def divided(entry: int = 1, **fields) -> IntNetwork:
    """Two layers with a table between them."""
    net = inference("graded")
    above = replace(net.layers[0], name="hidden2", weight=np.zeros((4, 4), np.int16))
    norm = replace(NormTable(2, np.full(96, entry, np.int32), 3, 255, 1.0), **fields)
    return replace(net, layers=(*net.layers, above), normalization="l2", norms=(norm,), readout_layers=(0, 1))


def shown(code: int, phase: int = 0, bits: int = 8) -> IntNetwork:
    codes, phases = np.full((2, 2), code, np.int32), np.full(6, phase, np.int32)
    return inference(label_codes=codes, phases=phases, input_bits=bits)


def leaking(du: int = 9, dv: int = 9, reset: str = "hard", **changes) -> IntNetwork:
    return inference(reset=reset, leak=Leak(du, dv), **changes)


# what the arithmetic takes for granted: what just fits, what just does not, and what is said of it
CONSTANTS = {
    "schedule_is_known": (
        (inference(steps=2), inference(steps=1), "^steps 1, 2..1,024 are possible"),
        (inference(steps=1024), inference(steps=1025), "^steps 1,025, 2..1,024"),
        (inference("graded", steps=1), inference("graded", steps=2), "^steps 2, 1 is possible"),
    ),
    "inputs_are_known": (
        (shown(1, 0, bits=1), shown(1, 0, bits=0), "^input bits 0, 1..8 are possible"),
        (shown(255), shown(255, bits=9), "^input bits 9"),
        (shown(255, 254), shown(256, 254), "^label codes 256..256, 0..255"),
        (shown(0, 0), shown(0, -1), "^phases -1..-1, 0..254"),
        (shown(7, 6, bits=3), shown(7, 7, bits=3), "^phases 7..7, 0..6"),
    ),
    "tables_are_known": (
        (divided(1 << 15), divided((1 << 15) + 1), "^norms.0: table 32,769..32,769, 0..32,768"),
        (divided(shift=15), divided(shift=16), "^norms.0: shift 16, 0..15"),
        (divided(top=255), divided(top=256), "^norms.0: top 256, 1..255"),
        (divided(), divided(table=np.ones(95, np.int32)), "^norms.0: entries 95, 96 is possible"),
        (divided(), divided(power=1), "^norms.0: power 1, 2 is possible"),
    ),
    "head_is_known": (
        (headed(254), headed(256), "^head of hidden1: weights 256..256, 8 bits hold -256..254"),
        (headed(-256), headed(-255), "^head of hidden1: 8 odd weights"),
        (headed(bias=-1e30), headed(bias=np.inf), "^head: biases that are no finite numbers"),
        (headed(scale=1e149), headed(scale=1e150), "^head of hidden1: scale 1e.150"),
        (headed(scale=1e-160), headed(scale=0.0), "^head of hidden1: scale 0"),
    ),
    "classifier_is_known": (
        (classified(1e30), classified(np.inf), "^classifier of pooled goodness: weights or biases that are no finite"),
        (classified(bias=-1e30), classified(bias=np.nan), "^classifier of pooled goodness: weights or biases that"),
    ),
    "constants_are_known": (
        (inference(weight_bits=2), inference(weight_bits=1), "^hidden1: weight bits 1, 2..8"),
        (inference(weight_bits=8), inference(weight_bits=9), "^hidden1: weight bits 9"),
        (inference(shift=23), inference(shift=24), "^hidden1: shift 24, 0..23"),
        (inference(bias_exp=7), inference(bias_exp=8), "^hidden1: bias exponent 8, 0..7"),
        (inference("graded", bias_exp=0), inference("graded", bias_exp=1), "^hidden1: bias exponent 1, 0 is"),
        (inference("graded", top=255), inference("graded", top=256), "^hidden1: top 256, 1..255"),
        (inference(vth=131071), inference(vth=131072), "^hidden1: threshold 131,072, 1..131,071 are possible"),
        (inference(vth=1), inference(vth=0), "^hidden1: threshold 0"),
        (inference(v0=6400), inference(v0=6401), "^hidden1: first v 6,401, 0..6,400"),
        (inference(v0=0, reset="hard"), inference(v0=1, reset="hard"), "^hidden1: first v 1, 0 is possible"),
        (inference(scale=1e-160), inference(scale=np.nan), "^hidden1: scale nan, more than 0"),
        (leaking(4095), leaking(4096), "^hidden1: current decay 4,096, 0..4,095 are possible"),
        (leaking(dv=4096), leaking(dv=4097), "^hidden1: voltage decay 4,097, 0..4,096 are possible"),
        (leaking(), leaking(reset="soft"), "^hidden1: a leak, which neurons with a hard reset alone have"),
    ),
}  # fmt: skip
# rule of the arithmetic: what just fits, what just does not, and what is said of it
ARITHMETIC = {
    "weights_are_even_and_fit": (
        (inference(weight=row(-256, 254)), inference(weight=row(-256, 256)), "256, 8 bits hold -256..254"),
        (inference(weight=row(-16, 14), weight_bits=4), inference(weight=row(-18, 14), weight_bits=4), "hold -16..14"),
        (inference(weight=row(2)), inference(weight=row(3)), "4 odd weights"),
    ),
    "sums_fit": (
        (inference(weight=row(254, times=129)), inference(weight=row(2, *[254] * 129)), "sums reach 32,768, 16 signed"),
        (inference(weight=row(-256, times=128)), inference(weight=row(-2, *[-256] * 128)), "sums reach 32,769, 16"),
        (inference(weight=row(254, times=258), shift=1), inference(weight=row(4, *[254] * 258), shift=1), "32,768"),
        (
            inference("graded", weight=row(2), bias=np.full(4, (1 << 23) - 1 - 510)),
            inference("graded", weight=row(2), bias=np.full(4, (1 << 23) - 510)),
            "sums reach 0..8,388,608, 24 signed bits hold 8,388,607",
        ),
    ),
    "currents_fit": (
        (
            leaking(0, weight=row(50, *[254] * 103), steps=5), leaking(0, weight=row(52, *[254] * 103), steps=5),
            "currents may reach 8,388,800, 24 signed bits hold 8,388,607",
        ),
    ),
    "bias_fits": (
        (inference(bias=np.full(4, 4095)), inference(bias=np.full(4, 4096)), "biases up to 4,096 are not 4095 2.0 at"),
        (inference(bias=np.full(4, 8), bias_exp=3), inference(bias=np.full(4, 9), bias_exp=3), "biases up to 9 are"),
        (inference(), inference(bias=np.full(4, -(1 << 31)), bias_exp=7), "biases up to 2,147,483,648 are"),
    ),
    "goodness_fits": (
        (inference("graded", 66051), inference("graded", 66052), "goodness reaches 4,295,031,300, .* 32 bits"),
        (inference(n=4095, steps=1024), inference(n=4096, steps=1024), "goodness reaches 4,294,967,296"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", CONSTANTS)
def test_what_the_arithmetic_takes_for_granted_holds_up_to_its_limit_and_is_refused_beyond(rule):
    for fitting, failing, words in CONSTANTS[rule]:
        arithmetic_rules.check(fitting)
        with pytest.raises(CompileError, match=words) as caught:
            arithmetic_rules.check(failing)
        assert ";" not in str(caught.value)


@pytest.mark.parametrize("rule", ARITHMETIC)
def test_the_arithmetic_holds_up_to_its_limit_and_is_refused_beyond(rule):
    for fitting, failing, words in ARITHMETIC[rule]:
        arithmetic_rules.check(fitting)
        with pytest.raises(CompileError, match=f"^hidden1: .*{words}") as caught:
            arithmetic_rules.check(failing)
        assert ";" not in str(caught.value)


def test_every_rule_has_its_edge_and_all_that_is_broken_is_said():
    assert set(ARITHMETIC) == {rule.__name__ for rule in arithmetic_rules.RULES}
    assert set(CONSTANTS) == {
        rule.__name__ for rule in (*arithmetic_rules.CONSTANTS, arithmetic_rules.constants_are_known)
    }
    with pytest.raises(CompileError, match="odd weights.*; .*biases"):
        arithmetic_rules.check(inference(weight=row(3), bias=np.full(4, 5000)))
    with pytest.raises(CompileError, match="^steps 1.*; hidden1: shift -1.*; hidden1: threshold 0"):
        arithmetic_rules.check(inference(steps=1, shift=-1, vth=0))

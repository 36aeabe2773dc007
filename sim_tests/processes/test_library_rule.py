"""The rule of library neurons: which time step is for what, and what its numbers must keep apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.processes import library_rule
from ff2loihi.processes.limits import DENDRITE_BITS

# In which slot the neurons of a polarity learn, as the paper's signs have it: A1 potentiates, A2 depresses.
POTENTIATES = {
    ("symmetric", 1, "+"): True, ("symmetric", 1, "-"): False,
    ("symmetric", -1, "+"): False, ("symmetric", -1, "-"): True,
    ("sigmoid", 1, "+"): True, ("sigmoid", 1, "-"): True,
    ("sigmoid", -1, "+"): False, ("sigmoid", -1, "-"): False,
}  # fmt: skip
GROUP = {(1, "+"): 0, (1, "-"): 1, (-1, "+"): 2, (-1, "-"): 3}


@given(steps=st.integers(1, 1 << 12))
def test_a_period_is_the_smallest_power_of_two_that_holds_the_steps_and_the_tail(steps):
    period = library_rule.period(steps)
    assert bin(period).count("1") == 1
    assert period // 2 < 4 * steps + 4 <= period


@given(steps=st.integers(3, 60), share=st.floats(0, 1), stride=st.integers(1, 8))
def test_the_last_steps_of_a_window_are_taught_one_in_so_many(steps, share, stride):
    window = 1 + int(share * (steps - 2))
    wanted = [s for s in range(steps - 1) if s > steps - 2 - window and (steps - 2 - s) % stride == 0]
    assert library_rule.learning_steps(steps, window, stride).tolist() == wanted
    assert wanted[-1] == steps - 2


@pytest.mark.parametrize("phase", [1, -1, 0])
@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
@pytest.mark.parametrize(("steps", "window", "stride"), [(6, 3, 1), (9, 8, 3), (3, 1, 1)])
def test_a_control_row_enables_the_phases_groups_in_their_slot_and_clears_behind_the_last_step(
    probability, phase, steps, window, stride
):
    wanted = np.zeros((library_rule.period(steps), 5), int)
    wanted[4 * steps, 0] = 1
    for s in range(steps - 2, steps - 2 - window, -stride):
        for polarity in "+-" if phase else "":
            slot = 0 if POTENTIATES[probability, phase, polarity] else 1
            wanted[4 * s + slot, 1 + GROUP[phase, polarity]] = 1
    rows = library_rule.controls(probability, steps, window, stride, phase)
    assert (rows == wanted).all()
    assert rows[:, 1:].any() == (phase != 0)


def test_a_forced_spike_moves_a_weight_by_2_in_either_slot():
    assert library_rule.DW == "2^1*x0*y0 - 2^-2*y0*x1"
    up, down = 2**1, 2**-2 * library_rule.X1_IMPULSE  # x1 is its impulse in the time step of the input's spike alone
    assert (up, up - down) == (2, -2)


def test_a_thermometer_spikes_only_where_it_is_enabled_and_no_sum_leaves_its_width():
    largest = (1 << DENDRITE_BITS - 1) - 1
    enabled = library_rule.ENABLE << library_rule.ENABLE_EXP
    assert enabled > library_rule.THERMOMETER_TOP
    assert enabled + library_rule.THERMOMETER_TOP <= largest
    assert largest >= library_rule.FORCE << library_rule.FORCE_EXP
    assert max(library_rule.FORCE, library_rule.ENABLE) <= 255  # what an excitatory weight of 8 bits holds

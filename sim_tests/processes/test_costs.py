"""What an event costs: bands in order, and the derived ends computed anew from the figures that they come from."""

import pytest

from ff2loihi.processes import costs


@pytest.mark.parametrize("generation", [1, 2])
def test_every_figure_has_a_low_end_below_its_high_end_a_certainty_and_a_source(generation):
    for name, cost in costs.GENERATIONS[generation].items():
        assert 0 <= cost.low.value <= cost.high.value > 0, name
        assert (cost.low.value == 0) == (name == "core step")
        assert all(end.certainty in ("published", "derived", "assumed") and end.source for end in cost)
    assert set(costs.LOIHI1) == set(costs.LOIHI2)


def test_power_that_was_measured_on_loihi_2_alone_is_assumed_of_loihi_1():
    for powers in (costs.CHIP_STATIC_W, costs.BOARD_W):
        assert [end.value for end in powers[1]] == [end.value for end in powers[2]]
        assert {end.certainty for end in powers[1]} == {"assumed"}
        assert all(end.source.startswith("as Loihi 2: ") for end in powers[1])
        assert powers[2].high.certainty in ("published", "derived")


def test_a_synaptic_operation_of_loihi_2_is_hala_points_peak_power_over_its_peak_rate():
    assert costs.LOIHI2["synaptic operation"].low.value == pytest.approx(2.6e3 / 380e12 * 1e12, rel=0.01)


@pytest.mark.parametrize("event", ["neuron update", "synaptic update", "spike in a tile", "hop"])
def test_energies_that_intel_never_printed_fall_from_loihi_1_as_the_synaptic_operation_did(event):
    ratio = costs.LOIHI2["synaptic operation"].low.value / costs.LOIHI1["synaptic operation"].low.value
    assert costs.LOIHI2[event].low.value == pytest.approx(ratio * costs.LOIHI1[event].low.value, abs=0.06)


@pytest.mark.parametrize("event", ["synaptic operation", "neuron update", "synaptic update"])
def test_times_fall_to_a_tenth_of_loihi_1(event):
    assert costs.LOIHI2[f"{event} time"].low.value == pytest.approx(
        costs.LOIHI1[f"{event} time"].low.value / 10, rel=0.01
    )


def test_a_neuron_updates_high_end_is_all_of_pilotnets_energy_and_time():
    joules = costs.PILOTNET_DYNAMIC_MJ.value * 1e-3
    assert costs.LOIHI2["neuron update"].high.value == pytest.approx(joules / (16 * 158_509) * 1e12)
    assert costs.LOIHI2["neuron update time"].high.value == pytest.approx(152.8e-6 / 3168 * 1e9)


def test_the_high_ends_of_a_core_at_work_and_of_a_barrier_are_all_that_was_measured():
    joules = costs.AUTOENCODER_DYNAMIC_MJ.high.value * 1e-3
    assert costs.LOIHI2["core step"].high.value == pytest.approx(joules / (74 * 1.0e4 / (928)) * 1e12)
    assert costs.AUTOENCODER_NEURONS.value == 256 + 128 + 64 + 32 + 64 + 128 + 256
    assert costs.LOIHI2["barrier"].high.value == pytest.approx(58.42e-6 / 9 * 1e9)
    assert costs.LOIHI1["barrier"].high.value == 465

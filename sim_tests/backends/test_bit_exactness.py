"""The product: the emulator and Lava agree on every state variable at every step."""

import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.verification.equality import equality_report

FAST, ALL = 5, 300


def divergence(program, pixels):
    report = equality_report(Emulator().run(program, pixels, states=True), LavaCpu().run(program, pixels, states=True))
    active = {variable.name: variable.active for variable in report.variables}
    names = [layer.name for layer in program.network.layers]
    last = "h" if program.network.neuron == "graded" else "r"
    assert all(active[f"{name}.{last}"] and active[f"{name}.a"] for name in names), "nothing to compare"
    assert active["spikes"]
    return report.first_divergence


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST))
def test_a_generated_network_gives_the_same_bits_on_lava(generate, seed):
    assert divergence(*generate(seed)) is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST, ALL))
def test_more_generated_networks_give_the_same_bits_on_lava(generate, seed):
    assert divergence(*generate(seed)) is None

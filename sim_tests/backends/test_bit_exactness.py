"""The product: the emulator and Lava agree on every state variable at every step."""

import pytest

from ff2loihi.backends.emulator import Emulator
from ff2loihi.backends.lava_cpu import LavaCpu
from ff2loihi.reports.equality import equality_report

FAST, ALL = 5, 300


def divergence(program, pixels):
    report = equality_report(Emulator().run(program, pixels, states=True), LavaCpu().run(program, pixels, states=True))
    assert report.variables
    return report.first_divergence


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST))
def test_a_generated_network_gives_the_same_bits_on_lava(generate, seed):
    assert divergence(*generate(seed)) is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("block", range(FAST, ALL, 10))
def test_ten_more_generated_networks_give_the_same_bits_on_lava(generate, block):
    found = {seed: divergence(*generate(seed)) for seed in range(block, min(block + 10, ALL))}
    assert {seed: where for seed, where in found.items() if where} == {}

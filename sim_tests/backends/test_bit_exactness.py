"""The product: the emulator and Lava agree on every state variable at every step."""

import numpy as np
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.verification.equality import equality_report

FAST, POOLED, ALL = 5, 6, 300


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


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(POOLED))
def test_a_generated_network_with_pools_gives_the_same_bits_on_lava(generate, seed):
    program, pixels = generate(seed, pooled=True)
    assert program.network.layers[0].pool
    assert divergence(program, pixels) is None


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST))
def test_a_generated_network_whose_upper_layers_see_the_label_gives_the_same_bits_on_lava(generate, seed):
    program, pixels = generate(seed, labelled=True)
    seeing = [layer.label.drive(program.network.label_codes, program.network.full)
              for layer in program.network.layers if layer.label]  # fmt: skip
    assert any(np.ptp(drive, axis=0).any() for drive in seeing)
    assert divergence(program, pixels) is None


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        (kind, seed)
        for kind, first in (("", FAST), ("pooled", POOLED), ("labelled", FAST))
        for seed in range(first, ALL)
    ],
)
def test_more_generated_networks_give_the_same_bits_on_lava(generate, kind, seed):
    assert divergence(*generate(seed, **({kind: True} if kind else {}))) is None

"""Inference by Lava's library processes alone: the emulator's bits, or the reason why there is no such form."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.backends.emulator import Emulator
from ff2loihi.backends.lava_cpu import LavaCpu
from ff2loihi.compilers.errors import CompileError
from ff2loihi.reports.equality import equality_report

GRADED, LIF = (4, 0), (9, 3)  # of the generated networks: a head, and goodness
FAST = [GRADED[0], LIF[0]]
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (GRADED[1], LIF[1])]


def without_ours(program):
    """The program with what library processes have: no biases where graded, no tables, a hard reset.

    Shifts are 2 smaller, so that some payloads are at the top.
    """
    net = program.network
    layers = net.layers
    if net.neuron == "graded":
        layers = tuple(
            replace(layer, bias=np.zeros_like(layer.bias), shift=max(0, layer.shift - 2)) for layer in layers
        )
    else:
        layers = tuple(replace(layer, v0=0) for layer in layers)
    return replace(program, network=replace(net, layers=layers, norms=(), reset="hard"))


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", FAST + SLOW)
def test_library_processes_give_the_emulators_bits(generate, seed):
    program, pixels = generate(seed, wide=20)
    program = without_ours(program)
    emulated = Emulator().run(program, pixels, states=True)
    simulated = LavaCpu(stock=True).run(program, pixels, states=True)
    names = {"graded": {"h"}, "lif": {"a", "u", "v", "r"}}[program.network.neuron]
    assert {name.rpartition(".")[2] for name in simulated.states} == names
    emulated = replace(emulated, states={name: emulated.states[name] for name in simulated.states})
    assert equality_report(emulated, simulated).first_divergence is None


def test_the_generated_graded_networks_reach_the_top(generate):
    """Else the subtraction that saturates them would not be seen."""
    tops = []
    for seed in GRADED:
        program, pixels = generate(seed, wide=20)
        program = without_ours(program)
        states = Emulator().run(program, pixels, states=True).states
        tops += [(states[f"{layer.name}.h"] == layer.top).any() for layer in program.network.layers]
    assert any(tops)


@pytest.mark.needs_lava
def test_what_no_library_process_computes_is_refused(generate):
    for seed, reason in ((1, "--reset hard"), (4, "Normalize"), (0, "GradedRelu")):
        program, pixels = generate(seed, wide=20)
        with pytest.raises(CompileError, match=reason):
            LavaCpu(stock=True).run(program, pixels)

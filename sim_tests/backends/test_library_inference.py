"""Inference by Lava's library processes alone: the emulator's bits, or the reason why there is no such form."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.backends.loihi import library_plan
from ff2loihi.backends.loihi.deployed import deployed_populations
from ff2loihi.backends.loihi.payload.library_layers import pieces
from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import OneToOne, Rows
from ff2loihi.compilers.errors import CompileError
from ff2loihi.processes.library_rule import GROUPS
from ff2loihi.verification.equality import equality_report
from sim_tests.factories import learning_layer, library_network

# of the generated networks, all with biases; 28, 59, 55 and 13 with convolutions, 55 with shifted sums
GRADED, SOFT, HARD = (0, 28), (59, 55), (27, 13)
FAST = [GRADED[0], SOFT[0]]
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (*GRADED[1:], *SOFT[1:], *HARD, 10, 16, 17, 19, 32)]
GRADED_PROCESSES = ("GradedVec", "GradedReluVec", "ProdNeuron")
LOIHI2 = load_table().chips["loihi2"]
STATES = {"graded": {"h"}, "soft": {"v", "r"}, "hard": {"a", "u", "v", "r"}}


def without_tables(program):
    """The program without normalisation tables, and with shifts 2 smaller, so that some payloads are at the top."""
    net = program.network
    layers = net.layers
    if net.neuron == "graded":
        layers = tuple(replace(layer, shift=max(0, layer.shift - 2)) for layer in layers)
    normalization = "none" if net.norms else net.normalization
    return replace(program, network=replace(net, layers=layers, norms=(), normalization=normalization))


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", FAST + SLOW)
def test_library_processes_give_the_emulators_bits(generate, seed):
    program, pixels = generate(seed, wide=20)
    program = without_tables(program)
    emulated = Emulator().run(program, pixels, states=True)
    simulated = LavaCpu(library=True).run(program, pixels, states=True)
    net = program.network
    kind = "graded" if net.neuron == "graded" else net.reset
    assert {name.rpartition(".")[2] for name in simulated.states} == STATES[kind]
    emulated = replace(emulated, states={name: emulated.states[name] for name in simulated.states})
    assert equality_report(emulated, simulated).first_divergence is None


def test_the_generated_networks_reach_the_top_and_keep_what_is_above_the_threshold(generate):
    """Else the subtractions that make them would not be seen."""
    tops, rests = [], []
    for seed in (*GRADED, *SOFT):
        program, pixels = generate(seed, wide=20)
        program = without_tables(program)
        states = Emulator().run(program, pixels, states=True).states
        for layer in program.network.layers:
            if program.network.neuron == "graded":
                tops.append((states[f"{layer.name}.h"] == layer.top).any())
            else:
                spikes = np.diff(states[f"{layer.name}.r"], axis=2, prepend=0)
                rests.append((states[f"{layer.name}.v"][spikes > 0] > 0).any())
    assert any(tops)
    assert any(rests)


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", [*GRADED, *SOFT, *HARD])
def test_map_counts_the_neurons_and_synapses_that_lava_builds(generate, tmp_path, seed):
    """All processes that the builder of the script connects, beside the populations."""
    from lava.magma.compiler.compiler_graphs import find_processes
    from lava.proc.dense.process import Dense
    from lava.proc.sparse.process import Sparse

    from ff2loihi.backends.lava.graphs.library_inference import build

    program, pixels = generate(seed, wide=20)
    net = without_tables(program).network
    processes = find_processes(build(net, pixels[:1], tmp_path, False).source)
    built = [one for one in processes if type(one).__name__ in ("LIFReset", *GRADED_PROCESSES)]
    ours = deployed_populations(net)
    assert sorted(one.neurons for one in ours) == sorted(int(np.prod(one.s_out.shape)) for one in built)
    assert len(built) > 0
    synapses = 0
    for one in processes:
        if isinstance(one, Dense | Sparse):
            targets = [port for port in one.a_out.out_connections if port.process in built]  # not what the host reads
            weights = one.weights.init
            synapses += len(targets) * (weights.nnz if isinstance(one, Sparse) else weights.size)
    assert sum(synapses_of(rows, one.neurons) for one in ours for rows in one.rows) == synapses
    for share in (False, True):
        mapping = place(ours, "loihi2", LOIHI2, share)
        assert recount(mapping) == []
        assert (len(mapping.cores) < len(ours)) == (share and len(ours) > 1)


@pytest.mark.needs_lava
def test_map_counts_the_library_neurons_that_lava_builds_of_a_network_that_learns():
    from lava.magma.compiler.compiler_graphs import find_processes
    from lava.proc.io.source import RingBuffer

    from ff2loihi.backends.loihi.payload.library_neurons import connect

    net = library_network(learning_layer((12, 30)), 5)
    host = [RingBuffer(data=np.zeros((n, 1), np.int32)).s_out for n in (30, 1 + GROUPS)]
    weights = net.layers[0].weight.astype(np.int32)
    processes = find_processes(connect(library_plan.constants(net), weights, *host, offset=1).neuron)
    built = [one.s_out.shape for one in processes if type(one).__name__ in ("LIF", "LIFReset", *GRADED_PROCESSES)]
    assert sorted(one.neurons for one in deployed_populations(net)) == sorted(int(np.prod(shape)) for shape in built)
    assert len(built) == 6


def synapses_of(rows, neurons: int) -> int:
    if isinstance(rows, OneToOne):
        return neurons
    return rows.axons * neurons if isinstance(rows, Rows) else rows.mask.nnz


@pytest.mark.parametrize("value", [1, 127, 128, 300, 255 << 7, 131071, (1 << 23) - 1])
def test_the_pieces_of_a_threshold_are_weights_of_a_connection_and_sum_to_it(value):
    found = pieces(value)
    assert sum(weight << exponent for weight, exponent in found) == value
    assert all(0 < weight <= 255 and exponent in (0, 7) for weight, exponent in found)


@pytest.mark.needs_lava
@pytest.mark.parametrize(("seed", "reason"), [(9, "hidden1: biases finer"), (4, "Normalize")])
def test_what_no_library_process_computes_is_refused(generate, seed, reason):
    program, pixels = generate(seed, wide=20)
    with pytest.raises(CompileError, match=reason):
        LavaCpu(library=True).run(program, pixels)

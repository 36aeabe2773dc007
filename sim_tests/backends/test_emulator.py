"""The emulator: numpy and torch state the same integers, and batches and threads change none of them."""

import threading

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from ff2loihi.backends.emulator import inference as emulator
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.ir import Program

SEEDS = range(24)


def on_torch(array, dtype):
    """As on CUDA, on torch's CPU."""
    ours = np.require(array, requirements=("C", "W"))  # torch takes no read-only memory
    return torch.from_numpy(ours).to(getattr(torch, dtype))


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_numpy_and_torch_give_the_same_integers(generate, seed, labelled):
    program, pixels = generate(seed, labelled=labelled)
    rows = quantize_pixels(pixels, program.network.input_bits).astype(np.float32)
    ours = Forward(program.network).run(rows, states=True)
    theirs = Forward(program.network, torch, on_torch).run(torch.from_numpy(rows), states=True)
    assert ours.states.keys() == theirs.states.keys()
    for name in ours.states:
        np.testing.assert_array_equal(ours.states[name], theirs.states[name], err_msg=name)
    for name in ("sums", "head", "spikes"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    without = Forward(program.network).run(rows)
    np.testing.assert_array_equal(without.sums, ours.sums)
    np.testing.assert_array_equal(without.spikes, ours.spikes)


def test_the_generated_networks_are_of_every_kind_and_their_neurons_fire(generate):
    programs = [generate(seed) for seed in SEEDS]
    traces = [Emulator().run(*one, states=True) for one in programs]
    nets = [program.network for program, _ in programs]
    assert {net.neuron for net in nets} == {"graded", "lif"}
    assert {net.reset for net in nets if net.neuron == "lif"} == {"soft", "hard"}
    assert any(layer.conv for net in nets for layer in net.layers)
    assert any(net.norms for net in nets)
    assert any(net.head for net in nets)
    assert np.mean([trace.spikes.min(axis=(0, 1)).all() for trace in traces]) > 0.5


@pytest.fixture
def in_small_pieces(monkeypatch):
    """The threads that a run used, with batches of one sample and a thread for any work."""
    seen = set()
    run = Forward.run

    def spy(self, rows, states=False):
        if threading.current_thread() is not threading.main_thread():
            seen.add(threading.get_ident())
            barrier.wait()  # each of the two threads holds a batch
        return run(self, rows, states)

    barrier = threading.Barrier(2, timeout=60)
    monkeypatch.setitem(emulator.BATCH_ELEMENTS, "cpu", 1)
    monkeypatch.setattr(emulator, "THREAD_WORK", 1)
    monkeypatch.setattr(emulator, "_most_threads", lambda libraries: 2)
    monkeypatch.setattr(emulator.Forward, "run", spy)
    return seen


@pytest.mark.parametrize("seed", [0, 1])
def test_batches_and_threads_change_no_bit_and_no_order(generate, seed, request):
    program, _ = generate(seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, program.network.pixels)).astype(np.uint8)
    whole = Emulator().run(program, pixels, states=True)
    seen, told = request.getfixturevalue("in_small_pieces"), []
    parts = Emulator().run(program, pixels, states=True, progress=lambda *counts: told.append(counts))
    assert len(seen) == 2
    assert told == [(n, 8) for n in range(1, 9)]
    for name in ("sums", "scores", "spikes"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    for name, values in whole.states.items():
        np.testing.assert_array_equal(values, parts.states[name], err_msg=name)


def test_a_small_network_runs_in_the_callers_thread_and_leaves_the_libraries_threads_as_they_were(
    generate, monkeypatch
):
    program, pixels = generate(0)
    used, before = [], threadpool_info()
    run = Forward.run

    def spy(self, rows, states=False):
        blas = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
        used.append((threading.get_ident(), blas))
        return run(self, rows, states)

    monkeypatch.setattr(emulator.Forward, "run", spy)
    Emulator().run(Program(program.network, (), {}), pixels)
    assert used == [(threading.get_ident(), {1})]
    assert threadpool_info() == before

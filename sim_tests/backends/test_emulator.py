"""The emulator: numpy and torch state the same integers, and batches and threads change none of them."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from ff2loihi.backends.emulator import inference as emulator
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.inference import byte_product, dense_forward
from ff2loihi.compilers.inference.dense_forward import DenseForward
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
def in_bytes(monkeypatch):
    """How many products of bytes were made; this CPU may lack what makes them fast."""
    calls, call = [], byte_product.ByteProduct.__call__
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {byte_product.NEEDED: True}, raising=False)
    monkeypatch.setattr(byte_product.ByteProduct, "__call__", lambda self, x: calls.append(x.shape) or call(self, x))
    return calls


@pytest.mark.parametrize("inputs", [1, 7, 500, 1 << 14])
def test_a_product_of_bytes_is_exact_at_its_ends(inputs):
    rng = np.random.default_rng(inputs)
    weight = rng.integers(-128, 128, (33, inputs), np.int16) * 2
    weight[:2] = [[-256], [254]]
    x = rng.integers(0, 256, (3, 5, inputs), np.uint8)
    x[0, :2], x[1] = [[0], [255]], np.arange(inputs) % 2 * 255
    product = byte_product.byte_product(weight)
    if product is None:
        pytest.skip("this CPU or this torch has no exact product of bytes")
    found = 2 * product(x).astype(np.int64) + product.offset
    np.testing.assert_array_equal(found, x.astype(np.int64) @ weight.T.astype(np.int64))


def test_a_cpu_that_lacks_or_errs_in_products_of_bytes_makes_none(monkeypatch):
    weight = np.full((4, 8), 2, np.int16)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {byte_product.NEEDED: True}, raising=False)
    monkeypatch.setattr(torch, "_int_mm", lambda x, w: (x.int() @ w.int()).clamp(-(1 << 9), 1 << 9))
    assert byte_product.byte_product(weight) is None
    monkeypatch.setattr(torch, "_int_mm", lambda x, w: x.int() @ w.int())
    assert byte_product.byte_product(weight) is not None
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert byte_product.byte_product(weight) is None


@pytest.mark.parametrize("dense", [0, 2], ids=["products", "rows"])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_compiled_loops_give_the_integers_of_arrays(generate, seed, labelled, dense, monkeypatch, in_bytes):
    program, pixels = generate(seed, labelled=labelled)
    network = program.network
    monkeypatch.setattr(dense_forward, "DENSE", dense)
    if not dense_forward.covers(network):
        assert any(layer.conv for layer in network.layers) or network.readout == "channels"
        return
    loops = DenseForward(network)
    assert loops.exact
    edges = np.stack([np.zeros_like(pixels[0]), np.full_like(pixels[0], 255), *pixels])
    ours, theirs = loops.run(edges), Forward(network).run(quantize_pixels(edges, network.input_bits).astype(np.float32))
    assert theirs.spikes.any(axis=(0, 1)).all()
    monkeypatch.setattr(dense_forward, "DENSE_IN_BYTES", 0)
    bytewise = DenseForward(network, in_bytes=True)
    again = bytewise.run(edges)
    assert len(in_bytes) >= 2 * sum(product is not None for product in bytewise.products)  # and one as each is made
    for name in ("sums", "head", "spikes"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
        np.testing.assert_array_equal(getattr(again, name), getattr(theirs, name), err_msg=name)


def test_the_generated_networks_have_products_of_bytes(generate, in_bytes):
    nets = [generate(seed)[0].network for seed in SEEDS]
    above = [DenseForward(net, in_bytes=True).products[1:] for net in nets if dense_forward.covers(net)]
    if byte_product.byte_product(np.full((4, 8), 2, np.int16)) is not None:
        assert sum(product is not None for products in above for product in products) > 3


def test_compiled_loops_sum_up_counts_of_more_than_a_byte(generate):
    program, pixels = generate(1)
    driven = [replace(layer, vth=1, bias=np.abs(layer.bias) + 128) for layer in program.network.layers]
    network = replace(program.network, layers=tuple(driven), steps=400)
    assert dense_forward.covers(network)
    theirs = Forward(network).run(quantize_pixels(pixels, network.input_bits).astype(np.float32), states=True)
    assert theirs.states["hidden1.r"].max() == 400
    np.testing.assert_array_equal(DenseForward(network).run(pixels).sums, theirs.sums)


def test_most_generated_networks_run_in_compiled_loops(generate):
    nets = [program.network for program in (generate(seed, labelled=seed % 2 == 1)[0] for seed in SEEDS)]
    covered = [net for net in nets if dense_forward.covers(net)]
    assert len(covered) > len(SEEDS) / 2
    assert {net.neuron for net in covered} == {"graded", "lif"}
    assert any(len(net.layers) > 2 and net.norms for net in covered)
    assert any(net.head for net in covered)
    assert {"append", "overwrite"} <= {net.label_kind for net in covered}


@pytest.mark.parametrize("seed", [0, 1])
def test_many_images_are_classified_in_compiled_loops_and_threads(generate, seed, monkeypatch):
    program, pixels = generate(seed)
    while not dense_forward.covers(program.network):
        seed += 2
        program, pixels = generate(seed)
    pixels = np.random.default_rng(seed).permutation(np.tile(pixels, (3, 1)))
    whole, runs = Emulator().run(program, pixels, states=True), []
    run = DenseForward.run
    monkeypatch.setattr(DenseForward, "run", lambda self, batch: runs.append(len(batch)) or run(self, batch))
    monkeypatch.setattr(emulator, "LOOPS_WORK", 1)
    monkeypatch.setattr(emulator, "THREAD_WORK", 1)
    monkeypatch.setattr(emulator, "_most_threads", lambda libraries: 2)
    parts = Emulator().run(program, pixels)
    assert sum(runs) == len(pixels) + 1  # the first one is shown before the clock starts, too
    assert len(runs) > 2
    for name in ("sums", "scores", "spikes"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


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

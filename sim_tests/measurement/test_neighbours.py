"""What `bench` shows beside the emulator: others that learn the same, and what one core could reach."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.inference import quantize
from ff2loihi.compilers.inference.integer_forward import quantize_pixels
from ff2loihi.compilers.inference.thresholds import sweep
from ff2loihi.compilers.ir import Program
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement import bindsnet_form, brian2_form
from ff2loihi.measurement.limit import Limit, inference_limit, learning_limit
from ff2loihi.measurement.neighbours import neighbours
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.learning_rule import RATE_ONE, input_rates
from sim_tests.factories import float_network, learning_layer, learning_network

IMAGES = np.random.default_rng(5).integers(0, 256, (9, 12)).astype(np.uint8) * (np.arange(12) % 3 > 0)
DATA = Dataset("made up", "test", IMAGES.astype(np.uint8), np.arange(9) % 2, 2, 3)


def learner(**changes):
    """One layer of 10 neurons behind 12 pixels and 2 label inputs that spike now and then."""
    weight = 2 * np.random.default_rng(1).integers(-10, 40, (10, 14)).astype(np.int16)
    return learning_network(learning_layer(weight, **changes), code=64)


def test_a_dense_loop_in_torch_ends_with_the_emulators_weights_and_leaves_torchs_threads():
    before = torch.get_num_threads()
    found, *_ = neighbours(learner(), DATA)
    assert (found.presentations, found.equal, found.note) == (9, True, None)
    assert found.per_second
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("network", "note"),
    [
        (learner(), "not installed"),
        (learner(trace="li"), "ReLU"),
        (replace(learner(), update=replace(learner().update, eligibility="tag")), "tags"),
    ],
)
def test_what_is_not_run_says_why(monkeypatch, network, note):
    installed = None if note == "not installed" else object()
    monkeypatch.setattr(brian2_form.importlib.util, "find_spec", lambda name: installed if name == "brian2" else None)
    dense, brian2, bindsnet = neighbours(network, DATA)
    assert bindsnet.note == "not installed"
    assert note in brian2.note
    assert brian2.per_second is None
    assert dense.note == ("written for no tags" if note == "tags" else None)


def test_a_neighbour_that_takes_too_long_is_told_in_a_few_words(monkeypatch):
    def late(*given):
        raise subprocess.TimeoutExpired(["python", "-c", "import sys\n" * 100], 900)

    monkeypatch.setattr(brian2_form, "missing", lambda network: None)
    monkeypatch.setattr(brian2_form, "present", late)
    _, found, _ = neighbours(learner(), DATA)
    assert (found.per_second, found.note) == (None, "failed: not done within 900 s")


@pytest.mark.slow
def test_brian2_ends_with_the_emulators_weights():
    pytest.importorskip("brian2")
    _, found, _ = neighbours(learner(), DATA)
    assert (found.presentations, found.equal, found.note) == (9, True, None)


@pytest.mark.slow
def test_bindsnet_learns_from_the_same_spikes():
    pytest.importorskip("bindsnet")
    spikes = np.random.default_rng(0).random((3, 23, 14)) < 0.3
    _, weight = bindsnet_form.present(learner(), spikes)
    assert (weight != learner().layers[0].weight).any()
    *_, found = neighbours(learner(), DATA)
    assert (found.presentations, found.equal, found.note) == (9, None, None)


def spikes_of(q, phases, full, steps):
    """(steps, inputs), one input and step after the other."""
    rows, acc = [], np.array(phases, np.int64)
    for _ in range(steps):
        spikes, acc = rate_step(acc, q, full)
        rows.append(spikes)
    return np.array(rows)


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_the_limit_counts_each_weight_of_an_input_that_is_not_zero(neuron):
    net = float_network(0, (20, 9))
    calibration = quantize.Calibration(DATA.images, np.arange(9) % 4)
    integers = quantize.quantize(net, calibration, quantize.Options(neuron=neuron, steps=8))
    integers = integers if neuron == "graded" else sweep(net, integers, DATA.images, None)[0]
    trace = Emulator().run(Program(integers, (), {}), DATA.images, states=True)
    found = inference_limit(integers, DATA.images, trace)
    weights = 0
    for image in DATA.images:
        q = quantize_pixels(image, integers.input_bits)
        seen = spikes_of(q, integers.phases[:12], integers.full, 8) if neuron == "lif" else q
        weights += np.count_nonzero(seen) * 20
    of_the_first = weights
    below = trace.states["hidden1.r"][:, :, -1] if neuron == "lif" else trace.states["hidden1.h"] > 0
    weights += int(below.sum()) * 9
    assert below.any()
    read = weights * 2 if neuron == "lif" else of_the_first * 4  # samples share those of a product
    assert found.bytes == pytest.approx(read / 9)
    assert found.operations == pytest.approx(weights / 9 + 4 * integers.steps * 29)


def test_the_limit_of_learning_counts_what_is_read_and_what_the_window_writes():
    network, read, written = learner(), 0, 0
    found = learning_limit(network, DATA)
    rng = np.random.default_rng(0)
    for image, label in zip(DATA.images, DATA.labels, strict=True):
        q = np.concatenate([input_rates(image, "pixels", 64), network.label_codes[label]]).astype(np.int64)
        phases = np.concatenate([rng.integers(0, 256, 12), network.label_phases])
        spikes = spikes_of(q, phases, RATE_ONE, 23)
        read, written = read + spikes.sum() * 10 / 9, written + spikes[15:].sum() * 10 / 9
    assert written > 0
    assert found.operations == pytest.approx(read + written + 23 * 10)
    assert found.bytes == pytest.approx(2 * read + 4 * written)


def test_the_limit_is_what_ends_first():
    assert Limit(operations=10, bytes=100, operations_per_second=1000, bytes_per_second=1000).per_second == 10
    assert Limit(operations=10, bytes=1, operations_per_second=1000, bytes_per_second=1000).per_second == 100
    assert Limit(operations=10, bytes=0, operations_per_second=1000, bytes_per_second=1000).per_second == 100

"""What learned classifies with library neurons: leaky LIFs and a host that counts give the learning net's own bits."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.classification import accumulator_starts
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.inference.library_form import obstacles, reach
from ff2loihi.compilers.ir import Program
from ff2loihi.compilers.learning.readout import rates, scores
from ff2loihi.verification.equality import equality_report

VECTORS = {"v": (0, 1), "s": (1, 1), "r": (2, 1), "a": (5, 0)}  # column of Learner.states, rows it is late
FAST, SLOW = 31, (6, 9, 11, 20, 49)  # leaks of 614; 31: li and hard-li, tags; 6: three layers, contrast


@pytest.fixture
def shown(drawn_once):
    """shown(seed) -> (Program, pixels): a generated network that learns, driven hard enough to spike."""

    def make(seed):
        net = replace(drawn_once(seed), input_factor=200, input_code="pixels" if seed % 3 else "contrast")
        return Program(net, (), {}), np.random.default_rng(seed).integers(0, 256, (2, net.pixels)).astype(np.uint8)

    return make


@pytest.mark.parametrize("seed", range(20))
def test_its_states_are_those_of_the_learning_net_with_nothing_learned(shown, seed):
    program, pixels = shown(seed)
    net, trace = program.network, Emulator().run(program, pixels, states=True)
    learner = Learner(net, record=True)
    for sample, (image, phases) in enumerate(zip(pixels, accumulator_starts(net, len(pixels)), strict=True)):
        learner.show(rates(net, image), phases)
        for label in range(net.classes):
            np.testing.assert_array_equal(learner.present(label, 0), trace.sums[sample, label, :, 0])
            for index, layer in enumerate(net.layers):
                for name, (column, late) in VECTORS.items():
                    wanted = learner.states[index][late : late + net.steps, column]
                    np.testing.assert_array_equal(trace.states[f"{layer.name}.{name}"][sample, label], wanted)
                last = trace.states[f"{layer.name}.r"][sample, label, -1]
                assert last[layer.positive] @ last[layer.positive] == trace.sums[sample, label, index, 0, 0]


def divergence(program, pixels):
    emulated = Emulator().run(program, pixels, states=True)
    simulated = LavaCpu(library=True).run(program, pixels, states=True)
    names = {f"{layer.name}.{name}" for layer in program.network.layers for name in VECTORS}
    assert set(emulated.states) == set(simulated.states) == names
    assert emulated.sums.any()
    np.testing.assert_array_equal(emulated.scores, simulated.scores)
    return equality_report(emulated, simulated).first_divergence


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", [FAST, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SLOW)])
def test_library_processes_classify_with_the_emulators_bits(shown, seed):
    assert divergence(*shown(seed)) is None


def heavy(program, weight: int):
    """The network with 600 more pixels, whose weights into the first layer are all `weight`."""
    net, more = program.network, 600
    first = net.layers[0]
    wide = np.full((first.neurons, more), weight, np.int16)
    layers = (replace(first, weight=np.hstack([wide, first.weight])), *net.layers[1:])
    return replace(program, network=replace(net, pixels=net.pixels + more, layers=layers))


@pytest.mark.slow
@pytest.mark.needs_lava
def test_sums_beyond_16_bits_are_the_emulators_too(shown):
    program, _ = shown(2)
    program = heavy(program, 200)
    pixels = np.random.default_rng(0).integers(200, 256, (2, program.network.pixels)).astype(np.uint8)
    assert Emulator().run(program, pixels, states=True).states["hidden1.a"].max() > 1 << 15
    assert divergence(program, pixels) is None


@pytest.mark.parametrize("weight", [254, -256])
def test_sums_that_would_wrap_in_the_library_neuron_are_refused(shown, weight):
    program, _ = shown(2)
    assert not obstacles(program.network)
    program = heavy(program, weight)
    assert reach(program.network.layers[0]) > 131071
    [said] = obstacles(program.network)
    assert said.startswith("hidden1: its sums may reach 1")
    assert "Lava's own LIFReset wraps beyond 131,071" in said


def test_presentations_add_the_scores_of_images_whose_inputs_start_from_phases_of_their_own(shown):
    program, pixels = shown(FAST)
    net, data = program.network, (pixels, np.zeros(len(pixels), np.int64))
    once, thrice = (api.classify(program, data, presentations=n) for n in (1, 3))
    learner, starts = Learner(net), accumulator_starts(net, 3 * len(pixels))
    expected = np.zeros((3, len(pixels), net.classes))
    for round_, sample in np.ndindex(expected.shape[:2]):
        learner.show(rates(net, pixels[sample]), next(starts))
        expected[round_, sample] = scores(learner.candidates(), net.probability)
    np.testing.assert_array_equal(once.scores, expected[0])
    np.testing.assert_allclose(thrice.scores, expected.sum(0))
    assert (expected[0] != expected[1]).any()
    assert thrice.predictions.tolist() == expected.sum(0).argmax(1).tolist()
    assert thrice.sums.shape == once.sums.shape

"""The same bits on every Python, every NumPy and every machine: states as golden.json has them, and as Lava has them.

golden.json holds a hash of each state of each network. `python sim_tests/bits/test_bits.py` writes it anew, for a
network that is added here; an old entry that changes means that the emulator's integers have changed.
"""

import hashlib
import json
import platform
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.backends.presentations import Presentation
from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import (
    IntHead,
    IntLayer,
    IntNetwork,
    LearningLayer,
    LearningNetwork,
    NormTable,
    Program,
    UpdateRule,
)
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.options import Contrast, Symmetric
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import library_rule
from ff2loihi.compilers.learning import rule as learning
from ff2loihi.processes.fixed_point import start_phases
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GROUPS
from ff2loihi.processes.limits import POST_TRACE_MAX
from ff2loihi.verification.equality import equality_report
from ff2loihi.verification.learning_equality import learning_equality

GOLDEN = Path(__file__).with_name("golden.json")
INFERENCE = ("graded", "graded-normalized", "graded-head", "lif-soft", "lif-hard", "conv-graded", "conv-lif")
LEARNING = ("direct", "tag", "library")


def draw(name: str, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Integers in low..high - 1 that depend on the name and the place alone: splitmix64, in integers."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, np.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return low + ((z >> np.uint64(11)) % np.uint64(high - low)).astype(np.int64).reshape(shape)


def even_weights(name: str, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Even weights in low..high."""
    return (2 * draw(name, shape, low // 2, high // 2 + 1)).astype(np.int16)


def layer(kind: str, index: int, inputs: int, n: int, lif: bool, conv: Conv | None = None) -> IntLayer:
    """Weights of both signs, the + neurons first; biases, thresholds and shifts that let about half of them fire."""
    name, shape = f"{kind} {index}", conv.weight_shape if conv else (n, inputs)
    n = conv.neurons if conv else n
    channels = conv.channels if conv else n
    vth = (50 if conv else 150) if lif else 0
    bias = draw(f"{name} bias", (channels,), -60, 61) << (3 if lif else 4)
    return IntLayer(
        name=f"hidden{index}", weight=even_weights(name, shape, -126, 130), weight_bits=8,
        bias=np.repeat(bias, n // channels).astype(np.int32), bias_exp=3 if lif else 0,
        shift=1 if lif else 8, top=1 if lif else 255, vth=vth, v0=vth << 5,
        positive=np.arange(n) < (n + 1) // 2, scale=1.0, conv=conv,
    )  # fmt: skip


def network(kind: str) -> IntNetwork:
    lif, convolutional = "lif" in kind, kind.startswith("conv")
    pixels, classes, codes = (2 * 6 * 6, 2, 0) if convolutional else (30, 3, 6)
    if convolutional:
        first = Conv((2, 6, 6), 4, (3, 3), stride=1, padding=1, groups=2)
        second = Conv((4, 6, 6), 4, (2, 2), stride=2, padding=0, groups=1)
        layers = layer(kind, 1, 0, 0, lif, first), layer(kind, 2, 0, 0, lif, second)
    else:
        layers = layer(kind, 1, pixels + codes, 24, lif), layer(kind, 2, 24, 18, lif)
    reset_hard = kind in ("lif-hard", "conv-lif")
    if reset_hard:
        layers = tuple(replace(one, v0=0) for one in layers)
    norms = ()
    if kind == "graded-normalized":
        table = (4096 // (np.arange(96) // 4 + 8)).astype(np.int32)
        norms = (NormTable(power=2, table=table, shift=0, top=255, scale=1.0),)
    head = None
    if kind == "graded-head":
        weights = tuple(even_weights(f"head {i}", (classes, one.neurons), -256, 254) for i, one in enumerate(layers))
        head = IntHead(weights, (1.0, 1.0), np.zeros(classes, np.float32), "raw")
    net = IntNetwork(
        neuron="lif" if lif else "graded", reset="hard" if reset_hard else "soft", steps=7 if lif else 1, pixels=pixels,
        input_bits=8, label_kind="none" if convolutional else "append",
        label_codes=draw(f"{kind} labels", (classes, codes), 0, 256).astype(np.int32),
        neutral=draw(f"{kind} neutral", (codes,), 0, 256).astype(np.int32),
        phases=start_phases(pixels + codes, 255), layers=layers, norms=norms, goodness="sum_squares",
        probability=Contrast(kind="contrast") if convolutional else Symmetric(kind="symmetric"),
        normalization="l2" if norms else "none", deferred=False,
        readout="channels" if convolutional else "head" if head else "goodness", readout_layers=(0, 1), head=head,
    )  # fmt: skip
    arithmetic_rules.check(net)
    return net


def pixels_of(kind: str, net: IntNetwork | LearningNetwork, samples: int) -> np.ndarray:
    return draw(f"{kind} pixels", (samples, net.pixels), 0, 256).astype(np.uint8)


def learning_network(kind: str) -> LearningNetwork:
    pixels, classes, each, n = 20, 3, 2, 12
    library = kind == "library"
    steps, inputs, layers = 9 if library else 14, pixels + classes * each, []
    for index in range(1 if library else 2):
        positive = np.arange(n) < (n + 1) // 2
        factor = (
            replace(library_rule.gate_factor("symmetric", n, steps), thresholds=((-40, -8, 0, 8, 40),) * GROUPS, vth=10)
            if library
            else ThirdFactor("symmetric", 6000, 100, 300, 3, learning.probability_table("linear"))
        )
        trace = (
            OutputTrace("relu", impulse=1, keep=256, top=POST_TRACE_MAX)
            if library
            else learning.output_trace("li" if index else "relu")
        )
        weight = even_weights(f"{kind} {index}", (n, inputs), -60, 130)
        layers.append(LearningLayer(f"hidden{index + 1}", weight, positive, Neuron(200, 163), trace, factor))
        inputs = n
    update = {
        "direct": UpdateRule("none", 3, 0, 0),
        "tag": UpdateRule("tag", 4, tag_exponent=2, tag_decay=3),
        "library": UpdateRule("gate", 0, 0, 0),
    }[kind]
    net = LearningNetwork(
        pixels=pixels, input_code="pixels", input_factor=64,
        label_codes=(np.kron(np.eye(classes, dtype=np.int64), np.ones(each, np.int64)) * 120).astype(np.int32),
        label_phases=draw(f"{kind} phases", (classes * each,), 0, 256).astype(np.int32),
        steps=steps, window=5, layers=tuple(layers), update=update,
    )  # fmt: skip
    learning_fit.check(net)
    return net


def presentations_for(kind: str, net: LearningNetwork) -> list[Presentation]:
    """Positive and negative presentations and one that only looks, at a rate that halves."""
    phases = (1, -1, 1, 0, -1, 1)
    q = draw(f"{kind} q", (len(phases), net.pixels), 0, 120)
    starts = draw(f"{kind} starts", q.shape, 0, 256)
    return [
        Presentation(q[i], starts[i], i % net.classes, phase, net.update.exponent, int(i > 3))
        for i, phase in enumerate(phases)
    ]


@cache
def inferred(kind: str):
    """(program, pixels, the emulator's trace)."""
    net = network(kind)
    program, pixels = Program(net, (), {}), pixels_of(kind, net, 2)
    return program, pixels, Emulator().run(program, pixels, states=True)


def states_of_inference(kind: str) -> dict[str, np.ndarray]:
    trace = inferred(kind)[2]
    found = {**trace.states, "sums": trace.sums, "spikes": trace.spikes, "predictions": trace.predictions}
    return found if trace.head is None else {**found, "head": trace.head}


def states_of_learning(kind: str) -> dict[str, np.ndarray]:
    """Every state of each presentation, and the goodness; "moved" is where a weight changed."""
    net = learning_network(kind)
    learner = emulator_learner(net, record=True)
    goodness, found = [], {}
    for number, one in enumerate(presentations_for(kind, net)):
        learner.exponent, learner.trace_shift = one.exponent, one.trace_shift
        learner.show(one.q, one.starts)
        goodness.append(learner.present(one.label, one.phase))
        for name in ("states", "matrices", "units"):
            kept = getattr(learner, name, [])
            for index, array in enumerate(kept if isinstance(kept, list) else [kept]):
                found[f"{number}.{name}.{index}"] = array.copy()
    moved = [before.weight != after for before, after in zip(net.layers, learner.weights, strict=True)]
    assert all(one.any() for one in moved), f"{kind}: a layer did not learn"
    return {**found, "goodness": np.stack(goodness)}


def hashes(states: dict[str, np.ndarray]) -> dict[str, str]:
    """Name -> shape and the first 16 digits of the sha256 of the values as little-endian int64."""
    return {
        name: f"{array.shape} {hashlib.sha256(np.ascontiguousarray(array, '<i8').tobytes()).hexdigest()[:16]}"
        for name, array in states.items()
    }


def every_state(kind: str) -> dict[str, np.ndarray]:
    return states_of_inference(kind) if kind in INFERENCE else states_of_learning(kind)


@pytest.mark.parametrize("kind", INFERENCE)
def test_in_each_golden_network_some_neurons_of_each_layer_fire_and_some_do_not(kind):
    program, _, trace = inferred(kind)
    for index, one in enumerate(program.network.layers):
        active = trace.states[f"{one.name}.{'r' if program.network.neuron == 'lif' else 'h'}"]
        assert 0.1 < (active > 0).mean() < 0.9
        assert len(np.unique(active)) > 3
        assert trace.spikes[..., index].all()


@pytest.mark.parametrize("kind", INFERENCE + LEARNING)
def test_the_emulator_gives_the_golden_bits(kind):
    assert hashes(every_state(kind)) == json.loads(GOLDEN.read_text(encoding="utf-8"))["states"][kind]


@pytest.mark.needs_lava
@pytest.mark.parametrize("kind", INFERENCE)
def test_lava_gives_the_golden_bits(kind):
    program, pixels, emulated = inferred(kind)
    report = equality_report(emulated, LavaCpu().run(program, pixels, states=True))
    assert {f"{one.name}.a" for one in program.network.layers} <= {variable.name for variable in report.variables}
    assert report.first_divergence is None


@pytest.mark.needs_lava
@pytest.mark.parametrize("kind", LEARNING)
def test_lavas_own_learning_processes_give_the_golden_bits(kind):
    net = learning_network(kind)
    report = learning_equality(net, presentations_for(kind, net), "graph")
    assert {f"{one.name}.weights" for one in net.layers} <= {variable.name for variable in report.variables}
    assert report.first_divergence is None


if __name__ == "__main__":
    facts = {"python": platform.python_version(), "numpy": np.__version__}
    states = {kind: hashes(every_state(kind)) for kind in INFERENCE + LEARNING}
    GOLDEN.write_text(json.dumps({"made_with": facts, "states": states}, indent=1) + "\n", encoding="utf-8")

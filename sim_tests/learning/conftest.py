"""Generated learning networks: every rule, trace and depth, weights and constants at the edges of their ranges.

Those whose learning is compared are drawn again until something happens in every layer, see `lively`.
"""

from collections import Counter
from dataclasses import replace
from itertools import count
from typing import get_args

import numpy as np
import pytest

from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.presentations import Presentation
from ff2loihi.compilers.choices import Curve
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, UpdateRule
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import rule as learning
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.limits import POST_TRACE_MAX
from sim_tests.factories import drawn_events, drawn_inputs, with_events

TRACES = ("relu", "li", "hard-li")


def _layer(rng: np.random.Generator, index: int, inputs: int, probability: str) -> LearningLayer:
    n = int(rng.integers(2, 20))
    spread = float(rng.choice([10, 60, 300]))  # 300: many at -256 and 254
    weight = np.clip(2 * np.rint(rng.normal(10, spread, (n, inputs)) / 2), -256, 254).astype(np.int16)
    kind = str(rng.choice(TRACES))
    keep, impulse = int(rng.integers(0, 257)), int(rng.integers(1, 60))
    trace = learning.output_trace(kind) if rng.random() < 0.5 else OutputTrace(kind, impulse, keep, POST_TRACE_MAX)
    curve = learning.probability_table(str(rng.choice(get_args(Curve))))
    table = learning.sigmoid_table() if probability == "sigmoid" else curve
    theta = int(rng.choice([1, 50, 400, 20000]))
    gain = 64 * theta if rng.random() < 0.5 else 26000 * min(theta, int(rng.choice([1, 50])))
    factor = ThirdFactor(probability, gain, theta, int(rng.integers(0, 5000)), int(rng.integers(0, 9)), table)
    vth, dv = int(rng.choice([1, 64, 256, 2000])), int(rng.choice([0, 614, 4096]))
    return LearningLayer(f"hidden{index + 1}", weight, np.arange(n) < (n + 1) // 2, Neuron(vth, dv), trace, factor)


def learning_net(seed: int, attempt: int = 0) -> LearningNetwork:
    rng = np.random.default_rng([seed, attempt] if attempt else seed)
    pixels, classes, each = int(rng.integers(4, 40)), int(rng.integers(2, 6)), int(rng.integers(1, 4))
    probability, depth = str(rng.choice(["symmetric", "sigmoid"])), int(rng.integers(1, 4))
    layers, inputs = [], pixels + classes * each
    for index in range(depth):
        layer = _layer(rng, index, inputs, probability)
        layers.append(layer)
        inputs = len(layer.positive)
    steps = int(rng.integers(6, 26))
    tags = UpdateRule("tag", int(rng.integers(3, 8)), int(rng.integers(0, 6)), int(rng.integers(1, 7)))
    net = LearningNetwork(
        **drawn_inputs(rng, pixels, classes, each),
        steps=steps,
        window=int(rng.integers(1, steps - 2)),
        layers=tuple(layers),
        update=tags if seed % 2 else UpdateRule("none", int(rng.integers(0, 8)), 0, 0),
    )
    learning_fit.check(net)
    return net


def with_fields(net: LearningNetwork, seed: int) -> LearningNetwork:
    """The network, whose first layer's neurons see some inputs each; some of their weights are 0, too."""
    rng = np.random.default_rng([seed, 2])
    first, *above = net.layers
    mask = rng.random(first.weight.shape) < rng.choice([0.3, 0.8], first.weight.shape[1])
    mask[:, 0] = True
    weight = np.where(mask & (rng.random(mask.shape) < 0.9), first.weight, 0)
    net = replace(net, layers=(replace(first, weight=weight, mask=mask), *above))
    learning_fit.check(net)
    return net


def presentations_for(net: LearningNetwork, seed: int, count: int = 5) -> list[Presentation]:
    rng = np.random.default_rng([seed, 1])
    top = rng.choice([20, 64, 257], count)
    rate = [(net.update.exponent, 0), (min(7, net.update.exponent + 1), 0), (7, 1)]

    def sample(k: int) -> tuple[np.ndarray, np.ndarray]:
        if net.events:
            return drawn_events(net, rng), np.zeros(0, np.int64)
        return rng.integers(0, top[k], net.pixels) * (rng.random(net.pixels) < 0.7), rng.integers(0, 256, net.pixels)

    return [
        Presentation(
            *sample(k),
            int(rng.integers(net.classes)),
            (1, -1, 0, 1, -1)[k % 5],
            *rate[min(2, k // 2)],
        )
        for k in range(count)
    ]


def lively(net: LearningNetwork, presentations: list[Presentation]) -> bool:
    """Whether each layer spikes under both phases, keeps charge, potentiates and depresses, and moves weights (and
    tags)."""
    learner, active = Learner(net, record=True), Counter()
    for one in presentations:
        learner.exponent, learner.trace_shift = one.exponent, one.trace_shift
        learner.show(one.q, one.starts)
        learner.present(one.label, one.phase)
        for index, states in enumerate(learner.states):
            active[index, "v"] += np.count_nonzero(states[:, 0])
            active[index, "z", one.phase] += np.count_nonzero(states[:, 1])
            active[index, "y2"] += np.count_nonzero(states[:, 3])
            active[index, "y3"] += np.count_nonzero(states[:, 4])
            active[index, "tags"] += 1 if not learner.tags else np.count_nonzero(learner.matrices[index][1])
    pairs = list(zip(learner.weights, net.layers, strict=True))
    moved = all((now != layer.weight).any() for now, layer in pairs)
    first, layer = pairs[0]
    if layer.mask is not None:  # some synapses that exist start at 0 and leave it
        moved &= bool(((layer.weight == 0) & (first != 0)).any())
    wanted = [
        (index, *what)
        for index in range(len(net.layers))
        for what in (("v",), ("z", 1), ("z", -1), ("y2",), ("y3",), ("tags",))
    ]
    return moved and all(active[key] for key in wanted)


@pytest.fixture(scope="session")
def generate_learning():
    """generate_learning(seed, fields, events) -> (LearningNetwork, presentations), `lively`.

    fields: `with_fields`; events: `with_events`.
    """

    def make(seed: int, fields: bool = False, events: bool = False) -> tuple[LearningNetwork, list[Presentation]]:
        for attempt in count():
            net = learning_net(seed, attempt)
            net = with_fields(net, seed) if fields else net
            net = with_events(net) if events else net
            presentations = presentations_for(net, seed)
            if lively(net, presentations):
                return net, presentations
        return None

    return make


@pytest.fixture(scope="session")
def drawn_once():
    """drawn_once(seed) -> a LearningNetwork as it was drawn first, whether or not anything happens in it."""
    return learning_net

"""A block of samples learned in one call against the same presentations one by one, each label shown by itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.backends.base import Learned, Plan, Samples
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.one_by_one import learn_one_by_one
from ff2loihi.processes.fixed_point import rate_code
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.rate_kernel import Events, encode
from sim_tests.factories import learning_layer, learning_network

PLANS = {
    "pairs": Plan(True, 1e9, 1.0, True, 0, False),
    "pairs, margin": Plan(True, 0.0, 1.0, True, 0, False),
    "in turn": Plan(False, 0.0, 1.0, True, 0, False),
    "in turn, second first": Plan(False, 0.0, 1.0, True, 1, False),
    "in turn, not asked": Plan(False, 0.0, 1.0, False, 0, False),
}
COUNT = 8


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 130))
def test_inputs_spike_when_their_accumulators_overflow(seed, steps):
    rng = np.random.default_rng(seed)
    rates, phases = rng.choice([0, 1, 2, 64, 255, 256, *range(250)], 40), rng.integers(0, 256, 40)
    found = Events.of(steps, 40)
    encode(rates, phases, RATE_ONE, found)
    for step, spikes in enumerate(rate_code(phases, rates, RATE_ONE, steps)):
        assert found.idx[step, : found.counts[step]].tolist() == np.flatnonzero(spikes).tolist()


class Plain(Learner):
    """A host that knows nothing of candidates: each label is a presentation of its own, as Lava's back end does it."""

    def candidates(self) -> np.ndarray:
        return np.stack([self.present(label, 0) for label in range(self.network.classes)])

    def learn(self, samples, plan):
        return learn_one_by_one(self, samples, plan)


def samples_for(net, seed: int, drawn: bool) -> Samples:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, net.classes, COUNT)
    others = (labels + rng.integers(1, net.classes, COUNT)) % net.classes
    wrong = np.where(rng.random(COUNT) < 0.5, others, -1) if drawn else np.full(COUNT, -1)
    rates = rng.integers(0, 257, (COUNT, net.pixels)) * (rng.random((COUNT, net.pixels)) < 0.7)
    return Samples(rates, rng.integers(0, 256, (COUNT, net.pixels)), labels, wrong)


def both(net, samples: Samples, plan: Plan, on_chip: bool = False) -> tuple[Learner, Learned]:
    """The learner of one call after it and one of many agree on everything that is kept, and on what they found."""
    whole, plain = Learner(net, on_chip), Plain(net, on_chip)
    found = whole.learn(samples, plan)
    again = plain.learn(samples, plan)
    assert found[:2] == again[:2]
    np.testing.assert_array_equal(found.leads, again.leads)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, plain.state()[name], name)
    assert whole.silent() == plain.silent()
    return whole, found


def moved(learner: Learner) -> int:
    pairs = zip(learner.weights, learner.network.layers, strict=True)
    return sum(np.count_nonzero(now != layer.weight) for now, layer in pairs)


@pytest.mark.parametrize("fields", [False, True])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("seed", range(12))
def test_a_block_is_its_presentations(generate_learning, seed, plan, fields):
    net, _ = generate_learning(seed, fields)
    plan = PLANS[plan]._replace(sigmoid=net.probability == "sigmoid")
    samples = samples_for(net, seed, drawn=plan.pairs or not plan.ask)
    if not plan.ask:  # a single negative sample needs a label that was drawn
        others = (samples.labels + 1) % net.classes
        samples = samples._replace(wrong=np.where(samples.wrong < 0, others, samples.wrong))
    learner, (learned, right, leads) = both(net, samples, plan, on_chip=seed % 4 == 0)
    assert learned == COUNT or plan.margin == 0.0
    assert right <= (COUNT if plan.pairs else 0)
    assert not plan.pairs or (leads > 0).sum() <= right <= (leads >= 0).sum()
    if learned:
        assert moved(learner)


def test_a_margin_skips_some_samples_and_not_others(generate_learning):
    found = [
        both(net, samples_for(net, seed, True), PLANS["pairs, margin"]._replace(sigmoid=net.probability == "sigmoid"))[
            1
        ]
        for seed in range(12)
        for net in [generate_learning(seed)[0]]
    ]
    learned = [count for count, _, _ in found]
    assert 0 < sum(learned) < COUNT * len(found)
    assert any(0 < right < COUNT for _, right, _ in found)
    assert np.mean([leads != 0 for *_, leads in found]) > 0.5


@pytest.mark.parametrize("classes", [15, 16, 17, 33])
@pytest.mark.parametrize("shared", [False, True], ids=["apart", "shared inputs"])
def test_more_labels_than_lanes_and_codes_that_share_inputs(generate_learning, classes, shared):
    net, _ = generate_learning(2)
    codes = np.diag(np.full(classes, 200, np.int32))
    if shared:
        codes += np.roll(codes, 1, axis=1)
    first, rng = net.layers[0], np.random.default_rng(classes)
    extra = rng.integers(-40, 80, (len(first.positive), classes)).astype(np.int16)
    layer = replace(first, weight=np.concatenate([first.weight[:, : net.pixels], extra], axis=1))
    net = replace(
        net, label_codes=codes, label_phases=np.zeros(classes, np.int32), layers=(layer, *net.layers[1:]),
    )  # fmt: skip
    learner, (learned, *_) = both(net, samples_for(net, classes, False), PLANS["pairs"])
    assert learned == COUNT
    assert moved(learner)


def test_blocks_may_be_cut_anywhere(generate_learning):
    net, _ = generate_learning(1)
    samples, plan = samples_for(net, 5, True), PLANS["pairs"]._replace(sigmoid=net.probability == "sigmoid")
    whole, cut = Learner(net), Learner(net)
    whole.learn(samples, plan)
    for begin, end in ((0, 1), (1, 4), (4, COUNT)):
        cut.learn(Samples(*(part[begin:end] for part in samples)), plan)
    assert moved(whole)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, cut.state()[name], name)


SHALLOW, DEEP, HIGHEST = 3, 250, (1 << 17) - 1
NONE, SOME, ALL = "none", "some", "all"


@pytest.mark.parametrize(
    ("dv", "vth", "largest", "paired"),
    [
        (614, 4, SHALLOW, ALL), (614, 100, DEEP, SOME), (614, HIGHEST, DEEP, NONE), (613, 4, SHALLOW, NONE),
        (0, 4, SHALLOW, ALL), (0, 100, DEEP, SOME), (2, 4, SHALLOW, ALL), (1, 100, DEEP, NONE),
        (4094, 100, DEEP, ALL), (4096, 100, DEEP, ALL), (4096, HIGHEST, DEEP, ALL),
    ],
)  # fmt: skip
@pytest.mark.parametrize("steps", [22, 23])
def test_two_steps_in_a_pass_are_two_steps(dv, vth, largest, paired, steps):
    """paired: labels whose drives are above the floor, where traces count spikes; the others go step by step."""
    rng, found, pairs = np.random.default_rng(dv), [], []
    weight = rng.integers(-largest, largest + 1, (9, 400)) // 2 * 2
    weight[0] = abs(weight[0])
    net = learning_network(learning_layer(weight, vth=vth, dv=dv), classes=5, each=2, code=70, steps=steps)
    learner = Learner(net)
    for _ in range(20):
        q = rng.integers(0, 257, net.pixels) * (rng.random(net.pixels) < rng.random())
        learner.show(q, rng.integers(0, 256, net.pixels))
        found.append(learner.candidates())
        labels, base = learner._net.labels, learner._net.base
        pairs.append((base.min(0) + labels.low).min(1) >= labels.floor)
        np.testing.assert_array_equal(found[-1], [learner.present(label, 0) for label in range(net.classes)])
    assert (NONE if not np.any(pairs) else ALL if np.all(pairs) else SOME) == paired
    assert np.any(found) or (dv, vth) == (4096, HIGHEST)  # without memory no drive is that high


@pytest.mark.parametrize("trace", ["relu", "li", "hard-li"])
@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
@pytest.mark.parametrize("depth", [1, 2])
def test_rules_as_they_are_compiled_learn_a_block_as_its_presentations(trace, probability, depth):
    rng = np.random.default_rng(depth)
    first = learning_layer(rng.normal(0, 60, (16, 60)) // 2 * 2, trace=trace, probability=probability, vth=30)
    above = learning_layer(
        rng.normal(20, 60, (12, 16)) // 2 * 2, "hidden2", trace=trace, probability=probability, vth=9
    )
    net = learning_network(first, *(above,) * (depth - 1), classes=5, each=2, code=70)
    learner, (learned, *_) = both(
        net, samples_for(net, 3, True), PLANS["pairs"]._replace(sigmoid=probability != "symmetric")
    )
    assert learned == COUNT
    assert all((now != layer.weight).any() for now, layer in zip(learner.weights, net.layers, strict=True))

"""A learning layer without Lava around it: the definition's states, and the same when it goes on from the middle."""

import numpy as np
import pytest

from ff2loihi.processes.learning.fused_layer import FusedLayer
from sim_tests.factories import Definition, learning_layer, learning_network

STEPS, CUT, N, INPUTS = 60, 30, 6, 9
RULES = {
    "post traces": {"eligibility": "none", "exponent": 2},
    "a tag": {"eligibility": "tag", "exponent": 2, "tag_exponent": 0, "tag_decay": 2},
}
GAINS = {"relu": 2000, "li": 60_000, "hard-li": 200_000}  # by the trace: a trace of 127 has a large goodness
VECTORS = ("a", "v", "r", "y2", "y3")


def fused(layer, update, passed=0, **states) -> FusedLayer:
    """From zero states, or from those of the step before."""
    arrays = {name: np.array(states.get(name, np.zeros(len(layer.positive))), np.int32) for name in VECTORS}
    tag = (update.tag_exponent, update.tag_decay) if update.eligibility == "tag" else None
    return FusedLayer(
        w=np.array(states.get("w", layer.weight.T), order="C"), g=np.array(states.get("g", (0, 0)), np.int32),
        t=np.array(states.get("t", np.zeros(layer.weight.T.shape)), np.int16, order="C"), positive=layer.positive,
        neuron=layer.neuron, trace=layer.trace, factor=layer.factor, tag=tag, passed=passed, **arrays,
    )  # fmt: skip


def presented(rng) -> tuple[np.ndarray, np.ndarray]:
    """Input spikes, and (reset, phase): two presentations, positive and negative, of 30 steps; silent at their ends."""
    s, control = (rng.random((STEPS, INPUTS)) < 0.5).astype(np.int32), np.zeros((STEPS, 2), int)
    s[25:30] = s[55:] = 0
    control[[0, 30], 0], control[4:20, 1], control[34:50, 1] = 1, 1, -1
    return s, control


def held(layer: FusedLayer, z) -> dict[str, np.ndarray]:
    vectors = {name: getattr(layer, name).copy() for name in VECTORS}
    return vectors | {"weights": layer.w.T.copy(), "tag": layer.t.T.copy(), "g": layer.g.copy(), "z": z.copy()}


@pytest.mark.parametrize("trace", GAINS)
@pytest.mark.parametrize("rule", RULES)
def test_every_state_is_the_definitions_at_every_step(rng, rule, trace):
    weight = rng.choice([-256, -60, 20, 40, 80, 254], (N, INPUTS), p=[0.05, 0.15, 0.2, 0.3, 0.2, 0.1])
    layer = learning_layer(weight, trace=trace, vth=150, theta=50, gain=GAINS[trace], balance_shift=2)
    update = learning_network(layer, **RULES[rule]).update
    (s, control), plain, ours = presented(rng), Definition(layer, update), fused(layer, update)
    engine, traces = np.random.default_rng(2), np.random.default_rng(2)
    engine.random(), traces.random()
    seen = []
    for t in range(STEPS):
        trace_shift, exponent = (0, 2) if t < 40 else (1, 4)
        z = plain.send_spikes(trace_shift)
        assert (ours.send_spikes(trace_shift) == z).all()
        u, (_, draw) = engine.random(), traces.random(2)
        plain.learn(s[t].astype(bool), tuple(control[t].tolist()), exponent, u, draw)
        ours.receive_spikes(s[t], tuple(control[t].tolist()), exponent)
        seen.append(held(ours, z))
        for name in (*VECTORS, "weights", "tag", "g"):
            assert (seen[-1][name] == getattr(plain, name)).all(), (t, name)
    weights = np.array([row["weights"] for row in seen])
    for window in (slice(0, 30), slice(30, STEPS)):
        steps = np.diff(weights[window], axis=0)
        assert (steps > 0).any()
        assert (steps < 0).any()
    assert any(row["z"].any() for row in seen)
    assert any(row["tag"].any() for row in seen) == (rule == "a tag")


@pytest.mark.parametrize("rule", RULES)
def test_a_layer_goes_on_from_its_states_and_the_steps_that_lie_behind(rng, rule):
    layer = learning_layer(rng.choice([-60, 20, 40, 80], (N, INPUTS)), vth=40, theta=5, gain=300)
    update = learning_network(layer, **RULES[rule]).update
    (s, control), ours, weights = presented(rng), fused(layer, update), []

    def step(which: FusedLayer, t: int) -> dict[str, np.ndarray]:
        z = which.send_spikes(0).copy()
        which.receive_spikes(s[t], tuple(control[t].tolist()), 3)
        return held(which, z)

    for t in range(CUT):
        last = step(ours, t)
    states = {name: last[name] for name in (*VECTORS, "g")}
    cut = fused(layer, update, passed=CUT, w=last["weights"].T, t=last["tag"].T, **states)
    fresh = fused(layer, update, w=last["weights"].T, t=last["tag"].T, **states)
    for t in range(CUT, STEPS):
        wanted, found, other = step(ours, t), step(cut, t), step(fresh, t)
        for name, values in wanted.items():
            assert (found[name] == values).all(), (t, name)
        weights.append((wanted["weights"], other["weights"]))
    assert any((ours != other).any() for ours, other in weights), "the draws made no difference"

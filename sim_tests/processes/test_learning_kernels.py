"""Each kernel in numba against the definition in learning_rule, at the edges and on generated values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.processes import learning_kernels, learning_rule
from ff2loihi.processes.limits import TAG_MAX, TAG_MIN, V_LIMIT
from sim_tests.factories import learning_layer

SEED = st.integers(0, 2**32 - 1)
DRAW = st.one_of(st.sampled_from([0.0, 0.5, 1 - 2**-53]), st.floats(0, 1, exclude_max=True))
EXPONENT = st.integers(0, 7)
N, INPUTS = 6, 11


def weights(rng) -> np.ndarray:
    """(inputs, n) int16, many at both ends."""
    return rng.choice([-256, -255, -1, 0, 1, 17, 254, 255], (INPUTS, N)).astype(np.int16)


def post(rng) -> tuple[np.ndarray, np.ndarray]:
    """(y2, y3): one of them is 0 in each neuron."""
    y, sign = rng.choice([0, 1, 2, 63, 127], N), rng.random(N) < 0.5
    return (y * sign).astype(np.int32), (y * ~sign).astype(np.int32)


@given(count=st.integers(0, INPUTS), seed=SEED)
def test_the_sum_is_that_of_the_rows_that_spiked(count, seed):
    rng = np.random.default_rng(seed)
    w, start = weights(rng), rng.integers(-100, 100, N).astype(np.int32)
    spiked, out = rng.permutation(INPUTS)[:count].astype(np.int32), start.copy()
    idx = np.concatenate([spiked, np.full(3, 5, np.int32)])  # what lies behind them is left from another step
    learning_kernels.add_rows(w, idx, count, out)
    assert out.tolist() == [s + sum(int(w[i, j]) for i in spiked) for j, s in enumerate(start.tolist())]


@pytest.mark.parametrize("trace", ["relu", "li", "hard-li"])
@given(seed=SEED, dv=st.sampled_from([0, 1, 614, 4095, 4096]), vth=st.sampled_from([1, 64, 2000, (1 << 17) - 1]))
def test_a_neuron_and_its_trace_are_the_definitions(trace, seed, dv, vth):
    rng, layer = np.random.default_rng(seed), learning_layer((N, INPUTS), trace=trace, vth=vth, dv=dv)
    v = rng.choice([-V_LIMIT, -1, 0, 1, vth << 6, V_LIMIT, *rng.integers(-V_LIMIT, V_LIMIT, 6)], N).astype(np.int32)
    r = rng.choice([0, 1, 126, 127], N).astype(np.int32)
    edges = [0, 1, -1, vth, vth + 1, -(1 << 17), 1 << 24, -(1 << 24)]
    a = rng.choice([*edges, *rng.integers(-3000, 3000, 6)], N).astype(np.int32)
    wanted_v, wanted_z = learning_rule.lif(v, a, layer.neuron)
    wanted_r = learning_rule.output_trace(r, wanted_z, layer.trace)
    z = np.zeros(N, np.int32)
    learning_kernels.integrate(v, r, a, z, learning_kernels.neuron_constants(layer.neuron, layer.trace))
    assert (v == wanted_v).all()
    assert (z == wanted_z).all()
    assert (r == wanted_r).all()


def test_a_voltage_at_the_threshold_is_not_above_it_and_v_saturates_at_both_ends():
    layer = learning_layer((3, 4), vth=100, dv=0)
    v, z, r = np.array([0, 0, -V_LIMIT], np.int32), np.zeros(3, np.int32), np.zeros(3, np.int32)
    a = np.array([100, 101, -1], np.int32)
    learning_kernels.integrate(v, r, a, z, learning_kernels.neuron_constants(layer.neuron, layer.trace))
    assert z.tolist() == [0, 1, 0]
    assert v.tolist() == [6400, 0, -V_LIMIT]
    assert r.tolist() == [0, 1, 0]


@given(seed=SEED)
def test_the_goodness_is_the_definitions(seed):
    rng = np.random.default_rng(seed)
    r, positive = rng.choice([0, 1, 126, 127], N).astype(np.int32), rng.random(N) < 0.5
    assert learning_kernels.sums(r, positive.astype(np.int64)) == learning_rule.goodness(r, positive)


@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
@given(
    plus=st.one_of(st.sampled_from([0, 1, 127**2 * 100]), st.integers(0, 9000)),
    minus=st.one_of(st.sampled_from([0, 1, 127**2 * 100]), st.integers(0, 9000)),
    phase=st.sampled_from([1, -1]), gain=st.integers(1, 1 << 20), theta=st.integers(1, 5000),
    target=st.integers(0, 5000), shift=st.integers(0, 8),
)  # fmt: skip
def test_the_modulation_is_the_definitions(probability, plus, minus, phase, gain, theta, target, shift):
    changes = {"gain": gain, "theta": theta, "target": target, "balance_shift": shift}
    factor = learning_layer((4, 6), probability=probability, **changes).factor
    constants, table = learning_kernels.factor_constants(factor), np.array(factor.table, np.int64)
    assert learning_kernels.modulation(plus, minus, phase, constants, table) == learning_rule.third_factor(
        plus, minus, phase, factor
    )


@given(seed=SEED, exponent=EXPONENT, draw=DRAW, trace_draw=st.floats(0.99, 1, exclude_max=True))
def test_an_update_of_the_rows_that_spiked_is_the_definitions(seed, exponent, draw, trace_draw):
    rng = np.random.default_rng(seed)
    w, (y2, y3), spiked = weights(rng), post(rng), np.flatnonzero(rng.random(INPUTS) < 0.6)
    wanted = w.copy()
    wanted[spiked] = learning_rule.update(
        w[spiked], learning_rule.decayed(y2, trace_draw), learning_rule.decayed(y3, trace_draw), exponent, draw
    )
    y, shared = (y2 - y3).astype(np.int64), np.zeros(N, np.int16)
    learning_kernels.decay_post_traces(y, trace_draw)
    learning_kernels.round_step(y, exponent, int(128 * draw), shared)
    learning_kernels.update_rows(w, spiked.astype(np.int32), len(spiked), shared)
    assert (w == wanted).all()


def test_a_held_trace_loses_a_unit_where_the_draw_is_above_what_is_left():
    y = np.array([127, -127, 1, -1, 0], np.int64)
    learning_kernels.decay_post_traces(y, 1 - 2**-53)
    assert y.tolist() == [126, -126, 0, 0, 0]
    y = np.array([127, -127, 1, -1, 0], np.int64)
    learning_kernels.decay_post_traces(y, 0.99)
    assert y.tolist() == [127, -127, 1, -1, 0]


@given(seed=SEED, exponent=EXPONENT, tags=st.tuples(EXPONENT, EXPONENT), draw=DRAW)
def test_a_step_of_the_tag_rule_is_the_definitions(seed, exponent, tags, draw):
    rng = np.random.default_rng(seed)
    w, (y2, y3), spiked = weights(rng), post(rng), (rng.random(INPUTS) < 0.5).astype(np.int32)
    tag = rng.choice([TAG_MIN, -1, 0, 1, 90, TAG_MAX], (INPUTS, N)) * (rng.random((INPUTS, 1)) < 0.7)
    tag = tag.astype(np.int16)
    wanted_w = learning_rule.apply_tag(w, tag, exponent, draw)
    wanted_tag = learning_rule.update_tag(tag, spiked[:, None].astype(np.int64), y2, y3, *tags, draw)
    active = tag.any(axis=1).astype(np.uint8)
    learning_kernels.apply_tags(w, tag, active, exponent, int(128 * draw))
    learning_kernels.update_tags(tag, active, spiked, (y2 - y3).astype(np.int64), *tags, int(128 * draw))
    assert (w == wanted_w).all()
    assert (tag == wanted_tag).all()
    assert (active.astype(bool) == wanted_tag.any(axis=1)).all()


@pytest.mark.parametrize("exponent", range(8))
@pytest.mark.parametrize("draw", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize("lowest", [TAG_MIN, TAG_MIN + 1])
def test_every_tag_decays_and_moves_a_weight_as_the_definition_says(exponent, draw, lowest):
    """exponent: of dw and of the decay. A row that holds the lowest tag and one without it take two ways."""
    tag = np.arange(lowest, TAG_MAX + 1, dtype=np.int16)[None]
    w, nothing = np.full_like(tag, 200), np.zeros(tag.shape[1], np.int32)
    wanted_w = learning_rule.apply_tag(w, tag, exponent, draw)
    wanted_tag = learning_rule.update_tag(tag, np.zeros((1, 1), np.int64), nothing, nothing, 0, exponent, draw)
    active, u = np.ones(1, np.uint8), int(128 * draw)
    learning_kernels.apply_tags(w, tag, active, exponent, u)
    learning_kernels.update_tags(tag, active, np.zeros(1, np.uint8), nothing, 0, exponent, u)
    assert (w == wanted_w).all()
    assert (tag == wanted_tag).all()
    assert active[0] == tag.any()

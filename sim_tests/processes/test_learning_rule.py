"""The rule's integers against the paper's equations: signs, sizes, bounds, and rounding without a bias."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.compilers.choices import Curve
from ff2loihi.compilers.ir import LearningLayer
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import rule as learning
from ff2loihi.processes import learning_rule
from ff2loihi.processes.limits import POST_TRACE_MAX, TAG_MAX, TAG_MIN, WEIGHT_MIN

GOODNESS = st.integers(0, 127**2 * 100)
PHASE = st.sampled_from([1, -1])
ALL_DRAWS = (np.arange(128) + 0.5) / 128  # one of each of the draws that rounding to 2^-7 tells apart
WEIGHTS = st.one_of(st.sampled_from([WEIGHT_MIN, WEIGHT_MIN + 1, -1, 0, 1, 254, 255]), st.integers(WEIGHT_MIN, 255))
TAGS = st.one_of(st.sampled_from([TAG_MIN, -1, 0, 1, TAG_MAX]), st.integers(TAG_MIN, TAG_MAX))
POST = st.one_of(st.sampled_from([0, 1, POST_TRACE_MAX]), st.integers(0, POST_TRACE_MAX))
EXPONENT = st.integers(0, 7)
DRAW = st.one_of(st.sampled_from([0.0, 1 - 2**-53]), st.floats(0, 1, exclude_max=True))


@st.composite
def factors(draw, probability=None, curve=None):
    """Third factors of every size that learning.fit lets through, and larger ones."""
    kind = probability or draw(st.sampled_from(["symmetric", "sigmoid"]))
    shape = curve or draw(st.sampled_from(get_args(Curve)))
    table = learning.sigmoid_table() if kind == "sigmoid" else learning.probability_table(shape)
    gain, theta = draw(st.integers(1, 1 << 23)), draw(st.integers(1, 300_000))
    return learning_rule.ThirdFactor(kind, gain, theta, draw(st.integers(0, 300_000)), draw(st.integers(0, 12)), table)


def one(value) -> np.ndarray:
    return np.array([value])


@given(factor=factors(), plus=GOODNESS, minus=GOODNESS)
def test_a_positive_sample_potentiates_what_stands_for_it_and_a_negative_one_depresses_it(factor, plus, minus):
    opposite = -1 if factor.probability == "symmetric" else 1  # eq. 5 has one polarity
    for phase in (1, -1):
        m_plus, m_minus = learning_rule.third_factor(plus, minus, phase, factor)
        assert m_plus * phase >= 0
        assert m_minus * phase * opposite >= 0
    assert learning_rule.third_factor(plus, minus, 0, factor) == (0, 0)


@given(factor=factors("symmetric", "linear"), plus=GOODNESS, minus=GOODNESS, phase=PHASE)
def test_the_symmetric_third_factor_is_equation_6(factor, plus, minus, phase):
    total = plus + minus
    p = plus / (total + 1)  # a silent layer's is 0
    error = 1 - p if phase > 0 else p
    d = min(64, max(-64, int(np.floor((factor.target - total) / 2**factor.balance_shift))))
    signs = (phase, -phase)
    for m, own, sign in zip(learning_rule.third_factor(plus, minus, phase, factor), (plus, minus), signs, strict=True):
        scale = 256 * factor.gain / (own + factor.theta)  # the integers count 1 - P in 1/256
        share = 1 + sign * d / 256
        assert abs(sign * m - scale * error * share) <= (2 * scale / 256 + 1) * share + 1  # p floors, as does each //


@given(factor=factors("sigmoid"), plus=GOODNESS, minus=GOODNESS, phase=PHASE)
def test_the_sigmoid_third_factor_is_equation_5(factor, plus, minus, phase):
    total = plus + minus
    index = np.clip((total - factor.theta) / 2**factor.balance_shift, -128, 127)
    p = 1 / (1 + np.exp(-index / 64))
    error = 1 - p if phase > 0 else p
    share = 1 + phase * min(64, max(-64, int(np.floor((factor.target - total) / 2**factor.balance_shift)))) / 256
    scale = factor.gain * 255 / 256
    found = learning_rule.third_factor(plus, minus, phase, factor)
    assert found[0] == found[1]
    assert abs(phase * found[0] - scale * error * share) <= (scale * (1 / 256 + 0.5 / 255) + 1) * share + 1


@given(factor=factors("symmetric"), total=GOODNESS, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_symmetric_update_falls_as_p_rises(factor, total, shares):
    low, high = (int(share * total) for share in sorted(shares))
    sure, unsure = (learning_rule.third_factor(plus, total - plus, 1, factor)[0] for plus in (high, low))
    assert 0 <= sure <= unsure
    sure, unsure = (learning_rule.third_factor(plus, total - plus, -1, factor)[1] for plus in (low, high))
    assert 0 <= sure <= unsure


@given(factor=factors("sigmoid"), totals=st.tuples(GOODNESS, GOODNESS))
def test_the_sigmoid_update_falls_as_p_nears_the_sample(factor, totals):
    low, high = sorted(totals)
    assert 0 <= learning_rule.third_factor(high, 0, 1, factor)[0] <= learning_rule.third_factor(low, 0, 1, factor)[0]
    assert learning_rule.third_factor(high, 0, -1, factor)[0] <= learning_rule.third_factor(low, 0, -1, factor)[0] <= 0


def test_a_sample_that_is_right_for_certain_teaches_nothing():
    table = learning.probability_table("stretched")
    factor = learning_rule.ThirdFactor("symmetric", 2048, 200, 1000, 2, table)
    assert learning_rule.third_factor(900, 100, 1, factor) == (0, 0)
    assert learning_rule.third_factor(100, 900, -1, factor) == (0, 0)


@pytest.mark.parametrize("phase", [1, -1])
def test_balance_favours_potentiation_below_the_target_and_depression_above(phase):
    factor = learning.third_factor("symmetric", 200, "relu")
    scale = factor.target // 10
    for half, larger in ((scale, True), (9 * scale, False)):  # G+ = G-: both polarities have the same size
        m = learning_rule.third_factor(half, half, phase, factor)
        assert (max(m) > -min(m)) is larger
        assert (max(m), -min(m)) == tuple(
            (factor.gain * 129 // (half + factor.theta) if phase > 0 else factor.gain * 127 // (half + factor.theta))
            * (256 + sign * (64 if larger else -64)) >> 8
            for sign in (1, -1)
        )  # fmt: skip


@given(factor=factors(), plus=GOODNESS, minus=GOODNESS, phase=PHASE)
def test_no_goodness_gives_more_than_the_largest_modulation(factor, plus, minus, phase):
    layer = LearningLayer("", np.zeros((1, 1)), np.ones(1, bool), None, None, factor)
    assert max(map(abs, learning_rule.third_factor(plus, minus, phase, factor))) <= learning_fit.largest_modulation(
        layer
    )


@given(r=st.integers(0, POST_TRACE_MAX), m=st.integers(-(2**23) + 1, 2**23 - 1), trace_shift=st.integers(0, 6))
def test_post_traces_are_unsigned_7_bit_and_one_of_them_is_zero(r, m, trace_shift):
    (y2,), (y3,) = learning_rule.post_traces(one(r), one(m), trace_shift)
    assert min(y2, y3) >= 0
    assert max(y2, y3) <= POST_TRACE_MAX >> trace_shift
    assert (y2 if m > 0 else y3) == min(POST_TRACE_MAX, int(r * abs(m) / 64 + 0.5)) // 2**trace_shift
    assert (y3 if m > 0 else y2) == 0


@given(y=POST, draw=DRAW)
def test_a_held_trace_never_rises_and_loses_at_most_one(y, draw):
    (kept,) = learning_rule.decayed(one(y), draw)
    assert max(0, y - 1) <= kept <= y
    assert learning_rule.decayed(one(y), 0.99)[0] == y  # 127 / 65535 is the largest chance to lose


@given(w=WEIGHTS, y2=POST, y3=POST, exponent=EXPONENT)
def test_an_update_is_the_equation_on_average_and_stays_a_weight(w, y2, y3, exponent):
    found = [learning_rule.update(one(w), one(y2), one(y3), exponent, u)[0] for u in ALL_DRAWS]
    assert min(found) >= WEIGHT_MIN
    assert max(found) <= 255
    wanted = w + (y2 - y3) / 2**exponent
    if max(abs(w), abs(w + y2 / 2**exponent), abs(wanted)) < 255:  # nothing was clipped
        assert np.mean(found) == wanted
        assert max(found) - min(found) <= 1


@given(w=WEIGHTS, tag=TAGS, exponent=EXPONENT, draw=DRAW)
def test_a_tag_moves_a_weight_by_its_share_on_average(w, tag, exponent, draw):
    assert WEIGHT_MIN <= learning_rule.apply_tag(one(w), one(tag), exponent, draw)[0] <= 255
    found = [learning_rule.apply_tag(one(w), one(tag), exponent, u)[0] for u in ALL_DRAWS]
    wanted = w + tag / 2**exponent
    if max(abs(wanted), abs(tag / 2**exponent)) < 255:
        assert np.mean(found) == wanted


@given(tag=TAGS, x0=st.integers(0, 1), y2=POST, y3=POST, exponent=EXPONENT, decay=EXPONENT, draw=DRAW)
def test_a_tag_takes_up_the_update_and_decays_on_average(tag, x0, y2, y3, exponent, decay, draw):
    arguments = one(tag), one(x0), one(y2), one(y3), exponent, decay
    assert TAG_MIN <= learning_rule.update_tag(*arguments, draw)[0] <= TAG_MAX
    found = [learning_rule.update_tag(*arguments, u)[0] for u in ALL_DRAWS]
    steps = tag + x0 * y2 / 2**exponent, tag + x0 * (y2 - y3) / 2**exponent
    wanted = steps[1] - tag / 2**decay
    if max(map(abs, (*steps, wanted))) < 255:
        assert np.mean(found) == wanted


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("learns", [False, True])
def test_the_tag_rule_only_where_a_tag_is_equals_the_tag_rule_everywhere(share, learns):
    rng = np.random.default_rng(3)
    for u in (0.0, 0.3, 1 - 2**-53):
        w = rng.integers(-256, 256, (7, 30)).astype(np.int32)
        tag = np.where(rng.random(30) < share, rng.integers(TAG_MIN, TAG_MAX + 1, (7, 30)), 0).astype(np.int32)
        spiked = rng.choice(30, 8, replace=False)
        y2, y3 = (rng.integers(0, 128, 7) * learns for _ in range(2))
        x0 = np.isin(np.arange(30), spiked)[:, None].astype(np.int64)
        wanted = learning_rule.apply_tag(w, tag, 2, u), learning_rule.update_tag(tag.T, x0, y2, y3, 1, 3, u).T
        learning_rule.learn_tags(w, tag, spiked, y2, y3, 2, (1, 3), u)
        assert (w == wanted[0]).all()
        assert (tag == wanted[1]).all()


@given(
    pixels=st.lists(st.one_of(st.integers(0, 255), st.sampled_from([0, 255])), min_size=1, max_size=30),
    factor=st.integers(1, 256),
)
def test_contrast_is_the_same_for_an_image_and_its_negative(pixels, factor):
    image = np.array(pixels, np.uint8)
    rates = learning_rule.input_rates(image, "contrast", factor)
    assert (rates == learning_rule.input_rates(255 - image, "contrast", factor)).all()
    assert rates.min() >= 0
    assert rates.max() <= learning_rule.RATE_ONE
    ranked = sorted(pixels)
    median = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    assert rates.tolist() == [int(abs(p - median)) * factor // 256 for p in pixels]


def test_each_image_of_a_batch_has_its_own_median():
    images = np.random.default_rng(0).integers(0, 256, (5, 7, 12)).astype(np.uint8)
    batch = learning_rule.input_rates(images, "contrast", 100)
    assert (batch[3, 4] == learning_rule.input_rates(images[3, 4], "contrast", 100)).all()
    assert learning_rule.input_rates(np.array([0, 1, 255], np.uint8), "pixels", 64).tolist() == [0, 0, 63]

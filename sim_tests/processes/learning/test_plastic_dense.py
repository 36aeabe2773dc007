"""Our LearningDense against Lava's own, synapse by synapse, and both against the definition of the update."""

import numpy as np
import pytest

from ff2loihi.processes import learning_rule

pytestmark = pytest.mark.needs_lava
DENSE, STEPS, N, INPUTS = "lava.proc.dense.process.LearningDense", 24, 4, 7
MODELS = {
    "ours": "learning.plastic_dense.PyPlasticModel",
    "Lava's": "lava.proc.dense.models.PyLearningDenseModelBitApproximate",
}
DIRECT = "2^-{0}*x0*y2 - 2^-{0}*x0*y3"
CASES = {  # dw, dt, the exponent of dw, those of dt; then another dw and its exponent
    "post traces": (DIRECT.format(1), None, 1, None, DIRECT.format(6), 6),
    "a tag": ("2^-3*t*u0", DIRECT.format(0) + " - 2^-2*t*u0", 3, (0, 2), "2^-0*t*u0", 0),
}


@pytest.fixture
def shown(rng):
    """Weights at both ends of their range, input spikes, and post traces of either kind, up to 127."""
    weights = rng.choice([-256, -254, 0, 2, 252, 254], (N, INPUTS)).astype(np.int32)
    s, y = rng.random((STEPS, INPUTS)) < 0.4, rng.choice([0, 1, 5, 64, 127], (2, STEPS, N))
    y[0][rng.random((STEPS, N)) < 0.5] = 0
    y[1][y[0] > 0] = 0  # a neuron learns with one sign at a time
    y[:, 9:12] = 0  # steps in which nothing is taught
    return weights, s, *y


def definition(weights, s, y2, y3, exponent, tag_exponents, later):
    """(weights, tag_1, a_buff) after each step; from step 12 on the other exponent."""
    w, tag, rows = weights.astype(np.int64), np.zeros_like(weights, np.int64), []
    engine, traces = np.random.default_rng(2), np.random.default_rng(2)
    engine.random(), traces.random()
    for t in range(STEPS):
        power, a = later if t >= 12 else exponent, w @ s[t]
        u, (_, draw) = engine.random(), traces.random(2)
        plus, minus = learning_rule.decayed(y2[t], draw), learning_rule.decayed(y3[t], draw)
        if tag_exponents is None:
            w = np.where(s[t], learning_rule.update(w.T, plus, minus, power, u).T, w)
        else:
            moved = learning_rule.apply_tag(w, tag, power, u)
            tag = learning_rule.update_tag(tag.T, s[t][:, None].astype(np.int64), plus, minus, *tag_exponents, u).T
            w = moved
        rows.append((w, tag, a))
    return [np.array(part) for part in zip(*rows, strict=True)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", CASES)
def test_weights_tags_and_sums_are_the_definitions_in_ours_and_in_lavas_model(run_process, shown, case, model):
    (dw, dt, exponent, tag_exponents, dw_later, later), (weights, s, y2, y3) = CASES[case], shown
    learns = ("lava.magma.core.learning.learning_rule.Loihi3FLearningRule",
              {"dw": dw, "dt": dt, "t_epoch": 1, "rng_seed": 0})  # fmt: skip
    found = run_process(
        DENSE, {"weights": weights, "learning_rule": learns}, steps=STEPS, models={DENSE: MODELS[model]},
        inputs={"s_in": s, "s_in_y2": y2, "s_in_y3": y3}, ports=["a_out"], states=["weights", "tag_1", "a_buff"],
        sets={12: {"dw": dw_later}},
    )  # fmt: skip
    w, tag, a = definition(weights, s, y2, y3, exponent, tag_exponents, later)
    assert (found["weights"] == w).all()
    assert (found["tag_1"] == tag).all()
    assert (found["a_buff"] == a).all()
    assert (found["a_out"] == np.concatenate([np.zeros((1, N)), a[:-1]])).all()
    steps = np.diff(w, axis=0, prepend=weights[None])
    assert (steps > 0).any()
    assert (steps < 0).any()
    assert (w == 255).any()
    assert (w == -256).any()
    assert (w % 2).any()
    assert tag.any() == (dt is not None)


@pytest.mark.parametrize("exponent", [0, 7])
@pytest.mark.parametrize("tag", [None, (0, 7), (5, 3)])
def test_a_rules_strings_give_back_its_exponents(exponent, tag):
    from ff2loihi.processes.learning.plastic_dense import exponents, rule_strings

    dw, dt = rule_strings(exponent, tag)
    assert exponents(dw, dt) == (exponent, tag)
    assert exponents(dw.ljust(256, "\0"), dt) == (exponent, tag)  # as a Var of 256 characters holds it


@pytest.mark.parametrize(
    ("dw", "dt"),
    [
        ("2^-1*x0*y2 - 2^-2*x0*y3", None),
        ("2^-1*x0*y2", None),
        ("2^1*x0*y2 - 2^1*x0*y3", None),
        ("2^-3*t*u0", None),
        ("2^-3*t*u0", "2^-1*x0*y2 - 2^-1*x0*y3"),
        ("2^-1*x0*y2 - 2^-1*x0*y3", "2^-1*x0*y2 - 2^-1*x0*y3 - 2^-2*t*u0"),
    ],
)
def test_any_other_rule_is_refused_with_its_text(dw, dt):
    from ff2loihi.processes.learning.plastic_dense import exponents

    with pytest.raises(ValueError, match="not a Forward-Forward rule") as caught:
        exponents(dw, dt)
    assert repr(dw) in str(caught.value)

"""The Process FFLayer, as the chip's graph of processes and as one fused model, against the layer's definition."""

import numpy as np
import pytest

from sim_tests.factories import Definition, learning_layer, learning_network

pytestmark = pytest.mark.needs_lava
STEPS, N, INPUTS, LAYERS, INDEX = 30, 5, 7, 2, 1
GRAPH = {
    "learning.ff_layer.FFLayer": "learning.ff_layer.FFLayerGraph",
    "lava.proc.dense.process.Dense": "lava.proc.dense.models.PyDenseModelBitAcc",
    "learning.neuron.LearningNeuron": "learning.neuron.PyLearningNeuronModel",
    "learning.third_factor.ThirdFactorUnit": "learning.third_factor.PyThirdFactorUnitModel",
}
DENSE = "lava.proc.dense.process.LearningDense"
FORMS = {
    "the chip's graph": GRAPH | {DENSE: "lava.proc.dense.models.PyLearningDenseModelBitApproximate"},
    "the graph with our connection": GRAPH | {DENSE: "learning.plastic_dense.PyPlasticModel"},
    "one process": {"learning.ff_layer.FFLayer": "learning.ff_layer.PyFFLayerModel"},
}
RULES = {
    "post traces": {"eligibility": "none", "exponent": 5},
    "a tag": {"eligibility": "tag", "exponent": 4, "tag_exponent": 0, "tag_decay": 2},
}
LATER, SHIFTED = {"post traces": "2^-6*x0*y2 - 2^-6*x0*y3", "a tag": "2^-6*t*u0"}, 1  # the rate after step 20
STATES = ("weights", "tag_1", "a", "v", "r", "y2", "y3", "g")


@pytest.fixture
def shown(rng):
    """A layer, its input spikes, and its control signals: two presentations, a positive and a negative one."""
    weight = rng.choice([-256, -60, 20, 40, 80, 254], (N, INPUTS), p=[0.05, 0.05, 0.2, 0.4, 0.2, 0.1])
    layer = learning_layer(weight, vth=100, theta=5, gain=2000, target=30, balance_shift=1)
    s, control = rng.random((STEPS, INPUTS)) < 0.5, np.zeros((STEPS, 2 * LAYERS), int)
    control[[0, 15], 2 * INDEX] = 1
    control[4:12, 2 * INDEX + 1], control[18:27, 2 * INDEX + 1] = 1, -1
    control[:, :2] = 1 - control[:, 2:]  # another layer's signals, not to be heeded
    return layer, s, control


def definition(layer, update, s, control) -> dict[str, np.ndarray]:
    plain, rows = Definition(layer, update), []
    engine, traces = np.random.default_rng(2), np.random.default_rng(2)
    engine.random(), traces.random()
    for t in range(STEPS):
        later = t >= 20
        z = plain.send_spikes(SHIFTED if later else 0)
        u, (_, draw) = engine.random(), traces.random(2)
        reset, phase = control[t, 2 * INDEX : 2 * INDEX + 2].tolist()
        plain.learn(s[t], (reset, phase), 6 if later else update.exponent, u, draw)
        states = {name: getattr(plain, name) for name in ("weights", "a", "v", "r", "y2", "y3", "g")}
        rows.append(states | {"tag_1": plain.tag, "s_out": z, "g_out": plain.g})
    return {name: np.array([row[name] for row in rows]).astype(int) for name in rows[0]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", RULES)
def test_every_state_is_the_definitions_at_every_step(run_process, shown, rule, form):
    layer, s, control = shown
    update = learning_network(layer, **RULES[rule]).update
    tag = (update.tag_exponent, update.tag_decay) if update.eligibility == "tag" else None
    found = run_process(
        "learning.ff_layer.FFLayer",
        {
            "weights": layer.weight.astype(np.int32), "positive": layer.positive, "neuron": layer.neuron,
            "trace": layer.trace, "factor": layer.factor, "exponent": update.exponent, "trace_shift": 0, "tag": tag,
            "index": INDEX, "layers": LAYERS,
        },
        steps=STEPS, inputs={"s_in": s, "c_in": control}, ports=["s_out", "g_out"], states=STATES, models=FORMS[form],
        sets={20: {"dw": LATER[rule], "trace_shift": np.array([SHIFTED])}},
    )  # fmt: skip
    wanted = definition(layer, update, s, control)
    assert set(found) == set(wanted)
    for name, rows in wanted.items():
        assert (found[name] == rows).all(), name
    assert all(wanted[name].any() for name in wanted if name != "tag_1" or tag)
    steps = np.diff(wanted["weights"], axis=0)
    for window in (slice(0, 15), slice(15, STEPS)):  # both phases potentiate and depress
        assert (steps[window] > 0).any()
        assert (steps[window] < 0).any()
    assert max(wanted["y2"].max(), wanted["y3"].max()) == 127
    assert wanted["g"][17].sum() <= N < wanted["g"][16].sum(), "the reset cleared nothing"

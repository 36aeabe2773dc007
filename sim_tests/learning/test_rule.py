"""The emulator's learning kernels against the definition: processes.learning_rule, one step after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.backends.emulator import presentation
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.emulator.presentation import Draws
from ff2loihi.backends.presentations import Presentation
from ff2loihi.processes import learning_rule
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.limits import WEIGHT_MAX, WEIGHT_MIN
from sim_tests.factories import Definition

SEEDS = range(41)
STATES = ("v", "z", "r", "y2", "y3")  # columns of Learner.states, a step later than the input; a is the sixth


def simulate(net, presentations: list[Presentation], trace_draws=None) -> list[dict[str, np.ndarray]]:
    """What each layer held after each step: name -> (presentations, period, ...)."""
    layers = [Definition(layer, net.update) for layer in net.layers]
    weight_draws = np.random.default_rng(2)
    weight_draws.random()
    if trace_draws is None:
        trace_draws = np.random.default_rng(2)
        trace_draws.random()
    names = (*STATES, "a", "g", "weights", "tag")
    rows = [{name: [] for name in names} for _ in layers]
    for one in presentations:
        q, acc = net.label_codes[one.label].astype(np.int64), net.label_phases.astype(np.int64)
        if not net.events:
            q, acc = np.concatenate([one.q, q]), np.concatenate([one.starts, acc])
        for i in range(net.period):
            spikes = np.zeros(net.inputs, bool)
            if i < net.steps:
                spikes, acc = rate_step(acc, q, learning_rule.RATE_ONE)
                if net.events:
                    row = one.q.reshape(net.events.steps, -1)[i % net.events.steps]
                    spikes = np.concatenate([[row[k // 8] >> (7 - k % 8) & 1 for k in range(net.pixels)], spikes]) > 0
            u, (_, draw) = weight_draws.random(), trace_draws.random(2)
            for late, layer in enumerate(layers):
                local = (i - late) % net.period
                learns = net.steps - net.window - 2 <= local <= net.steps - 3
                fired = layer.send_spikes(one.trace_shift)
                layer.learn(spikes, (local == 0, one.phase if learns else 0), one.exponent, u, draw)
                spikes = fired
                for name in names:
                    rows[late][name].append(getattr(layer, name))
    return [
        {n: np.array(r).reshape(len(presentations), net.period, *np.shape(r[0])) for n, r in one.items()}
        for one in rows
    ]


def show(learner: Learner, one: Presentation) -> None:
    learner.exponent, learner.trace_shift = one.exponent, one.trace_shift
    learner.show(one.q, one.starts)


@pytest.mark.parametrize(("fields", "events"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_state_weight_tag_and_goodness_is_the_definitions(generate_learning, seed, fields, events):
    net, presentations = generate_learning(seed, fields, events)
    expected, learner = simulate(net, presentations), Learner(net, record=True)
    for k, one in enumerate(presentations):
        show(learner, one)
        goodness = learner.present(one.label, one.phase)
        for late, rows in enumerate(expected):
            states, (weights, tags) = learner.states[late], learner.matrices[late]
            for column, name in enumerate(STATES):
                wanted = rows[name][k, late + 1 : late + 1 + net.steps]
                assert (states[1:, column] == wanted).all(), (k, late, name)
            assert (states[:-1, 5] == rows["a"][k, late : late + net.steps]).all(), (k, late)
            assert (weights.transpose(0, 2, 1) == rows["weights"][k]).all(), (k, late)
            assert (tags.transpose(0, 2, 1) == rows["tag"][k]).all(), (k, late)
            assert tuple(goodness[late]) == tuple(rows["g"][k, late + net.steps + 1]), (k, late)


def test_the_generated_networks_spike_learn_and_saturate(generate_learning):
    learned = {"none": 0, "tag": 0}
    spiking = saturated = deep = 0
    for seed in SEEDS:
        net, presentations = generate_learning(seed)
        learner = Learner(net)
        for one in presentations:
            show(learner, one)
            learner.present(one.label, one.phase)
        changed = [bool((w != layer.weight).any()) for w, layer in zip(learner.weights, net.layers, strict=True)]
        learned[net.update.eligibility] += any(changed)
        deep += any(changed[1:])
        spiking += min(learner.silent()) < 1
        saturated += any(changed) and any(w.max() > WEIGHT_MAX for w in learner.weights)
    assert min(learned.values()) >= 10
    assert spiking >= 30
    assert deep >= 10
    assert saturated >= 10


class High:
    """Draws near 1, so that post traces of every size lose a unit often, and not once in a thousand steps."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(3)

    def random(self, count: int) -> np.ndarray:
        return 1 - self.rng.random(count) / 4096


def test_a_post_trace_is_held_as_the_definition_holds_it_also_where_it_loses_a_unit(generate_learning):
    changed = []
    for seed in SEEDS:
        net, presentations = generate_learning(seed)
        expected, learner, high = simulate(net, presentations, High()), Learner(net), High()
        for one in presentations:
            show(learner, one)
            presentation.draw(learner.draws)
            learner.draws.traces[:] = high.random(2 * net.period)[1::2]
            learner._present(one.label, one.phase)
        for late, rows in enumerate(expected):
            assert (learner.weights[late] == rows["weights"][-1, -1]).all(), (seed, late)
        usual = simulate(net, presentations)[0]["weights"]
        changed.append((usual[-1, -1] != expected[0]["weights"][-1, -1]).any())
    assert sum(changed) >= 10  # the losses mattered


@pytest.mark.parametrize("seed", SEEDS)
def test_candidates_are_every_label_presented_without_learning(generate_learning, seed):
    net, presentations = generate_learning(seed)
    learner, plan, goodness = Learner(net), [], []
    for one in presentations[:2]:
        show(learner, one)
        goodness += list(learner.candidates())
        labels = [(label, 0) for label in range(net.classes)] + [
            (one.label, 1),
            ((one.label + 1) % net.classes, -1),
        ]
        goodness += [learner.present(*pair) for pair in labels[-2:]]
        plan += [Presentation(one.q, one.starts, *pair, one.exponent, one.trace_shift) for pair in labels]
    expected = simulate(net, plan)
    for late, rows in enumerate(expected):
        assert (np.array(goodness)[:, late] == rows["g"][:, late + net.steps + 1]).all(), late
        assert (learner.weights[late] == rows["weights"][-1, -1]).all(), late
        if learner.tags:
            assert (rows["tag"][-1, -1] == learner.layers[late].tag.T).all(), late


def test_what_is_recorded_does_not_depend_on_whether_scores_were_asked_for(generate_learning):
    """The layers' space is used for both, and begins anew."""
    spikes = 0
    for seed in SEEDS:
        net, [one, *_] = generate_learning(seed)
        asked, shown = Learner(net, record=True), Learner(net, record=True)
        for learner in (asked, shown):
            show(learner, one)
            if learner is asked:
                learner.candidates()
            else:
                for label in range(net.classes):
                    learner.present(label, 0)
            learner.present(one.label, 1)
        for found, expected in zip(asked.states, shown.states, strict=True):
            assert (found == expected).all(), seed
            assert not found[0, :3].any()  # v, z and r of the first step
            spikes += found[:, 1].sum()
    assert spikes


@pytest.mark.parametrize("seed", [1, 6, 11, 24])
@pytest.mark.parametrize("on_chip", [False, True])
def test_a_restored_learner_goes_on_with_the_same_bits(generate_learning, seed, on_chip):
    net, presentations = generate_learning(seed)
    whole, cut = Learner(net, on_chip), Learner(net, on_chip)
    for one in presentations:
        state, cut = cut.state(), Learner(net, on_chip)
        cut.restore(state)
        for learner in (whole, cut):
            show(learner, one)
        assert (whole.candidates() == cut.candidates()).all()
        assert (whole.present(one.label, one.phase) == cut.present(one.label, one.phase)).all()
    for name, array in whole.state().items():
        assert (array == cut.state()[name]).all(), name


@given(period=st.integers(1, 40), leaps=st.lists(st.integers(0, 9), max_size=8), begin=st.integers(0, 60))
def test_draws_are_lavas_whatever_is_passed_over(period, leaps, begin):
    weight_draws, trace_draws = np.random.default_rng(2), np.random.default_rng(2)
    most = 1 + begin + period * (sum(leaps) + len(leaps))
    expected = (128 * weight_draws.random(most)[1:]).astype(np.int64), trace_draws.random(2 * most)[2::2]
    draws, passed = Draws.of(period, begin, np.zeros(1, np.uint64)), begin
    for presentations in leaps:
        presentation.draw_nothing(draws, presentations)
        presentation.draw(draws)
        passed += presentations * period
        for found, wanted in zip((draws.u, draws.traces), expected, strict=True):
            assert (found == wanted[passed : passed + period]).all()
        passed += period
        assert draws.passed[0] == passed


@given(delta=st.integers(-127 * 128, 127 * 128), seed=st.integers(0, 2**64 - 1))
def test_rounding_on_the_chip_is_unbiased_and_keeps_weights_even(delta, seed):
    n = 4096
    w, state = np.zeros((2, n), np.int16), np.array([seed], np.uint64)
    presentation._update_rows_on_chip(w, np.array([1], np.int32), 1, np.full(n, delta), state)
    assert not w[0].any()  # its input did not spike
    assert not (w[1] % 2).any()
    assert set(np.unique(w[1])) <= {delta // 256 * 2, delta // 256 * 2 + 2}
    share = delta % 256 / 256
    error = 6 * 2 * np.sqrt(share * (1 - share) / n)  # six standard errors
    assert abs(w[1].mean() - delta / 128) <= error


def test_rounding_on_the_chip_stays_within_the_weights_width():
    w = np.array([[WEIGHT_MAX, WEIGHT_MIN, WEIGHT_MAX, WEIGHT_MIN]], np.int16)
    delta = np.array([127 * 128, -127 * 128, 0, 0])
    presentation._update_rows_on_chip(w, np.array([0], np.int32), 1, delta, np.array([2], np.uint64))
    assert w[0].tolist() == [WEIGHT_MAX, WEIGHT_MIN, WEIGHT_MAX, WEIGHT_MIN]


@pytest.mark.parametrize("on_chip", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_synapses_that_do_not_exist_stay_0_where_others_of_their_rows_move(generate_learning, seed, on_chip):
    net, presentations = generate_learning(2 * seed, fields=True)  # without tags, which round as Lava does
    learner, mask = Learner(net, on_chip), net.layers[0].mask
    for one in presentations:
        show(learner, one)
        learner.present(one.label, one.phase)
    moved = learner.weights[0] != net.layers[0].weight
    assert moved.any(axis=0)[~mask.all(axis=0)].any()
    assert not learner.weights[0][~mask].any()


@pytest.mark.parametrize("seed", [4, 6, 10, 12])
def test_a_learner_that_rounds_as_the_chip_keeps_weights_even(generate_learning, seed):
    net, presentations = generate_learning(seed)
    learner = Learner(net, on_chip=True)
    for one in presentations:
        show(learner, one)
        learner.present(one.label, one.phase)
    assert not any((w % 2).any() for w in learner.weights)

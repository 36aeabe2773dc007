"""The float twin: against autograd, against itself, and against the integer rule."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi.compilers.ir.options import Sigmoid, Symmetric
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.objectives.goodness import phase_loss
from ff2loihi.learning.float_twin import TRACES, BatchedTwin, FloatRule, OnlineTwin, candidates
from ff2loihi.reproduce import hebbian_ffa
from ff2loihi.reproduce.hebbian_ffa import FloatModel, IntegerModel

INPUTS, NEURONS = 40, 12
POSITIVE = np.arange(NEURONS) < NEURONS // 2
PROBABILITIES = {"sigmoid": Sigmoid(kind="sigmoid", theta=3.0, alpha=0.5), "symmetric": Symmetric(kind="symmetric")}


def weights(seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, (INPUTS, NEURONS))


def spikes(steps, samples, seed=1):
    return np.random.default_rng(seed).random((steps, samples, INPUTS)) < 0.3


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", PROBABILITIES)
def test_one_step_follows_the_gradient_of_the_cross_entropy(kind, sign):
    probability = PROBABILITIES[kind].model_copy(update={} if kind == "sigmoid" else {"epsilon": 1e-9})
    factor = 2 * 0.5 if kind == "sigmoid" else 2  # of grad G = 2 l and of alpha, which eq. 5 and 6 leave to eta
    rule = FloatRule(kind, "relu", eta=1, tau_e=0, theta=3 if kind == "sigmoid" else 0, alpha=0.5, window=1)
    twin = BatchedTwin(weights(), POSITIVE, rule, torch.float64)
    x = spikes(1, 7)
    twin.present(x, sign)

    w = torch.from_numpy(weights()).requires_grad_()
    drive = torch.from_numpy(x[0]).double() @ w
    fired = (drive > 1).double()
    activity = fired + (drive - drive.detach()) * fired  # the spike count, with ReLU's derivative
    assert fired.any()
    phase_loss(activity, torch.from_numpy(POSITIVE), "sum_squares", probability, sign > 0).mean().backward()
    np.testing.assert_allclose(twin.weight - weights(), -w.grad.numpy() / factor, atol=1e-8)


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("kind", PROBABILITIES)
def test_a_batch_of_one_is_the_online_twin(kind, trace):
    rule = FloatRule(kind, trace, eta=0.3, tau_e=0.9, theta=2, alpha=0.5, window=4)
    batched = BatchedTwin(weights(), POSITIVE, rule, torch.float64)
    online = OnlineTwin(weights(), POSITIVE, rule)
    for index in range(20):
        sample, sign = spikes(10, 1, seed=index), 1 - 2 * (index % 2)
        batched.present(sample, sign)
        online.present(sample, sign)
        np.testing.assert_allclose(online.weight, batched.weight, rtol=1e-9, atol=1e-12)
        if index == 10:
            batched.set_eta(0.1)
            online.set_eta(0.1)
    assert not np.allclose(online.weight, weights())


def test_rows_that_wait_are_paid_in_full():
    """Reading the weights after each presentation, which settles every row, changes nothing."""
    rule = FloatRule("symmetric", "relu", eta=0.3, tau_e=0.9, theta=2, window=4)
    patient, busy = OnlineTwin(weights(), POSITIVE, rule), OnlineTwin(weights(), POSITIVE, rule)
    for index in range(10):
        for twin in (patient, busy):
            twin.present(spikes(10, 1, seed=index), 1)
        _ = busy.weight
    np.testing.assert_allclose(patient.weight, busy.weight, rtol=1e-9)


@pytest.mark.parametrize("trace", TRACES)
def test_candidates_are_the_goodness_that_plain_steps_give(trace):
    rule = FloatRule("symmetric", trace, eta=0.1, tau_e=0.9, theta=2)
    codes = np.random.default_rng(2).random((3, 10)) < 0.5
    shown = spikes(12, 1)[:, 0]
    found = candidates(weights(), POSITIVE, rule, shown, codes)
    for label, code in enumerate(codes):
        x = shown.copy()
        x[:, -10:] &= code
        v, r = np.zeros(NEURONS), np.zeros(NEURONS)
        for step in x:
            v = 0.85 * v + weights()[step].sum(0)
            z = v > 1
            v[z] = 0
            r = {"relu": r + z, "li": 0.85 * r + z, "hard-li": np.where(z, 1, 0.85 * r)}[trace]
        assert found[label] == pytest.approx([(r[POSITIVE] ** 2).sum(), (r[~POSITIVE] ** 2).sum()])


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_float_and_integers_learn_the_same_direction(kind):
    """On the same spikes from the same weights; the integer rule lags two steps and rounds, hence no equality."""
    digits = load_data("digits", "train", limit=50)
    cell = hebbian_ffa.Cell(kind, "online", "relu", 0)
    twin, chip = FloatModel(cell, digits, 0), IntegerModel(cell, digits, 0)
    if kind == "sigmoid":  # the tables' float constants are tuned by themselves; these are the integer rule's
        twin.twin.rule = replace(twin.twin.rule, theta=2000, alpha=1 / 512, target=2000)
    before = np.array(twin.twin.weight), chip.learner.weights[0].T.astype(float)
    for model in (twin, chip):
        hebbian_ffa.fit(model, digits, 1, 1, 0)
    moved = twin.twin.weight - before[0], chip.learner.weights[0].T - before[1]
    assert np.corrcoef(moved[0].ravel(), moved[1].ravel())[0, 1] > 0.6
    large = np.abs(moved[0]) > np.abs(moved[0]).std()
    assert (np.sign(moved[0]) == np.sign(moved[1]))[large].mean() > 0.85


def test_bernoulli_inputs_spike_at_a_quarter_of_their_value():
    images = np.repeat(np.array([[0, 128, 255]], np.uint8), 4000, axis=0)
    shown = hebbian_ffa.bernoulli(images, np.random.default_rng(0)).mean((0, 1))
    assert shown[:3] == pytest.approx([0, 32 / 256, 63 / 256], abs=0.005)
    assert shown[3:].mean() == pytest.approx(0.25, abs=0.002)


def test_spikes_given_to_the_learner_are_those_its_rate_code_makes():
    digits = load_data("digits", "train", limit=1)
    model = IntegerModel(hebbian_ffa.Cell("symmetric", "online", "relu", 0), digits, 0)
    q, codes = digits.images[0].astype(np.int64) >> 2, model.network.label_codes
    model.learner.show(q, np.zeros(64, np.int64))
    expected = model.learner.candidates()
    rates = np.concatenate([q, codes.max(0)])
    sums = np.arange(hebbian_ffa.STEPS + 1)[:, None] * rates
    shown = (sums[1:] >> 8) > (sums[:-1] >> 8)
    model.learner.show_spikes(shown[:, :64], shown[:, 64:])
    np.testing.assert_array_equal(model.learner.candidates(), expected)


@pytest.mark.parametrize("table", [1, 2])
def test_reproduce_quick_prints_a_table_of_digits(table, tmp_path, ff2loihi):
    report = tmp_path / "table.json"
    options = ("--table", table, "--quick", "--epochs", 1, "--json", report)
    code, shown, _ = ff2loihi("reproduce", "hebbian-ffa", *options)
    assert code == 0
    cells = json.loads(report.read_text())["cells"]
    assert [cell["paper"] for cell in cells] == [cell.paper for cell in hebbian_ffa.TABLES[table]]
    reached = {(cell["probability"], cell["model"], cell["trace"]): cell["ours"] for cell in cells}
    assert reached["symmetric", "online", "relu"] > 50  # one epoch of 1,000 images: chance is 10
    assert [cell["integer"] is not None for cell in cells] == [cell["model"] == "online" for cell in cells]
    assert "symmetric" in shown


def test_an_unknown_table_is_refused(refused):
    code, text = refused("reproduce", "hebbian-ffa", "--table", 3)
    assert code == 2
    assert "--table" in text

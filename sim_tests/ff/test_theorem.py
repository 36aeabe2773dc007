"""The paper's theorem: Forward-Forward's gradient is third factor x post x pre (Terres-Escudero 2024, eq. 1 to 6)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.compilers.ir.options import Contrast, Sigmoid, Symmetric
from ff2loihi.ff.objectives.goodness import (
    goodness,
    loss,
    phase_loss,
    third_factor,
)

PROBABILITIES = [
    Sigmoid(kind="sigmoid", theta=2.0),
    Sigmoid(kind="sigmoid", theta=0.5, alpha=3.0),
    Symmetric(kind="symmetric", epsilon=0.0),
    Symmetric(kind="symmetric", epsilon=0.1),
]


def layer(seed, inputs, neurons):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(neurons, inputs, generator=generator, dtype=torch.float64).requires_grad_()
    x = torch.rand(inputs, generator=generator, dtype=torch.float64)
    return weight, x, torch.arange(neurons) < (neurons + 1) // 2


@pytest.mark.parametrize("is_positive", [True, False])
@pytest.mark.parametrize("probability", PROBABILITIES, ids=str)
@given(seed=st.integers(0, 10_000), inputs=st.integers(1, 12), neurons=st.integers(2, 12))
def test_autograd_gives_third_factor_times_post_times_pre(probability, is_positive, seed, inputs, neurons):
    weight, x, positive = layer(seed, inputs, neurons)
    h = torch.relu(weight @ x)
    if probability.kind == "symmetric" and not (h[positive].any() and h[~positive].any()):
        return  # log 0: the loss of a silent polarity has no gradient
    (gradient,) = torch.autograd.grad(phase_loss(h, positive, "sum_squares", probability, is_positive), weight)
    update = torch.outer(third_factor(h.detach(), positive, probability, is_positive) * h.detach(), x)
    torch.testing.assert_close(-gradient, update, rtol=1e-10, atol=1e-12)


def test_the_third_factors_are_those_of_equations_5_and_6():
    weight, x, positive = layer(3, 9, 8)
    h = torch.relu(weight @ x).detach()
    values, plus = h.numpy(), positive.numpy()
    g = (values**2).sum()
    p = 1 / (1 + np.exp(-(g - 2.0)))
    got = third_factor(h, positive, PROBABILITIES[0], True).numpy()
    np.testing.assert_allclose(got, 2 * (1 - p))  # eq. 5, with the 2 of the square's derivative
    g_plus, g_minus = (values[plus] ** 2).sum(), (values[~plus] ** 2).sum()
    p = g_plus / (g_plus + g_minus)
    got = third_factor(h, positive, PROBABILITIES[2], True).numpy()
    np.testing.assert_allclose(got[plus], 2 * (1 - p) / g_plus)  # eq. 6
    np.testing.assert_allclose(got[~plus], -2 / (g_plus + g_minus))


@pytest.mark.parametrize("kind", ["sum_squares", "mean_squares", "l2", "l1"])
def test_each_goodness_is_its_formula(kind):
    h = np.array([[0.0, 3.0, 4.0], [1.0, 0.0, 0.0]])
    expected = {"sum_squares": [25, 1], "mean_squares": [25 / 3, 1 / 3], "l2": [5, 1], "l1": [7, 1]}[kind]
    np.testing.assert_allclose(goodness(torch.from_numpy(h), kind).numpy(), expected)


def test_the_contrast_loss_is_tosatos_and_stays_finite():
    pos, neg = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 1.0])
    value = loss(pos, neg, torch.ones(2).bool(), "sum_squares", Contrast(kind="contrast"))
    assert value.item() == pytest.approx(np.log(1 + np.exp(2.0 - 5.0)))
    huge = loss(neg, pos * 1e4, torch.ones(2).bool(), "sum_squares", Contrast(kind="contrast"))
    assert torch.isfinite(huge)


@pytest.mark.parametrize("probability", PROBABILITIES[:2], ids=str)
def test_the_sigmoid_loss_stays_finite_where_its_sigmoid_saturates(probability):
    h = torch.full((4,), 1e3)
    for is_positive in (True, False):
        assert torch.isfinite(phase_loss(h, torch.ones(4).bool(), "sum_squares", probability, is_positive))

"""The Hoyer index and the probe against cases that can be worked out by hand."""

import numpy as np
import pytest

from ff2loihi.analysis.probes import linear_probe
from ff2loihi.analysis.sparsity import hoyer, sparsity


@pytest.mark.parametrize("scale", [1, 1e-200, 1e200])
def test_one_active_neuron_has_index_1_and_equal_ones_0(scale):
    assert hoyer(scale * np.eye(7)) == pytest.approx(np.ones(7))
    assert hoyer(np.full((3, 7), scale)) == pytest.approx(np.zeros(3))


def test_k_equal_neurons_of_n_have_the_index_of_the_formula():
    """|l|_1 / |l|_2 of k ones is sqrt(k)."""
    latents = np.tril(np.ones((16, 16), int))
    assert hoyer(latents) == pytest.approx((4 - np.sqrt(np.arange(1, 17))) / 3)


def test_a_silent_vector_has_no_index_and_is_counted():
    found = sparsity(np.array([[1.0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 2, 0]]))
    assert (found.mean, found.silent, found.active) == (pytest.approx(2 / 3), 0.25, 1.5)
    assert np.isnan(sparsity(np.zeros((2, 4))).mean)


def test_the_index_of_one_neuron_is_refused():
    with pytest.raises(ValueError, match="n at least 2"):
        hoyer(np.ones((3, 1)))


def test_a_probe_reads_separable_latents_and_chance_in_noise():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    latents = 1000 * np.eye(4)[labels] @ rng.normal(size=(4, 20)) + rng.normal(size=(400, 20))
    assert linear_probe(latents[:200], labels[:200], latents[200:], labels[200:]).accuracy == 1
    noise = rng.normal(size=(4000, 5))
    shuffled = np.arange(4000) % 4
    found = linear_probe(noise[:2000], shuffled[:2000], noise[2000:], shuffled[2000:])
    assert abs(found.accuracy - 0.25) < 0.05  # 5 standard errors
    assert found.accuracy == pytest.approx(np.mean(found.by_class))

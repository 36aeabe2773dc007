"""Separability, ensembles, similarity, excitation and maps against cases with a known answer."""

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA
from threadpoolctl import threadpool_info, threadpool_limits

from ff2loihi.analysis.ensembles import (
    ensembles,
    jaccard,
    shared,
    unseen,
)
from ff2loihi.analysis.excitation import excitation
from ff2loihi.analysis.maps import activation_map, tsne
from ff2loihi.analysis.separability import separability
from ff2loihi.analysis.similarity import (
    MEASURES,
    cka,
    dcor,
    matrix,
    svcca,
)

TOGETHER = {"SVCCA": svcca, "CKA": cka, "dCor": dcor}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def planted(rng, each=40):
    """Three classes of `each` samples over 30 neurons: class c drives 4c..4c + 3, all of them also neuron 29."""
    labels = np.repeat(np.arange(3), each)
    latents = rng.exponential(0.1, (3 * each, 30))
    for c in range(3):
        latents[labels == c, 4 * c : 4 * c + 4] += 3
    latents[:, 29] += 3
    return latents, labels


def test_separate_classes_have_index_1_and_shuffled_labels_the_chance(rng):
    labels = np.arange(600) % 3
    latents = 100 * np.eye(3)[labels] + rng.normal(size=(600, 3))
    assert separability(latents, labels) == 1
    assert abs(separability(latents, rng.permutation(labels)) - 1 / 3) < 0.05


def test_the_index_counts_neighbours_as_written_down():
    """On a line, the 2 nearest of each point are worked out by hand; no point is its own neighbour."""
    line = np.array([[0.0], [1], [2.1], [10], [11], [12.1]])
    labels = np.array([0, 0, 1, 1, 1, 1])
    assert separability(line, labels, neighbours=2) == pytest.approx((1 + 1 + 0 + 2 + 2 + 2) / 12)
    with pytest.raises(ValueError, match="at least 6 samples"):
        separability(line[:5], labels[:5])


def test_planted_ensembles_are_found_and_significant(rng):
    latents, labels = planted(rng)
    found = ensembles(latents, labels)
    for c in range(3):
        assert np.flatnonzero(found.members[c]).tolist() == [4 * c, 4 * c + 1, 4 * c + 2, 4 * c + 3, 29]
    assert found.sizes.tolist() == [5, 5, 5]
    assert (found.insignificant, found.p[found.members].max()) == (0, 0)
    assert shared(found.members).tolist() == [[5, 1, 1], [1, 5, 1], [1, 1, 5]]
    assert jaccard(found.members)[0, 1] == pytest.approx(1 / 9)


def test_permuted_labels_leave_one_ensemble_that_is_no_classs_own(rng):
    """What is left is what answers to all classes: neuron 29, and the sets of the classes are the same."""
    latents, labels = planted(rng, each=400)
    found = ensembles(latents, rng.permutation(labels), shuffles=20)
    assert np.flatnonzero(found.members.all(0)).tolist() == [29]
    assert found.members[:, 12:29].sum() == 0
    assert jaccard(ensembles(rng.permuted(latents, axis=1), labels, shuffles=0).members)[0, 1:] == pytest.approx(
        [np.nan, np.nan], nan_ok=True
    )


def test_chance_members_of_a_single_sample_are_mostly_not_significant(rng):
    """Exponential activities: x > 2 mean has chance e^-2, and p of a member is uniform in 0..e^-2."""
    found = ensembles(rng.exponential(size=(1, 4000)), np.zeros(1, int))
    assert found.sizes[0] / 4000 == pytest.approx(np.exp(-2), abs=0.02)
    assert found.insignificant == pytest.approx(1 - 0.05 / np.exp(-2), abs=0.12)


def test_the_permutation_test_agrees_with_the_definition(rng):
    """p of delta itself, its sums written out, with draws of its own."""
    latents = rng.exponential(size=(6, 12)) * np.r_[np.full(2, 2.2), np.ones(10)]
    found = ensembles(latents, np.zeros(6, int), shuffles=2000)

    def delta(x):
        means = x.mean(0)
        return np.array([means[j] - 2 * np.delete(means, j).mean() for j in range(12)])

    assert np.array_equal(found.members[0], delta(latents) > 0)
    assert found.sizes[0] > 0
    draws = np.random.default_rng(9)
    above = np.mean([delta(draws.permuted(latents, axis=1)) > delta(latents) for _ in range(2000)], axis=0)
    assert found.p[found.members] == pytest.approx(above[found.members[0]], abs=0.06)  # 4 standard errors of 2,000


def test_an_unseen_class_overlaps_with_what_it_drives(rng):
    latents, labels = planted(rng)
    new = rng.exponential(0.1, (20, 30))
    new[:, [0, 1, 20]] += 1.5
    found = unseen(ensembles(latents, labels, shuffles=0), new)
    assert np.flatnonzero(found.members).tolist() == [0, 1, 20]
    assert found.shared.tolist() == [2, 0, 0]
    assert found.jaccard == pytest.approx([2 / 6, 0, 0])
    assert 0.4 < found.strength < 0.6  # 1.6 against 3.1


@pytest.mark.parametrize("measure", TOGETHER)
def test_a_representation_is_like_itself_rotated_and_scaled(rng, measure):
    x = rng.normal(size=(80, 6))
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    for other in (x, 3 * x @ rotation + 5):
        assert TOGETHER[measure](x, other) == pytest.approx(1)


@pytest.mark.parametrize("measure", TOGETHER)
def test_independent_representations_are_unlike(rng, measure):
    x, y = rng.normal(size=(2, 1500, 2))
    assert TOGETHER[measure](x, y) < 0.08


@pytest.mark.parametrize("measure", TOGETHER)
def test_a_constant_representation_has_no_similarity(rng, measure):
    assert np.isnan(TOGETHER[measure](np.ones((20, 3)), rng.normal(size=(20, 3))))


def test_svcca_is_the_mean_canonical_correlation(rng):
    """scikit-learn's iterative CCA, on data whose every direction is kept."""
    x = rng.normal(size=(300, 3))
    y = np.c_[x[:, 0], 0.5 * x[:, 1] + rng.normal(size=300), rng.normal(size=300)]
    a, b = CCA(n_components=3, max_iter=5000, tol=1e-10).fit_transform(x, y)
    expected = np.mean([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)])
    assert svcca(x, y) == pytest.approx(expected, abs=1e-3)


def test_svcca_drops_what_holds_less_than_one_percent(rng):
    strong = rng.normal(size=(500, 2))
    x, y = (np.c_[strong, 0.01 * rng.normal(size=500)] for _ in range(2))
    assert svcca(x, y) == pytest.approx(1, abs=1e-3)


def test_cka_is_the_cosine_of_the_gram_matrices(rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 7))
    centre = np.eye(30) - 1 / 30
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    assert cka(x, y) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def test_dcor_sees_what_is_not_linear_and_has_the_closed_form_of_two_bits():
    x = np.linspace(-1, 1, 201)[:, None]
    assert cka(x, x**2) == pytest.approx(0, abs=1e-12)
    assert dcor(x, x**2) > 0.4
    # fair bits of signs s, t: A_ij = -s_i s_j / 2, so R = |E s t|, and they agree in 6 of 8 cases
    bits = np.array([[0, 0]] * 3 + [[1, 1]] * 3 + [[0, 1], [1, 0]], float)
    assert dcor(bits[:, :1], bits[:, 1:]) == pytest.approx(0.5)


def test_the_matrix_holds_each_pair(rng):
    three = [rng.normal(size=(40, n)) for n in (2, 3, 5)]
    for measure in MEASURES:
        found = matrix(three, measure)
        assert np.diag(found) == pytest.approx(np.ones(3))
        assert found[2, 0] == found[0, 2] == TOGETHER[measure](three[2], three[0])


def test_excitation_counts_positive_weights():
    found = excitation(np.array([[1, -1, 2, 0], [-1, -1, -1, -1]]), np.array([0.5, -2]))
    assert (found.share.tolist(), found.bias.tolist()) == ([0.5, 0], [0.5, -2])
    assert excitation(np.ones((3, 2)), None).bias.tolist() == [0, 0, 0]


def test_an_activation_map_orders_neurons_by_their_strongest_class():
    latents = np.array([[0.0, 0, 1, 5], [0, 0, 3, 7], [0, 4, 0, 0]])
    means, order = activation_map(latents, np.array([2, 2, 6]))
    assert means.tolist() == [[0, 0, 2, 6], [0, 4, 0, 0]]
    assert order.tolist() == [3, 2, 1, 0]


def test_tsne_keeps_far_clusters_apart_and_takes_few_samples(rng):
    labels = np.arange(60) % 2
    places = tsne(50 * labels[:, None] + rng.normal(size=(60, 5)))
    assert separability(places, labels) == 1
    assert tsne(np.zeros((5, 3))).shape == (5, 2)
    with pytest.raises(ValueError, match="at least 4"):
        tsne(np.ones((3, 3)))


def test_tsne_takes_one_thread(monkeypatch):
    """Two that wait for each other, on cores that others use, took nine times as long."""
    seen = []

    def fit(_, latents):
        seen.extend(library["num_threads"] for library in threadpool_info())
        return np.zeros((len(latents), 2))

    monkeypatch.setattr("sklearn.manifold.TSNE.fit_transform", fit)
    with threadpool_limits(2):
        assert tsne(np.eye(8)).shape == (8, 2)
        assert 2 in {library["num_threads"] for library in threadpool_info()}
    assert set(seen) == {1}

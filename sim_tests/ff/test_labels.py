"""How a label enters, and that a negative never carries the true one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.ff.networks.labels import make_embedding
from ff2loihi.ff.objectives.negatives import hard_negatives, mixed_negatives, random_negatives


@given(classes=st.integers(2, 20), seed=st.integers(0, 1000), hard=st.floats(0, 1))
def test_a_negative_never_carries_the_true_label(classes, seed, hard):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (300,), generator=generator)
    scores = torch.randn(300, classes, generator=generator)
    for wrong in (
        random_negatives(labels, classes, generator),
        hard_negatives(scores, labels),
        mixed_negatives(scores, labels, hard, generator),
    ):
        assert (wrong != labels).all()
        assert wrong.min() >= 0
        assert wrong.max() < classes


def test_random_negatives_are_spread_over_all_wrong_labels():
    generator = torch.Generator().manual_seed(0)
    wrong = random_negatives(torch.full((9000,), 3), 10, generator)
    counts = torch.bincount(wrong, minlength=10)
    assert counts[3] == 0
    assert (counts[counts > 0] - 1000).abs().max() < 150  # 5 standard deviations of a binomial


def test_a_hard_negative_is_the_best_wrong_label():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    assert hard_negatives(scores, torch.tensor([1, 0])).tolist() == [2, 1]


@pytest.mark.parametrize(("name", "inputs", "kind"), [("binary", 100, "append"), ("one_hot", 10, "append"), ("pixels", 10, "overwrite")])  # fmt: skip  # noqa: E501
def test_image_and_label_share_the_inputs_without_overlap(name, inputs, kind):
    embedding = make_embedding(name, 10, torch.Generator().manual_seed(0))
    assert (embedding.kind, tuple(embedding.codes.shape)) == (kind, (10, inputs))
    width = embedding.inputs(784)
    image, label = embedding.columns(784)
    seen = [*range(width)[image], *range(width)[label]]
    assert sorted(seen) == list(range(width))
    assert set(embedding.codes.unique().tolist()) == {0.0, 1.0}


def test_a_binary_code_has_three_ones_in_ten():
    shares = [make_embedding("binary", 10, torch.Generator().manual_seed(s)).codes.mean() for s in range(20)]
    assert abs(sum(shares) / 20 - 0.3) < 0.015  # 5 standard deviations of 20,000 bits

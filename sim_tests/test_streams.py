"""One seed, many streams: none repeats another, in numpy or torch."""

from itertools import combinations
from typing import get_args

import numpy as np
import pytest
import torch

from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.streams import Use, stream, torch_seed


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_each_use_has_a_stream_of_its_own_in_numpy_and_in_torch(seed):
    drawn = [stream(seed, use).random(1000) for use in get_args(Use)]
    drawn += [
        torch.rand(1000, generator=torch.Generator().manual_seed(torch_seed(seed, use))).numpy()
        for use in get_args(Use)
    ]
    drawn += [
        np.random.default_rng(seed).random(1000),
        torch.rand(1000, generator=torch.Generator().manual_seed(seed)).numpy(),
    ]
    for one, other in combinations(drawn, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.17  # 5 standard errors


def test_a_stream_follows_from_the_seed_alone():
    assert stream(3, "training").random() == stream(3, "training").random() != stream(4, "training").random()
    assert torch_seed(3, "training") == torch_seed(3, "training") != torch_seed(4, "training")


def test_label_codes_say_nothing_about_the_first_weights():
    """A weight is (2 u - 1) times a bound and a bit u < 0.3: from one stream they would be the same u."""
    network = train("ffa-symmetric", load_data("digits", "train", limit=100), epochs=0, widths=(50,))
    weight, bits = network.layers[0].weight.detach().flatten(), network.embedding.codes.flatten().bool()
    low = weight[: len(bits)] < torch.quantile(weight, 0.3)
    share = float((low == bits).float().mean())
    assert abs(share - (0.3**2 + 0.7**2)) < 0.08  # chance; 1 where they are one stream
    assert 0.2 < float(bits.float().mean()) < 0.4

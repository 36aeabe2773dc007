"""The dense loop that `bench` shows beside the emulator learns the same: goodness, spikes and weights."""

import numpy as np
import pytest

from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.measurement.dense_torch import DenseTorch


@pytest.mark.parametrize("fields", [False, True], ids=["dense", "fields"])
@pytest.mark.parametrize("seed", range(0, 24, 2))  # odd ones have tags
def test_a_dense_loop_in_torch_learns_the_emulators_bits(generate_learning, seed, fields):
    net, presentations = generate_learning(seed, fields)
    ours, theirs, active = DenseTorch(net), Learner(net), np.zeros(len(net.layers))
    for one in (*presentations, *presentations):
        for learner in (ours, theirs):
            learner.show(one.q, one.starts)
        assert ours.present(one.label, one.phase).tolist() == theirs.present(one.label, one.phase).tolist()
        for index, (spikes, layer) in enumerate(zip(ours.spikes, theirs.layers, strict=True)):
            np.testing.assert_array_equal(spikes, layer.spikes)
            active[index] += spikes.sum()
    assert active.all()
    for weight, same in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(weight, same)
    assert any((weight != layer.weight).any() for weight, layer in zip(ours.weights, net.layers, strict=True))

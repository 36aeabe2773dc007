"""What the rule does to a network of the compiler's own constants: probabilities part, goodness is held."""

from typing import get_args

import numpy as np
import pytest

from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.compilers.choices import TraceKind
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import rule as learning
from sim_tests.factories import learning_layer, learning_network


def two_class_net(probability: str, trace: str, eligibility: str) -> LearningNetwork:
    """30 neurons on 40 pixels, with the constants that a compiled network of that kind gets."""
    n, pixels, each = 30, 40, 10
    weight = 2 * np.rint(np.random.default_rng(5).normal(0, learning.SPREAD / 2, (n, pixels + 2 * each)))
    layer = learning_layer(
        np.clip(weight, -256, 254), probability=probability, trace=trace, positive=np.arange(n) < n // 2,
        vth=learning.VTH, dv=learning.LEAK,
    )  # fmt: skip
    return learning_network(
        layer, each=each, code=128, label_phases=(np.arange(2 * each) % each * 25).astype(np.int32), input_factor=128,
        steps=learning.STEPS, window=learning.WINDOW, eligibility=eligibility, tag_exponent=2, tag_decay=2,
    )  # fmt: skip


@pytest.mark.parametrize("eligibility", ["none", "tag"])
@pytest.mark.parametrize("trace", get_args(TraceKind))
@pytest.mark.parametrize("probability", ["symmetric", "sigmoid"])
def test_pairs_of_samples_part_their_probabilities_and_balance_holds_the_goodness(probability, trace, eligibility):
    net = two_class_net(probability, trace, eligibility)
    learning_fit.check(net)
    learner, rng = Learner(net), np.random.default_rng(6)
    image, starts = rng.integers(0, 129, net.pixels), rng.integers(0, 256, net.pixels)
    learner.show(image, starts)
    for _ in range(300):
        learner.present(0, 1)
        learner.present(1, -1)
    true, wrong = learner.candidates()[:, 0]
    if probability == "symmetric":
        assert true[0] / true.sum() > 0.7
        assert wrong[0] / wrong.sum() < 0.3
    else:
        assert true.sum() > 1.5 * wrong.sum()
    target = net.layers[0].factor.target
    assert target / 3 < (true.sum() + wrong.sum()) / 2 < 3 * target


def test_a_negative_sample_undoes_what_a_positive_one_does():
    net = two_class_net("symmetric", "relu", "none")
    positive = net.layers[0].positive
    for phase in (1, -1):
        learner = Learner(net)
        learner.show(np.full(net.pixels, 100), np.arange(net.pixels) * 6)
        learner.present(0, phase)
        moved = learner.weights[0].astype(int) - net.layers[0].weight
        assert (moved[positive] * phase >= 0).all()
        assert (moved[~positive] * phase <= 0).all()
        assert moved[positive].any()
        assert moved[~positive].any()
        assert not moved[:, net.pixels + 10 :].any()  # the other label's inputs did not spike

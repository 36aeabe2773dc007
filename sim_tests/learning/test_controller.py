"""The controller: what is presented when, with a back end that only writes down what it is asked."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.backends.base import Learned
from ff2loihi.backends.one_by_one import learn_one_by_one
from ff2loihi.choices import Negatives
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning import readout as learning_readout
from ff2loihi.learning.controller import ADAPT, CONTINUE, REVISIT_MAX, Controller, Schedule, check_schedule
from ff2loihi.learning.plans import SMALL, SMALL_EPOCHS, schedule_for
from sim_tests.factories import learning_layer, learning_network

CLASSES, SIDE = 5, 6


class Recorder:
    """Answers `candidates` with a given goodness and keeps what it was shown."""

    def __init__(self, goodness: np.ndarray) -> None:
        self.goodness, self.exponent, self.trace_shift = goodness, 0, 0
        self.images: list[np.ndarray] = []
        self.phases: list[np.ndarray] = []
        self.shown: list[tuple[int, int]] = []  # (label, phase) of each presentation
        self.asked = 0

    def show(self, q, phases) -> None:
        self.images.append(q)
        self.phases.append(phases)

    def candidates(self) -> np.ndarray:
        self.asked += 1
        return self.goodness

    def present(self, label, phase) -> None:
        self.shown.append((label, phase))

    def learn(self, samples, plan) -> Learned:
        return learn_one_by_one(self, samples, plan)


def network(probability="symmetric", exponent=5, pixels=SIDE**2, layers=1) -> LearningNetwork:
    plain = learning_layer((4, pixels + CLASSES), probability=probability)
    return learning_network(*(plain,) * layers, classes=CLASSES, input_factor=256, exponent=exponent)


def goodness_of(*scores: float) -> np.ndarray:
    """(classes, 1, 2): G+ and G- whose symmetric scores are these, to a millionth."""
    plus = np.rint(1e6 * np.array(scores)).astype(np.int64)
    return np.stack([plus, 1_000_000 - plus], axis=-1)[:, None]


def controlled(schedule: Schedule, scores=(0.9, 0.5, 0.4, 0.1, 0.3), **parts) -> tuple[Controller, Recorder]:
    recorder = Recorder(goodness_of(*scores))
    return Controller(network(**parts), recorder, schedule), recorder


IMAGE = np.arange(SIDE**2, dtype=np.uint8)


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(4, [(4, 0), (5, 0), (6, 0), (7, 0)]), (5, [(5, 0), (6, 0), (7, 0), (7, 1)]), (7, [(7, k) for k in range(4)])],
)
def test_a_run_is_cut_in_equal_parts_of_falling_rate(exponent, expected):
    controller, recorder = controlled(Schedule(), exponent=exponent)
    found = []
    for done in np.arange(400) / 400:
        controller.set_rate(done)
        found.append((recorder.exponent, recorder.trace_shift))
    assert found == [rate for rate in expected for _ in range(100)]
    controller.set_rate(1.0)
    assert (recorder.exponent, recorder.trace_shift) == expected[-1]


@given(samples=st.integers(1, 200), parts=st.integers(1, 6), exponent=st.integers(0, 7))
def test_rates_never_rise_and_every_part_gets_its_share(samples, parts, exponent):
    controller, recorder = controlled(Schedule(rates=tuple(range(parts))), exponent=exponent)
    found = []
    for sample in range(samples):
        controller.set_rate(sample / samples)
        assert recorder.exponent <= 7
        assert recorder.exponent == 7 or not recorder.trace_shift
        found.append(recorder.exponent + recorder.trace_shift)
    assert found == sorted(found)
    assert found[0] == exponent
    whole = [exponent + sample * parts // samples for sample in range(samples)]
    assert sum(a != b for a, b in zip(found, whole, strict=True)) < parts  # a float may part a sample early or late


def test_a_pair_is_the_true_label_and_the_hardest_wrong_one_on_the_same_spikes():
    controller, recorder = controlled(Schedule(margin=1))
    for label, hardest in ((0, 1), (1, 0), (3, 0)):
        controller.learn(IMAGE[None], np.array([label]))
        assert recorder.shown[-2:] == [(label, 1), (hardest, -1)]
    assert len(recorder.images) == recorder.asked == 3
    assert (controller.seen, controller.learned, controller.right) == (3, 3, 1)
    assert all(((phases >= 0) & (phases < 256)).all() for phases in recorder.phases)
    assert (recorder.phases[0] != recorder.phases[1]).any()  # another start for each image


@pytest.mark.parametrize(("gap", "pairs"), [(0.3, 0), (0.2001, 0), (0.1999, 1), (0.0, 1), (-0.3, 1)])
def test_a_pair_is_skipped_where_the_true_label_leads_by_more_than_the_margin(gap, pairs):
    controller, recorder = controlled(Schedule(margin=0.2), (0.5 + gap, 0.5, 0.1, 0.1, 0.1))
    leads = controller.learn(IMAGE[None], np.array([0]))
    assert len(recorder.shown) == 2 * pairs
    assert (controller.seen, controller.learned, controller.right) == (1, pairs, int(gap >= 0))
    assert leads == pytest.approx([gap], abs=2e-6)


@pytest.mark.parametrize("negatives", get_args(Negatives))
def test_a_lead_is_over_the_best_wrong_label_whatever_negative_is_shown(negatives):
    controller, recorder = controlled(Schedule(negatives=negatives, margin=1), (0.1, 0.9, 0.4, 0.6, 0.3))
    leads = controller.learn(np.stack([IMAGE] * 20), np.array([1, 3] * 10))
    assert leads == pytest.approx([0.3, -0.3] * 10, abs=2e-6)
    shown = {label for label, phase in recorder.shown if phase < 0}
    assert shown == {1, 3} if negatives == "hard" else len(shown) > 2


@pytest.mark.parametrize(("lead", "pairs"), [(0.21, 0), (0.19, 1)])
def test_the_sigmoids_margin_counts_in_goodness_that_balance_holds(lead, pairs):
    controller, recorder = controlled(Schedule(margin=0.2), probability="sigmoid")
    target = controller.network.layers[0].factor.target
    total = np.array([1000 + lead * target, 1000, 10, 10, 10]).astype(np.int64)
    recorder.goodness = np.stack([total // 3, total - total // 3], axis=-1)[:, None]
    controller.learn(IMAGE[None], np.array([0]))
    assert len(recorder.shown) == 2 * pairs


@pytest.mark.parametrize("negatives", get_args(Negatives))
def test_without_a_margin_samples_are_positive_and_negative_in_turn(negatives):
    controller, recorder = controlled(Schedule(margin=None, negatives=negatives, hard_share=1.0))
    for _ in range(10):
        controller.learn(IMAGE[None], np.array([2]))
    assert [phase for _, phase in recorder.shown] == [1, -1] * 5
    assert {label for label, phase in recorder.shown if phase > 0} == {2}
    assert recorder.asked == (0 if negatives == "random" else 5)  # scores only where a negative needs them
    assert (controller.seen, controller.learned) == (10, 10)


@pytest.mark.parametrize("margin", [1, None])
@pytest.mark.parametrize("negatives", get_args(Negatives))
def test_a_negative_sample_never_has_the_true_label(negatives, margin):
    controller, recorder = controlled(Schedule(negatives=negatives, margin=margin))
    rng = np.random.default_rng(1)
    wrong = {label: set() for label in range(CLASSES)}
    for _ in range(300):
        recorder.goodness, label = goodness_of(*rng.random(CLASSES)), int(rng.integers(CLASSES))
        controller.learn(IMAGE[None], np.array([label]))
        wrong[label] |= {shown for shown, phase in recorder.shown if phase < 0}
        recorder.shown.clear()
    for label, found in wrong.items():
        assert found == set(range(CLASSES)) - {label}


def test_hard_negatives_leave_the_true_label_out_even_where_all_scores_are_equal():
    controller, recorder = controlled(Schedule(margin=1), [0.5] * CLASSES)
    for label in range(CLASSES):
        controller.learn(IMAGE[None], np.array([label]))
        assert recorder.shown[-1] == (int(label == 0), -1)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_mixed_negatives_are_hard_with_their_share_and_random_else(share):
    controller, recorder = controlled(Schedule(negatives="mixed", hard_share=share, margin=1))
    n = 2000
    for _ in range(n):
        controller.learn(IMAGE[None], np.array([0]))
    wrong = np.array([label for label, phase in recorder.shown if phase < 0])
    counts = np.bincount(wrong, minlength=CLASSES) / n
    expected = np.array([0, share, 0, 0, 0]) + (1 - share) / (CLASSES - 1) * np.array([0, 1, 1, 1, 1])
    assert (np.abs(counts - expected) < 6 * 0.5 / np.sqrt(n)).all()  # six standard errors
    assert (counts[expected == 0] == 0).all()


@pytest.mark.parametrize("most", [1, 2])
def test_jitter_moves_the_whole_image_by_at_most_that_many_pixels_and_black_comes_in(most):
    controller, recorder = controlled(Schedule(jitter=most, margin=None))
    for _ in range(200):
        controller.learn(IMAGE[None], np.array([0]))
    framed = np.pad(IMAGE.reshape(SIDE, SIDE), most)
    places = [(down, right) for down in range(2 * most + 1) for right in range(2 * most + 1)]
    moved = {framed[y : y + SIDE, x : x + SIDE].astype(np.int16).tobytes() for y, x in places}
    assert len(moved) == len(places)
    assert {image.tobytes() for image in recorder.images} == moved


def test_without_jitter_the_image_is_shown_as_it_is():
    controller, recorder = controlled(Schedule())
    controller.learn(IMAGE[None], np.array([0]))
    assert (recorder.images[0] == learning_readout.rates(controller.network, IMAGE)).all()


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    def run(seed):
        controller, recorder = controlled(Schedule(negatives="mixed", jitter=2, margin=1, seed=seed))
        for label in range(20):
            controller.learn(IMAGE[None], np.array([label % CLASSES]))
        return recorder.shown, [image.tolist() for image in recorder.images], [p.tolist() for p in recorder.phases]

    assert run(3) == run(3)
    assert all(a != b for a, b in zip(run(3), run(4), strict=True))


def test_scores_are_the_mean_over_the_layers():
    one, two = goodness_of(0.9, 0.1), goodness_of(0.5, 0.5)
    found = learning_readout.scores(np.concatenate([one, two], axis=1), "symmetric")
    assert found == pytest.approx([0.7, 0.3], abs=2e-6)  # the +1 and +2 of the score
    assert learning_readout.scores(np.array([[[1, 2], [3, 4]]]), "sigmoid").tolist() == [5.0]
    assert learning_readout.scores(np.zeros((3, 1, 2), np.int64), "symmetric").tolist() == [0.5] * 3


def test_a_schedule_that_is_wrong_says_everything_at_once():
    with pytest.raises(FF2LoihiError) as caught:
        check_schedule(Schedule(epochs=0, negatives="easy", margin=1.5, jitter=-1))
    for words in ("--epochs must be at least 1, got 0", "got 'easy'", "-1..1, got 1.5", "at least 0, got -1"):
        assert words in str(caught.value)
    with pytest.raises(FF2LoihiError, match=f"--revisit must be in 0..{REVISIT_MAX}, got -1"):
        check_schedule(Schedule(revisit=-1))
    for margin in (None, 0.0, -0.1):
        with pytest.raises(FF2LoihiError, match="or give a --margin above 0"):
            check_schedule(Schedule(margin=margin, revisit=1))
    for plan in (Schedule(revisit=REVISIT_MAX), Schedule(), CONTINUE, ADAPT, Schedule(margin=-1), Schedule(margin=1)):
        check_schedule(plan)


NOTHING = {"epochs": None, "negatives": None, "margin": None, "jitter": None, "seed": None}
UNTRAINED, TRAINED = {"options": {"start": "untrained"}}, {"options": {"start": "trained"}}
LEARNED = {**UNTRAINED, "learned": [{}]}


def chosen(provenance: dict, samples=SMALL, plan=None, single=False, **wanted) -> Schedule:
    return schedule_for(Program(None, (), provenance), samples, plan, {**NOTHING, **wanted}, single)


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        (UNTRAINED, Schedule()),
        ({}, Schedule()),
        (LEARNED, CONTINUE),
        (TRAINED, ADAPT),
        ({**TRAINED, "learned": [{}]}, ADAPT),  # its third factor is still the measured one
    ],
)
def test_the_plan_follows_from_where_the_artifact_came_from(provenance, expected):
    assert chosen(provenance) == expected


def test_a_plan_that_is_asked_for_is_taken():
    assert chosen(TRAINED, plan="scratch") == Schedule()
    assert chosen(UNTRAINED, plan="adapt") == ADAPT
    assert chosen(UNTRAINED, plan="continue") == CONTINUE


def test_a_small_data_set_is_learned_from_scratch_in_more_epochs():
    assert chosen(UNTRAINED, SMALL - 1) == replace(Schedule(), epochs=SMALL_EPOCHS)
    assert chosen(UNTRAINED, SMALL - 1, epochs=3).epochs == 3
    assert chosen(LEARNED, SMALL - 1) == CONTINUE
    assert chosen(TRAINED, SMALL - 1) == ADAPT


@pytest.mark.parametrize("provenance", [UNTRAINED, LEARNED, TRAINED])
def test_what_is_asked_for_goes_before_the_plan(provenance):
    plan, wanted = chosen(provenance), {"epochs": 9, "negatives": "random", "margin": 0.0, "jitter": 0, "seed": 8}
    assert chosen(provenance, **wanted) == replace(plan, **wanted)


def test_single_shows_each_image_once_and_takes_no_margin():
    assert chosen(UNTRAINED, single=True) == replace(Schedule(), margin=None)
    assert chosen(TRAINED, single=True) == ADAPT
    with pytest.raises(FF2LoihiError, match="--margin has no meaning with --single"):
        chosen(UNTRAINED, single=True, margin=0.1)

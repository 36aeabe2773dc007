"""What a run asks of a back end that learns, and the answer of one that shows a presentation at a time."""

from typing import NamedTuple, Protocol

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import scores


class Samples(NamedTuple):
    """rates, phases (samples, pixels) int64: of the inputs, and where their accumulators start.

    labels, wrong (samples,) int64; wrong: the label that was drawn, -1 where the best wrong one is to be shown.
    """

    rates: np.ndarray
    phases: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray


class Plan(NamedTuple):
    """pairs: each sample as a positive and a negative one, where the true label's score is no more than margin ahead of
    the wrong one's, in multiples of unit; else in turn as one or the other, the first after `seen` samples.

    ask: whether the scores are asked for before a single negative one. sigmoid: which scores.
    """

    pairs: bool
    margin: float
    unit: float
    ask: bool
    seen: int
    sigmoid: bool


class LearningBackend(Protocol):
    """A place where a LearningNetwork learns, presentation by presentation.

    block: samples that it learns at best in one call; exponent, halve: the rate of its rule.
    """

    block: int
    network: LearningNetwork
    exponent: int
    halve: int

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Take an image: rates q (pixels,) int64 in 1/256 a step, accumulators starting at phases 0..255."""
        ...

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, layers, 2) int64, G+ and G-."""
        ...

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (layers, 2)."""
        ...

    def learn(self, samples: Samples, plan: Plan) -> tuple[int, int]:
        """Learn samples as the plan says: how many taught, and how many had the true label as the best one."""
        ...

    def silent(self) -> list[float]:
        """Each layer's share of neurons that have not spiked since the last call."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        ...

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        ...

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        ...


def learn_one_by_one(backend: LearningBackend, samples: Samples, plan: Plan) -> tuple[int, int]:
    """LearningBackend.learn by its other verbs: backends.emulator.loop.learn in plain words."""
    learned = right = 0
    kind = "sigmoid" if plan.sigmoid else "symmetric"
    for k, (q, phases, label, wrong) in enumerate(zip(*samples, strict=True)):
        backend.show(q, phases)
        negative = plan.pairs or (plan.seen + k) % 2 == 1
        if plan.pairs or (negative and plan.ask):
            found = scores(backend.candidates(), kind)
            if wrong < 0:
                wrong = np.where(np.arange(len(found)) == label, -np.inf, found).argmax()
            right += int(plan.pairs and found.argmax() == label)
            if plan.pairs and (found[label] - found[wrong]) / plan.unit > plan.margin:
                continue
        learned += 1
        if plan.pairs or not negative:
            backend.present(int(label), 1)
        if negative:
            backend.present(int(wrong), -1)
    return learned, right

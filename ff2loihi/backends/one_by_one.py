"""How a back end learns that shows a presentation at a time."""

from typing import Protocol

import numpy as np

from ff2loihi.backends.base import Learned, LearningBackend, Plan, Samples
from ff2loihi.compilers.learning.readout import scores


def learn_one_by_one(backend: LearningBackend, samples: Samples, plan: Plan) -> Learned:
    """LearningBackend.learn by its other verbs: backends.emulator.loop.learn in plain words."""
    taught, right, leads = 0, 0, np.zeros(len(samples.labels))
    kind = "sigmoid" if plan.sigmoid else "symmetric"
    for k, (q, phases, label, wrong) in enumerate(zip(*samples, strict=True)):
        backend.show(q, phases)
        negative = plan.pairs or (plan.seen + k) % 2 == 1
        if plan.pairs or (negative and plan.ask):
            found = scores(backend.candidates(), kind)
            best = np.where(np.arange(len(found)) == label, -np.inf, found).argmax()
            wrong = best if wrong < 0 else wrong
            leads[k] = (found[label] - found[best]) / plan.unit
            right += int(plan.pairs and found.argmax() == label)
            if plan.pairs and (found[label] - found[wrong]) / plan.unit > plan.margin:
                continue
        taught += 1
        if plan.pairs or not negative:
            backend.present(int(label), 1)
        if negative:
            backend.present(int(wrong), -1)
    return Learned(taught, right, leads)


class OneByOne(LearningBackend, Protocol):
    """One whose other verbs follow from `present`."""

    _q: np.ndarray
    _phases: np.ndarray

    def show(self, q: np.ndarray, phases: np.ndarray) -> None:
        """Take a sample: what readout.rates makes of it, and its accumulators' starts (draws_phases,) in 0..255."""
        self._q, self._phases = q, phases

    def learn(self, samples: Samples, plan: Plan) -> Learned:
        """Learn samples as the plan says."""
        return learn_one_by_one(self, samples, plan)

    def candidates(self) -> np.ndarray:
        """The image under every label, without learning: (classes, layers, 2) int64, G+ and G-."""
        return np.stack([self.present(label, 0) for label in range(self.network.classes)])

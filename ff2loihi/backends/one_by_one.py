"""How a back end learns that shows a presentation at a time."""

import numpy as np

from ff2loihi.backends.base import LearningBackend, Plan, Samples
from ff2loihi.compilers.learning.readout import scores


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

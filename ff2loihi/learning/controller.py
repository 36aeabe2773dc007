"""What is presented to a learning network, sample by sample: labels, negatives, rates."""

from dataclasses import dataclass
from typing import Protocol, get_args

import numpy as np

from ff2loihi.choices import Negatives
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import rates, scores
from ff2loihi.processes.limits import RATE_EXPONENT_MAX

RATES = (0, 1, 2, 3)  # of a run's equal parts: how often the rule's rate is halved, see set_rate


class Presenter(Protocol):
    """A back end that learns; see backends.learner."""

    exponent: int
    halve: int

    def show(self, q: np.ndarray, phases: np.ndarray) -> None: ...
    def candidates(self) -> np.ndarray: ...
    def present(self, label: int, phase: int) -> np.ndarray: ...
    def silent(self) -> list[float]: ...
    def state(self) -> dict[str, np.ndarray]: ...
    def restore(self, state: dict[str, np.ndarray]) -> None: ...

    @property
    def weights(self) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class Schedule:
    """How a run presents its samples.

    negatives: hard: the best wrong label; random; mixed: hard with share `hard_share`.
    margin: pairs of (true, wrong) label are shown where s_true - s_wrong <= margin, with the sigmoid margin times the
    goodness that balance holds; None: every sample is shown once, positive and negative in turn, without asking for
    the candidates' scores unless negatives need them.
    shift: each image is moved by up to that many pixels. rates: of the run's equal parts, see RATES.
    """

    epochs: int = 4
    negatives: Negatives = "hard"
    hard_share: float = 0.75
    margin: float | None = 0.2
    shift: int = 0
    rates: tuple[int, ...] = RATES
    seed: int = 0


# A network that learned on the chip goes on, with its own third factor.
CONTINUE = Schedule(epochs=1, rates=(1, 2, 3))
# A compiled analog network adapts: its balance needs the images it knows too, so none is skipped.
ADAPT = Schedule(epochs=1, negatives="mixed", margin=None, rates=(2, 3, 4))


def check_schedule(schedule: Schedule) -> None:
    """Raise FF2LoihiError with everything that is wrong in it."""
    wrong = []
    if schedule.epochs < 1:
        wrong.append(f"--epochs must be at least 1, got {schedule.epochs}")
    if schedule.negatives not in get_args(Negatives):
        wrong.append(f"--negatives must be one of {', '.join(get_args(Negatives))}, got {schedule.negatives!r}")
    if schedule.margin is not None and not -1 <= schedule.margin <= 1:
        wrong.append(f"--margin must be in -1..1, got {schedule.margin}")
    if schedule.seed < 0:
        wrong.append(f"--seed must be at least 0, got {schedule.seed}")
    if schedule.shift < 0:
        wrong.append(f"--shift must be at least 0, got {schedule.shift}")
    if wrong:
        raise FF2LoihiError("; ".join(wrong))


class Controller:
    """Runs a Schedule over a data set; `rng` holds all its randomness, so that a run can be resumed."""

    def __init__(self, network: LearningNetwork, presenter: Presenter, schedule: Schedule) -> None:
        self.network, self.presenter, self.schedule = network, presenter, schedule
        self.probability = network.probability
        self.target = np.mean([layer.factor.target for layer in network.layers])
        self.rng = np.random.default_rng(schedule.seed)
        self.scored = schedule.margin is not None  # every image's labels are compared before it is learned
        self.seen = self.learned = self.right = 0  # of this epoch

    def set_rate(self, done: float) -> None:
        """The learning rate when a share `done` of the run lies behind; below the last exponent traces are halved."""
        parts = self.schedule.rates
        wanted = self.network.update.exponent + parts[min(len(parts) - 1, int(done * len(parts)))]
        self.presenter.exponent = min(RATE_EXPONENT_MAX, wanted)
        self.presenter.halve = wanted - self.presenter.exponent

    def learn(self, image: np.ndarray, label: int) -> None:
        """Show one image, (pixels,) uint8, and learn from it where the schedule says so."""
        plan = self.schedule
        if plan.shift:
            image = self._shifted(image)
        self.presenter.show(rates(self.network, image), self.rng.integers(0, 256, len(image)))
        self.seen += 1
        if plan.margin is None:
            return self._alternate(label)
        found = scores(self.presenter.candidates(), self.probability)
        self.right += int(found.argmax() == label)
        wrong = self._wrong(found, label)
        if self._margin(found, label, wrong) > plan.margin:
            return None
        self.learned += 1
        self.presenter.present(label, 1)
        self.presenter.present(wrong, -1)
        return None

    def _alternate(self, label: int) -> None:
        self.learned += 1
        if self.seen % 2:
            self.presenter.present(label, 1)
        else:
            found = None
            if self.schedule.negatives != "random":
                found = scores(self.presenter.candidates(), self.probability)
            self.presenter.present(self._wrong(found, label), -1)

    def _margin(self, found: np.ndarray, label: int, wrong: int) -> float:
        gap = found[label] - found[wrong]
        return gap / self.target if self.probability == "sigmoid" else gap

    def _wrong(self, found: np.ndarray | None, label: int) -> int:
        kind = self.schedule.negatives
        if kind == "random" or (kind == "mixed" and self.rng.random() >= self.schedule.hard_share):
            return int((label + self.rng.integers(1, self.network.classes)) % self.network.classes)
        return int(np.where(np.arange(len(found)) == label, -np.inf, found).argmax())

    def _shifted(self, image: np.ndarray) -> np.ndarray:
        side = int(np.sqrt(len(image)))
        by = self.rng.integers(-self.schedule.shift, self.schedule.shift + 1, 2)
        return np.roll(image.reshape(side, side), tuple(by), (0, 1)).reshape(-1)

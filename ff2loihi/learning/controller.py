"""What is presented to a learning network, sample by sample: labels, negatives, rates."""

import math
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np

from ff2loihi.backends.base import Plan, SampleLearner, Samples
from ff2loihi.choices import Negatives
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import draws_phases, rates
from ff2loihi.data.jitter import Shape, moved
from ff2loihi.processes.limits import RATE_EXPONENT_MAX
from ff2loihi.streams import stream

RATES = (0, 1, 2, 3)  # of a run's equal parts: how often the rule's rate is halved, see set_rate
FAR = 1.5  # margins: an image whose label was further ahead is left out of the next `revisit` epochs
REVISIT_MAX = 1000


@dataclass(frozen=True)
class Schedule:
    """How a run presents its samples.

    negatives: hard: the best wrong label; random; mixed: hard with share `hard_share`.
    margin: pairs of (true, wrong) label are shown where s_true - s_wrong <= margin, with the sigmoid margin times the
    goodness that balance holds; None: every sample is shown once, positive and negative in turn, without asking for
    the candidates' scores unless negatives need them.
    jitter: pixels that an image is moved by at most, each way, anew each time.
    revisit: epochs that an image is left out of after its label was far ahead, see FAR.
    rates: of the run's equal parts, see RATES.
    """

    epochs: int = 4
    negatives: Negatives = "hard"
    hard_share: float = 0.75
    margin: float | None = 0.2
    jitter: int = 0
    revisit: int = 0
    rates: tuple[int, ...] = RATES
    seed: int = 0

    @property
    def facts(self) -> dict:
        """What files say of it: a revisit of 0 is not named, as in those that were written before it was known."""
        return {name: value for name, value in asdict(self).items() if name != "revisit" or value}


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
    if schedule.jitter < 0:
        wrong.append(f"--jitter must be at least 0, got {schedule.jitter}")
    if not 0 <= schedule.revisit <= REVISIT_MAX:
        wrong.append(f"--revisit must be in 0..{REVISIT_MAX}, got {schedule.revisit}")
    if schedule.revisit and (schedule.margin is None or schedule.margin <= 0):
        wrong.append("--revisit counts in multiples of the margin. Leave it out, or give a --margin above 0")
    if wrong:
        raise FF2LoihiError("; ".join(wrong))


class Controller:
    """Runs a Schedule over a data set; `rng` holds all its randomness, so that a run can be resumed."""

    def __init__(
        self, network: LearningNetwork, backend: SampleLearner, schedule: Schedule, shape: Shape | None = None
    ) -> None:
        self.network, self.backend, self.schedule = network, backend, schedule
        side = math.isqrt(network.pixels)
        self.shape = shape or (side, side, 1)  # of an image
        balance = np.mean([layer.factor.target for layer in network.layers])
        self.unit = float(balance) if network.probability == "sigmoid" else 1.0  # of the margin
        self.rng = stream(schedule.seed, "presentations")
        self.scored = schedule.margin is not None  # every image's labels are compared before it is learned
        self.seen = self.learned = self.right = 0  # of this epoch

    def set_rate(self, done: float) -> None:
        """The learning rate when a share `done` of the run lies behind; below the last exponent traces are halved."""
        wanted = self.network.update.exponent + self.schedule.rates[self.part(done)]
        self.backend.exponent = min(RATE_EXPONENT_MAX, wanted)
        self.backend.trace_shift = wanted - self.backend.exponent

    def part(self, done: float) -> int:
        """In which of the run's equal parts it is."""
        parts = len(self.schedule.rates)
        return min(parts - 1, int(done * parts))

    def learn(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Show images, (samples, pixels) uint8, at one rate, and learn from them where the schedule says so.

        Returns how far each one's label was ahead, see Learned.
        """
        from ff2loihi.learning.draws import draw  # numba, which no other command waits for
        from ff2loihi.processes.pcg64 import Stream

        plan, samples, labels = self.schedule, len(labels), labels.astype(np.int64)
        by, wrong = np.empty((samples, 2), np.int64), np.empty(samples, np.int64)
        phases = np.empty((samples, draws_phases(self.network)), np.int16)
        drawn = Stream.of(self.rng.bit_generator)
        draw(
            drawn, labels, self.seen, not self.scored, self.network.classes, plan.negatives == "hard",
            plan.negatives == "mixed", plan.hard_share, plan.jitter, by, phases, wrong,
        )  # fmt: skip
        drawn.put_into(self.rng.bit_generator)
        shown = moved(images, by, self.shape) if plan.jitter else images
        found = self.backend.learn(
            Samples(rates(self.network, shown), phases, labels, wrong),
            Plan(
                pairs=self.scored, margin=plan.margin or 0.0, unit=self.unit,
                ask=plan.negatives != "random", seen=self.seen, sigmoid=self.network.probability == "sigmoid",
            ),
        )  # fmt: skip
        self.seen += len(labels)
        self.learned, self.right = self.learned + found.taught, self.right + found.right
        return found.leads

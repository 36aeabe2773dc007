"""What the trials of a sweep show together: its configurations, each over its seeds, and what matters most in them."""

import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ff2loihi.sweeps.settings import Key, Settings
from ff2loihi.sweeps.space import Space
from ff2loihi.sweeps.trial import Measured, Outcome

GROUPS = 5  # that the values of a range are put into, by their ranks


@dataclass(frozen=True)
class Configuration:
    """Trials that differ in their seed alone. options: what is varied, and its value; accuracies: one a seed.

    accuracy, float_accuracy: means; spread: the standard deviation over seeds, None of one seed.
    cores, energy_mj: of the first seed's network, the energy a band; None where no board holds it.
    """

    options: dict[str, object]
    accuracies: tuple[float, ...]
    accuracy: float
    spread: float | None
    float_accuracy: float
    cores: int | None
    energy_mj: tuple[float, float] | None


@dataclass(frozen=True)
class Report:
    """configurations: the best first. strengths: of each varied option, the strongest first, see `_strength`.

    trials: of the space; finished: of them, those with a result; errors: of those that could not be compiled.
    """

    trials: int
    finished: int
    errors: tuple[str, ...]
    strengths: dict[str, float]
    configurations: tuple[Configuration, ...]

    @property
    def complete(self) -> bool:
        return self.finished == self.trials


def report(space: Space, trials: int, outcomes: Sequence[Outcome]) -> Report:
    """The report of those of a space's trials that are finished, in the order of the trials."""
    good = [outcome for outcome in outcomes if isinstance(outcome, Measured)]
    alike: dict[Settings, list[Measured]] = {}
    for outcome in good:
        alike.setdefault(outcome.options.model_copy(update={"seed": 0}), []).append(outcome)
    accuracies = [outcome.accuracy for outcome in good]
    strengths = {
        ".".join(key): _strength([value_of(outcome.options, key) for outcome in good], accuracies)
        for key in space.varied
    }
    made = [_configuration(space, group) for group in alike.values()]
    return Report(
        trials,
        len(outcomes),
        tuple(outcome.error for outcome in outcomes if not isinstance(outcome, Measured)),
        dict(sorted(strengths.items(), key=lambda item: -item[1])),
        tuple(sorted(made, key=lambda one: -one.accuracy)),
    )


def value_of(options: Settings, key: Key) -> Hashable:
    """The value of one option, the width of a single layer as a number; None for how to learn where nothing learns."""
    section, name = key
    value = getattr(getattr(options, section), name, None)
    return int(value) if name == "widths" and value and value.isdigit() else value


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Of dotted names, what stands behind the dot where no other has the same there."""
    ends = [name.partition(".")[2] for name in names]
    return {name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)}


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of points (cost, accuracy), those that no other one beats at no higher cost, by rising cost."""
    found: list[tuple[float, float]] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or accuracy > found[-1][1]:
            found.append((cost, accuracy))
    return found


def _configuration(space: Space, group: list[Measured]) -> Configuration:
    first, accuracies = group[0], tuple(outcome.accuracy for outcome in group)
    return Configuration(
        options={".".join(key): value_of(first.options, key) for key in space.varied},
        accuracies=accuracies,
        accuracy=statistics.mean(accuracies),
        spread=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        float_accuracy=statistics.mean(outcome.float_accuracy for outcome in group),
        cores=first.cores,
        energy_mj=first.energy_mj,
    )


def _strength(values: Sequence[Hashable], accuracies: Sequence[float]) -> float:
    """The share of the accuracies' variance that lies between an option's values, in 0..1 (eta squared).

    0 where no value has two trials: then it is unknown.
    """
    y, groups = np.array(accuracies), _groups(values)
    if len(set(groups.tolist())) == len(y) or y.min() == y.max():
        return 0.0
    sizes = np.bincount(groups)
    between = float(sizes @ (np.bincount(groups, y) / sizes - y.mean()) ** 2)
    return between / float(((y - y.mean()) ** 2).sum())


def _groups(values: Sequence[Hashable]) -> np.ndarray:
    """A number for each value, the same for equal ones, or for those next to each other of many numbers."""
    different = list(dict.fromkeys(values))
    numbers = [value for value in different if isinstance(value, int | float)]
    if len(numbers) == len(different) > GROUPS:
        return np.unique(np.array(values, float), return_inverse=True)[1] * GROUPS // len(different)
    return np.array([different.index(value) for value in values], int)

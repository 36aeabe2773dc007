"""The points of a search: in rounds, of which each follows from the results before it, by Optuna (extra `sweep`)."""

import itertools
import statistics
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from ff2loihi.compilers.errors import BackendError, FF2LoihiError
from ff2loihi.sweeps.settings import Settings
from ff2loihi.sweeps.space import SEED, Drawn, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

SEED_MAX = (1 << 32) - 1  # that numpy's old generator takes
BATCH = 10  # points of a round; as many are drawn at random before the first that follows from results


def rounds(space: Space, accuracy: Callable[[Settings], float]) -> Generator[tuple[list[Settings], int]]:
    """The trials of each round, and how many more those after it have at most.

    accuracy: of a trial of the rounds before, in 0..1; a point's value is its mean over the seeds. The same accuracies
    give the same rounds. Raises FF2LoihiError.
    """
    assert space.draw
    space.check()
    if space.draw.seed > SEED_MAX:
        raise FF2LoihiError(
            f"{space.where}: draw.seed: must be at most {SEED_MAX:,} by optuna, got {space.draw.seed:,}"
        )
    study = _study(space.draw.seed)
    seeds = space.lists.get(SEED, (0,))
    fixed = {key: values[0] for key, values in space.lists.items() if key != SEED}
    searched = {key: space.ranges.get(key) or space.lists[key] for key in space.varied}
    distributions = {".".join(key): _distribution(values) for key, values in searched.items()}
    for begin in range(0, space.draw.points, BATCH):
        end = min(begin + BATCH, space.draw.points)
        asked = [study.ask(distributions) for _ in range(begin, end)]
        found = [{key: _value(values, one.params[".".join(key)]) for key, values in searched.items()} for one in asked]
        points = [[space.settings(fixed | point, seed)[0] for seed in seeds] for point in found]
        yield list(dict.fromkeys(itertools.chain(*points))), (space.draw.points - end) * len(seeds)
        for one, point in zip(asked, points, strict=True):
            study.tell(one, statistics.fmean(map(accuracy, point)))


def _study(seed: int) -> "Study":
    """Optuna's tree-structured Parzen estimator, which looks for the highest value. Raises BackendError."""
    try:
        import optuna
    except ImportError:
        raise BackendError(
            "draw.by: optuna: Optuna is not installed. Install the extra `sweep`, as pip install '.[sweep]', or draw "
            "by sobol"
        ) from None
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it says on standard error that there is a study
    try:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH)
        return optuna.create_study(direction="maximize", sampler=sampler)
    finally:
        optuna.logging.set_verbosity(level)


def _distribution(values: Drawn | tuple[object, ...]) -> "BaseDistribution":
    """Of a range its numbers, of a list the places in it, which have no order."""
    from optuna import distributions

    if not isinstance(values, Drawn):
        return distributions.CategoricalDistribution(range(len(values)))
    if values.whole:
        return distributions.IntDistribution(int(values.low), int(values.high), values.log)
    return distributions.FloatDistribution(values.low, values.high, values.log)


def _value(values: Drawn | tuple[object, ...], suggested: int | float) -> object:
    return values.rounded(suggested) if isinstance(values, Drawn) else values[int(suggested)]

"""The space of a sweep: a YAML file's options as values, lists and ranges, and the trials that they span.

Lists span a grid, at each of whose points the same points of the ranges are tried; or a search chooses of them, too.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from ff2loihi import choices
from ff2loihi.compilers.errors import FF2LoihiError, brief, meant, shortened, together
from ff2loihi.compilers.formats import yaml_file
from ff2loihi.compilers.ir.options import Flag, Float, Strict
from ff2loihi.streams import stream
from ff2loihi.sweeps.settings import DECIDING, SECTIONS, Key, Settings, without_idle

SEED = ("seed", "")
MOST = 100_000  # trials
DIGITS = 6  # of a number that is drawn


class Range(Strict):
    """Numbers from low to high, both included; whole ones where the option is. log: evenly by their logarithm."""

    low: Float
    high: Float
    log: Flag = False


class Draw(Strict):
    """How many points, and how they are chosen: of the ranges alone, or by optuna of lists and ranges."""

    points: int = Field(strict=True, ge=1, le=MOST)
    by: Literal["sobol", "random", "optuna"] = "sobol"
    seed: int = Field(default=0, strict=True, ge=0)


class Drawn:
    """A range of one option; whole: it takes no fractions."""

    def __init__(self, given: Range, whole: bool) -> None:
        self.low, self.high, self.log, self.whole = given.low, given.high, given.log, whole

    def at(self, share: float) -> int | float:
        """Its value at a share of it, in 0..1 without the 1."""
        high = self.high + 1 if self.whole else self.high  # the last of whole numbers has as much room as the others
        value = self.low * (high / self.low) ** share if self.log else self.low + share * (high - self.low)
        return self.rounded(value)

    def rounded(self, value: float) -> int | float:
        """The number of the range that a trial is given."""
        return min(math.floor(value), int(self.high)) if self.whole else min(float(f"{value:.{DIGITS}g}"), self.high)


@dataclass(frozen=True)
class Space:
    """What a file says. lists: the values of each option; ranges: of the others; learn: whether that section is there.

    where: the file, for messages.
    """

    where: str
    lists: dict[Key, tuple[object, ...]]
    ranges: dict[Key, Drawn]
    draw: Draw | None
    learn: bool

    @property
    def varied(self) -> tuple[Key, ...]:
        """The options that differ between trials, the seed left out."""
        several = (key for key, values in self.lists.items() if key != SEED and len(values) > 1)
        return (*several, *self.ranges)

    @property
    def searches(self) -> bool:
        """Whether its trials follow from one another's results: see search.rounds."""
        return self.draw is not None and self.draw.by == "optuna"

    def trials(self) -> list[Settings]:
        """Each once, in the order of the lists, seeds next to each other. Raises FF2LoihiError."""
        self.check()
        points, seeds = list(self._points()), self.lists.get(SEED, (0,))
        outer = [key for key in self.lists if key != SEED]
        found: dict[Settings, None] = {}
        for values in itertools.product(*(self.lists[key] for key in outer)):
            grid = dict(zip(outer, values, strict=True))
            for point, seed in itertools.product(points, seeds):
                found[self.settings(grid | point, seed)[0]] = None
        return list(found)

    def check(self) -> None:
        """Raises FF2LoihiError where there are too many trials, and where an option means nothing in any of them."""
        points = 1 if self.draw is None else self.draw.points
        crossed = [values for key, values in self.lists.items() if key == SEED or not self.searches]
        count = points * math.prod(map(len, crossed))
        if count > MOST:
            raise FF2LoihiError(
                f"{self.where}: {count:,} trials, at most {MOST:,} are run. Give fewer values or points"
            )
        first = {key: values[0] for key, values in self.lists.items() if key != SEED}
        first |= {key: drawn.at(0) for key, drawn in self.ranges.items()}
        deciding = [key for key in DECIDING if key in self.lists]
        made = [
            self.settings(first | dict(zip(deciding, values, strict=True)), 0)
            for values in itertools.product(*(self.lists[key] for key in deciding))
        ]
        if self.learn and all(settings.learn is None for settings, _ in made):
            raise FF2LoihiError(f"{self.where}: learn: no trial learns. Give compile.learning: on or library, too")
        idle = [key for key in first if all(key in without for _, without in made)]
        if idle:
            section, name = idle[0]
            raise FF2LoihiError(
                f"{self.where}: {section}.{name}: has no meaning beside the other options. Leave it out"
            )

    def settings(self, options: dict[Key, object], seed: object) -> tuple[Settings, set[Key]]:
        """Those of a trial with the options' values, and which options mean nothing in it."""
        parts: dict[str, dict] = {section: {} for section in SECTIONS}
        for (section, name), value in options.items():
            parts[section][name] = value
        made = {section: model(**parts[section]) for section, model in SECTIONS.items()}
        return without_idle(
            Settings.model_validate({**made, "learn": made["learn"] if self.learn else None, "seed": seed})
        )

    def _points(self) -> Iterator[dict[Key, int | float]]:
        """The points of the ranges: one, empty, where there is none."""
        shares = [[]] if self.draw is None else _shares(self.draw, len(self.ranges))
        for row in shares:
            yield {key: drawn.at(share) for (key, drawn), share in zip(self.ranges.items(), row, strict=True)}


def _shares(draw: Draw, sides: int) -> list[list[float]]:
    """Points in the unit cube. Of more points the first are the same, so that a sweep that grows keeps its trials."""
    generator = stream(draw.seed, "sweep")
    if draw.by == "random":
        return generator.random((draw.points, sides)).tolist()
    from scipy.stats import qmc

    plain = qmc.Sobol(sides, scramble=False).random_base2(math.ceil(math.log2(draw.points)))
    return ((plain + generator.random(sides)) % 1)[: draw.points].tolist()


PARTS = (*SECTIONS, "seed", "draw")
Made = TypeVar("Made", bound=Strict)


def read_space(source: Path | str | Mapping) -> Space:
    """The space that a YAML file or a dict describes. Raises FF2LoihiError with everything that is wrong in it."""
    if isinstance(source, Path | str):
        return _Reading().space(yaml_file.read(Path(source), FF2LoihiError, "a space (.yaml)"), str(source))
    return _Reading().space(source, "space")


class _Reading:
    """What was found in a space so far, and everything that is wrong in it."""

    def __init__(self) -> None:
        self.lists: dict[Key, tuple[object, ...]] = {}
        self.ranges: dict[Key, Drawn] = {}
        self.wrong: list[str] = []

    def space(self, data: object, where: str) -> Space:
        if not isinstance(data, Mapping):
            raise FF2LoihiError(f"{where}: a space holds {', '.join(PARTS)}, each with what to try")
        draw = None
        for part, content in data.items():
            if part in SECTIONS:
                self._section(part, {} if content is None else content)
            elif part == "seed":
                self._option(SEED, content, Settings)
            elif part == "draw":
                draw = self._made(Draw, content, "draw")
            else:
                self.wrong.append(f"{shortened(part)} is no part of a space. {_allowed(part, PARTS)}")
        if self.ranges and "draw" not in data:
            self.wrong.append(f"{_dotted(next(iter(self.ranges)))}: a range needs `draw: {{points: N}}` beside it")
        several = any(len(values) > 1 for key, values in self.lists.items() if key != SEED)
        if draw and not (self.ranges or (several and draw.by == "optuna")):
            self.wrong.append("draw: no option has a range, {low: A, high: B}. Leave it out")
        for name in self.lists.get(("train", "data"), ()):
            try:
                choices.check_data("train.data", choices.data_and_count(str(name), "train.data")[0])
            except FF2LoihiError as failure:
                self.wrong.append(str(failure))
        if self.wrong:
            raise FF2LoihiError(f"{where}: {together(self.wrong)}")
        return Space(where, self.lists, self.ranges, draw, "learn" in data)

    def _section(self, section: str, content: object) -> None:
        if not isinstance(content, Mapping):
            self.wrong.append(f"{section}: must hold options by name, got {shortened(content)}")
            return
        model = SECTIONS[section]
        for name, given in content.items():
            if name in model.model_fields:
                self._option((section, name), given, model)
            else:
                known = tuple(model.model_fields)
                self.wrong.append(f"{section}.{brief(name, 40)} is no option. {_allowed(name, known)}")

    def _option(self, key: Key, given: object, model: type[Strict]) -> None:
        """An option's value, list or range."""
        if isinstance(given, Mapping):
            self._range(key, given, model)
            return
        values = given if isinstance(given, list | tuple) else (given,)
        if not values:
            self.wrong.append(f"{_dotted(key)}: an empty list. Give a value, or leave it out")
        self.lists[key] = tuple(self._value(key, value, model) for value in values)

    def _range(self, key: Key, given: Mapping, model: type[Strict]) -> None:
        where, before = _dotted(key), len(self.wrong)
        if key == SEED:
            self.wrong.append("seed: must be a value or a list of values, no range")
            return
        found = self._made(Range, given, where)
        ends = [self._value(key, given[end], model) for end in ("low", "high") if found]
        if found is None or len(self.wrong) > before:
            return
        if not found.low < found.high:
            self.wrong.append(f"{where}: low must be below high, got {found.low:g} and {found.high:g}")
        if found.log and found.low <= 0:
            self.wrong.append(f"{where}: low must be above 0 where log is true, got {found.low:g}")
        self.ranges[key] = Drawn(found, whole=not isinstance(ends[0], float))

    def _value(self, key: Key, value: object, model: type[Strict]) -> object:
        """The option's value as its model has it."""
        name = key[1] or key[0]
        try:
            return getattr(model.model_validate({name: value}), name)
        except ValidationError as failure:
            self.wrong.append(f"{_dotted(key)}: {_reason(failure.errors()[0])}")
            return None

    def _made(self, model: type[Made], given: object, where: str) -> Made | None:
        try:
            return model.model_validate(given)
        except ValidationError as failure:
            for error in failure.errors():
                inner = ".".join((where, *map(str, error["loc"][:1])))
                if error["type"] == "extra_forbidden":
                    allowed = _allowed(error["loc"][0], tuple(model.model_fields))
                    self.wrong.append(f"{brief(inner)} is no key. {allowed}")
                else:
                    self.wrong.append(f"{brief(inner)}: {_reason(error)}")
            return None


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is missing"
    given = error["input"]
    if error["type"] == "literal_error":
        allowed = error.get("ctx", {}).get("expected", "")
        known = tuple(allowed.replace(" or ", ", ").replace("'", "").split(", "))
        return f"must be {brief(allowed, 250)}, got {shortened(given)}.{meant(given, known)}".rstrip(".")
    words = error["msg"].replace("Input should ", "must ").replace("String should ", "must ")
    return f"{words}, got {shortened(given)}"


def _allowed(name: object, known: tuple[str, ...]) -> str:
    return f"{meant(name, known)} Allowed: {', '.join(known)}".lstrip()


def _dotted(key: Key) -> str:
    return ".".join(filter(None, key))

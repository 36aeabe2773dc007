"""What `bench` found, run by run: a file of one JSON line a run, and what became slower since the runs before."""

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import read_bytes, write_atomic
from ff2loihi.compilers.formats.strict_json import misfit
from ff2loihi.compilers.ir.options import Strict
from ff2loihi.measurement.speed import LearningSpeedReport, SpeedReport

BEFORE = 5  # runs that a new one is compared with, the latest
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Figure(Strict):
    """How many times faster one form was than the other in one run: the median, and of the run's repeats the ends."""

    what: str
    ratio: Ratio
    lowest: Ratio
    highest: Ratio


class Line(Strict):
    """One run. commit: of the source it ran from, None where git does not know; artifact: what was timed, its hash."""

    commit: str | None
    date: str
    python: str
    device: str
    artifact: str
    figures: dict[str, Figure]

    def compares_with(self, other: "Line") -> bool:
        return (self.python, self.device, self.artifact) == (other.python, other.device, other.artifact)


@dataclass(frozen=True)
class Slower:
    """A figure that fell by more than the spread; spread: as a share, see `slower`."""

    what: str
    before: float
    now: float
    spread: float


def line_of(report: SpeedReport | LearningSpeedReport, artifact: str) -> Line:
    """The line of a run that has just ended."""
    if isinstance(report, SpeedReport):
        device, lava = report.emulator_device, report.lava_samples_per_second
        figures = {"emulator": _figure("emulator over Lava, samples a second", report.ratio, report.repeats, lava)}
    else:
        device, graph = "cpu", report.graph_per_second
        what, one = "over Lava's own LearningDense, presentations a second", report.one_process_per_second
        figures = {
            "emulator": _figure(f"emulator {what}", report.ratio, report.repeats, graph),
            "one process": _figure(f"Lava in one process {what}", report.one_process_ratio, (one,), graph),
        }
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    python = ".".join(platform.python_version_tuple()[:2])
    return Line(commit=_commit(), date=date, python=python, device=device, artifact=artifact, figures=figures)


def _figure(what: str, ratio: float, repeats: Sequence[float], base: float) -> Figure:
    return Figure(what=what, ratio=ratio, lowest=min(repeats) / base, highest=max(repeats) / base)


def _commit() -> str | None:
    """Of the folder that this package lies in, marked where files were changed, but for histories; no other
    repository's."""
    root = Path(__file__).resolve().parents[2]
    only_here = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}

    def git(*words: str) -> str:
        line = ["git", "-c", "safe.directory=*", *words]
        return subprocess.run(line, cwd=root, env=only_here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!*.jsonl")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def read(path: Path) -> list[Line]:
    """The lines of the file, none where it is absent. Raises FF2LoihiError, naming the first that is broken."""
    if not path.exists():
        return []
    found = []
    for number, text in enumerate(read_bytes(path, FF2LoihiError, "a history of bench (.jsonl)").splitlines(), 1):
        try:
            found.append(Line.model_validate_json(text))
        except ValidationError as failure:
            raise FF2LoihiError(f"{path}: line {number}: {misfit(failure)}. Remove the line") from None
    return found


def append(path: Path, lines: Sequence[Line], line: Line) -> None:
    """Write `lines`, what was read of the file, with another behind them; whole or not at all. Raises FF2LoihiError."""
    write_atomic(path, "".join(f"{one.model_dump_json()}\n" for one in (*lines, line)).encode(), FF2LoihiError)


def comparable(lines: Sequence[Line], line: Line) -> list[Line]:
    """The latest of the same artifact, device and Python."""
    return [one for one in lines if one.compares_with(line)][-BEFORE:]


def slower(before: Sequence[Line], line: Line) -> list[Slower]:
    """Which figures fell below the median of the runs before by more than the spread that was seen.

    The spread is a share: the widest of any figure's repeats within a run, or of this figure's from run to run.
    """
    found = []
    within = [(one.highest - one.lowest) / one.ratio for run in (*before, line) for one in run.figures.values()]
    for name, figure in line.figures.items():
        earlier = [run.figures[name].ratio for run in before if name in run.figures]
        if earlier:
            usual = statistics.median(earlier)
            spread = max(*within, (max(earlier) - min(earlier)) / usual)
            if figure.ratio < usual * (1 - spread):
                found.append(Slower(figure.what, usual, figure.ratio, spread))
    return found

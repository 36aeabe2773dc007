"""The command `sweep`: the trials of a space, then a table and pictures of what they show."""

import dataclasses
import logging
from pathlib import Path

from ff2loihi import api
from ff2loihi.cli import console, kinds
from ff2loihi.cli.outputs import Output, check
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.sweeps.report import Configuration, Report
from ff2loihi.sweeps.run import Hooks

WIDTH, ROWS = 80, 20  # columns of the table on any terminal; the configurations that it shows
BORDERS = 3  # columns that each cell has beside its text


def sweep_space(
    space: Path, output: Path, workers: int, scheduler: str | None, part: str | None, data_root: Path | None
) -> dict:
    """Run what is missing, show the best configurations, and draw all of them once no trial is missing."""

    def started(trials: int, finished: int) -> None:
        console.say(f"{trials:,} trials, {finished:,} of them finished already; results in {output}")

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what ends a sweep is told in one line
    with console.progress(f"sweep {space}") as show:
        hooks = Hooks(started=started, progress=show, say=console.say)
        found = api.sweep(space, output, workers, scheduler, part, data_root, hooks)
    for error in list(dict.fromkeys(found.errors))[:3]:
        console.warn(error)
    if found.errors:
        console.warn(f"{len(found.errors):,} of {found.finished:,} trials could not be trained or compiled")
    _show(found)
    drawn = _drawn(space, output, found) if found.complete else []
    if not found.complete:
        console.say(f"{found.trials - found.finished:,} of all {found.trials:,} trials are missing: no pictures yet")
    return {**dataclasses.asdict(found), "pictures": drawn}


def _show(found: Report) -> None:
    shown = found.configurations[:ROWS]
    seeds = max((len(one.accuracies) for one in shown), default=0)
    names = list(found.strengths)
    rows = [_cells(one) for one in shown]
    heads = ("accuracy", "+-", "float", "cores", "mJ, est.")
    room = WIDTH - 1 - sum(_width(head, [row[index] for row in rows]) for index, head in enumerate(heads))
    columns: list[tuple[str, list[str]]] = []
    for name in names:
        column = name.partition(".")[2]
        cells = [str(one.options[name]) for one in shown]
        room -= _width(column, cells)
        if room < 0:
            break
        columns.append((column, cells))
    count = f"the best {len(shown):,} of {len(found.configurations):,}" if rows else "no configurations"
    title = f"{count}, on the validation split; mean and spread over up to {seeds} seeds"
    options = zip(*(cells for _, cells in columns), strict=True) if columns else [()] * len(rows)
    console.table(
        title, (*(name for name, _ in columns), *heads),
        [(*cells, *row) for cells, row in zip(options, rows, strict=True)],
    )  # fmt: skip
    if len(columns) < len(names):
        console.say(f"not shown, weaker: {', '.join(names[len(columns) :])}")
    if found.strengths:
        strengths = ", ".join(f"{name} {share:.0%}" for name, share in list(found.strengths.items())[:4])
        console.say(f"share of the accuracy's variance that an option explains: {strengths}")


def _cells(one: Configuration) -> tuple[str, ...]:
    low, high = one.energy_mj or (None, None)
    return (
        f"{one.accuracy:.2%}",
        "-" if one.spread is None else f"{one.spread:.2%}",
        f"{one.float_accuracy:.2%}",
        "-" if one.cores is None else str(one.cores),
        "-" if low is None else f"{low:.1g}-{high:.1g}",
    )


def _width(head: str, cells: list[str]) -> int:
    return max(map(len, (head, *cells))) + BORDERS


def _drawn(space: Path, output: Path, found: Report) -> list[str]:
    from ff2loihi.sweeps.pictures import pictures

    made = list(pictures(found))
    check((space,), None, *(Output(output / name, kinds.PNG) for name, _ in made))
    for name, data in made:
        write_atomic(output / name, data, FF2LoihiError)
    console.say(f"pictures: {', '.join(str(output / name) for name, _ in made)}" if made else "no pictures")
    return [name for name, _ in made]

"""The command `sweep`: the trials of a space, then a table and pictures of what they show."""

import dataclasses
import logging
from pathlib import Path

from ff2loihi import api
from ff2loihi.choices import PictureFormat
from ff2loihi.cli import console, kinds
from ff2loihi.cli.outputs import Output, check
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.sweeps.report import Report, short_names
from ff2loihi.sweeps.run import Hooks

WIDTH, ROWS = 80, 20  # columns of the table on any terminal; the configurations that it shows
BORDERS = 3  # columns that each cell has beside its text


def sweep_space(
    space: Path,
    output: Path,
    workers: int,
    scheduler: str | None,
    part: str | None,
    data_root: Path | None,
    device: str,
    cluster: Path | None,
    form: PictureFormat,
) -> dict:
    """Run what is missing, show the best configurations, and draw all of them once no trial is missing."""

    def started(trials: int, finished: int) -> None:
        console.say(f"{trials:,} trials, {finished:,} of them finished already; results in {output}")

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what ends a sweep is told in one line
    with console.progress(f"sweep {space}") as show:
        hooks = Hooks(started=started, progress=show, say=console.say)
        found = api.sweep(space, output, workers, scheduler, part, data_root, hooks, device, cluster)
    for error in list(dict.fromkeys(found.errors))[:3]:
        console.warn(error)
    if found.errors:
        console.warn(f"{len(found.errors):,} of {found.finished:,} trials could not be trained or compiled")
    _show(found)
    drawn = _drawn(space, output, found, form) if found.complete else []
    if not found.complete:
        console.say(f"{found.trials - found.finished:,} of all {found.trials:,} trials are missing: no pictures yet")
    return {**dataclasses.asdict(found), "pictures": drawn}


def _show(found: Report) -> None:
    """The best configurations; the weakest options are left out where 80 columns do not hold all of them."""
    shown = found.configurations[:ROWS]
    names = short_names(list(found.strengths))
    options = {names[name]: [str(one.options[name]) for one in shown] for name in found.strengths}
    measured = {
        "accuracy": [f"{one.accuracy:.2%}" for one in shown],
        "+-": ["-" if one.spread is None else f"{one.spread:.2%}" for one in shown],
        "float": [f"{one.float_accuracy:.2%}" for one in shown],
        "cores": ["-" if one.cores is None else str(one.cores) for one in shown],
        "mJ, est.": ["-" if one.energy_mj is None else "{:.1g}-{:.1g}".format(*one.energy_mj) for one in shown],
    }
    hidden: list[str] = []
    if _width(options | measured) > WIDTH:
        del measured["float"]
    while _width(options | measured) > WIDTH:
        hidden.insert(0, options.popitem()[0])
    columns = options | measured
    count = f"the best {len(shown):,} of {len(found.configurations):,}" if shown else "no configurations"
    seeds = max((len(one.accuracies) for one in shown), default=0)
    console.table(
        f"{count}, on the validation split; mean and spread over up to {seeds} seeds",
        tuple(columns), list(zip(*columns.values(), strict=True)),
    )  # fmt: skip
    if hidden:
        console.say(f"not shown, weaker: {', '.join(hidden)}")
    if found.strengths:
        strengths = ", ".join(f"{names[name]} {share:.0%}" for name, share in list(found.strengths.items())[:4])
        console.say(f"share of the accuracy's variance that an option explains: {strengths}")


def _width(columns: dict[str, list[str]]) -> int:
    return 1 + sum(BORDERS + max(map(len, (head, *cells))) for head, cells in columns.items())


def _drawn(space: Path, output: Path, found: Report, form: PictureFormat) -> list[str]:
    from ff2loihi.sweeps.pictures import pictures

    made = list(pictures(found, form))
    check((space,), None, *(Output(output / name, kinds.PICTURES[form]) for name, _ in made))
    for name, data in made:
        write_atomic(output / name, data, FF2LoihiError)
    console.say(f"pictures: {', '.join(str(output / name) for name, _ in made)}" if made else "no pictures")
    return [name for name, _ in made]

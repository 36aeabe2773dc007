"""The command `reproduce`: a paper's table, each cell shown and kept as soon as it is finished."""

import dataclasses
import time
from pathlib import Path

from ff2loihi.cli import console
from ff2loihi.cli.outputs import TABLES, picture_format
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import is_stream, write_atomic
from ff2loihi.reproduce.experiment import Request, Table
from ff2loihi.reproduce.experiments import EXPERIMENTS


def reproduce(experiment: str, request: Request, json: str | None) -> None:
    """Run an experiment and show its table, a paper's figures beside ours where there is one. `json`: written after
    every cell."""
    chosen = EXPERIMENTS[experiment]
    given = {name for name in ("table", "data", "epochs", "picture") if getattr(request, name) is not None}
    if given - chosen.options:
        raise FF2LoihiError(f"--{min(given - chosen.options)}: no meaning with reproduce {experiment}. Leave it out")
    table = chosen.prepare(request)
    facts = {"experiment": experiment, "seed": request.seed, "quick": request.quick, **table.facts}
    cells, started = [], time.monotonic()
    with console.progress(table.title) as show:
        for cell in table.cells(show):
            cells.append(cell)
            console.say("  ".join(f"{name} {text}" for name, text in _named(table, cell)))
            if json not in (None, TABLES) and not is_stream(Path(json)):  # a stream gets one report
                console.write_json(_report(facts, started, cells, [], complete=False), json)
    console.table(f"{table.title}, seed {request.seed}", table.columns, [table.row(cell) for cell in cells])
    notes = table.notes(cells)
    for note in notes:
        console.say(note)
    if request.picture and table.picture:
        write_atomic(request.picture, table.picture(cells, picture_format(request.picture)), FF2LoihiError)
    console.write_json(_report(facts, started, cells, notes, complete=True), json)


def _named(table: Table, cell) -> list[tuple[str, str]]:
    return list(zip(table.columns, table.row(cell), strict=True))


def _report(facts: dict, started: float, cells: list, notes: list[str], complete: bool) -> dict:
    seconds = time.monotonic() - started
    plain = [dataclasses.asdict(cell) for cell in cells]
    return {**facts, "complete": complete, "seconds": seconds, "notes": notes, "cells": plain}

"""What a person sees: tables, progress bars, one-line errors, and --json for machines."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic

WIDTH = 110  # columns where the output is no terminal

out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress(title: str) -> Iterator:
    """A bar on a terminal's stderr: yields callback(done, total, note=""). Silent elsewhere."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None, note="")
        yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)


def table(title: str, columns: tuple[str, ...], rows: list[tuple]) -> None:
    """Print a table; numbers are aligned right."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        numeric = rows and all(isinstance(row[index], int | float) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        shown.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    out.print(shown)


def warn(text: str) -> None:
    """A line on standard error."""
    err.print(f"warning: {text}", style="yellow", soft_wrap=True)


def write_json(report: object, target: str | None) -> None:
    """Write a dataclass or dict as JSON to a file, or to standard output for "-"; nothing for None."""
    if target is None:
        return
    plain = dataclasses.asdict(report) if dataclasses.is_dataclass(report) else report
    text = json.dumps(plain, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_atomic(Path(target), text.encode(), FF2LoihiError)

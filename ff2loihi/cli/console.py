"""What a person sees: lines, tables, progress bars, and --json for machines.

Names come from files and from the command line and may hold anything, so whatever is shown passes through `plain`, and
rich is never asked to look for markup.
"""

import dataclasses
import functools
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 110  # columns where the output is no terminal
_bars: list[object] = []  # that are being drawn
ROWS = 1000  # of a table; more would be drawn for a long time and read by nobody


def plain(text: object) -> str:
    """The text on one line, what is not printable as an escape: no name moves the cursor or ends a line."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@functools.cache
def _console(stderr: bool):
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise  # the BrokenPipeError that rich is handling; rich itself would exit with 1

    stream = sys.stderr if stderr else sys.stdout
    width = None if stderr or (stream and stream.isatty()) else WIDTH
    return Quiet(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def tables_on_stderr(wanted: bool) -> None:
    """Where standard output takes the JSON, standard error takes lines and tables."""
    _console(stderr=False).stderr = wanted


@contextmanager
def _output() -> Iterator[None]:
    """Raises FF2LoihiError where standard output takes no more, and BrokenPipeError where nobody reads it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as failure:
        raise FF2LoihiError(f"standard output: {failure.strerror}") from None


def _print(shown: object, soft_wrap: bool) -> None:
    console = _console(stderr=False)
    if _bars and console.is_terminal:
        console = _console(stderr=True)  # which moves its bar: it would stand in the middle of the line
    with _output():
        console.print(shown, soft_wrap=soft_wrap)


def flush() -> None:
    """Write what standard output still holds back. Raises FF2LoihiError."""
    with _output():
        sys.stdout.flush()


def say(*lines: object) -> None:
    """Print each on a line of its own."""
    from rich.text import Text

    _print(Text("\n".join(map(plain, lines))), soft_wrap=True)


def cell(value: object) -> str:
    """A table's cell: whole numbers by thousands."""
    return f"{value:,}" if isinstance(value, int) else plain(value)


def table(title: object, columns: tuple[str, ...], rows: list[tuple]) -> None:
    """Print a table; numbers are aligned right. Of more than ROWS rows the first are shown.

    Where the terminal is too narrow, words wrap, and columns that have no room stand in a table below: see layout.
    """
    from rich.table import Table
    from rich.text import Text

    from ff2loihi.cli.layout import pieces

    numeric = [rows and all(isinstance(row[index], int | float) for row in rows) for index in range(len(columns))]
    heads = [plain(column) for column in columns]
    texts = [[cell(each) for each in row] for row in rows[:ROWS]]
    for number, piece in enumerate(pieces(heads, texts, _console(stderr=False).width)):
        shown = Table(title=None if number else Text(plain(title)), title_justify="left", title_style="bold")
        for index, width in zip(piece.columns, piece.widths, strict=True):
            justify = "right" if numeric[index] else "left"
            shown.add_column(Text(heads[index], overflow="fold"), justify=justify, width=width, overflow="fold")
        for row in texts:
            shown.add_row(*(Text(row[index]) for index in piece.columns))
        _print(shown, soft_wrap=False)
    if len(rows) > ROWS:
        say(f"and {len(rows) - ROWS:,} more rows; --json has them all")


@contextmanager
def progress(title: object, below: "RenderableType | None" = None, waits: str = "") -> Iterator:
    """A bar on a terminal's stderr: yields callback(done, total, note=""). Silent elsewhere.

    below: what rich is to draw under the bar, anew twice a second; it stays there at the end. waits: the note until the
    first callback, what it waits for.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    class Bar(Progress):
        def get_renderables(self) -> "Iterator[RenderableType]":
            yield from super().get_renderables()
            if below is not None:
                yield below

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    console = _console(stderr=True)
    settings = {"console": console, "disable": not console.is_terminal, "transient": below is None}
    with Bar(*columns, **settings, refresh_per_second=10 if below is None else 2) as bar:
        task = bar.add_task(plain(title), total=None, note=waits)
        bar.refresh()  # what comes next may be an import that nothing is drawn beside
        _bars.extend([bar] * console.is_terminal)
        try:
            yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=plain(note))
        finally:
            _bars.clear()


def draws() -> bool:
    """Whether a person looks at both streams: else nothing is drawn while a command runs."""
    return _console(stderr=False).is_terminal and _console(stderr=True).is_terminal


def next_step(*words: object) -> None:
    """The command that a person would want next, in grey on standard error, where somebody looks."""
    from rich.text import Text

    if draws():
        line = plain(shlex.join(map(str, words)))
        _console(stderr=True).print(Text(f"next: {line}", style="dim"), soft_wrap=True)


def warn(text: object) -> None:
    """A line on standard error."""
    from rich.text import Text

    _console(stderr=True).print(Text(f"warning: {plain(text)}", style="yellow"), soft_wrap=True)


def write_json(report: object, target: str | None) -> None:
    """Write a dataclass or dict as JSON to a file, or to standard output for "-"; nothing for None."""
    if target is None:
        return
    if dataclasses.is_dataclass(report) and not isinstance(report, type):
        report = dataclasses.asdict(report)
    text = json.dumps(report, indent=2) + "\n"
    if target == "-" and not sys.stdout:
        raise FF2LoihiError("--json -: standard output is closed. Name a file")
    if target == "-":
        with _output():
            sys.stdout.write(text)
    else:
        write_atomic(Path(target), text.encode(), FF2LoihiError)

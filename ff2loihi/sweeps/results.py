"""The results of a sweep: a file of one JSON line a trial, which may have been cut off at any byte."""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import read_bytes, write_atomic
from ff2loihi.compilers.formats.strict_json import misfit
from ff2loihi.sweeps.trial import OUTCOME, Outcome

NAME = "results.jsonl"
START = b'{"trial":"'  # of each line


class Results:
    """The lines of one file, by trial. A last line that was cut off is forgotten, and written over by the next."""

    def __init__(self, path: Path) -> None:
        self.path, self.whole = path, 0
        self.found: dict[str, Outcome] = {}
        if not path.exists():
            return
        data = read_bytes(path, FF2LoihiError, "the results of a sweep (.jsonl)")
        *lines, rest = data.split(b"\n")
        if not _cut_off(rest):
            raise FF2LoihiError(
                f"{path}: line {len(lines) + 1}: no result of a sweep. Remove it, or choose another folder"
            )
        for number, line in enumerate(lines, 1):
            try:
                outcome = OUTCOME.validate_json(line)
            except ValidationError as failure:
                unread = failure.errors()[0]["type"] == "json_invalid"
                if number == len(lines) and unread and _cut_off(line):
                    return
                raise FF2LoihiError(
                    f"{path}: line {number}: {misfit(failure)}. Remove the line, and its trial runs again"
                ) from None
            self.found[outcome.trial] = outcome
            self.whole += len(line) + 1

    def append(self, outcome: Outcome) -> None:
        """Another line, on the disk when this returns. Raises FF2LoihiError."""
        line = _line(outcome)
        try:
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666), "wb") as file:
                file.truncate(self.whole)
                file.seek(self.whole)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as failure:
            raise FF2LoihiError(f"{self.path}: not written: {failure.strerror}") from None
        self.whole += len(line)
        self.found[outcome.trial] = outcome

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """These in their order, and behind them what else is there: the same bytes whatever came first."""
        ordered = {outcome.trial: outcome for outcome in outcomes}
        data = b"".join(map(_line, (ordered | self.found).values()))
        if data != (self.path.read_bytes() if self.path.exists() else b""):
            write_atomic(self.path, data, FF2LoihiError)


def in_folder(folder: Path) -> dict[str, Outcome]:
    """What all parts of a sweep have found, by trial. Raises FF2LoihiError."""
    found: dict[str, Outcome] = {}
    for path in sorted(folder.glob(NAME.replace(".", "*."))):
        found |= Results(path).found
    return found


def _cut_off(line: bytes) -> bool:
    """Whether it is the beginning of a line of ours, or zeros, which a machine that stops leaves: no file of others."""
    return START.startswith(line.rstrip(b"\0")[: len(START)])


def _line(outcome: Outcome) -> bytes:
    return f"{outcome.model_dump_json(exclude_none=True)}\n".encode()

"""Every error a user can meet.

FF2LoihiError               exit 2: the input or the request is at fault
├── CheckpointError         the .pt, its spec, or what they describe
├── CompileError            a network that the chip cannot hold
├── ArtifactError           a .ffl file that cannot be read or written
├── DataError               a data set that is absent or does not fit
└── BackendError            exit 3: the back end is not available, died or hung
CheckFailed                 exit 1: the run went well and its result is "no"
"""

from collections.abc import Iterable


class FF2LoihiError(Exception):
    """One line: where, what was seen, what is allowed, how to mend it."""

    exit_code = 2


class CheckpointError(FF2LoihiError):
    """The checkpoint or its spec cannot be used."""


class CompileError(FF2LoihiError):
    """The network does not fit the chip's arithmetic."""


class ArtifactError(FF2LoihiError):
    """The artifact cannot be read or written."""


class DataError(FF2LoihiError):
    """The data set is absent or does not fit the model."""


class BackendError(FF2LoihiError):
    """The back end is not available, raised, or outlived its time limit."""

    exit_code = 3


class CheckFailed(FF2LoihiError):
    """A check ran to its end and did not hold."""

    exit_code = 1


def brief(value: object, most: int = 60) -> str:
    """What a file holds, in at most so many characters of a message."""
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def together(found: Iterable[str], most: int = 400) -> str:
    """Everything that was found wrong, in one line of about that many characters: what does not fit is counted."""
    lines = list(dict.fromkeys(found))
    said, length = [], 0
    for line in lines:
        length += len(line)
        if said and length > most:
            break
        said.append(brief(line, most))
    more = len(lines) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")

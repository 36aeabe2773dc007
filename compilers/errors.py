"""Every error a user can meet.

FF2LoihiError               exit 2: the input or the request is at fault
├── CheckpointError         the .pt, its spec, or what they describe
├── CompileError            a network that the chip cannot hold
├── ArtifactError           a .ffl file that cannot be read or written
├── DataError               a data set that is absent or does not fit
└── BackendError            exit 3: the back end is not available, died or hung
CheckFailed                 exit 1: the run went well and its result is "no"
"""

import reprlib
from collections.abc import Iterable, Mapping

WORD = 60  # characters of a word, as of a URL, at whose end a long text may end
LINE, LINE_END = 500, 200  # characters of an error at most, and of its end, which says how to mend it


class FF2LoihiError(Exception):
    """One line: where, what was seen, what is allowed, how to mend it. Of a long one the middle is left out."""

    exit_code = 2
    details = ""  # the whole log of what failed

    def __init__(self, text: str = "") -> None:
        super().__init__(one_line(text))


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


def one_line(text: str) -> str:
    """The text on one line of at most LINE characters; of a longer one the middle is left out, at words."""
    line = " ".join(text.split())
    if len(line) <= LINE:
        return line
    return f"{_first_words(line, LINE - LINE_END - 5)} ... {_first_words(line[::-1], LINE_END)[::-1]}"


def _first_words(text: str, most: int) -> str:
    """The whole words that a text of more than `most` characters begins with; one that would leave much out is cut."""
    words = text[: most + 1].rpartition(" ")[0]
    return words if len(words) >= max(most // 2, most - WORD) else text[:most]


def brief(value: object, most: int = 60) -> str:
    """What a file or a library says, in at most so many characters of a message; a longer one ends behind a word."""
    text = str(value)
    return text if len(text) <= most else f"{_first_words(text, most - 3)}..."


def in_words(value: object) -> str:
    """Facts as `name value, name value`: a flag as its name alone, nothing of what is absent, a `;` between lists."""
    if isinstance(value, list | tuple):
        return "; ".join(map(in_words, value))
    if not isinstance(value, Mapping):
        return _word(value)
    there = ((name.replace("_", " "), one) for name, one in value.items() if one is not None and one is not False)
    return ", ".join(name if one is True else f"{name} {_word(one)}" for name, one in there)


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({in_words(value)})"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_word, value))})" if len(value) != 1 else _word(value[0])
    if isinstance(value, float):
        return f"{value:.12g}" if value.is_integer() else f"{value:.6g}"
    return str(value)


def meant(name: object, known: Iterable[str]) -> str:
    """A space and the question, `Did you mean digits?`, of a name that is near a known one; else nothing."""
    import difflib

    close = difflib.get_close_matches(str(name)[:100], list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


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


def shortened(value: object) -> str:
    """repr of a value that a file holds, in about 60 characters; a nest of a billion lists is not gone through."""
    return brief(_shortener.repr(value))


class _Shortener(reprlib.Repr):
    """Shows plain data; of anything else, whose repr may be long, run code or fail, the type alone."""

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= 128 else f"an integer of {x.bit_length():,} bits"

    def repr_instance(self, x: object, level: int) -> str:
        return repr(x) if x is None or isinstance(x, bool | float) else f"<{type(x).__name__}>"


_shortener = _Shortener()
_shortener.maxstring, _shortener.maxlevel = 60, 2

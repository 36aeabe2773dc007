"""What layers may be called. Their names come from files, and become parts of states, populations and graph nodes."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ff2loihi.compilers.errors import brief

ALLOWED = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED = ("input", "output", "control", "head")  # first parts of names that populations and recordings have already


def unreadable(names: Iterable[str]) -> Iterator[str]:
    """A line for each name that is not 1 to 64 letters, digits, '_', '.' or '-'."""
    for name in names:
        if not ALLOWED.fullmatch(name):
            yield f"the name {brief(repr(name))} is not 1 to 64 of the letters A-Z and a-z, digits, '_', '.' and '-'"


def faults(names: Sequence[str]) -> Iterator[str]:
    """What keeps these from being the names of a network's layers, a line each."""
    bad = list(unreadable(names))
    if bad:
        yield from bad
        return
    yield from (f"two layers are called {name}" for name in sorted({name for name in names if names.count(name) > 1}))
    for name in names:
        if name.partition(".")[0] in RESERVED:
            yield f"a layer is called {name}: {name.partition('.')[0]} means something else here. Rename it"
        yield from (
            f"a layer is called {name}, which reads as a part of layer {other}. Rename it"
            for other in names
            if name.startswith(f"{other}.")
        )

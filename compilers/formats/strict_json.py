"""JSON that a file brings, of which nobody knows who wrote it: one meaning, finite numbers, an end to its nesting."""

import json
from collections import Counter

from pydantic import ValidationError

from ff2loihi.compilers.errors import brief

DEPTH = 64  # objects and arrays within one another; a manifest of ours has 8


def loads(text: str | bytes) -> object:
    """The value. Raises ValueError for what is no JSON, for NaN, infinity, a key that comes twice, deep nesting."""
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_object, parse_float=_finite)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    level, depth = [value], 0
    while level:
        level = [
            below
            for part in level
            if isinstance(part, dict | list)
            for below in (part.values() if isinstance(part, dict) else part)
        ]
        depth += 1
        if depth > DEPTH:
            raise ValueError(f"JSON nested deeper than {DEPTH}")
    return value


def loads_object(text: str | bytes) -> dict:
    """The same of what must be an object. Raises ValueError for anything else, too."""
    value = loads(text)
    if not isinstance(value, dict):
        raise ValueError("JSON that is no object")
    return value


def misfit(failure: ValidationError) -> str:
    """Where a value first is not what its model says, and why; of an unknown key the same words everywhere."""
    first = failure.errors()[0]
    where = brief(".".join(str(part) for part in first["loc"]), 100)
    unknown = first["type"] == "unexpected_keyword_argument"  # of a dataclass
    return f"{where}: {'Extra inputs are not permitted' if unknown else brief(first['msg'], 200)}"


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is larger than any float")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:40]!r} comes twice")
    return found

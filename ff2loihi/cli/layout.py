"""How a table fits a terminal: words wrap, no word or number is cut, and what is too wide goes below."""

from collections.abc import Sequence
from dataclasses import dataclass

BORDER, CELL = 1, 3  # characters of a table's left line, and of what each column has beside its text


@dataclass(frozen=True)
class Piece:
    """Some columns of a table, by their index, and the characters that each gets."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]


def pieces(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Piece]:
    """The table in as few pieces as `width` characters allow, the first column at the left of each.

    A column is as wide as its longest text, or less where its texts have several words, but no less than its longest
    word. A word that has no room of its own in a piece of one column is broken over lines.
    """
    texts = [[head, *(row[index] for row in rows)] for index, head in enumerate(columns)]
    most = [max(map(len, column)) for column in texts]
    least = [max((len(word) for text in column for word in text.split()), default=0) for column in texts]
    made, taken = [], [0]
    for index in range(1, len(texts)):
        if len(taken) > 1 and _total(least, [*taken, index]) > width:
            made.append(taken)
            taken = [0]
        taken.append(index)
    return [Piece(tuple(part), _widths(most, least, part, width)) for part in (*made, taken)]


def _total(widths: Sequence[int], taken: Sequence[int]) -> int:
    return BORDER + sum(CELL + widths[index] for index in taken)


def _widths(most: Sequence[int], least: Sequence[int], taken: Sequence[int], width: int) -> tuple[int, ...]:
    """Each as wide as it likes; the widest that can, gives way, one character at a time."""
    found = {index: most[index] for index in taken}
    while BORDER + sum(CELL + each for each in found.values()) > width:
        wide = [index for index in taken if found[index] > least[index]]
        wide = wide or [index for index in taken if found[index] > 1]  # words longer than the terminal
        if not wide:
            break
        widest = max(wide, key=lambda index: found[index])
        found[widest] -= 1
    return tuple(found.values())

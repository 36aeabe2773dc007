"""Tables on any terminal: every word and number of every cell can be read, whole where the terminal is that wide."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from ff2loihi.cli import console

WORD = st.text("abcdefgh0123456789.,%/-", min_size=1, max_size=24)
TEXT = st.lists(WORD, min_size=1, max_size=5).map(" ".join)


def drawn(monkeypatch, width: int, columns: tuple, rows: list) -> str:
    shown = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(console, "_console", lambda stderr: shown)
    console.table("a title", columns, rows)
    return shown.file.getvalue()


def cells(text: str) -> list[tuple[str, ...]]:
    """The tables' columns as they are drawn: of each its lines, a space between them."""
    found = []
    for block in re.split("(?=┏)", text)[1:]:
        lines = [re.split("[┃│]", line)[1:-1] for line in block.splitlines() if line[0] in "┃│"]
        found += [tuple(" ".join(" ".join(column).split()) for column in zip(*lines, strict=True))]
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(
    st.lists(TEXT, min_size=n, max_size=n), st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=4),
)))  # fmt: skip
def test_no_word_is_cut_at_80_columns(made):
    heads, rows = made
    with pytest.MonkeyPatch.context() as patch:
        text = drawn(patch, 80, tuple(heads), [tuple(row) for row in rows])
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    columns = [column for block in cells(text) for column in block]
    first, others = columns[0], columns[1:]
    wanted = [" ".join([head, *(row[index] for row in rows)]) for index, head in enumerate(heads)]
    assert first == wanted[0]
    assert [column for column in others if column != first] == [text for text in wanted[1:] if text != first]


def test_a_wide_table_goes_on_below_with_its_first_column(monkeypatch):
    columns = ("layer", *(f"figure-{index}" for index in range(12)))
    rows = [(f"layer {row}", *(1_000_000.5 + row for _ in range(12))) for row in range(2)]
    text = drawn(monkeypatch, 80, columns, rows)
    assert text.count("a title") == 1
    assert text.count("layer 0") == len(cells(text)) > 1
    assert text.count("1000001.5") == 12


@pytest.mark.parametrize("width", [20, 40])
def test_what_is_wider_than_the_terminal_is_broken_and_not_cut(monkeypatch, width):
    text = drawn(monkeypatch, width, ("name", "hash"), [("a", "0123456789" * 8)])
    assert max(map(len, text.splitlines())) <= width
    assert "0123456789" * 8 in "".join(column.replace(" ", "") for block in cells(text) for column in block)

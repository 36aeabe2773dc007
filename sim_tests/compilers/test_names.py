"""A layer's name is 1 to 64 plain characters, its own, and no part of another's: it becomes names of other things."""

import pytest

from ff2loihi.compilers.ir import names


@pytest.mark.parametrize(
    "fine", [["a"], ["hidden1", "hidden2"], ["A-b_c.9"], ["x" * 64], ["h.a", "h.b"], ["hidden", "hidden1"]]
)
def test_plain_names_are_taken(fine):
    assert list(names.faults(fine)) == []


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "..\\x", "é", "a\n", "\x1b[31m", "a\0", "[/foo]", "ª"])
def test_other_names_are_refused_in_a_short_plain_line(name):
    [text] = names.faults(["hidden1", name])
    assert "is not 1 to 64 of the letters" in text
    assert text.isascii() or name.isprintable()
    assert len(text) < 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a", "b", "a", "a"], "two layers are called a"),
        (["input"], "a layer is called input"),
        (["head.0"], "head means something else"),
        (["a", "a.norm"], "reads as a part of layer a"),
    ],
)
def test_names_that_read_as_something_else_are_refused(given, words):
    [text] = names.faults(given)
    assert words in text

"""Long messages end, or are left out, at words."""

import pytest

from ff2loihi.compilers.errors import LINE, FF2LoihiError, brief, in_words

WORDS = [f"word{number}" for number in range(300)]


@pytest.mark.parametrize("most", [30, 59, 60, 61, 62, 63, 64, 65, 66, 150])
def test_a_brief_text_ends_behind_a_word_and_is_no_longer_than_it_may_be(most):
    found = brief(" ".join(WORDS), most)
    assert most - 10 < len(found) <= most
    assert found.removesuffix("...").split(" ") == WORDS[: found.count(" ") + 1]


def test_a_text_without_room_for_a_word_is_cut():
    assert brief("of " + "a" * 100, 40) == "of " + "a" * 34 + "..."
    assert brief("a" * 60) == "a" * 60


def test_facts_are_plain_words_and_what_is_absent_is_left_out():
    facts = {"curve": None, "input_code": "pixels", "merged": False, "saccades": True, "rounds": 0, "window": 300.0}
    assert in_words(facts) == "input code pixels, saccades, rounds 0, window 300"
    assert in_words({"shape": (8, 8, 1), "test": {"images": 50, "chance": 0.1}}) == (
        "shape (8, 8, 1), test (images 50, chance 0.1)"
    )
    tried = [{"layer": "hidden1", "vth": [418], "fidelity": 0.998127756587}, {"layer": "hidden1", "vth": [5, 7]}]
    assert in_words(tried) == "layer hidden1, vth 418, fidelity 0.998128; layer hidden1, vth (5, 7)"
    assert (in_words("x.nir"), in_words({"field": None}), in_words([])) == ("x.nir", "", "")


@pytest.mark.parametrize("shift", range(7))
def test_the_middle_of_a_long_line_is_left_out_at_words(shift):
    line = str(FF2LoihiError("x" * shift + " " + "  \n".join(WORDS)))
    assert LINE - 20 < len(line) <= LINE
    before, after = line.strip("x ").split(" ... ")
    first, last = before.split(" "), after.split(" ")
    assert first == WORDS[: len(first)]
    assert last == WORDS[-len(last) :]

"""The table of chips and boards: every shipped limit has a source, a user's file is checked entry by entry."""

import pytest
import yaml

from ff2loihi.compilers.board.chips import SHIPPED, known_limits, load_table
from ff2loihi.compilers.errors import CompileError
from ff2loihi.processes import limits


@pytest.fixture
def written(tmp_path):
    """written(text or dict) -> a table file."""

    def make(content):
        path = tmp_path / "own.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return make


def names(entry):
    """Every leaf of the YAML but a board's chip."""
    for key, value in entry.items():
        if isinstance(value, dict):
            yield from names(value)
        elif key != "chip":
            yield key, value


def test_every_shipped_number_is_a_limit_with_certainty_and_source():
    plain = {"generation", "microcode", "third_factor", "power_of_two_reset", "total"}
    for key, value in names(yaml.safe_load(SHIPPED.read_text())):
        if isinstance(value, str):
            found = getattr(limits, value)
            assert isinstance(found, limits.Limit), value
            assert found.certainty in ("published", "derived", "assumed")
            assert found.unit
            assert found.source
        else:
            assert key in plain


def test_boards_and_single_chips_answer_to_their_names():
    table = load_table()
    assert {name: board.count for name, board in table.boards.items()} == {
        "kapoho-bay": 2, "nahuku": 32, "pohoiki-springs": 768, "oheo-gulch": 1, "kapoho-point": 8, "hala-point": 1152,
    }  # fmt: skip
    assert table.board("loihi2").cores == 120
    assert table.board("kapoho-point").cores == 960
    assert [table.smallest("loihi2", n).name for n in (1, 2, 8, 9)] == [
        "oheo-gulch", "kapoho-point", "kapoho-point", "hala-point",
    ]  # fmt: skip
    assert table.smallest("loihi2", 1153) is None


def test_an_unknown_board_is_refused_with_the_ones_there_are():
    with pytest.raises(CompileError, match="'kapoho': not in the table. Use one of kapoho-bay, .*loihi2"):
        load_table().board("kapoho")


def test_a_users_file_replaces_limits_and_adds_boards(written):
    path = written(
        {
            "chips": {"mine": {"like": "loihi2", "cores": 4, "plastic_factor": 1.5, "table": {"words": 12000}}},
            "boards": {"desk": {"chip": "mine", "chips": 3}, "kapoho-point": {"chip": "loihi2", "chips": 4}},
        }
    )
    table = load_table(path)
    shipped = load_table()
    assert table.board("desk").cores == 12
    assert table.board("desk").chip.plastic_factor == 1.5
    assert table.board("desk").chip.table.words == 12000
    assert table.board("desk").chip.table.axons == shipped.board("loihi2").chip.table.axons
    assert table.board("kapoho-point").count == 4
    assert table.board("hala-point") == shipped.board("hala-point")


def test_a_limit_keeps_its_source_until_a_user_replaces_it(written):
    table = load_table(written({"chips": {"loihi2": {"like": "loihi2", "synaptic_words": 16000}}}))
    found = known_limits("loihi2", table.chips["loihi2"])
    assert "synaptic_words" not in found
    assert (found["axons_in"].value, found["axons_in"].certainty) == (16000, "derived")
    shipped = known_limits("loihi2", load_table().chips["loihi2"])
    assert (shipped["synaptic_words"].value, shipped["synaptic_words"].certainty) == (12000, "published")
    assert (shipped["table.words"].value, shipped["table.words"].certainty) == (16000, "derived")
    assert known_limits("mine", table.chips["loihi2"]) == {}


BAD = {
    "missing": (
        {"chips": {"mine": {"generation": 2}}},
        "chips.mine.cores: missing, and neurons, axons_in, .*, table. Give it, or take the rest .* `like: NAME`$",
    ),
    "negative": (
        {"chips": {"mine": {"like": "loihi2", "axons_in": -1}}},
        "chips.mine.axons_in: must be at least 1, got -1",
    ),
    "infinite": (
        {"chips": {"mine": {"like": "loihi2", "plastic_factor": float("inf")}}},
        "mine.plastic_factor: must be a finite number, got inf",
    ),
    "in the table": (
        {"chips": {"mine": {"like": "loihi2", "table": {"words": -1}}}},
        "chips.mine.table.words: must be at least 1, got -1",
    ),
    "text": ({"chips": {"mine": {"like": "loihi2", "cores": "many"}}}, "chips.mine.cores: .*integer, got 'many'"),
    "misspelt": ({"chips": {"mine": {"like": "loihi2", "coers": 3}}}, "chips.mine.coers: no such limit"),
    "like": ({"chips": {"mine": {"like": "loihi3"}}}, "chips.mine.like: 'loihi3' is no chip. Use one of loihi1"),
    "like a list": ({"chips": {"mine": {"like": ["loihi2"]}}}, r"mine.like: \['loihi2'\] is no chip. Use one of"),
    "board of no count": ({"boards": {"b": {"chip": "loihi2"}}}, "boards.b.chips: missing. Give it$"),
    "board without chip": ({"boards": {"b": {"chip": "x", "chips": 1}}}, "boards.b.chip: 'x' is no chip of the table"),
    "board of no chips": ({"boards": {"b": {"chip": "loihi2", "chips": 0}}}, "b.chips: must be at least 1, got 0"),
    "other content": ({"limits": 3}, "holds `chips:` and `boards:`"),
    "a list": ("- 1\n- 2\n", "holds `chips:` and `boards:`"),
    "not YAML": ("chips: [", "not YAML"),
    "entry": ({"chips": {"mine": 3}}, "chips.mine: must hold limits by name, got 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_one_line_with_the_entrys_name(written, case):
    content, text = BAD[case]
    path = written(content)
    with pytest.raises(CompileError, match=text) as caught:
        load_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once(written):
    content = {
        "chips": {"mine": {"like": "loihi2", "cores": -1, "neurons": 0}},
        "boards": {"b": {"chip": "loihi2", "chips": -2}},
    }
    with pytest.raises(CompileError) as caught:
        load_table(written(content))
    assert [str(caught.value).count(name) for name in ("mine.cores", "mine.neurons", "b.chips")] == [1, 1, 1]
    with pytest.raises(CompileError, match="No such file"):
        load_table(SHIPPED.with_name("none.yaml"))

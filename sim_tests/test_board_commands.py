"""`map` and `estimate` as a person meets them: tables, JSON, exit codes, one line for each error."""

import json

import pytest


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with g.ffl (graded), l.ffl (lif, hard reset, 12 steps) and p.ffl (learns), of digits."""
    from pathlib import Path

    from ff2loihi import api
    from ff2loihi.compilers.learning import LearningOptions
    from ff2loihi.compilers.quantize import Options
    from ff2loihi.ff.data import load_data
    from ff2loihi.ff.recipes import train

    folder: Path = tmp_path_factory.mktemp("made")
    images = load_data("digits", "train")
    for name, epochs, options in (
        ("g", 1, Options()),
        ("l", 1, Options(neuron="lif", reset="hard", steps=12)),
        ("p", 0, LearningOptions()),
    ):
        train("ffa-symmetric", images, widths=(20, 12) if name != "p" else (20,), epochs=epochs).save(folder / "m.pt")
        api.save(api.compile(folder / "m.pt", api.calibration_set("digits"), options), folder / f"{name}.ffl")
    return folder


@pytest.mark.parametrize("name", ["g.ffl", "p.ffl"])
def test_map_shows_every_core_with_its_neurons_and_writes_them_as_json(ff2loihi, made, tmp_path, name):
    code, out, err = ff2loihi("map", made / name, "--strict", "--json", tmp_path / "m.json")
    assert (code, err) == (0, "")
    assert "all 17 rules of oheo-gulch hold" in out
    assert "A hidden1, B hidden1.goodness" in out
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["board"], found["chips"], found["violations"]) == ("oheo-gulch", 1, [])
    seats = {}
    for core in found["placement"]:
        for population, first, stop in core["neurons_of"]:
            seats.setdefault(population, set()).update(range(first, stop))
        assert core["neurons"] == sum(stop - first for _, first, stop in core["neurons_of"])
    assert {p["name"]: set(range(p["neurons"])) for p in found["populations"]} == seats
    assert found["populations"][0]["plastic"] is (name == "p.ffl")


def test_pack_puts_small_layers_on_one_core(ff2loihi, made, tmp_path):
    counts = []
    for options in ((), ("--pack",)):
        code, _, _ = ff2loihi("map", made / "g.ffl", *options, "--json", tmp_path / "m.json")
        assert code == 0
        counts.append(json.loads((tmp_path / "m.json").read_text())["cores"])
    assert counts == [4, 1]


def test_broken_rules_are_shown_all_at_once_and_strict_makes_them_exit_1(ff2loihi, refused, made, tmp_path):
    code, out, _ = ff2loihi("map", made / "l.ffl", "--json", tmp_path / "m.json")
    assert code == 0
    assert "--steps 16" in out
    [violation] = json.loads((tmp_path / "m.json").read_text())["violations"]
    assert {key: violation[key] for key in ("rule", "kind", "layer", "value", "limit", "mend")} == {
        "rule": "reset_interval", "kind": "limit", "layer": "network", "value": 12, "limit": 16, "mend": "--steps 16",
    }  # fmt: skip
    assert refused("map", made / "l.ffl", "--strict") == (
        1, f"ff2loihi: {made / 'l.ffl'}: 1 broken rules of oheo-gulch: reset_interval\n",
    )  # fmt: skip
    code, line = refused("map", made / "p.ffl", "--board", "kapoho-bay", "--strict")
    assert code == 1
    assert all(rule in line for rule in ("neuron_model", "graded_payload", "third_factor"))


def test_a_bad_board_or_table_is_one_line(refused, made, tmp_path):
    code, line = refused("map", made / "g.ffl", "--board", "loihi3")
    assert code == 2
    assert "'loihi3': not in the table. Use one of kapoho-bay" in line
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, synaptic_words: -5}}")
    code, line = refused("map", made / "g.ffl", "--board", "mine", "--chips", table)
    assert code == 2
    assert "chips.mine.synaptic_words: must be at least 1, got -5" in line


def test_a_chip_of_ones_own_takes_more_cores(ff2loihi, made, tmp_path):
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, synaptic_words: 500}}\nboards: {desk: {chip: mine, chips: 1}}")
    code, _, _ = ff2loihi("map", made / "g.ffl", "--board", "desk", "--chips", table, "--json", tmp_path / "m.json")
    assert code == 0
    assert json.loads((tmp_path / "m.json").read_text())["cores"] > 4

"""`map` and `estimate` as a person meets them: tables, JSON, exit codes, one line for each error."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.rules import violations
from ff2loihi.compilers.ir import Program
from ff2loihi.deployment.mapping import design
from sim_tests.factories import integer_network


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with g.ffl (graded), l.ffl (lif, hard reset, 12 steps) p.ffl and s.ffl (learn), of digits."""
    from ff2loihi import api
    from ff2loihi.compilers.inference.quantize import Options
    from ff2loihi.compilers.learning.rule import LearningOptions
    from ff2loihi.data.datasets import load_data
    from ff2loihi.ff.recipes import train

    folder = tmp_path_factory.mktemp("made")
    images = load_data("digits", "train", limit=200)
    for name, epochs, options in (
        ("g", 1, Options()),
        ("l", 1, Options(neuron="lif", reset="hard", steps=12)),
        ("p", 0, LearningOptions()),
        ("s", 0, LearningOptions(library=True)),
    ):
        train("ffa-symmetric", images, widths=(20, 12) if epochs else (20,), epochs=epochs).save(folder / "m.pt")
        api.save(api.compile(folder / "m.pt", api.calibration_set("digits:60"), options), folder / f"{name}.ffl")
    return folder


MICROCODE = ("--form", "microcode")
ALONE = "--one-population-a-core"


@pytest.mark.parametrize("name", ["g.ffl", "p.ffl"])
def test_map_shows_every_core_with_its_neurons_and_writes_them_as_json(ff2loihi, made, tmp_path, name):
    code, out, err = ff2loihi("map", made / name, *MICROCODE, "--strict", "--json", tmp_path / "m.json")
    assert (code, err) == (0, "")
    assert "counted in the microcode form" in out
    assert "all 17 rules of oheo-gulch hold" in out
    assert "A hidden1, B hidden1.goodness" in out
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["board"], found["chips"], found["violations"]) == ("oheo-gulch", 1, [])
    assert found["limits"]["plastic_factor"]["certainty"] == "assumed"
    assert found["recount"] == []
    seats = {}
    for core in found["placement"]:
        for population, first, stop in core["neurons_of"]:
            seats.setdefault(population, set()).update(range(first, stop))
        assert core["neurons"] == sum(stop - first for _, first, stop in core["neurons_of"])
    assert {p["name"]: set(range(p["neurons"])) for p in found["populations"]} == seats
    assert found["populations"][0]["plastic"] is (name == "p.ffl")


def test_small_populations_share_a_core_unless_asked_not_to(ff2loihi, made, tmp_path):
    counts = []
    for options in ((ALONE,), ()):
        code, _, _ = ff2loihi("map", made / "g.ffl", *MICROCODE, *options, "--json", tmp_path / "m.json")
        assert code == 0
        counts.append(json.loads((tmp_path / "m.json").read_text())["cores"])
    assert counts == [4, 1]


@pytest.mark.parametrize(("name", "parts"), [("g.ffl", ("", ".whole", ".above")), ("l.ffl", ("",))])
def test_by_default_map_and_estimate_count_what_deploy_puts_on_cores(ff2loihi, made, tmp_path, name, parts):
    found = {}
    for command in ("map", "estimate"):
        code, out, _ = ff2loihi(command, made / name, ALONE, "--json", tmp_path / "m.json")
        assert code == 0
        assert "counted in the deployed form\n" in out
        found[command] = json.loads((tmp_path / "m.json").read_text())
        assert (found[command]["form"], found[command]["reason"]) == ("deployed", "")
    names = {f"hidden{n}{part}" for n in (1, 2) for part in parts}
    assert {p["name"] for p in found["map"]["populations"]} == names
    assert found["map"]["cores"] == found["estimate"]["cores"] == 2 * len(parts)
    steps = {"g.ffl": 10 + 4, "l.ffl": 10 * 16 + 2}[name]  # ten passes, and what the last layer is behind
    assert found["estimate"]["events"]["inference"]["steps"] == steps
    assert [one for one in found["map"]["violations"] if one["kind"] == "limit"] == found["map"]["recount"] == []


def intels_network(reset="hard", **changes):
    """784-128-64-10 with that reset; changes: of the network."""
    net = integer_network(n=128, weight=np.zeros((128, 784), np.int16), reset=reset)
    [first] = net.layers
    layers = [first]
    for name, n in (("hidden2", 64), ("hidden3", 10)):
        weight, zeros = np.zeros((n, len(layers[-1].weight)), np.int16), np.zeros(n, np.int32)
        layers.append(replace(first, name=name, weight=weight, bias=zeros, positive=np.arange(n) % 2 == 0))
    return Program(replace(net, layers=tuple(layers), readout_layers=(0, 1, 2), **changes), (), {})


def test_intels_network_deployed_with_a_hard_reset_takes_the_5_cores_that_intel_prints():
    found = [design(intels_network(), share=share).mapping for share in (False, True)]
    assert [len(found[0].cores_of(f"hidden{n}")) for n in (1, 2, 3)] == [3, 1, 1]
    assert [len(one.cores) for one in found] == [5, 4]
    assert len(design(intels_network(), form="microcode", share=False).mapping.cores) == 8
    assert recount(found[0]) == recount(found[1]) == []


@pytest.mark.parametrize("share", [False, True])
def test_a_soft_reset_deployed_is_three_neurons_a_neuron(share):
    mapping = design(intels_network("soft"), share=share).mapping
    assert sum(core.fill.neurons for core in mapping.cores) == 3 * (128 + 64 + 10)
    assert len(mapping.cores) == (4 if share else 11)
    assert recount(mapping) == []
    [core] = mapping.cores_of("hidden1.held")
    held = [rows for part in core.parts if part.population.name == "hidden1.held" for rows in part.population.rows]
    assert [(rows.source, rows.taken(3, 13, mapping.chip)) for rows in held] == [("hidden1.state", (10, 10))]


def test_a_network_that_library_processes_cannot_compute_is_mapped_all_the_same():
    program = intels_network("soft")
    first, *others = program.network.layers
    fine = replace(first, bias=np.full(128, 3, np.int32), shift=1)
    found = design(replace(program, network=replace(program.network, layers=(fine, *others))))
    assert found.form == "microcode"
    assert found.reason.startswith("no script of `deploy` does all of it: hidden1: biases finer than the shifted sums")
    assert {population.name for population in found.populations} >= {"hidden1", "hidden1.goodness"}


def test_what_deploy_refuses_is_counted_as_microcode_and_told_why(ff2loihi, made, tmp_path):
    code, out, _ = ff2loihi("map", made / "p.ffl", "--json", tmp_path / "m.json")
    assert code == 0
    [line] = [line for line in out.splitlines() if line.startswith("counted in")]
    assert "in the microcode form, for no script of `deploy` does all of it: the script classifies; learning" in line
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["form"] == "microcode"
    assert found["reason"] in line
    code, out, _ = ff2loihi("map", made / "s.ffl", *MICROCODE)
    assert code == 0
    assert "counted in the deployed form, for a network of library neurons has no other" in out


def test_broken_rules_are_shown_all_at_once_and_exit_1(ff2loihi, refused, made, tmp_path):
    code, out, _ = ff2loihi("map", made / "l.ffl", *MICROCODE, "--json", tmp_path / "m.json")
    assert code == 1
    assert "--steps 16" in out
    violations = json.loads((tmp_path / "m.json").read_text())["violations"]
    [found] = [violation for violation in violations if violation["kind"] == "limit"]
    assert {key: found[key] for key in ("rule", "layer", "value", "limit", "mend")} == {
        "rule": "reset_interval", "layer": "network", "value": 12, "limit": 16, "mend": "--steps 16",
    }  # fmt: skip
    code, line = refused("map", made / "p.ffl", "--board", "kapoho-bay")
    assert code == 1
    assert "on kapoho-bay it breaks neuron_model, graded_payload, third_factor." in line


def test_a_mapping_that_the_second_count_contradicts_exits_1(refused, made, monkeypatch):
    monkeypatch.setattr("ff2loihi.deployment.mapping.recount", lambda mapping: ["chip 0 core 1: neurons 9, 8 fit"])
    code, line = refused("map", made / "g.ffl")
    assert code == 1
    assert "a fault of the mapper, not of the network: chip 0 core 1: neurons 9, 8 fit" in line


def test_strict_refuses_risks_too(ff2loihi, refused, made, tmp_path):
    """With states of 12 bits the threshold alone saturates them."""
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, state_bits: 12}}")
    code, out, err = ff2loihi("map", made / "p.ffl", "--board", "mine", "--chips", table)
    assert (code, err) == (0, "")
    assert "states_may_saturate" in out
    code, line = refused("map", made / "p.ffl", "--board", "mine", "--chips", table, "--strict")
    assert code == 1
    assert "on mine it breaks states_may_saturate" in line


def test_a_bad_board_or_table_is_one_line(refused, made, tmp_path):
    code, line = refused("map", made / "g.ffl", "--board", "loihi3")
    assert code == 2
    assert "'loihi3': not in the table. Use one of kapoho-bay" in line
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, synaptic_words: -5}}")
    code, line = refused("map", made / "g.ffl", "--board", "mine", "--chips", table)
    assert code == 2
    assert "chips.mine.synaptic_words: must be at least 1, got -5" in line


def test_a_network_with_a_neuron_that_no_core_holds_exits_1_with_its_rule(refused, made, tmp_path):
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, synaptic_words: 10}}")
    code, line = refused("map", made / "g.ffl", "--board", "mine", "--chips", table)
    assert code == 1
    assert "on mine it breaks synaptic_words" in line


def test_a_chip_of_ones_own_takes_more_cores(ff2loihi, made, tmp_path):
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, synaptic_words: 500}}\nboards: {desk: {chip: mine, chips: 1}}")
    asked = (*MICROCODE, ALONE, "--board", "desk", "--chips", table)
    code, _, _ = ff2loihi("map", made / "g.ffl", *asked, "--json", tmp_path / "m.json")
    assert code == 0
    assert json.loads((tmp_path / "m.json").read_text())["cores"] > 4


LEARNING = ["inference", "learning, one showing", "learning, pairs of 100% of the images"]
MODES = {
    "g.ffl": ["inference"],
    "l.ffl": ["inference"],
    "p.ffl": LEARNING,
    "s.ffl": LEARNING,
}


@pytest.mark.parametrize("name", MODES)
def test_estimate_gives_bands_with_their_certainty_and_neurobenchs_metrics(ff2loihi, made, tmp_path, name):
    code, out, err = ff2loihi("estimate", made / name, "--limit", 5, "--json", tmp_path / "e.json")
    assert (code, err) == (0, "")
    assert out.count("ESTIMATED") == len(MODES[name])
    assert "traffic with the host is not counted" in out
    found = json.loads((tmp_path / "e.json").read_text())
    assert (found["estimated"], found["samples"], found["split"]) == (True, 5, "test")
    assert list(found["estimates"]) == MODES[name]
    for one in found["estimates"].values():
        rows = {row["what"]: row for row in one["rows"]}
        assert {"dynamic", "static", "chip", "board", "chip and board", "time"} <= set(rows)
        assert all(0 <= row["low"] <= row["high"] and row["certainty"] and row["source"] for row in rows.values())
        assert ("weight updates" in rows) is (MODES[name] == LEARNING)
    assert {
        "Footprint", "ConnectionSparsity", "ActivationSparsity", "SynapticOperations", "ClassificationAccuracy",
    } < set(found["neurobench"])  # fmt: skip
    assert found["published"]["rows"][0]["publication"] == "Renner 2024"


def test_more_chips_than_the_board_has_are_no_estimate(refused, made, tmp_path):
    table = tmp_path / "own.yaml"
    table.write_text("chips: {mine: {like: loihi2, cores: 1}}\nboards: {desk: {chip: mine, chips: 2}}")
    code, line = refused("estimate", made / "g.ffl", ALONE, "--board", "desk", "--chips", table)
    assert code == 2
    assert "desk cannot hold the network. See: ff2loihi map" in line


TIGHT = "chips: {mine: {like: loihi2, synaptic_words: 10}}"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("estimate", "--split", "tset"), "'tset' is not one of 'train', 'test', 'fit', 'validation'"),
        (("estimate", "--board", "loihi3"), "'loihi3': not in the table. Use one of kapoho-bay"),
        (("estimate", "--board", "mine", "--chips", "own.yaml"), "mine cannot hold the network. See: ff2loihi map"),
        (("estimate", "--data", "digit"), "'digit' is not one of 'digits', 'mnist'"),
        (("estimate", "--data", "mnist"), "images must be (samples, 64) uint8 for this model, got (100, 784)"),
        (("map", "--chips", "none.yaml"), "none.yaml: No such file or directory"),
        (("export", "--format", "golden", "--data", "mnist"), "must be (samples, 64) uint8 for this model"),
        (("export", "--format", "golden", "-o", "no/such/folder"), "the folder no/such does not exist"),
        (("export", "--format", "golden", "-o", "own.yaml"), "own.yaml: not a folder. Name one with --output"),
    ],
)
def test_what_a_command_cannot_do_is_one_line_and_leaves_nothing(
    refused, made, tmp_path, monkeypatch, request, command, words
):
    if "mnist" in command:
        request.getfixturevalue("mnist_root")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(TIGHT)
    name, *options = command
    code, line = refused(name, made / "g.ffl", *options)
    assert code == 2
    assert words in line
    assert [path.name for path in tmp_path.iterdir()] == ["own.yaml"]
    assert (tmp_path / "own.yaml").read_text() == TIGHT


def test_cwc_ff_of_mnists_size_takes_ten_cores(tmp_path):
    """20 14 14 neurons fill a core's 4,095, and so on: 1 + 2 + 1 + 2, and a core for the goodness of each layer."""
    from ff2loihi import api
    from ff2loihi.data.datasets import Dataset
    from ff2loihi.ff.recipes import train

    images = np.random.default_rng(0).integers(0, 256, (20, 784)).astype(np.uint8)
    data = Dataset("mnist", "train", images, np.arange(20) % 10, 10)
    train("cwc-ff", data, epochs=0).save(tmp_path / "m.pt")
    found = design(api.compile(tmp_path / "m.pt", data), "oheo-gulch", form="microcode", share=False)
    cores = {p.name: len(found.mapping.cores_of(p.name)) for p in found.populations}
    assert [cores[f"hidden{n}"] for n in (1, 2, 3, 4)] == [1, 2, 1, 2]
    assert [cores[f"hidden{n}.goodness"] for n in (1, 2, 3, 4)] == [1] * 4
    assert violations(found) == []
    assert recount(found.mapping) == []

"""The examples run as written; test_pages runs the commands of README and of docs/."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ff2loihi

ROOT = Path(__file__).parent.parent
PUBLIC = ("own_data", "adapt_on_chip", "compare_quantizations", "sweep", "board_dry_run")  # on the documented API alone
EDITS = {  # what names and shapes do not tell of a form of public code
    "pooled": (
        ("pixels: 784\nimage: [1, 28, 28]", "pixels: 64\nimage: [1, 8, 8]"),
        ("batch_norm: blocks.0.bn,", "batch_norm: blocks.0.bn, pool: {kind: max},"),
        ("batch_norm: blocks.1.bn,", "batch_norm: blocks.1.bn, pool: {kind: max},"),
    ),
}


def start(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.needs_lava
def test_the_demo_tells_each_network_prints_its_table_and_says_what_to_look_at(tmp_path):
    text = start([str(ROOT / "examples" / "demo.py"), str(tmp_path)], tmp_path)
    before, table, after = re.fullmatch("(.*?)(digits, 360 test images.*┘)\n(.*)", text, re.DOTALL).groups()
    made = re.findall(r"^(\S+): .*, test accuracy [\d.]+%$", before, re.MULTILINE)
    assert len(made) == 5
    assert table.count(" equal ") == 4
    files, following = after.splitlines()
    assert files == f"files: {tmp_path}"
    assert {path.name for path in tmp_path.iterdir()} == {*made, "untrained.pt"}
    command, *models = re.fullmatch(r"next: \S*ff2loihi (report) (.*) -o \S+/report.html", following)[0].split()[2:-2]
    assert command == "report"
    assert len(models) == 4
    assert all(Path(model).is_file() for model in models)


def example(name: str, folder: Path, *arguments: str) -> str:
    return start([str(ROOT / "examples" / f"{name}.py"), str(folder), *arguments], folder)


@pytest.mark.parametrize("name", PUBLIC)
def test_an_example_takes_of_ours_only_what_the_reference_documents(name):
    documented = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    tree = ast.parse((ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8"))
    taken = {f"ff2loihi.{node.attr}" for node in ast.walk(tree) if isinstance(node, ast.Attribute)
             and isinstance(node.value, ast.Name) and node.value.id == "ff2loihi"}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ff2loihi"):
            taken |= {f"{node.module}.{alias.name}" for alias in node.names}
        assert not isinstance(node, ast.Import) or not any("ff2loihi." in alias.name for alias in node.names)
    assert taken
    assert [one for one in sorted(taken) if not re.search(rf":: {re.escape(one)}$", documented, re.MULTILINE)] == []
    said = (ROOT / "docs" / "guides" / "examples.md").read_text(encoding="utf-8")
    assert f"(../../examples/{name}.py)" in said


def is_drawn(path: Path) -> bool:
    """As PNG, and as SVG for print."""
    return path.read_bytes().startswith(b"\x89PNG") and b"<svg" in path.with_suffix(".svg").read_bytes()[:1000]


def test_images_of_ones_own_are_trained_compiled_and_run(tmp_path):
    text = example("own_data", tmp_path, "--small")
    assert "480 training images of 12 x 12 pixels, 3 classes" in text
    assert float(re.search(r"([\d.]+)% of 120 test images", text)[1]) > 90
    assert ff2loihi.run(ff2loihi.load(tmp_path / "model.ffl"), str(tmp_path / "shapes.npz")).accuracy > 0.9
    assert is_drawn(tmp_path / "own_data.png")


def test_networks_adapt_to_rotated_digits_as_they_learn(tmp_path):
    text = example("adapt_on_chip", tmp_path, "--small")
    assert "contrast code" in text
    for name in ("learned on the chip", "compiled analog net"):
        points = json.loads((tmp_path / "adapt.json").read_text())["stories"][f"{name}, 30 degrees"]
        assert [point["samples"] for point in points] == [0, 479, 958, 1437]
        assert points[-1]["30 degrees"] > points[0]["30 degrees"] + 0.1
    assert is_drawn(tmp_path / "adapt.png")


def test_quantizations_are_compared_with_the_float_net(tmp_path):
    text = example("compare_quantizations", tmp_path, "--small")
    rows = dict(re.findall(r"^(graded, \d bit|LIF, 16 steps) +([\d.]+)%", text, re.MULTILINE))
    assert set(rows) == {"graded, 8 bit", "graded, 2 bit", "LIF, 16 steps"}
    assert float(rows["graded, 8 bit"]) > float(rows["graded, 2 bit"]) > 50
    assert len(list(tmp_path.glob("*.ffl"))) == 3
    assert is_drawn(tmp_path / "quantizations.png")


def test_a_sweep_says_which_options_learn_best_and_goes_on(tmp_path):
    (tmp_path / "s").mkdir()
    text = example("sweep", tmp_path / "s", "--small")
    assert "4 trials; the best 2 configurations" in text
    best, other = (float(share) for share in re.findall(r"^ +\d +([\d.]+)%", text, re.MULTILINE))
    assert best >= other
    assert best > 50
    results = (tmp_path / "s" / "results.jsonl").read_bytes()
    assert example("sweep", tmp_path / "s", "--small") == text
    assert (tmp_path / "s" / "results.jsonl").read_bytes() == results
    assert is_drawn(tmp_path / "s" / "sweep.png")


def test_a_dry_run_is_held_against_recordings(tmp_path):
    text = example("board_dry_run", tmp_path, "--small")
    assert "a recording without a fault: every bit agrees" in text
    assert "one wrong spike: differs first at hidden1.s[sample 1, label 4, step 7, neuron 20]" in text
    assert re.search(r"^hidden1.s +[\d,]+ +\d[\d,]+ +1$", text, re.MULTILINE)
    assert "run_on_board.py" in text
    again = example("board_dry_run", tmp_path, "--recording", str(tmp_path / "right.npz"))
    assert "right.npz: every bit agrees" in again
    with np.load(tmp_path / "right.npz") as recording:
        assert recording["hidden1.s"].any()


def test_the_ladder_is_drawn_from_an_artifact_a_rung(tmp_path):
    start([str(ROOT / "examples" / "ladder.py"), str(tmp_path)], tmp_path)
    rungs = json.loads((tmp_path / "ladder.json").read_text())
    assert len(rungs) == 5
    assert all(rung["accuracy"] > 0.95 for rung in rungs)
    assert all(0 < rung["low"] < rung["high"] for rung in rungs[1:])
    picture = (tmp_path / "ladder.svg").read_text()
    assert all(rung["name"] in picture for rung in rungs)
    assert "estimated energy" in picture


def test_the_forms_of_public_code_are_trained_and_their_drafts_compile(tmp_path):
    for name in ("standardised", "classifier", "pooled"):
        text = start([str(ROOT / "examples" / "public_forms.py"), str(tmp_path), "--form", name], tmp_path)
        accuracy = float(re.search(r"([\d.]+)%", text)[1]) / 100
        assert accuracy > 0.9
        start(["-m", "ff2loihi", "spec", f"{name}.pt", "-o", f"{name}.yaml"], tmp_path)
        draft = (tmp_path / f"{name}.yaml").read_text(encoding="utf-8")
        for line, other in EDITS.get(name, ()):
            assert draft.count(line) == 1
            draft = draft.replace(line, other)
        (tmp_path / f"{name}.yaml").write_text(draft, encoding="utf-8")
        compiled = f"compile {name}.pt --spec {name}.yaml --calibrate digits -o {name}.ffl"
        start(["-m", "ff2loihi", *compiled.split()], tmp_path)
        ran = start(["-m", "ff2loihi", "run", f"{name}.ffl", "--data", "digits", "--json", "-"], tmp_path)
        assert json.loads(ran)["accuracy"] > accuracy - 0.02


def test_the_results_script_compares_each_net_with_its_float_network(tmp_path):
    table = start([str(ROOT / "examples" / "results.py"), str(tmp_path), "--small"], tmp_path)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert sum(row[1] == "float" for row in rows) == 7
    assert all(abs(float(row[3])) < 3 for row in rows if row[1] != "float")

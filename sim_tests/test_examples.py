"""The examples run as written; test_pages runs the commands of README and of docs/."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
def test_the_demo_prints_its_table(tmp_path):
    assert "float (PyTorch)" in start([str(ROOT / "examples" / "demo.py"), str(tmp_path)], tmp_path)


def test_networks_adapt_to_rotated_digits_as_they_learn(tmp_path):
    text = start([str(ROOT / "examples" / "adapt_on_chip.py"), str(tmp_path), "--degrees", "30"], tmp_path)
    assert "contrast code" in text
    points = json.loads((tmp_path / "adapt.json").read_text())["stories"]["learned on the chip, 30 degrees"]
    assert [point["samples"] for point in points] == sorted({point["samples"] for point in points})
    assert points[-1]["30 degrees"] > points[0]["30 degrees"] + 0.02
    assert (tmp_path / "adapt.png").read_bytes().startswith(b"\x89PNG")


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

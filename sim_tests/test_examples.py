"""The examples and README's commands run as written."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)[1:] for line in re.findall(r"^\.venv/bin/ff2loihi .*$", README, flags=re.MULTILINE)
]

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
def test_every_command_of_the_readme_runs_in_its_order(tmp_path):
    assert {command[0] for command in COMMANDS} >= {"train", "compile", "run", "verify", "bench", "inspect", "doctor"}
    for command in COMMANDS:
        start(["-m", "ff2loihi", *command], tmp_path)
    assert (tmp_path / "model.ffl").is_file()


def test_a_bare_weight_file_compiles_with_the_spec_of_the_readme(tmp_path):
    spec = re.search(r"```yaml\n(.*?)```", README, flags=re.DOTALL).group(1)
    (tmp_path / "spec.yaml").write_text(spec.replace("784", "64"), encoding="utf-8")  # digits: 64 pixels
    rng = np.random.default_rng(0)
    np.save(tmp_path / "labels.npy", (rng.random((10, 100)) < 0.3).astype(np.float32))
    torch.save(torch.from_numpy(rng.normal(0, 0.1, (164, 200)).astype(np.float32)), tmp_path / "weights.pt")
    command = "compile weights.pt --spec spec.yaml --calibrate digits -o model.ffl"
    assert command.replace("digits", "mnist") in README
    start(["-m", "ff2loihi", *command.split()], tmp_path)
    assert (tmp_path / "model.ffl").is_file()


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

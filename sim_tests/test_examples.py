"""The examples and README's commands run as written."""

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


def test_the_results_script_compares_each_net_with_its_float_network(tmp_path):
    table = start([str(ROOT / "examples" / "results.py"), str(tmp_path), "--small"], tmp_path)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert sum(row[1] == "float" for row in rows) == 7
    assert all(abs(float(row[3])) < 3 for row in rows if row[1] != "float")

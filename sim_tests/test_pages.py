"""Every block of every page runs as written, in its page's order, in a folder of its own; those that cannot say why."""

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.frontend.spec import parse_spec
from ff2loihi.sweeps.cluster import read_jobs
from ff2loihi.sweeps.space import read_space
from sim_tests.pages import PAGES, ROOT, Block, blocks

BLOCKS = {path.relative_to(ROOT).as_posix(): blocks(path) for path in PAGES}
RUNNING = [page for page, found in BLOCKS.items() if any(block.runs for block in found)]
NOT_RUN = [block for found in BLOCKS.values() for block in found if block.mark == "not run"]
YAML = [block for found in BLOCKS.values() for block in found if block.language == "yaml"]
THERE = {"lava": lambda: importlib.util.find_spec("lava") is not None}
SHELL_S = 900  # s; a block takes a few, or many on a busy machine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader stands: examples/ is there, and `ff2loihi` and `python` are found."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = tmp_path / ".programs"
    programs.mkdir()
    for name, words in (("ff2loihi", "-m ff2loihi"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("page", RUNNING)
def test_every_block_of_a_page_runs_in_its_order(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    names: dict = {"__name__": "page"}
    for block in BLOCKS[page]:
        if block.mark == "file":
            (folder / block.said).write_text(block.text, encoding="utf-8")
        elif block.runs and (block.mark != "needs" or THERE[block.said]()):
            shell(block, folder) if block.language == "sh" else python(block, names)


def shell(block: Block, folder: Path) -> None:
    path = f"{folder / '.programs'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text], cwd=folder, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=SHELL_S, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.where}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def python(block: Block, names: dict) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile("\n" * block.line + block.text, block.page, "exec"), names)


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda block: block.where)
def test_a_block_that_is_not_run_says_why(block):
    pytest.skip(f"not run: {block.said}")


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.where)
def test_a_yaml_block_is_what_its_reader_takes(block, tmp_path):
    """A whole spec, a space, a job queue or a table of chips; a part of a spec is one beside what every spec needs."""
    content = yaml.safe_load(block.text)
    if "chips" in content:
        (tmp_path / "own.yaml").write_text(block.text)
        assert set(content["boards"]) <= set(load_table(tmp_path / "own.yaml").boards)
    elif "compile" in content:
        assert read_space(content).trials()
    elif "jobs" in content:
        (tmp_path / "queue.yaml").write_text(block.text)
        assert read_jobs(tmp_path / "queue.yaml").jobs == content["jobs"]
    else:
        rest = {"pixels": 784, "label": {"kind": "none"}, "layers": [{"weight": str(number)} for number in range(3)]}
        assert parse_spec(content if "pixels" in content else {**rest, **content}, block.where)


def test_the_pages_hold_blocks_of_every_kind():
    runs = [block for found in BLOCKS.values() for block in found if block.runs]
    assert len(RUNNING) > 10
    assert {block.language for block in runs} == {"sh", "python"}
    assert len(YAML) > 8
    assert any(block.mark == "needs" for block in runs)

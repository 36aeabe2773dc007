"""Pythons that we start: the modules that they find, and where they look for none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARENT = """
import subprocess
from ff2loihi.compilers import children
code = "import sys, ff2loihi, os; print(repr((sys.path, ff2loihi.__file__, os.environ['PYTHONPATH'], sys.argv[1:])))"
subprocess.run(children.command(code, "a word"), env=children.environment(), check=True)
"""


def child(cwd, *, python_path=str(ROOT), start=("-c", PARENT)):
    """(sys.path, where ff2loihi is, PYTHONPATH, words) of a child whose parent was started in a folder."""
    done = subprocess.run(
        [sys.executable, *start], cwd=cwd, env={**os.environ, "PYTHONPATH": python_path}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return eval(done.stdout)


def test_a_child_does_not_look_in_the_current_folder(tmp_path):
    folders, package, _, words = child(tmp_path)
    assert Path(package).parents[1] == ROOT
    assert words == ["a word"]
    assert folders[0] == str(ROOT)
    assert {"", str(tmp_path)}.isdisjoint(folders)


def test_nor_where_its_parent_was_started_with_m(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    folders, *_ = child(tmp_path, start=("-m", "parent"))
    assert {"", str(tmp_path)}.isdisjoint(folders)


@pytest.mark.parametrize("relative", ["", ".", "lib"])
def test_pythonpath_that_depends_on_the_folder_is_not_handed_on(tmp_path, relative):
    (tmp_path / "lib").mkdir()
    folders, _, python_path, _ = child(tmp_path, python_path=f"{ROOT}{os.pathsep}{relative}")
    assert python_path == str(ROOT)
    assert {"", str(tmp_path)}.isdisjoint(folders)
    assert (str(tmp_path / "lib") in folders) == (relative == "lib")


def test_a_folder_that_pythonpath_names_is_kept_where_it_is_the_current_one(tmp_path):
    folders, *_ = child(tmp_path, python_path=f"{ROOT}{os.pathsep}{tmp_path}")
    assert str(tmp_path) in folders


def test_a_checkout_that_is_the_current_folder_is_kept():
    folders, package, *_ = child(ROOT, python_path="")
    assert Path(package).parents[1] == ROOT
    assert str(ROOT) in folders


def test_a_current_folder_that_is_no_more_ends_no_child(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os, sys; os.rmdir(os.getcwd())\n{PARENT}"
    folders, *_ = child(gone, start=("-c", code))
    assert "" not in folders

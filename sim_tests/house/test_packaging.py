"""What is installed is what is in the tree: packages, symlinks, the wheel, and a light `ff2loihi --help`."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import date

import pytest
import yaml

from ff2loihi import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINKS = ("ff2loihi/compilers", "ff2loihi/processes")

# Each pattern holds a one-letter class, so that this file does not match itself.
MACHINE_TRACES = {
    "a registry host": r"p[y]th[o]nh[o]sted|p[y]p[i]\.org|/simple/?[\"'\s]",
    "a path of one machine": r"(?<![\w.~*}])/(?:ro[o]t|wo[r]k|ho[m]e|U[s]ers|tm[p]/bash)/\w",
}


def python(root, *arguments, timeout=120):
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=timeout, check=False
    )


def shipped_files(root):
    """Path in the tree -> path in the wheel, for every file that is in a package's folder."""
    files = {}
    for top in ("ff2loihi", "compilers", "processes"):
        for folder, _, names in os.walk(root / top):  # does not follow the two symlinks
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), root)
                if "__pycache__" not in path and not name.startswith("."):
                    files[path] = path if top == "ff2loihi" else f"ff2loihi/{path}"
    return files


def test_the_package_list_names_every_folder_that_holds_python_files(root):
    setuptools = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {os.path.dirname(path) for path in shipped_files(root).values() if path.endswith(".py")}
    assert sorted(setuptools["packages"]) == sorted(folder.replace("/", ".") for folder in folders)
    assert setuptools["package-dir"] == {f"ff2loihi.{name}": name for name in ("compilers", "processes")}


@pytest.mark.parametrize("name", ["compilers", "processes"])
def test_a_bare_name_is_refused(root, name):
    """Lava matches a Process class by identity: a second copy under a bare name is another class."""
    refused = python(root, "-c", f"import {name}")
    assert refused.returncode != 0
    assert f"import this package as ff2loihi.{name}, not as {name}" in refused.stderr


@pytest.mark.parametrize("link", LINKS)
def test_a_symlink_in_the_package_points_at_the_storey_below(root, link):
    path = root / link
    assert path.is_symlink(), f"{link} is a copy, not a symlink: two files of one name drift apart"
    assert os.readlink(path) == f"../{path.name}"


def test_a_wheel_holds_every_file_of_the_packages(root, tmp_path):
    """Editable, an unlisted package or data file works all the same; in the wheel it is missing."""
    tree = tmp_path / "tree"  # a copy: a build/ folder left in the tree would hide what is missing
    for top in ("ff2loihi", "compilers", "processes"):
        shutil.copytree(root / top, tree / top, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, tree)
    built = python(tree, "-c", f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})")
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob(f"ff2loihi-{__version__}-*.whl")
    inside = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(inside) == sorted(shipped_files(root).values())


def test_the_version_stands_in_one_place_and_the_changelog_and_the_citation_agree(root):
    """A release changes ff2loihi/__init__.py, dates its section of the changelog, and says both in CITATION.cff."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "ff2loihi.__version__"}
    heading = next(
        line for line in (root / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    )
    found = re.fullmatch(r"## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)", heading)
    assert found, heading
    assert found[1] == __version__
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert (str(citation["version"]), citation["date-released"]) == (found[1], date.fromisoformat(found[2]))


def test_help_imports_neither_torch_nor_lava(root):
    shown = python(root, "-X", "importtime", "-c", "from ff2loihi.cli.entry import main; main()", "--help")
    assert shown.returncode == 0, shown.stderr[-2000:]
    assert "compile" in shown.stdout
    loaded = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines() if line.startswith("import time:")}
    assert "ff2loihi.cli.app" in loaded
    assert {name for name in loaded if name.split(".")[0] in {"torch", "torchvision", "lava"}} == set()


@pytest.fixture(scope="module")
def tracked(root):
    """Path -> text of what git tracks, or would after `git add .`."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files are tracked")
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [root / name for name in listed.stdout.split("\0") if name]
    return {
        path.relative_to(root).as_posix(): path.read_bytes().decode("utf-8", errors="replace")
        for path in paths
        if path.is_file()
    }


@pytest.mark.parametrize("kind", MACHINE_TRACES)
def test_no_tracked_file_names_the_machine_it_was_made_on(tracked, kind):
    offenders = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in tracked.items()
        for match in re.finditer(MACHINE_TRACES[kind], text)
    ]
    assert offenders == []


def test_the_lock_holds_versions_and_hashes_but_no_address(tracked):
    lock = tracked["requirements.lock"]
    assert re.findall(r"http.?://|file:|^-.*|/(?:opt|simple)\b", lock, re.MULTILINE) == []
    pins = re.findall(r"^([\w.-]+)==\S+.*\\\n {4}--hash=sha256:", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^\w", lock, re.MULTILINE))
    assert {"torch", "torchvision", "numpy", "pytest", "ruff", "lava-nc"} <= set(pins)

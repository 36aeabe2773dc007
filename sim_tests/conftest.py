"""What every test shares: --slow, --slow-for, needs_lava, mnist_root, the commands, and one thread for each worker."""

import contextlib
import hashlib
import importlib.util
import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import settings

from ff2loihi.processes.lava_imports import INSTALL

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy or torch are imported; child processes inherit it

settings.register_profile("ff2loihi", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("ff2loihi")
STARTED = time.monotonic()
ENDS_LAVA = (  # by force, and look for what is left: in one worker, or they would see what others leave
    "backends/test_lava_failures.py", "cli/test_app.py", "learning/test_learn_command.py", "robustness/test_kills.py",
)  # fmt: skip
LONG = ("test_examples.py", "test_pages.py")  # they and the others start first, so that both workers end together


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")
    parser.addoption("--slow-for", type=float, metavar="MINUTES", help="those of them that start within that time")


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("--slow-for")
    if minutes is not None and "slow" in item.keywords and time.monotonic() - STARTED > 60 * minutes:
        pytest.skip(f"slow: not started within {minutes:g} minutes")


def slow_ones_last(items: list[pytest.Item]) -> None:
    """In another order for each commit, so that each of them has its turn where the time is short."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, check=False)
    drawn = {item: hashlib.sha256(head.stdout + item.nodeid.encode()).digest() for item in items}
    items.sort(key=lambda item: drawn[item] if "slow" in item.keywords else b"")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_lava: runs Lava; skipped where it is not installed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip_slow = pytest.mark.skip(reason="slow: takes minutes; run with --slow")
    skip_lava = pytest.mark.skip(reason=f"lava is not installed: {INSTALL}")
    slow = config.getoption("--slow")
    if config.getoption("--slow-for") is not None:
        slow = True
        slow_ones_last(items)
    items.sort(key=lambda item: item.path.relative_to(Path(__file__).parent).as_posix() not in (*ENDS_LAVA, *LONG))
    has_lava = importlib.util.find_spec("lava") is not None  # looks, imports nothing
    for item in items:
        # a file's tests share what they make, in one worker; a slow one or a page goes where there is time
        file = item.path.relative_to(Path(__file__).parent).as_posix()
        alone = "slow" in item.keywords or file == "test_pages.py"
        group = item.nodeid if alone else "ends Lava" if file in ENDS_LAVA else file
        item.add_marker(pytest.mark.xdist_group(group))
        if "slow" in item.keywords and not slow:
            item.add_marker(skip_slow)
        if "needs_lava" in item.keywords and not has_lava:
            item.add_marker(skip_lava)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder that holds MNIST/raw, for torchvision's root= with download=False."""
    root = os.environ.get("FF2LOIHI_DATA")
    if not root:
        pytest.skip("MNIST: FF2LOIHI_DATA is not set")
    if not (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"MNIST: no MNIST/raw/train-images-idx3-ubyte in FF2LOIHI_DATA={root}")
    return Path(root)


@pytest.fixture
def abandoned_segments():
    """abandoned_segments() -> names of segments of shared memory that no process maps: those of ended runs.

    before: names that do not count; seconds: how long a segment may take to go, as its tracker may have to.
    """

    def found(before: Collection[str] = (), seconds: float = 0) -> set[str]:
        names, deadline = look().difference(before), time.monotonic() + seconds
        while names and time.monotonic() < deadline:
            time.sleep(0.1)
            names &= look()
        return names

    def look() -> set[str]:
        names, mapped = {path.name for path in Path("/dev/shm").glob("psm_*")}, ""
        for maps in Path("/proc").glob("[0-9]*/maps"):
            with contextlib.suppress(OSError):
                mapped += maps.read_text()
        return {name for name in names if name not in mapped}

    return found


@pytest.fixture
def ff2loihi(monkeypatch, capsys):
    """ff2loihi(*arguments) -> (exit code, stdout, stderr), in this process."""

    from ff2loihi.cli import entry

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["ff2loihi", *map(str, arguments)])
        capsys.readouterr()
        interrupts = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            entry.main()
        signal.signal(signal.SIGINT, interrupts)
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture(autouse=True)
def each_table_can_be_read_at_80_columns(monkeypatch):
    """Whatever table a test makes a command show is drawn for a narrow terminal, too: no word, no number is cut."""
    from ff2loihi.cli import console

    table = console.table

    def show(title, columns, rows):
        table(title, columns, rows)
        from rich.console import Console

        narrow = Console(file=io.StringIO(), width=80, highlight=False, markup=False, emoji=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(console, "_console", lambda stderr: narrow)
            table(title, columns, rows[:20])
        text = narrow.file.getvalue()
        words = {word for cell in (*columns, *itertools.chain(*rows[:20])) for word in console.cell(cell).split()}
        assert [word for word in words if len(word) < 30 and word not in text] == []
        assert max(map(len, text.splitlines())) <= 80

    monkeypatch.setattr(console, "table", show)


@pytest.fixture
def refused(ff2loihi):
    """refused(*arguments) -> (exit code, the one line on stderr)."""

    def call(*arguments):
        code, _, err = ff2loihi(*arguments)
        assert "Traceback" not in err
        assert err.startswith("ff2loihi: ")
        assert len(err.splitlines()) == 1
        return code, err

    return call


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """name -> path: an artifact of every form, tiny, of digits, and the checkpoints m.pt and u.pt they come from."""
    import torch

    from ff2loihi import api
    from ff2loihi.compilers.frontend.spec import CHECKPOINT_FORMAT, CHECKPOINT_VERSION
    from ff2loihi.compilers.inference.quantize import Options
    from ff2loihi.compilers.learning.rule import LearningOptions
    from ff2loihi.data.datasets import load_data
    from ff2loihi.ff.recipes import train
    from ff2loihi.learning.controller import Schedule

    folder = tmp_path_factory.mktemp("networks")
    images = load_data("digits", "train", limit=60)
    for name, recipe, options in (
        ("m", "ffa-symmetric", {"widths": (12, 10)}), ("h", "ff-mlp", {"widths": (12, 10), "head": True}),
        ("u", "ffa-symmetric", {"widths": (12,)}),
    ):  # fmt: skip
        train(recipe, images, epochs=0, **options).save(folder / f"{name}.pt")
    made = torch.Generator().manual_seed(5)
    convolution = {
        "pixels": 64, "image": [1, 8, 8], "label": {"kind": "none"},
        "layers": [{"weight": "a", "conv": {"stride": 2}}, {"weight": "b"}],
        "readout": {"kind": "channels", "layers": [1]},
    }  # fmt: skip
    tensors = {"a": torch.randn(2, 1, 2, 2, generator=made), "b": torch.randn(10, 32, generator=made)}
    torch.save(
        {"format": CHECKPOINT_FORMAT, "version": CHECKPOINT_VERSION, "spec": convolution, "tensors": tensors,
         "training": {"data": "digits"}},
        folder / "c.pt",
    )  # fmt: skip
    forms = {
        "graded": ("m", Options()),
        "soft": ("m", Options(neuron="lif", steps=4, vth=60)),
        "hard": ("m", Options(neuron="lif", steps=4, reset="hard", vth=60)),
        "conv": ("c", Options()),
        "head": ("h", Options()),
        "on": ("u", LearningOptions()),
        "library": ("u", LearningOptions(library=True)),
    }
    for name, (source, options) in forms.items():
        api.save(
            api.compile(folder / f"{source}.pt", api.calibration_set("digits:60"), options), folder / f"{name}.ffl"
        )
    learned = api.learn(api.load(folder / "on.ffl"), images, Schedule(epochs=1), checkpoint=folder / "on.ffl.run")
    api.save(learned, folder / "learned.ffl")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def every_kind(networks, tmp_path_factory):
    """name -> path: a file of every kind that a command reads or writes, and of some that none does."""
    import numpy as np
    import torch
    from safetensors.numpy import save_file

    from ff2loihi import api
    from ff2loihi.data.datasets import load_data
    from ff2loihi.deployment import interchange
    from ff2loihi.verification import golden

    folder = tmp_path_factory.mktemp("every_kind")
    graded, on = api.load(networks["graded.ffl"]), api.load(networks["on.ffl"])
    for name, program in (("g", graded), ("on", on)):
        api.save(program, folder / f"{name}.ffl")
        for kind in ("nir", "netx"):
            interchange.export(program, kind, folder / f"{name}.{kind[:3]}")
    vectors = golden.golden(graded, api.artifact.read(folder / "g.ffl")[1], load_data("digits", "test", limit=1))
    golden.write(vectors, folder / "golden.npz")
    golden.write(vectors, folder / "recording.npz", golden.RECORDING)
    np.savez(folder / "plain.npz", weight=np.zeros(3))
    torch.save({"a": torch.zeros(2)}, folder / "old.pt", _use_new_zipfile_serialization=False)
    save_file({"a": np.zeros(2)}, folder / "bare.safetensors")
    texts = {
        "text.txt": "Dear sir, this is no network\n", "spec.yaml": "pixels: 64\n", "list.json": "[1, 2]\n", "empty": "",
        "report.json": '{\n  "accuracy": 0.5\n}\n', "on.jsonl": '{"epoch": 1, "learned": 0.5}\n',
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    found = {path.name: path for path in folder.iterdir()}
    return {**found, "m.pt": networks["m.pt"], "on.ffl.run": networks["on.ffl.run"]}

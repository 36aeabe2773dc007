"""What every test shares: --slow, needs_lava, mnist_root, the commands, and one thread for each xdist worker."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from ff2loihi.processes.lava_imports import INSTALL

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy or torch are imported; child processes inherit it

settings.register_profile("ff2loihi", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("ff2loihi")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_lava: runs Lava; skipped where it is not installed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip_slow = pytest.mark.skip(reason="slow: takes minutes; run with --slow")
    skip_lava = pytest.mark.skip(reason=f"lava is not installed: {INSTALL}")
    has_lava = importlib.util.find_spec("lava") is not None  # looks, imports nothing
    for item in items:
        # all of Lava's tests in one worker: they look for what their own run left behind
        group = "lava" if "needs_lava" in item.keywords else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
        if "slow" in item.keywords and not config.getoption("--slow"):
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
def ff2loihi(monkeypatch, capsys):
    """ff2loihi(*arguments) -> (exit code, stdout, stderr), in this process."""

    from ff2loihi import cli

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["ff2loihi", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
            raise SystemExit(0)
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


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

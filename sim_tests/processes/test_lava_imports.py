"""Lava on Python 3.10 to 3.13: what is changed as it is imported, and what is refused."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ff2loihi.backends.lava import child as lava_child
from ff2loihi.compilers.errors import BackendError

VAR_MODEL = "lava.magma.compiler.var_model"


def python(code, folder=None):
    environment = {"PYTHONPATH": str(folder)} if folder else {}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_the_package_registers_the_changes_once_and_imports_nothing_of_lava():
    code = (
        "import sys, ff2loihi.processes as p; p.register(); "
        "print(sum(getattr(f, '__module__', '') == 'ff2loihi.processes.lava_imports' for f in sys.meta_path),"
        " [m for m in sys.modules if m.split('.')[0] == 'lava'])"
    )
    done = python(code)
    assert done.stdout.split("\n")[0] == "1 []", done.stderr


@pytest.fixture
def other_lava(tmp_path):
    """A lava-nc 0.9.0 whose var_model has another text."""
    package = tmp_path
    for name in VAR_MODEL.split(".")[:-1]:
        package /= name
        package.mkdir()
        (package / "__init__.py").touch()
    (package / "var_model.py").write_text("class ByteEncoder:\n    pass\n")
    return tmp_path


def named(folder, version):
    facts = folder / f"lava_nc-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lava-nc\nVersion: {version}\n")


def test_another_version_of_lava_is_refused_in_one_line(other_lava, monkeypatch):
    named(other_lava, "0.9.0")
    done = python(f"import ff2loihi.processes, {VAR_MODEL}", other_lava)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: lava-nc 0.9.0 is installed, and lava-nc 0.10.0 is needed. Install it with: ")
    monkeypatch.syspath_prepend(str(other_lava))
    with pytest.raises(BackendError, match="lava-nc 0.9.0 is installed") as caught:
        lava_child.require_lava()
    assert "\n" not in str(caught.value)


def test_a_module_of_another_text_is_refused_whatever_version_it_claims(other_lava):
    named(other_lava, "0.10.0")
    done = python(f"import ff2loihi.processes, {VAR_MODEL}", other_lava)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: ")
    assert "var_model.py is not that of lava-nc 0.10.0" in done.stderr.splitlines()[-1]


@pytest.mark.needs_lava
def test_lava_is_imported_after_a_queue_was_made_and_forks_its_processes():
    code = (
        "import multiprocessing; multiprocessing.Queue(); import ff2loihi.processes.inference.goodness; "
        "import lava.magma.runtime.message_infrastructure.multiprocessing; print(multiprocessing.get_start_method())"
    )
    done = python(code)
    assert done.stdout == "fork\n", done.stderr


@pytest.mark.needs_lava
def test_a_port_is_reshaped_there_and_back():
    from lava.magma.core.process.ports.ports import ReshapePort

    port, sent = ReshapePort(new_shape=(3, 2), old_shape=(6,)), np.arange(6)
    there = port.get_transform_func_fwd()(sent)
    np.testing.assert_array_equal(there, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(port.get_transform_func_bwd()(there), sent)


@pytest.mark.needs_lava
def test_the_inverse_square_root_takes_an_array_of_one_element():
    from lava.proc.graded.models import InvSqrtModelFP

    sent = []
    model = SimpleNamespace(
        a_in=SimpleNamespace(recv=lambda: np.array([1 << 14])), s_out=SimpleNamespace(send=sent.append)
    )
    InvSqrtModelFP.run_spk(model)
    assert abs(int(sent[0][0]) - (1 << 18) / (1 << 7)) <= 1  # 2^18 / sqrt(s), to its last bit

"""When Lava raises, dies or hangs: one error, and nothing of it stays behind."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import psutil
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava import child as lava_child
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.backends.lava.learner import LavaLearner
from ff2loihi.backends.lava.session import is_resource_tracker, members
from ff2loihi.compilers.errors import BackendError
from sim_tests.factories import learning_layer, learning_network

pytestmark = pytest.mark.needs_lava
GRADED, LIF = 0, 1  # seeds of the generator


@pytest.fixture
def children(monkeypatch, tmp_path_factory, abandoned_segments):
    """The children that LavaCpu starts; afterwards none of their sessions, segments and folders is left."""
    before = abandoned_segments()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    started = []
    real = subprocess.Popen

    def spy(*arguments, **options):
        started.append(real(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(lava_child.subprocess, "Popen", spy)
    yield started
    assert started
    for child in started:
        assert child.returncode is not None
        assert members(child.pid) == []
    assert not abandoned_segments(before, seconds=10)  # Python's resource tracker unlinks them, in its own process
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


@pytest.fixture
def unwell(tmp_path, monkeypatch):
    """unwell(*lines): what a model in the child, if no other Lava's Goodness, does before each of its steps."""

    def change(*lines, model="inference.goodness.PyGoodnessModel", step="run_spk"):
        body = "".join(f"    {line}\n" for line in lines)
        module, _, name = model.rpartition(".")
        (tmp_path / "sitecustomize.py").write_text(
            "import logging, threading, time\n"
            f"from ff2loihi.processes.{module} import {name} as model\n"
            f"well = model.{step}\n"
            f"def {step}(self):\n{body}    well(self)\n"
            f"model.{step} = {step}\n"
        )
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    return change


def failure(program, pixels) -> str:
    with pytest.raises(BackendError) as caught:
        LavaCpu().run(program, pixels)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Clock:
    """A clock that is a step further at each look."""

    def __init__(self, step: float) -> None:
        self.step, self.looks = step, 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.step * self.looks


def test_a_model_that_raises_inside_lava_is_one_error_with_its_text(generate, children, unwell):
    unwell("raise ValueError('the model is unwell')")
    text = failure(*generate(LIF))
    assert "Lava failed: ValueError: the model is unwell in run_spk (sitecustomize.py:5)" in text


def test_a_network_that_learns_in_one_process_and_raises_is_one_error_with_its_text(children, unwell):
    unwell(
        "if self.time_step == 3: raise ValueError('unwell, too')",
        model="learning.fused_network.PyFusedNetworkModel", step="_step",
    )  # fmt: skip
    network = learning_network(learning_layer(np.full((4, 3), 40), theta=1, gain=1), steps=14, window=6)
    with pytest.raises(BackendError) as caught, LavaLearner(network) as learner:
        learner.present(0, 1)
    assert "Lava failed: ValueError: unwell, too in _step (sitecustomize.py:5)" in str(caught.value)


def test_a_model_whose_thread_raises_is_one_error_with_its_text(generate, children, unwell):
    unwell(
        "threading.Thread(target=int, args=('unwell',)).start()",
        "time.sleep(1)",
    )
    text = failure(*generate(LIF))
    assert "ValueError: invalid literal for int() with base 10: 'unwell'" in text


def test_a_traceback_that_a_library_logs_and_handles_does_not_end_a_run(generate, children, unwell):
    """Also where the run is idle after it."""
    unwell(
        "try:",
        "    int('handled')",
        "except ValueError:",
        "    logging.exception('as it should be')",
        "    time.sleep(0.05 if self.time_step > 1 else 1)",
    )
    program, pixels = generate(LIF)
    trace = LavaCpu().run(program, pixels)
    np.testing.assert_array_equal(trace.sums, Emulator().run(program, pixels).sums)


def test_a_worker_that_cannot_build_the_graph_is_one_error_with_its_text(generate, children, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import ff2loihi.processes  # before Lava\n"
        "from ff2loihi.backends.lava.graphs import inference\n"
        "def build(*arguments):\n    raise ValueError('negative shift count')\n"
        "inference.build = build\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    text = failure(*generate(GRADED))
    assert "ValueError" in text
    assert "negative shift count" in text


def test_a_program_that_is_none_is_refused_by_the_worker(generate, children):
    program, pixels = generate(GRADED)
    text = failure(replace(program, network=replace(program.network, input_bits=-1)), pixels)
    assert "ArtifactError" in text


def test_the_whole_log_of_a_failure_is_kept_as_a_detail(generate, children):
    program, pixels = generate(GRADED)
    with pytest.raises(BackendError) as caught:
        LavaCpu().run(replace(program, network=replace(program.network, input_bits=-1)), pixels)
    assert "Traceback (most recent call last)" in caught.value.details


def test_a_stopped_child_is_ended_after_the_patience(generate, children, monkeypatch):
    program, pixels = generate(LIF)
    real = lava_child.subprocess.Popen

    def stopped(*arguments, **options):
        child = real(*arguments, **options)
        os.kill(child.pid, signal.SIGSTOP)
        return child

    clock = Clock(50.0)
    monkeypatch.setattr(lava_child.subprocess, "Popen", stopped)
    monkeypatch.setattr(lava_child, "time", clock)
    text = failure(program, pixels)
    assert "no sample in 120 s" in text
    assert "--backend emulator" in text
    assert clock.looks == 4  # at 50 s it starts to wait; at 100 and 150 s it goes on, at 200 s it is too late


def test_a_lava_that_hangs_in_the_middle_is_ended_with_its_shared_memory(generate, children, monkeypatch):
    program, pixels = generate(LIF)
    held, enter = [], lava_child.Child.__enter__
    monkeypatch.setattr(lava_child.Child, "__enter__", lambda child: held.append(child) or enter(child))

    def hang(done, samples):
        held[0].patience = 2.0  # from here on: the start-up takes longer
        for pid in members(children[0].pid):
            if not is_resource_tracker(pid):
                os.kill(pid, signal.SIGSTOP)

    with pytest.raises(BackendError, match="no sample in 2 s"):
        LavaCpu().run(program, np.repeat(pixels[:1], 500, axis=0), progress=hang)


def test_a_learning_worker_that_is_killed_is_an_error_that_says_so(children):
    network = learning_network(learning_layer(np.full((4, 8), 40), vth=64), code=64)
    with LavaLearner(network) as learner:
        learner.show(np.zeros(network.pixels, np.int64), np.zeros(network.pixels, np.int64))
        learner.present(0, 1)
        os.kill(children[0].pid, signal.SIGKILL)  # its forks live on, and hold its output open
        with pytest.raises(BackendError, match="its process ended with status -9"):
            learner.present(0, 1)
    assert members(children[0].pid) == []


@pytest.mark.parametrize("name", ["killed", "ended"])
def test_a_child_that_dies_silently_is_an_error_with_its_status(generate, children, monkeypatch, name):
    program, pixels = generate(GRADED)
    real = lava_child.subprocess.Popen
    code = {"killed": "import os; os.kill(os.getpid(), 9)", "ended": "raise SystemExit(7)"}[name]
    replaced = [sys.executable, "-c", code]
    monkeypatch.setattr(lava_child.subprocess, "Popen", lambda command, **options: real(replaced, **options))
    text = failure(program, pixels)
    assert "Lava failed: its process ended with status" in text
    assert {"killed": "-9", "ended": "7"}[name] in text


def test_an_interrupt_of_the_caller_ends_lava(generate, children):
    program, pixels = generate(LIF)

    def interrupt(done, samples):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LavaCpu().run(program, np.repeat(pixels[:1], 100, axis=0), progress=interrupt)


@pytest.mark.parametrize("killed", ["parent", "both"])
def test_lava_ends_when_its_parents_are_killed(generate, children, tmp_path, killed):
    """The parent is a process of its own here: it cannot clean up, so the child must; without it the forks end."""
    from ff2loihi.compilers import artifact

    program, pixels = generate(LIF)
    artifact.write(program, tmp_path / "m.ffl")
    np.save(tmp_path / "pixels.npy", np.repeat(pixels[:1], 1000, axis=0))
    code = (
        "import numpy as np, sys; from pathlib import Path; from ff2loihi.backends.lava.inference import LavaCpu; "
        "from ff2loihi.compilers import artifact; folder = Path(sys.argv[1]); "
        "LavaCpu().run(artifact.read(folder / 'm.ffl')[0], np.load(folder / 'pixels.npy'), "
        "progress=lambda done, samples: print(done, flush=True))"
    )
    scratch = tmp_path / ("a-path-that-is-too-long-for-a-socket-" * 2)
    scratch.mkdir()
    parent = lava_child.subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(scratch)}, start_new_session=True,
    )  # fmt: skip
    assert parent.stdout.readline().strip() == "0"
    [worker] = psutil.Process(parent.pid).children()
    sockets = Path(worker.environ()["TMPDIR"])
    assert sockets.is_dir()
    assert len(members(worker.pid)) > 3
    if killed == "both":
        worker.suspend()  # or it would see its parent's end
    parent.kill()
    parent.communicate()
    if killed == "both":
        worker.kill()
    deadline = time.monotonic() + 5
    while members(worker.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert members(worker.pid) == []
    if killed == "parent":
        assert list(scratch.iterdir()) == []
        assert not sockets.exists()
    shutil.rmtree(sockets, ignore_errors=True)


def test_a_child_removes_no_folder_but_those_made_for_it(tmp_path):
    """When its own is gone already, Python's folder for temporary files is the next of TMPDIR, TEMP, TMP and /tmp."""
    folder, other, script = tmp_path / "job", tmp_path / "other", tmp_path / "script.py"
    folder.mkdir()
    other.mkdir()
    (other / "file").write_text("somebody's")
    script.write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n")
    child = lava_child.Child("", folder, script=(str(script),), environment={"TEMP": str(other), "TMP": str(other)})
    with child:
        child.follow("started")
        sockets = Path(psutil.Process(child.process.pid).environ()["TMPDIR"])
        assert sockets.is_dir()
        for left in (folder, sockets):
            shutil.rmtree(left)
        child.stdin.close()
        assert child.process.wait(30) == -signal.SIGKILL
    assert (other / "file").read_text() == "somebody's"
    assert not folder.exists()
    assert not sockets.exists()


@pytest.mark.parametrize("code", ["", "raise SystemExit(7)", "raise ValueError('seven')"])
def test_a_child_whose_work_has_ended_still_removes_what_a_killed_parent_leaves(tmp_path, code):
    folder, script = tmp_path / "job", tmp_path / "script.py"
    folder.mkdir()
    script.write_text(f"print('done', flush=True)\n{code}\n")
    with lava_child.Child("", folder, script=(str(script),)) as child:
        child.follow("done")
        sockets = Path(psutil.Process(child.process.pid).environ()["TMPDIR"])
        with pytest.raises(lava_child.ChildFailed, match="seven" if "seven" in code else "its process ended with"):
            child.follow("never")
        assert child.process.poll() is None
        assert folder.is_dir()
        child.stdin.close()  # as when we are killed
        assert child.process.wait(30) == -signal.SIGKILL
        assert not folder.exists()
        assert not sockets.exists()


def test_a_child_that_cannot_be_started_leaves_no_folder(monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    (tmp_path / "job").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lava_child.subprocess, "Popen", refuse)
    child = lava_child.Child("ff2loihi.backends.lava.worker", tmp_path / "job")
    with pytest.raises(OSError, match="temporarily unavailable"):
        child.__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def test_a_segment_that_nobody_maps_is_seen_and_one_in_use_is_not(abandoned_segments):
    held = shared_memory.SharedMemory(create=True, size=4096)
    try:
        assert held.name not in abandoned_segments()
        held.close()
        assert held.name in abandoned_segments()
    finally:
        held.unlink()
    assert held.name not in abandoned_segments()

"""Sweeps whose workers a job queue starts, on a stand-in for Slurm's two commands; and files that it cannot take."""

import gc
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from ff2loihi import api
from ff2loihi.compilers.errors import BackendError

needs_jobqueue = pytest.mark.skipif(
    importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed: the extra sweep"
)
SPACE = {"train": {"epochs": [1, 2], "widths": [12, 24]}}
CLUSTER = {
    "kind": "slurm", "jobs": 2, "memory": "2GB", "interface": "lo", "queue": "short", "python": sys.executable,
    "walltime": "00:10:00", "scheduler_options": {"dashboard_address": ":0"},
}  # fmt: skip
SBATCH = """#!/bin/sh
# Runs a job script here at once, a copy that is kept beside this command: dask-jobqueue removes its own when this ends.
# The job's id is the id of the process.
cp "$1" "$(dirname "$0")/script.$$"
setsid bash "$(dirname "$0")/script.$$" >"$(dirname "$0")/log.$$" 2>&1 &
echo $! >>"$(dirname "$0")/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job; do kill -- "-$job"; done
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder with sbatch and scancel, first in the PATH; whatever they started has ended at the end."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    yield folder
    jobs = [int(job) for job in (folder / "jobs").read_text().split()] if (folder / "jobs").exists() else []
    deadline = time.monotonic() + 20
    while (left := [job for job in jobs if _lives(job)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    for job in left:
        os.killpg(job, 9)
    assert not left, "a job that nobody ended"


def _lives(job: int) -> bool:
    return psutil.pid_exists(job) and psutil.Process(job).status() != psutil.STATUS_ZOMBIE


def _file(**changes: object) -> Path:
    made = {**CLUSTER, **changes}
    path = Path("slurm.yaml")
    path.write_text(yaml.safe_dump({key: value for key, value in made.items() if value is not None}))
    return path


@needs_jobqueue
def test_the_jobs_of_a_queue_give_the_lines_of_one_worker_here(slurm, tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    words = [sys.executable, "-m", "ff2loihi", "sweep", "space.yaml", "--cluster", str(_file())]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "dashboard: http://" in done.stdout
    scripts = [script.read_text() for script in slurm.glob("script.*")]
    assert len(scripts) == 2
    assert all("#SBATCH -p short\n" in text and "#SBATCH -t 00:10:00\n" in text for text in scripts)
    api.sweep(SPACE, "here")
    lines = Path("here/results.jsonl").read_bytes()
    assert lines.count(b"\n") == 4
    assert Path("space-sweep/results.jsonl").read_bytes() == lines


def _started() -> subprocess.Popen[str]:
    """A sweep of one trial, whose parent may ignore Ctrl-C."""
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from ff2loihi.cli.entry import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", "s.yaml", "--cluster", str(_file())],
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@needs_jobqueue
def test_jobs_that_never_start_are_waited_for_until_an_interrupt_which_takes_them_back(slurm):
    (slurm / "sbatch").write_text("#!/bin/sh\necho Submitted batch job 4242\n")
    (slurm / "scancel").write_text('#!/bin/sh\necho "$@" >>"$(dirname "$0")/cancelled"\n')
    with _started() as ran:
        while (line := ran.stdout.readline()) and not line.startswith("dashboard: "):
            pass
        ran.send_signal(signal.SIGINT)
        _, err = ran.communicate(timeout=60)
    assert (ran.returncode, err) == (130, "ff2loihi: interrupted; nothing was half-written\n")
    assert (slurm / "cancelled").read_text().split() == ["4242", "4242"]


def _end_jobs(slurm: Path, results: Path, done: threading.Event) -> None:
    """As their wall time does, once there is a result."""
    while not done.is_set():
        if results.exists() and results.read_bytes().count(b"\n") and not (slurm / "ended").exists():
            (slurm / "ended").write_text((slurm / "jobs").read_text())
            for job in (slurm / "jobs").read_text().split():
                os.killpg(int(job), signal.SIGKILL)
        time.sleep(0.02)


@needs_jobqueue
@pytest.mark.filterwarnings("ignore")  # of dask's own sockets
@pytest.mark.parametrize("cores", [1, 2])
def test_a_sweep_whose_jobs_have_all_ended_ends_in_one_line(slurm, monkeypatch, cores):
    monkeypatch.setattr("ff2loihi.sweeps.cluster.GONE", 1.0)
    space = {"train": {"epochs": [3, 4], "widths": [12, 24, 36, 48]}}
    done = threading.Event()
    thread = threading.Thread(target=_end_jobs, args=(slurm, Path("out/results.jsonl"), done))
    thread.start()
    try:
        with pytest.raises(BackendError, match=r"^--cluster slurm.yaml: all 2 jobs have ended, and trials are left: "):
            api.sweep(space, "out", cluster=_file(cores=cores))
    finally:
        done.set()
        thread.join()
    assert len((slurm / "ended").read_text().split()) == 2
    assert 1 <= Path("out/results.jsonl").read_bytes().count(b"\n") < 8


@needs_jobqueue
def test_a_queue_that_names_no_job_is_told_in_one_line(slurm):
    (slurm / "sbatch").write_text("#!/bin/sh\necho hello\n")
    with _started() as ran:
        _, err = ran.communicate(timeout=120)
    assert ran.returncode == 3
    assert err.startswith("ff2loihi: --cluster slurm.yaml: sbatch: Could not parse job id")
    assert err.count("\n") == 1


@needs_jobqueue
def test_what_the_queue_says_against_a_job_is_told(slurm, refused):
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: short' >&2; exit 1\n")
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", "s.yaml", "--cluster", _file())
    assert code == 3
    assert "--cluster slurm.yaml: sbatch: sbatch: error: invalid partition specified: short" in text


@needs_jobqueue
@pytest.mark.filterwarnings("ignore")  # of what dask-jobqueue leaves when it refuses
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "cron"}, "slurm.yaml: kind: Input should be 'slurm', 'pbs'"),
        ({"jobs": 0}, "slurm.yaml: jobs: Input should be greater than or equal to 1"),
        ({"jobs": True}, "slurm.yaml: jobs: Input should be a valid integer"),
        ({"memory": None}, "slurm.yaml: memory: Field required"),
        (
            {"walltim": "1:00"},
            "slurm.yaml: dask-jobqueue refuses it: ValueError: Got unexpected keyword argument 'walltim'",
        ),
        ({"memory": "much"}, "slurm.yaml: dask-jobqueue refuses it: ValueError"),
        ({"interface": "nowhere0"}, "slurm.yaml: dask-jobqueue refuses it: "),
    ],
)
def test_a_file_that_is_no_cluster_is_told_in_one_line(slurm, refused, changes, words):
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", "s.yaml", "--cluster", _file(**changes))
    assert code == 2
    assert words in text
    assert not (slurm / "jobs").exists()
    gc.collect()  # what it leaves, while its warning is not heard


@needs_jobqueue
def test_a_machine_without_the_queue_is_told(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", "s.yaml", "--cluster", _file(kind="lsf"))
    assert code == 3
    assert "--cluster slurm.yaml: bsub is not on this machine. Start it where jobs are submitted" in text


def test_without_dask_jobqueue_the_extra_is_named(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", "s.yaml", "--cluster", _file())
    assert code == 3
    assert "Install the extra `sweep`, as pip install '.[sweep]', or use --workers" in text


@pytest.mark.parametrize("others", [("--workers", "2"), ("--scheduler", "tcp://127.0.0.1:1")], ids=" ".join)
def test_two_places_for_the_trials_are_refused(refused, tmp_path, monkeypatch, others):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", "s.yaml", "--cluster", _file(), *others)
    assert code == 2
    assert "each says where the trials run. Give one of them" in text
    assert not Path("s-sweep").exists()

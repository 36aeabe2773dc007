"""Sweeps on a scheduler of dask.distributed: the lines of one worker here, also where a worker is lost."""

import asyncio
import importlib.util
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from ff2loihi import api
from ff2loihi.compilers.errors import BackendError, DataError
from ff2loihi.sweeps import scheduler

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed: the extra sweep"
)
SPACE = {"train": {"epochs": [1, 2, 3, 4], "widths": [12, 24]}}
SWEEP = [sys.executable, "-m", "ff2loihi", "sweep", "space.yaml", "--scheduler"]
CLUSTER = """
import subprocess, sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=":0") as cluster:
        sys.exit(subprocess.run([*sys.argv[1:], cluster.scheduler_address]).returncode)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of one worker on this machine."""
    folder = tmp_path_factory.mktemp("whole")
    assert len(api.sweep(SPACE, folder).configurations) == 8
    return (folder / "results.jsonl").read_bytes()


@needs_dask
@pytest.mark.slow
def test_a_local_cluster_gives_the_lines_of_one_worker_here(whole, tmp_path):
    """Its workers have two threads each, which wait for each other: torch has one generator in a process."""
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    (tmp_path / "cluster.py").write_text(CLUSTER)
    done = subprocess.run(
        [sys.executable, "cluster.py", *SWEEP], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "\ndashboard: http://127.0.0.1:" in done.stdout
    assert (tmp_path / "space-sweep" / "results.jsonl").read_bytes() == whole


class Running(NamedTuple):
    """Processes of a sweep that has its first results. log: what all of them say."""

    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]
    sweep: subprocess.Popen
    results: Path
    log: Path


@pytest.fixture
def running(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    results, address, log = (
        tmp_path / "space-sweep" / "results.jsonl",
        tmp_path / "scheduler.json",
        tmp_path / "log.txt",
    )
    with ExitStack() as stack:

        def started(*words: object) -> subprocess.Popen:
            out = stack.enter_context(open(log, "ab"))
            line = [sys.executable, *map(str, words)]
            process = stack.enter_context(subprocess.Popen(line, cwd=tmp_path, stdout=out, stderr=out))
            stack.callback(process.kill)
            return process

        options = ("--scheduler-file", address, "--no-dashboard")
        scheduler = started("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, *options)
        one = ("-m", "distributed.cli.dask_worker", "--nthreads", 1, "--no-nanny", *options)
        workers = [started(*one), started(*one)]
        while not address.exists() or not address.read_text():
            time.sleep(0.05)
        sweep = started(*SWEEP[1:], yaml.safe_load(address.read_text())["address"])
        while not results.exists() or results.read_bytes().count(b"\n") < 2:
            assert sweep.poll() is None, log.read_text()
            time.sleep(0.01)
        yield Running(scheduler, workers, sweep, results, log)


@needs_dask
@pytest.mark.slow
def test_the_trials_of_a_worker_that_is_killed_go_to_another(whole, running):
    running.workers[0].kill()
    assert running.results.read_bytes().count(b"\n") < 7, "killed too late to matter"
    assert running.sweep.wait() == 0, running.log.read_text()
    assert running.results.read_bytes() == whole


@needs_dask
@pytest.mark.slow
def test_without_its_scheduler_a_sweep_ends_in_one_line_and_goes_on_elsewhere(whole, running):
    running.scheduler.kill()
    assert running.sweep.wait() == 3, running.log.read_text()
    assert ": is gone. With another one, the same command goes on\n" in running.log.read_text()
    assert running.results.read_bytes().count(b"\n") < 8
    assert api.sweep(SPACE, running.results.parent).complete
    assert running.results.read_bytes() == whole


def test_without_dask_the_extra_is_named(monkeypatch, refused, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "s.yaml").write_text("train: {epochs: 0}\n")
    code, text = refused("sweep", tmp_path / "s.yaml", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 3
    assert "Install the extra `sweep`, as pip install '.[sweep]', or use --workers" in text


def outcomes(task: str, place: scheduler.Place) -> list[str]:
    with scheduler.connected(place, lambda text: None) as run:
        return list(run([task]))


@needs_dask
@pytest.mark.filterwarnings("ignore")  # of dask's own sockets
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "ftp://127.0.0.1:1"])
def test_an_address_where_no_scheduler_answers_is_told(monkeypatch, address):
    monkeypatch.setattr(scheduler, "PATIENCE", 0.2)
    with pytest.raises(BackendError, match=f"--scheduler {address}: no scheduler of dask answers"):
        outcomes("{}", scheduler.Place(address, f"--scheduler {address}"))


def _fails(task: str) -> str:
    raise {"no module": ModuleNotFoundError, "other images": DataError}[task](task)


@needs_dask
@pytest.mark.filterwarnings("ignore")  # of dask's own sockets
@pytest.mark.parametrize(
    ("task", "error", "words"),
    [("no module", BackendError, "a trial failed on a worker: ModuleNotFoundError: no module"),
     ("other images", DataError, "^other images$")],
)  # fmt: skip
def test_what_a_trial_raises_on_a_worker_is_told_in_one_line(monkeypatch, task, error, words):
    from distributed import LocalCluster

    monkeypatch.setattr(scheduler, "_run", _fails)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        pytest.raises(error, match=words),
    ):
        outcomes(task, scheduler.Place(cluster.scheduler_address, "here"))


def _echo(task):
    return task


@needs_dask
@pytest.mark.filterwarnings("ignore")  # of dask's own sockets
def test_while_an_outcome_is_fetched_from_a_worker_that_was_lost_the_place_is_looked_at(monkeypatch):
    """A worker may be killed when its trial is done and its outcome is not yet here: nobody sends it any more."""
    from distributed import Client, LocalCluster

    asked = []

    async def lost(*_, **__):
        asked.append(True)
        await asyncio.sleep(5)
        raise OSError("waited for")

    def look():
        if asked:
            raise BackendError("all jobs have ended")

    monkeypatch.setattr(scheduler, "_run", _echo)
    monkeypatch.setattr(Client, "_gather", lost)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        pytest.raises(BackendError, match="^all jobs have ended$"),
    ):
        outcomes("a task", scheduler.Place(cluster.scheduler_address, "here", look))
    assert asked

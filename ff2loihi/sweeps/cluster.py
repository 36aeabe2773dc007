"""Workers that a job queue starts: dask-jobqueue, the extra `sweep`, after a YAML file that says which and how many."""

import logging
import shutil
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ff2loihi.compilers.errors import BackendError, FF2LoihiError, brief
from ff2loihi.compilers.formats import yaml_file
from ff2loihi.sweeps.scheduler import Place

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster

GONE = 20.0  # s without any worker: dask's nanny starts one that was lost sooner
Queue = Literal["slurm", "pbs", "lsf", "sge", "oar", "moab", "htcondor"]
CLASSES: dict[Queue, str] = {
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster", "oar": "OARCluster",
    "moab": "MoabCluster", "htcondor": "HTCondorCluster",
}  # fmt: skip


class Jobs(BaseModel):
    """A cluster's file. kind: of job queue; jobs: how many it is asked for; cores and memory: of each job.

    Each core is a worker process of one thread. Whatever else the file holds goes to dask-jobqueue's class as it is:
    queue, account, walltime, job_extra_directives, ...
    """

    model_config = ConfigDict(extra="allow")

    kind: Queue
    jobs: int = Field(strict=True, ge=1, le=10_000)
    cores: int = Field(default=1, strict=True, ge=1)
    memory: str


def read_jobs(path: Path) -> Jobs:
    """Raises FF2LoihiError."""
    data = yaml_file.read(path, FF2LoihiError, "a cluster (.yaml)")
    try:
        return Jobs.model_validate(data)
    except ValidationError as failure:
        [error, *_] = failure.errors()
        where = ".".join(map(str, error["loc"])) or "the file"
        raise FF2LoihiError(
            f"{path}: {brief(where)}: {brief(error['msg'])}. A cluster holds kind, jobs, cores, memory, and what "
            "dask-jobqueue takes, as queue and walltime"
        ) from None


@contextmanager
def cluster(path: Path) -> Generator[Place]:
    """A scheduler here, whose workers the job queue starts; its end gives the jobs back. Raises FF2LoihiError."""
    jobs = read_jobs(path)
    try:
        with _handler_kept():
            import dask_jobqueue
    except ImportError:
        raise BackendError(
            "--cluster needs dask-jobqueue. Install the extra `sweep`, as pip install '.[sweep]', or use --workers"
        ) from None
    made = getattr(dask_jobqueue, CLASSES[jobs.kind])
    command = made.job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise BackendError(f"--cluster {path}: {command} is not on this machine. Start it where jobs are submitted")
    try:
        running = made(cores=jobs.cores, processes=jobs.cores, memory=jobs.memory, **(jobs.model_extra or {}))
    except Exception as failure:  # of settings that it does not know, or cannot use; each kind raises another
        raise FF2LoihiError(
            f"{path}: dask-jobqueue refuses it: {type(failure).__name__}: {brief(failure, 200)}"
        ) from None
    with _closed(running), _heard() as failures:

        async def asked() -> None:
            await running  # until the queue has taken the jobs, not until they start

        running.scale(jobs=jobs.jobs)
        try:
            running.sync(asked)
        except RuntimeError as failure:
            failures.insert(0, failure)
        if failures:
            raise BackendError(f"--cluster {path}: {command}: {_said(failures[0])}")
        yield Place(running.scheduler_address, f"--cluster {path}", _Watch(running, path).check)


class _Watch:
    """Notices that all jobs have ended: each had a worker, and there has been none for GONE seconds."""

    def __init__(self, running: "JobQueueCluster", path: Path) -> None:
        self.running, self.path = running, path
        self.jobs = set(running.worker_spec)
        self.started: set[str] = set()
        self.alive = time.monotonic()

    def check(self) -> None:
        """To be called again and again. Raises BackendError."""
        names = {str(worker["name"]) for worker in self.running.scheduler_info["workers"].values()}
        self.started |= {job for job in self.jobs if any(name == job or name.startswith(f"{job}-") for name in names)}
        if names or self.started < self.jobs:
            self.alive = time.monotonic()
        elif time.monotonic() - self.alive > GONE:
            raise BackendError(
                f"--cluster {self.path}: all {len(self.jobs)} jobs have ended, and trials are left: was it their wall "
                "time? The same command goes on with new jobs"
            )


@contextmanager
def _handler_kept() -> Generator[None]:
    """dask-jobqueue, as it is imported, makes Ctrl-C end the process with exit code 0."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _closed(cluster: "JobQueueCluster") -> Generator[None]:
    from distributed.core import Status

    try:
        yield
    finally:
        for job in cluster.workers.values():
            job.status = Status.closing  # dask asserts it of each; dask-jobqueue does not say it
        cluster.close()


class _Failures(logging.Handler):
    """Keeps the exceptions that a loop logs and forgets: a job that the queue refuses is told nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.found.append(record.exc_info[1])


@contextmanager
def _heard() -> Generator[list[BaseException]]:
    """In place of the loggers' own handlers, which write to standard error."""
    handler = _Failures()
    loggers = [logging.getLogger(name) for name in ("tornado.application", "asyncio")]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    try:
        yield handler.found
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


def _said(failure: BaseException) -> str:
    """What the queue's command wrote on standard error, of all that dask-jobqueue tells."""
    lines = str(failure).splitlines()
    after = lines[lines.index("stderr:") + 1 :] if "stderr:" in lines else lines
    return brief(" ".join(filter(None, map(str.strip, after))), 200)

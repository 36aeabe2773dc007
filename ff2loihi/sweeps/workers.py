"""Trials in processes on this machine: each worker takes one trial at a time, and a lost one's is given to another.

A worker reads trials from its standard input, and ends when that is closed: with its parent, whatever ended that.
"""

import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from typing import IO

from ff2loihi.compilers import children
from ff2loihi.compilers.errors import BackendError, FF2LoihiError, brief

TRIES = 3  # workers that one trial may be lost with: more, and it is the trial that ends them
CODE = "from ff2loihi.sweeps import workers\nworkers.work()"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def work() -> None:
    """A worker, from inside: a line for each trial that comes, its outcome."""
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no outcome
    tasks: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    from ff2loihi.sweeps.execution import run_trial

    while True:
        try:
            found = run_trial(tasks.get())
        except FF2LoihiError as failure:
            print(failure, file=sys.stderr)
            sys.exit(failure.exit_code)
        with os.fdopen(os.dup(replies), "w") as file:
            print(found, file=file)


def _listen(tasks: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        tasks.put(line)
    os.kill(os.getpid(), signal.SIGKILL)


class _Worker:
    """`with` starts it, and ends it."""

    def __enter__(self) -> "_Worker":
        self.task, self.tries = "", 0
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            children.command(CODE), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            start_new_session=True, env=children.environment(**ONE_THREAD),
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream:
                with suppress(BrokenPipeError):  # what it never read
                    stream.close()

    @property
    def stdout(self) -> IO[bytes]:
        """What the worker writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, task: str, tries: int) -> None:
        """tries: how many workers have had it, this one counted."""
        self.task, self.tries = task, tries
        assert self.process.stdin
        with suppress(BrokenPipeError):  # `outcome` says why
            self.process.stdin.write(f"{task}\n".encode())
            self.process.stdin.flush()

    def outcome(self) -> str | None:
        """Of the trial that it was given; None where the worker was lost. Raises FF2LoihiError where the trial did."""
        line = self.stdout.readline().decode()
        if line.endswith("\n"):
            return line.strip()
        status = self.process.wait()
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip().rpartition("\n")[2]
        if status == FF2LoihiError.exit_code:
            raise FF2LoihiError(said)
        if status > 0:
            raise BackendError(f"a trial failed: {brief(said, 300)}. Its options: {brief(self.task, 150)}")
        if self.tries == TRIES:
            raise BackendError(
                f"{TRIES} workers were lost with one trial, the last one by signal {-status}: is there too little "
                f"memory? Its options: {brief(self.task, 150)}"
            )
        return None


class Pool:
    """Worker processes, each started when there is something for it to do; `with` ends them."""

    def __init__(self, workers: int) -> None:
        self.workers, self.stack = workers, ExitStack()
        self.idle: list[_Worker] = []

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def outcomes(self, tasks: Sequence[str]) -> Generator[str]:
        """The outcomes, as JSON, as they come; after an early end, end the pool. Raises FF2LoihiError."""
        waiting = deque((task, 1) for task in tasks)
        with selectors.DefaultSelector() as busy:

            def hand_out() -> None:
                while waiting and len(busy.get_map()) < self.workers:
                    worker = self.idle.pop() if self.idle else self.stack.enter_context(_Worker())
                    worker.give(*waiting.popleft())
                    busy.register(worker.stdout, selectors.EVENT_READ, worker)

            hand_out()
            while busy.get_map():
                for key, _ in busy.select():
                    worker = key.data
                    busy.unregister(key.fileobj)
                    found = worker.outcome()
                    if found is None:
                        waiting.appendleft((worker.task, worker.tries + 1))
                    else:
                        self.idle.append(worker)
                    hand_out()  # before the outcome is looked at: the worker need not wait for that
                    if found is not None:
                        yield found

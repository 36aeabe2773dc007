"""Independent parts of a command in processes on this machine: a lost worker's part is given to another.

A worker reads its parts from standard input, and ends when that is closed: with its parent, whatever ended that. It is
ended at any moment, so its temporary files are in a folder that goes with it. Parts and what they give are pickled, as
all these processes are of one program.
"""

import importlib
import os
import pickle
import queue
import selectors
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from typing import IO, Any, TypeVar

from ff2loihi.compilers import children
from ff2loihi.compilers.errors import BackendError, CheckFailed, FF2LoihiError, brief

TRIES = 3  # workers that one part may be lost with: more, and it is the part that ends them
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
ERRORS = {error.exit_code: error for error in (FF2LoihiError, BackendError, CheckFailed)}
PATIENCE = 5.0  # s for what a worker has started to end with it, before its folder is left
LENGTH = struct.Struct(">Q")  # bytes of the pickle that follows

Part = TypeVar("Part")
Found = TypeVar("Found")


def work(function: str, folder: str) -> None:
    """A worker, from inside: what module:function gives of each part that comes. folder: of its temporary files."""
    tempfile.tempdir = folder  # or Python would look for another one where this one has gone
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # what a library prints is no reply
        parts: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_listen, args=(parts, folder), daemon=True).start()
        module, _, name = function.partition(":")
        found = getattr(importlib.import_module(module), name)
        while True:
            part = pickle.loads(parts.get())
            try:
                reply = ("done", found(part))
            except FF2LoihiError as failure:
                reply = ("failed", (failure.exit_code, str(failure), failure.details))
            _write(replies, pickle.dumps(reply))


def _listen(parts: "queue.Queue[bytes]", folder: str) -> None:
    with open(0, "rb", buffering=0, closefd=False) as stdin:  # Python ends by signal 6 where a buffer is locked
        while (part := _read(stdin)) is not None:
            parts.put(part)
    _remove(folder)  # our parent was killed, and removes nothing
    os.kill(os.getpid(), signal.SIGKILL)


def _remove(folder: str) -> None:
    """Remove what others may still write to: what a worker has started ends when it misses the worker."""
    deadline = time.monotonic() + PATIENCE
    shutil.rmtree(folder, ignore_errors=True)
    while os.path.lexists(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """None where the other side has ended."""
    head = _exactly(stream, LENGTH.size)
    return None if head is None else _exactly(stream, *LENGTH.unpack(head))


def _exactly(stream: IO[bytes], length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        more = stream.read(length - len(data))
        if not more:
            return None
        data += more
    return bytes(data)


class _Worker:
    """`with` starts it, and ends it."""

    def __init__(self, function: str) -> None:
        self.function, self.place, self.tries = function, 0, 0

    def __enter__(self) -> "_Worker":
        with ExitStack() as stack:
            self.log = stack.enter_context(tempfile.TemporaryFile())
            folder = tempfile.mkdtemp(prefix="ff2l-")  # a short name, as the paths of Lava's sockets must be
            stack.callback(_remove, folder)
            code = "import sys\nfrom ff2loihi import workers\nworkers.work(*sys.argv[1:])"
            self.process = subprocess.Popen(
                children.command(code, self.function, folder),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                start_new_session=True, env=children.environment(**ONE_THREAD, TMPDIR=folder),
            )  # fmt: skip
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with suppress(BrokenPipeError):  # what it never read
                    stream.close()

    @property
    def stdout(self) -> IO[bytes]:
        """What the worker writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, place: int, tries: int, part: bytes) -> None:
        """place: of the part in the list; tries: how many workers have had it, this one counted."""
        self.place, self.tries = place, tries
        assert self.process.stdin
        with suppress(BrokenPipeError):  # `reply` says why
            _write(self.process.stdin, part)

    def reply(self, name: str) -> tuple[Any] | None:
        """What its part gave; None where the worker was lost. Raises FF2LoihiError where the part did."""
        data = _read(self.stdout)
        if data is not None:
            kind, found = pickle.loads(data)
            if kind == "done":
                return (found,)
            code, said, details = found
            raised: FF2LoihiError = ERRORS[code](said)
            raised.details = details
            raise raised
        status = self.process.wait()
        self.log.seek(0)
        log = self.log.read().decode(errors="replace").strip()
        if status > 0:
            said = log.rpartition("\n")[2]
            failure = BackendError(f"{name} failed: {brief(said, 300)}")
            failure.details = log
            raise failure
        if self.tries == TRIES:
            raise BackendError(
                f"{TRIES} workers were lost with {name}, the last one by signal {-status}: is there too little memory?"
            )
        return None


class Pool:
    """Workers that call module:function, each started when there is something for it to do; `with` ends them.

    name: what an error calls a part.
    """

    def __init__(self, function: str, workers: int, name: Callable[[Any], str]) -> None:
        self.function, self.workers, self.name = function, workers, name
        self.stack, self.idle = ExitStack(), list[_Worker]()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def outcomes(self, parts: Sequence[Any]) -> Generator[tuple[int, Any]]:
        """The place of each part and what it gave, as they come; after an early end, end the pool.

        Raises FF2LoihiError.
        """
        waiting = deque((place, 1) for place in range(len(parts)))
        with selectors.DefaultSelector() as busy:

            def hand_out() -> None:
                while waiting and len(busy.get_map()) < self.workers:
                    worker = self.idle.pop() if self.idle else self.stack.enter_context(_Worker(self.function))
                    place, tries = waiting.popleft()
                    worker.give(place, tries, pickle.dumps(parts[place]))
                    busy.register(worker.stdout, selectors.EVENT_READ, worker)

            hand_out()
            while busy.get_map():
                for key, _ in busy.select():
                    worker = key.data
                    busy.unregister(key.fileobj)
                    found = worker.reply(self.name(parts[worker.place]))
                    if found is None:
                        waiting.appendleft((worker.place, worker.tries + 1))
                    else:
                        self.idle.append(worker)
                    place = worker.place
                    hand_out()  # before the outcome is looked at: the worker need not wait for that
                    if found is not None:
                        yield place, found[0]


def spread(
    function: Callable[[Part], Found], parts: Sequence[Part], workers: int, name: Callable[[Part], str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Generator[Found]:  # fmt: skip
    """What a module's function gives of each part, in their order, each as soon as those before it are there.

    progress: parts done, of all. Raises FF2LoihiError.
    """
    found: dict[int, Found] = {}
    done = given = 0
    with Pool(f"{function.__module__}:{function.__name__}", workers, name) as pool:
        for place, one in pool.outcomes(parts):
            found[place], done = one, done + 1
            progress(done, len(parts))
            while given in found:
                yield found.pop(given)
                given += 1

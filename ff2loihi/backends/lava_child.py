"""A child process that holds Lava's runtime: the parent's side and the child's. The child cannot outlive the parent."""

import contextlib
import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from ff2loihi.backends.lava_board_config import SOCKET_FOLDER
from ff2loihi.backends.session import end_session
from ff2loihi.compilers.errors import BackendError
from ff2loihi.processes import lava_imports

PATIENCE = 120.0  # s without a word from the child, after which Lava counts as hung
GRACE = 3.0  # s for the rest of a traceback to arrive, or for a child to end


def available() -> bool:
    """Whether Lava can be imported here, found out without importing it."""
    return importlib.util.find_spec("lava") is not None


def require_lava() -> None:
    """Raise BackendError where Lava is not installed, or in a version that does not run here."""
    if not available():
        raise BackendError(
            f"Lava is not installed in {sys.prefix}. Install it with: {lava_imports.INSTALL}; or use --backend emulator"
        )
    try:
        lava_imports.check_version()
    except ImportError as error:
        raise BackendError(str(error)) from None


class Child:
    """`python -m MODULE FOLDER` in a session of its own; `with` ends it and everything that it started.

    words: other words for Python; environment: added to this process's own.
    """

    def __init__(
        self, module: str, folder: Path, patience: float = PATIENCE, words: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.patience, self.log, self.sockets = patience, folder / "stderr.txt", _socket_folder()
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *(words or ("-m", module, str(folder)))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": self.sockets, **(environment or {})},
            )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read_lines, args=(self.process.stdout, self.lines), daemon=True).start()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_) -> None:
        end_session(self.process.pid)
        self.process.wait()
        with contextlib.suppress(OSError):  # what a dead child never read
            self.process.stdin.close()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def send(self, command: str) -> None:
        """One line to the child."""
        with contextlib.suppress(BrokenPipeError):  # `follow` says why
            self.process.stdin.write(f"{command}\n".encode())
            self.process.stdin.flush()

    def follow(self, until: str, on_line: Callable[[str], None] = lambda line: None) -> None:
        """Read the child's lines up to `until`, each given to on_line. Raises BackendError."""
        last = time.monotonic()
        while True:
            try:
                line = self.lines.get(timeout=0.2)
            except queue.Empty:
                line = ""
            if line == until:
                return
            if line:
                last = time.monotonic()
                on_line(line)
            gone = self.process.poll() is not None  # its forks may still hold its output open
            if line is None or (line == "" and (gone or b"Traceback (most" in self.log.read_bytes())):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(GRACE)  # for the rest of a traceback, or the status of a child that closed
                raise _failure(self.log.read_text(encoding="utf-8", errors="replace"), self.process.poll())
            if time.monotonic() - last > self.patience:
                raise BackendError(
                    f"Lava finished no sample in {self.patience:g} s and was ended. Run fewer steps or a smaller "
                    "network, or use --backend emulator, which gives the same bits"
                )


def _socket_folder() -> str:
    """A new folder whose path leaves room for the names of Lava's sockets. Raises BackendError."""
    for place in (tempfile.gettempdir(), "/tmp"):
        if len(os.fsencode(f"{place}/ff2l-12345678")) <= SOCKET_FOLDER and os.access(place, os.W_OK):
            return tempfile.mkdtemp(prefix="ff2l-", dir=place)
    raise BackendError(
        f"{tempfile.gettempdir()}: too long a path for Lava's sockets, and /tmp is not writable. "
        "Set TMPDIR to a shorter one"
    )


def _read_lines(stream, lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line.decode(errors="replace").strip())
    lines.put(None)


def _failure(log: str, code: int | None) -> BackendError:
    """One line from the child's traceback: the exception, and the deepest frame; the whole text as a detail."""
    frames = re.findall(r'File "([^"]+)", line (\d+), in (\w+)', log)
    raised = re.findall(r"^(\w[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*)$", log, flags=re.MULTILINE)
    where = f" in {frames[-1][2]} ({Path(frames[-1][0]).name}:{frames[-1][1]})" if frames else ""
    what = raised[0] if raised else f"its process ended with status {code}"
    error = BackendError(f"Lava failed: {what}{where}. Set FF2LOIHI_DEBUG=1 for Lava's whole log")
    error.details = log
    return error


def be_a_child(folder: Path) -> "queue.Queue[str]":
    """In the child: the parent's commands as they come; when the parent is gone, end the whole session."""
    _show_tracebacks()
    commands: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(folder, commands), daemon=True).start()
    return commands


def _listen(folder: Path, commands: "queue.Queue[str]") -> None:
    rest = b""
    # not sys.stdin: its lock would be held across Lava's forks, whose children close it
    while data := os.read(0, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            commands.put(line.decode())
    for left in (folder, tempfile.gettempdir()):  # the parent would have removed them
        shutil.rmtree(left, ignore_errors=True)
    end_session(os.getpid())


def _show_tracebacks() -> None:
    """Print a model's exception before Lava joins its threads: that join can hang, and the traceback with it."""
    from lava.magma.core.model.py.model import AbstractPyProcessModel

    join = AbstractPyProcessModel.join

    def print_and_join(self) -> None:
        if sys.exc_info()[0]:
            traceback.print_exc()
        join(self)

    AbstractPyProcessModel.join = print_and_join

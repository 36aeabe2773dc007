"""A child process that holds Lava's runtime, as its parent sees it: the child's side is in inside."""

import contextlib
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ff2loihi.backends.lava.inside import ENDED, FAILED
from ff2loihi.backends.lava.session import end_session
from ff2loihi.backends.loihi.payload.board_config import SOCKET_FOLDER
from ff2loihi.compilers import children
from ff2loihi.compilers.errors import BackendError
from ff2loihi.processes import lava_imports

PATIENCE = 120.0  # s without a word from the child, after which Lava counts as hung
GRACE = 3.0  # s for a child that closed its output to end


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


class ChildFailed(BackendError):
    """Lava failed inside its child; details: its whole log."""

    def __init__(self, text: str, details: str) -> None:
        super().__init__(f"Lava failed: {text}. Set FF2LOIHI_DEBUG=1 for Lava's whole log")
        self.details = details


class Child:
    """A Python in a session of its own; `with` starts it, ends it with all that it started, and removes its folder.

    module: has run(folder, commands); or script: a file, with its words. environment: added to this process's own.
    """

    def __init__(
        self, module: str, folder: Path, patience: float = PATIENCE, script: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.module, self.folder, self.patience, self.script = module, folder, patience, script
        self.environment, self.log = environment or {}, folder / "stderr.txt"
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Child":
        with contextlib.ExitStack() as stack:
            sockets = stack.enter_context(_socket_folder())
            self.process = self._started(sockets)
            stack.callback(self._end, sockets)
            self.reader.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    @property
    def stdin(self) -> IO[bytes]:
        """What the child reads."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """What the child writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _started(self, sockets: str) -> subprocess.Popen[bytes]:
        own = {"OMP_NUM_THREADS": "1", "TMPDIR": sockets}
        code = f"from ff2loihi.backends.lava import inside\ninside.main({self.module!r})"
        with self.log.open("wb") as errors:
            return subprocess.Popen(
                children.command(code, str(self.folder), sockets, *self.script),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env=children.environment(**own, **self.environment),
                cwd=None if self.script else self.folder,  # where Pythons of Lava's multiprocessing look for modules
            )

    def _end(self, sockets: str) -> None:
        """Remove the folders while the child still watches, and would go on if we were killed; then end it."""
        try:
            for left in (self.folder, sockets):
                shutil.rmtree(left, ignore_errors=True)
            end_session(self.process.pid)
        except BaseException:  # a signal came meanwhile
            end_session(self.process.pid)
            raise
        finally:
            self.process.wait()
            with contextlib.suppress(OSError):  # what a dead child never read
                self.stdin.close()
            if self.reader.ident:  # it was started
                self.reader.join(GRACE)  # whoever held the child's output open has ended, and so does its reader
            if not self.reader.is_alive():
                self.stdout.close()

    def ask(self, command: str) -> None:
        """One line to the child, which does it. Raises BackendError."""
        with contextlib.suppress(BrokenPipeError):  # `follow` says why
            self.stdin.write(f"{command}\n".encode())
            self.stdin.flush()
        self.follow("done")

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
            if line and line.startswith(ENDED):
                raise self._failure(f"its process ended with status {line.removeprefix(ENDED)}")
            if line and line.startswith(FAILED):
                what, where = json.loads(line.removeprefix(FAILED))
                raise self._failure(f"{what} in {where}")
            if line:
                last = time.monotonic()
                on_line(line)
            gone = self.process.poll() is not None  # its forks may still hold its output open
            if line is None or (line == "" and gone):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(GRACE)
                raise self._failure(f"its process ended with status {self.process.poll()}")
            if time.monotonic() - last > self.patience:
                raise BackendError(
                    f"Lava finished no sample in {self.patience:g} s and was ended. Run fewer steps or a smaller "
                    "network, or use --backend emulator, which gives the same bits"
                )

    def _read(self) -> None:
        for line in self.stdout:
            self.lines.put(line.decode(errors="replace").strip())
        self.lines.put(None)

    def _failure(self, text: str) -> ChildFailed:
        return ChildFailed(text, self.log.read_text(encoding="utf-8", errors="replace"))


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder whose path leaves room for the names of Lava's sockets. Raises BackendError."""
    for place in (tempfile.gettempdir(), "/tmp"):
        if len(os.fsencode(f"{place}/ff2l-12345678")) <= SOCKET_FOLDER and os.access(place, os.W_OK):
            return tempfile.TemporaryDirectory(prefix="ff2l-", dir=place, ignore_cleanup_errors=True)
    raise BackendError(
        f"{tempfile.gettempdir()}: too long a path for Lava's sockets, and /tmp is not writable. "
        "Set TMPDIR to a shorter one"
    )

"""The child that holds Lava's runtime, from inside: it does its work, tells what fails, and ends with its parent.

Lava's processes are forks of the child. Each of the three can be killed: without its parent the child ends its forks
and removes what the parent would have removed; without the child the forks end. The child never ends by itself: its
parent may be killed before it has removed the folders, and then nobody else would.
"""

import contextlib
import importlib
import json
import os
import queue
import runpy
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

import ff2loihi.processes  # noqa: F401  before Lava: see there
from ff2loihi.backends.lava.session import end_session

FAILED = "ff2loihi-failed "  # begins a line to the parent: an exception that ends the work, and where it was raised
ENDED = "ff2loihi-ended "  # begins the last line to the parent: with which status the work ended
TRIES = 100
LONGEST = 500  # characters of an exception: the line must fit a pipe's buffer, for forks write lines too


def main(module: str) -> None:
    """MODULE.run(folder, the parent's commands); without a module, a script. sys.argv: folder, and the script's words.

    What the script prints are lines for the parent, too.
    """
    folder, sockets, *words = sys.argv[1:]
    commands: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=((folder, sockets), commands), daemon=True).start()
    _end_forks_with_us()
    threading.excepthook = lambda failed: _tell(failed.exc_value)
    status: object = 1
    try:
        _hear_lava()
        if module:
            importlib.import_module(module).run(Path(folder), commands)
        else:
            sys.argv[:] = words
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException as error:
        _tell(error)
    _say(f"{ENDED}{status if isinstance(status, int) else 1}")
    threading.Event().wait()


def _listen(folders: tuple[str, str], commands: "queue.Queue[str]") -> None:
    """The parent's lines as they come; at their end, everything ends, and the folders that it made for us go."""
    rest = b""
    # not sys.stdin: its lock would be held across Lava's forks, whose children close it
    while data := os.read(0, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            commands.put(line.decode())
    end_session(os.getpid())
    for left in folders:  # by their names: tempfile.gettempdir() is another folder where ours has gone
        for _ in range(TRIES):  # the main thread still works, and may write a file into what is being removed
            shutil.rmtree(left, ignore_errors=True)
            if not os.path.lexists(left):
                break
    os.kill(os.getpid(), signal.SIGKILL)


def _end_forks_with_us() -> None:
    """Each fork watches a pipe that this process alone can write to: it ends with us."""
    ours, end = os.pipe()
    writable = [end]

    def watch() -> None:
        while writable:
            os.close(writable.pop())
        threading.Thread(target=_end_with, args=(ours,), daemon=True).start()

    os.register_at_fork(after_in_child=watch)


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _hear_lava() -> None:
    """Tell an exception of a fork before Lava joins its threads: that join can hang, and the exception with it."""
    from lava.magma.core.model.py.model import AbstractPyProcessModel
    from lava.magma.runtime import runtime

    join, work = AbstractPyProcessModel.join, runtime.target_fn

    def tell_and_join(self) -> None:
        _tell(sys.exc_info()[1])
        join(self)

    def work_or_tell(*arguments, **options) -> None:
        try:
            work(*arguments, **options)
        except Exception as error:
            _tell(error)
            raise

    AbstractPyProcessModel.join, runtime.target_fn = tell_and_join, work_or_tell


def _tell(error: BaseException | None) -> None:
    """Print the traceback, and one line of it to the parent, once."""
    if error is None or isinstance(error, SystemExit) or hasattr(error, "told"):
        return
    error.__dict__["told"] = True
    traceback.print_exception(error)
    what = " ".join("".join(traceback.format_exception_only(error)).split())
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = json.dumps([what[:LONGEST], f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})"])
    _say(FAILED + line)


def _say(line: str) -> None:
    """A line to the parent, if it is still there."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        os.write(1, f"\n{line}\n".encode())

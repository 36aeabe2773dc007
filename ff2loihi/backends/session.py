"""Ending a child and everything that it started, without leaving shared memory behind."""

import contextlib
import os
import signal
import time
from pathlib import Path


def members(session: int) -> list[int]:
    """Process ids of a session, from /proc; empty where there is no /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def _is_resource_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def end_session(session: int, patience: float = 5.0) -> None:
    """End every process of a session that this process started, by id.

    Python's resource tracker goes last and by itself: when its clients are gone it unlinks their shared memory.
    """
    own = os.getpid()
    for pid in members(session):
        if pid != own and not _is_resource_tracker(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if own == session:
        os.kill(own, signal.SIGKILL)
    deadline = time.monotonic() + patience
    while members(session) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

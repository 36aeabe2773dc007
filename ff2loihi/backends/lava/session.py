"""Ending a child and everything that it started, without leaving shared memory behind."""

import contextlib
import os
import signal
import time

import psutil


def members(session: int) -> list[int]:
    """Process ids of a session, without zombies."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def is_resource_tracker(pid: int) -> bool:
    """Whether a process is the one that Python starts to unlink the shared memory that others leave."""
    try:
        return "multiprocessing.resource_tracker" in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def end_session(session: int, patience: float = 5.0) -> None:
    """End every process of a session that this process started, or leads and will leave, by id.

    Python's resource tracker goes last and by itself: when its clients are gone it unlinks their shared memory.
    """
    deadline = time.monotonic() + patience
    while others := [pid for pid in members(session) if pid != os.getpid()]:
        late, clients = time.monotonic() > deadline, [pid for pid in others if not is_resource_tracker(pid)]
        for pid in others if late else clients:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if late or (not clients and session == os.getpid()):  # the tracker waits for us, too
            return
        time.sleep(0.02)

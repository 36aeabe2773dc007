"""A command on a terminal of its own, as a person sees it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"  # the cursor
HALF = "▀"  # two pixels of a field


def plain(text: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


def at_a_terminal(folder: Path, *words: object, interrupt: bool = False) -> tuple[int, str]:
    """The exit code of a command on a terminal of 80 x 24, and what that got; interrupt: by Ctrl-C once it draws."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(theirs)
    child = subprocess.Popen(
        [sys.executable, "-m", "ff2loihi", *map(str, words)], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where the tests run behind `&`
    )  # fmt: skip
    found = b""
    while child.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            found += os.read(ours, 1 << 16)
        if interrupt and HALF.encode() in found:
            child.send_signal(signal.SIGINT)
            interrupt = False
    assert termios.tcgetattr(theirs) == before
    for end in (ours, theirs):
        os.close(end)
    return child.returncode, found.decode()

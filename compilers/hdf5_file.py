"""HDF5 files that may be damaged: some keep the library in a loop, or make it crash, and no exception says so.

A file that is `sealed` ends in the hash of all before it, behind the end that HDF5 itself knows of. Where that hash
does not hold, or there is none, a child reads the file first: it can be ended.
"""

import contextlib
import ctypes
import hashlib
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from ff2loihi.compilers import children
from ff2loihi.compilers.errors import CheckpointError

MARK = b"\nff2loihi sha256 "
PATIENCE = 30.0  # s for a child that reads the file: 0.4 for a file of 100 kB
PR_SET_PDEATHSIG = 1  # of Linux


def sealed(data: bytes) -> bytes:
    """The file with its hash at the end."""
    return data + MARK + hashlib.sha256(data).hexdigest().encode()


def check_readable(path: Path) -> None:
    """Raise CheckpointError for a file with which the HDF5 library hangs or crashes, OSError for one that is absent."""
    data, mark, digest = path.read_bytes().rpartition(MARK)
    if mark and hashlib.sha256(data).hexdigest().encode() == digest:
        return
    code = f"from ff2loihi.compilers import hdf5_file\nhdf5_file.read_all({str(path)!r}, {os.getpid()})"
    try:
        done = subprocess.run(
            children.command(code), env=children.environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        wrong = f"reading it takes more than {PATIENCE:.0f} s"
    else:
        if done.returncode >= 0:  # what is wrong with it, if anything, is for the reader to say
            return
        wrong = f"reading it ends in signal {-done.returncode}"
    raise CheckpointError(f"{path}: a damaged HDF5 file, {wrong}. Export or copy it again")


def read_all(path: str, parent: int) -> None:
    """In the child: read everything; what is not HDF5 is for the reader to say. It ends with its parent.

    No thread could see to that: the library that hangs does not let it run.
    """
    signal.alarm(math.ceil(PATIENCE) + 1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        import h5py

        with contextlib.suppress(Exception):
            _walk(h5py.File(path, "r"))


def _walk(group) -> None:
    for name in group:
        with contextlib.suppress(Exception):
            item = group[name]
            _walk(item) if hasattr(item, "keys") else item[()]

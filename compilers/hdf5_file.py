"""HDF5 files that may be damaged: some keep the library in a loop, or make it crash, and no exception says so.

A file that is `sealed` ends in the hash of all before it, behind the end that HDF5 itself knows of. Where that hash
does not hold, or there is none, a child reads the file first: it can be ended.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from ff2loihi.compilers.errors import CheckpointError

MARK = b"\nff2loihi sha256 "
PATIENCE = 30.0  # s for a child that reads the file: 0.4 for a file of 100 kB

CHILD = """
import sys
sys.path[:] = sys.argv[2:]
import h5py
def walk(group):
    for name in group:
        try:
            item = group[name]
            walk(item) if isinstance(item, h5py.Group) else item[()]
        except Exception:
            pass
walk(h5py.File(sys.argv[1], "r"))
"""


def sealed(data: bytes) -> bytes:
    """The file with its hash at the end."""
    return data + MARK + hashlib.sha256(data).hexdigest().encode()


def check_readable(path: Path) -> None:
    """Raise CheckpointError for a file with which the HDF5 library hangs or crashes, OSError for one that is absent."""
    data, mark, digest = path.read_bytes().rpartition(MARK)
    if mark and hashlib.sha256(data).hexdigest().encode() == digest:
        return
    command = [sys.executable, "-c", CHILD, str(path), *sys.path]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        wrong = f"reading it takes more than {PATIENCE:.0f} s"
    else:
        if done.returncode >= 0:  # what is wrong with it, if anything, is for the reader to say
            return
        wrong = f"reading it ends in signal {-done.returncode}"
    raise CheckpointError(f"{path}: a damaged HDF5 file, {wrong}. Export or copy it again")

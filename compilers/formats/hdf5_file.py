"""HDF5 files that may be damaged, or made to do harm.

Some keep the library in a loop, or make it crash, and no exception says so. So a child reads each file first: it can be
ended. And HDF5 lets a few bytes stand for many, or for another file's: `check_contents`.
"""

import ctypes
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import h5py.h5o
import numpy as np

from ff2loihi.compilers import children
from ff2loihi.compilers.errors import CheckpointError, FF2LoihiError, brief, shortened
from ff2loihi.compilers.files import check_file, read_bytes

KIND = "a NIR graph (.nir)"
PATIENCE = 30.0  # s for a child that reads the file: 0.4 for a file of 100 kB
PACE = 10 << 20  # bytes of a data set that the child reads in a second, at the slowest
BLOCK = 1 << 24  # bytes of a data set that are read at a time
TRAINS = 64  # of a data set's rows of any length, at a time
PR_SET_PDEATHSIG = 1  # of Linux
OBJECTS, DEPTH = 10_000, 20  # groups and datasets of a file, and groups in each other; a node has about ten
TEXTS = 10_000  # of a dataset of texts, of which several may be the same bytes of the file
BYTES = 1 << 30  # of all values, and of a chunk of a large data set's
SHRUNK = 1100  # times that gzip makes zeros smaller, and a little
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}


class Untaken(ValueError):
    """What a whole file may hold, and is not read: where it stands, and what to do instead."""


def check_readable(
    path: Path, error: type[FF2LoihiError] = CheckpointError, wanted: str = KIND, large: bool = False
) -> None:
    """Raise `error` for what is no file, and for a file with which the HDF5 library hangs or crashes.

    large: a data set of any size, of which a part is read at a time, here as later.
    """
    patience = PATIENCE
    if large:
        patience += check_file(path, error, wanted) // PACE
    else:
        read_bytes(path, error, wanted)
    told = f"{str(path)!r}, {os.getpid()}, {large}, {math.ceil(patience) + 1}"
    code = f"from ff2loihi.compilers.formats import hdf5_file\nhdf5_file.in_child({told})"
    try:
        done = subprocess.run(
            children.command(code), env=children.environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=patience, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        wrong = f"reading it takes more than {patience:.0f} s"
    else:
        if done.returncode >= 0:  # what is wrong with it, if anything, is for the reader to say
            return
        wrong = f"reading it ends in signal {-done.returncode}"
    raise error(f"{path}: a damaged HDF5 file, {wrong}. Export or copy it again")


@contextmanager
def opened(path: Path, error: type[FF2LoihiError], wanted: str, wrong: str, mend: str) -> Iterator[h5py.File]:
    """A file that is safe to read. Raises `error` for whatever h5py raises, with what is wrong and how to mend it."""
    check_readable(path, error, wanted)
    try:
        with h5py.File(path, "r") as file:
            check_contents(file)
            yield file
    except FF2LoihiError:
        raise
    except Untaken as failure:
        raise error(f"{path}: {failure}") from None
    except OSError:
        raise error(f"{path}: not an HDF5 file, or a truncated or damaged one{mend}") from None
    except Exception as failure:  # h5py raises many kinds on damaged bytes, and each means the same
        raise error(f"{path}: {wrong} ({brief(failure, 150)}){mend}") from None


def arrays(path: Path, names: Iterable[str], error: type[FF2LoihiError], wanted: str) -> dict[str, np.ndarray]:
    """Those of the named datasets that a file holds at its top. Raises `error` for a file that is not to be trusted."""
    with opened(path, error, wanted, "a damaged HDF5 file", ". Write or copy it again") as file:
        held = {name: item for name, item in datasets(file) if item.shape is not None}
        found = {name: held[f"/{name}"][()] for name in names if f"/{name}" in held}
    if not found:
        raise error(f"{path}: holds {brief(', '.join(held) or 'nothing')}, where {wanted.rstrip(',')} is wanted")
    return found


def check_contents(file: h5py.File) -> None:
    """Raise ValueError where the values would take far more room than the file's bytes, or are Untaken."""
    total = 0
    for name, item in datasets(file):
        total += size_of_values(name, item)
        if total > BYTES:
            raise ValueError(f"its values take more than {BYTES:,} bytes")


def datasets(
    group: h5py.Group, prefix: str = "", depth: int = 0, seen: set | None = None
) -> Iterator[tuple[str, h5py.Dataset]]:
    """Those of a file, or below a group, by their paths. Raises ValueError where they cannot be gone through."""
    seen = set() if seen is None else seen
    for key in group:
        name = f"{prefix}/{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise Untaken(f"{shortened(name)} is a link to somewhere else, and none is followed. Write the values")
        item = group[key]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen or depth == DEPTH or len(seen) == OBJECTS:
            raise ValueError(f"{shortened(name)} stands in it twice, too deep, or behind {OBJECTS:,} others")
        seen.add(address)
        if isinstance(item, h5py.Group):
            yield from datasets(item, name, depth + 1, seen)
        elif isinstance(item, h5py.Dataset):
            yield name, item


def size_of_values(name: str, item: h5py.Dataset, trains: bool = False) -> int:
    """Bytes of a dataset's values; trains: it may hold rows of any length. Raises ValueError, as check_contents."""
    text = h5py.check_string_dtype(item.dtype)
    if item.dtype.kind not in "biufS" and not text and not (trains and is_trains(item)):
        raise Untaken(f"{shortened(name)} holds {brief(item.dtype)}, neither numbers nor text. Write it as numbers")
    plan = item.id.get_create_plist()
    filters = {plan.get_filter(index)[0] for index in range(plan.get_nfilters())}
    if item.is_virtual or item.external or filters - FILTERS or plan.get_nfilters() > len(filters):
        raise Untaken(
            f"the values of {shortened(name)} stand in another file, or are packed by another filter than gzip or lzf. "
            "Write them plain"
        )
    chunk = item.dtype.itemsize
    for side in item.chunks or ():
        chunk *= side
    stored = item.id.get_storage_size()
    if item.size and max(item.nbytes, chunk) > SHRUNK * (stored + 1):
        raise ValueError(f"{shortened(name)} claims {max(item.nbytes, chunk):,} bytes, the file holds {stored:,} of it")
    if chunk > BYTES:  # the library unpacks a chunk as a whole, however little of it is read
        raise Untaken(
            f"{shortened(name)} is stored in chunks of {chunk:,} bytes. Write it in chunks of at most {BYTES:,}"
        )
    if text and text.length is None:
        if (item.size or 0) > TEXTS:
            raise ValueError(f"{shortened(name)} holds {item.size:,} texts, {TEXTS:,} are read")
        return sum(len(item[index]) for index in np.ndindex(item.shape))
    return item.nbytes


def is_trains(item: h5py.Dataset) -> bool:
    """Whether it holds rows of numbers of any length, as spike trains are."""
    kind = h5py.check_vlen_dtype(item.dtype)
    return kind is not None and np.dtype(kind).kind in "biuf"


def read_all(path: str, large: bool = False) -> None:
    """Read every value of a file. Raises ValueError, or what h5py raises, where it cannot be taken at its word.

    large: see check_readable; what of it is not to be taken is not read.
    """
    with h5py.File(path, "r") as file:
        if not large:
            check_contents(file)
        for name, item in datasets(file):
            with suppress(Exception):
                if large and item.shape:
                    size_of_values(name, item, trains=True)
                    rows = TRAINS if is_trains(item) else max(1, BLOCK * len(item) // max(1, item.nbytes))
                    for start in range(0, len(item), rows):
                        item[start : start + rows]
                else:
                    item[()]


def in_child(path: str, parent: int, large: bool = False, seconds: int = math.ceil(PATIENCE) + 1) -> None:
    """What the child of `check_readable` does: read_all, whose errors the parent meets again. It ends with its parent.

    No thread could see to that: the library that hangs does not let it run.
    """
    signal.alarm(seconds)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        read_all(path, large)

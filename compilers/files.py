"""Files as bytes: read where they are regular and of a size that can be, written so that they are whole or absent."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ff2loihi.compilers.errors import FF2LoihiError, shortened

LIMIT = 1 << 30  # bytes of a file that is read; no network that a board holds comes near
_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def read_bytes(path: Path, error: type[FF2LoihiError], wanted: str, limit: int = LIMIT, absent: str = "") -> bytes:
    """The content of a regular file, to which links may lead. Raises `error`, in one line, for all else.

    wanted: what it should be, "an artifact (.ffl)"; absent: the end of the line about a file that cannot be opened.
    """
    try:
        _check_regular(path, os.stat(path), error, wanted, limit)  # before it is opened: to open a device is to use it
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            _check_regular(path, found, error, wanted, limit)
            data = file.read(found.st_size + 1)
    except OSError as failure:
        raise error(f"{path}: {failure.strerror or failure}{absent}") from None
    except ValueError:  # a NUL, or a character that no file name can hold
        raise error(f"{shortened(str(path))}: no file's name{absent}") from None
    if len(data) != found.st_size:
        raise error(f"{path}: its size changed while it was read, or is unknown. Copy it to a file of its own")
    return data


def _check_regular(path: Path, found: os.stat_result, error: type[FF2LoihiError], wanted: str, limit: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "no regular file")
        raise error(f"{path}: {kind}, where {wanted} is wanted")
    if found.st_size > limit:
        raise error(f"{path}: {found.st_size:,} bytes, and {wanted} of at most {limit:,} is read")


def write_atomic(path: Path, data: bytes, error: type[FF2LoihiError]) -> None:
    """Write `data` beside `path` and move it there; on any failure `path` is as before. Raises `error`."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as failure:
        raise error(f"{path}: cannot write into {path.parent}: {failure.strerror}. Choose another folder") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as failure:
        os.unlink(temporary)
        raise error(f"{path}: not written: {failure.strerror} ({len(data):,} bytes). Nothing was changed") from None
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def folder_atomic(path: Path, error: type[FF2LoihiError]) -> Iterator[Path]:
    """A folder to write into, which becomes `path` at the end of the `with`; on any failure nothing is left of it.

    `path` must be absent or an empty folder. Raises `error`.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise error(f"{path}: exists and is not an empty folder. Name another, or remove it")
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    except OSError as failure:
        raise error(f"{path}: cannot write into {path.parent}: {failure.strerror}. Choose another folder") from None
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, path)
    except OSError as failure:
        raise error(f"{path}: not written: {failure.strerror}. Nothing was changed") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

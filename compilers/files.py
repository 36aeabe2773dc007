"""Files as bytes: read where they are regular and of a size that can be, written so that they are whole or absent.

Nothing here leaves a half-written file, whatever ends the process. A temporary file is locked while its process lives;
the next writer to the same folder removes those that nobody holds.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
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


def check_file(path: Path, error: type[FF2LoihiError], wanted: str) -> int:
    """The size of a regular file of any size, of which a part is read at a time. Raises `error` as read_bytes does."""
    try:
        found = os.stat(path)
        _check_regular(path, found, error, wanted, found.st_size)
        with open(path, "rb"):
            return found.st_size
    except OSError as failure:
        raise error(f"{path}: {failure.strerror or failure}") from None
    except ValueError:  # as above
        raise error(f"{shortened(str(path))}: no file's name") from None


def _check_regular(path: Path, found: os.stat_result, error: type[FF2LoihiError], wanted: str, limit: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "no regular file")
        raise error(f"{path}: {kind}, where {wanted} is wanted")
    if found.st_size > limit:
        raise error(f"{path}: {found.st_size:,} bytes, and {wanted} of at most {limit:,} is read")


LOCK = 20  # digits of a process's number, at most
PREFIX, SUFFIX = ".ff2loihi-", ".tmp"  # of a temporary file; short, so that any name that a folder takes can be written


def write_atomic(path: Path, data: bytes, error: type[FF2LoihiError]) -> None:
    """Write `data` beside `path` and move it there; on any failure `path` is as before. Raises `error`.

    A symlink's target is replaced, not the link. A device, a pipe and this process's own output are written to.
    """
    try:
        if _into_stream(path, data):
            return
    except OSError as failure:
        raise error(f"{path}: not written: {failure.strerror}") from None
    target = os.path.realpath(path)
    with _temporary(path, target, _new_file, error) as (handle, temporary):
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError as failure:
            raise error(f"{path}: not written: {failure.strerror} ({len(data):,} bytes). Nothing was changed") from None


@contextmanager
def folder_atomic(path: Path, error: type[FF2LoihiError]) -> Iterator[Path]:
    """A folder to write into, which becomes `path` at the end of the `with`; on any failure nothing is left of it.

    `path` must be absent or an empty folder. Raises `error`.
    """
    check_new_folder(path, error)
    target = os.path.realpath(path)
    with _temporary(path, target, _new_folder, error) as (_, temporary):
        try:
            yield Path(temporary)
            os.replace(temporary, target)
        except OSError as failure:
            raise error(f"{path}: not written: {failure.strerror}. Nothing was changed") from None


def check_new_folder(path: Path, error: type[FF2LoihiError]) -> None:
    """Raise `error` where `path` is neither absent nor an empty folder."""
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise error(f"{path}: exists and is not an empty folder. Name another, or remove it")
    except OSError as failure:
        raise error(f"{path}: {failure.strerror}. Name another folder") from None


@contextmanager
def locked(path: Path, error: type[FF2LoihiError], busy: str) -> Iterator[None]:
    """The lock file `path`, this process's for the `with`, and gone after it; one that a dead process left is taken.

    It holds the process's number; a file that holds anything else is left alone. busy: what it means that another
    process holds it. Raises `error`, naming that process.
    """
    try:
        handle = _lock_file(path)
    except BlockingIOError:
        holder = "another process"
        with contextlib.suppress(OSError):
            holder = f"process {path.read_text()}"
        raise error(f"{busy}: {holder} holds {path}. Wait for it, or end it") from None
    except OSError as failure:
        raise error(f"{path}: {failure.strerror}. Choose another folder") from None
    if not _is_lock(handle):
        os.close(handle)
        raise error(f"{path}: no lock of a dead process, so not overwritten. Choose another name, or remove it")
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # before the lock is let go: who locks it then sees that it is gone
        os.close(handle)


def _lock_file(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        if not _lock(handle):
            os.close(handle)
            raise BlockingIOError
        if _is(handle, path):
            return handle
        os.close(handle)  # its last holder has just removed it


def _is_lock(handle: int) -> bool:
    found = os.fstat(handle)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and is_lock(os.read(handle, LOCK + 1))


def is_lock(data: bytes) -> bool:
    """Whether it is what `locked` writes into its file, or nothing yet."""
    return len(data) <= LOCK and (data.isdigit() or not data)


def is_stream(path: Path) -> bool:
    """Whether what is written to `path` goes to a device, a pipe or this process's own output. Raises OSError."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return _own_output(found) is not None or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


def _into_stream(path: Path, data: bytes) -> bool:
    """Write to the stream that `path` is, False where it is none. It waits for who reads: a signal ends that."""
    if not is_stream(path):
        return False
    own = _own_output(os.stat(path))
    handle = os.open(path, os.O_WRONLY) if own is None else os.dup(own)
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(handle, left) :]  # without a buffer, which would wait again when it is closed
    finally:
        os.close(handle)
    return True


def _own_output(found: os.stat_result) -> int | None:
    """1 or 2 where the file is this process's standard output or error, as /dev/stdout is."""
    for handle in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(handle)):
                return handle
    return None


@contextmanager
def _temporary(
    path: Path, target: str, new: Callable[[str], int | None], error: type[FF2LoihiError]
) -> Iterator[tuple[int, str]]:
    """A new temporary file or folder beside `target`, and a locked handle on it; gone at the end, moved or removed."""
    folder, names, handle = os.path.dirname(target), [], None
    _sweep(folder)
    try:
        try:
            while handle is None:
                names.append(os.path.join(folder, f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"))
                handle = _claimed(names[-1], new)
        except OSError as failure:
            raise error(f"{path}: cannot write into {path.parent}: {failure.strerror}. Choose another folder") from None
        yield handle, names[-1]
    finally:
        for name in names:  # named before they were made: an interrupt at any moment leaves none
            _remove(name)
        if handle is not None:
            os.close(handle)


def _new_file(name: str) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask


def _new_folder(name: str) -> int | None:
    os.mkdir(name)
    with contextlib.suppress(FileNotFoundError):
        return os.open(name, os.O_RDONLY)
    return None


def _claimed(name: str, new: Callable[[str], int | None]) -> int | None:
    """A handle on the new file, locked; None where another writer's sweep came between the two."""
    handle = new(name)
    if handle is None or (_lock(handle) and _is(handle, name)):
        return handle
    os.close(handle)
    return None


def _lock(handle: int) -> bool:
    """Lock it, False where another process has; a file system without locks has none to wait for."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is(handle: int, name: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(name))
    except FileNotFoundError:
        return False


def _sweep(folder: str) -> None:
    """Remove this user's temporary files whose process is dead: those that nobody has locked."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    _remove_unheld(entry.path)


def _remove_unheld(name: str) -> None:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(name)
    finally:
        os.close(handle)


def _remove(name: str) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(name, ignore_errors=True) if os.path.isdir(name) else os.unlink(name)

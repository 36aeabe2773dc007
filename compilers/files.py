"""Files that are whole or absent: nothing here leaves a half-written one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ff2loihi.compilers.errors import FF2LoihiError


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

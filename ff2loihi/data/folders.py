"""The files of a folder that is a data set, and their hash."""

import hashlib
import os
from pathlib import Path

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.files import read_bytes


class Folder:
    """Reads the folder's files by name, and keeps their hashes. Hidden files are not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hashes: dict[str, str] = {}

    def has(self, *names: str) -> bool:
        """Whether all of these are there, of whatever kind."""
        return all(os.path.lexists(self.path / name) for name in names)

    def names(self, name: str = "", folders: bool = True) -> list[str]:
        """The names of the folders, or of all else, in a folder inside; numbers sorted as such. Raises DataError."""
        try:
            with os.scandir(self.path / name) as entries:
                found = [one.name for one in entries if one.is_dir() == folders and not one.name.startswith(".")]
        except OSError as failure:
            raise DataError(f"{self.path / name}: {failure.strerror}. Choose another folder") from None
        return sorted(found, key=int if all(one.isascii() and one.isdigit() for one in found) else None)

    def read(self, name: str, wanted: str) -> bytes:
        """Raises DataError."""
        data = read_bytes(self.path / name, DataError, wanted)
        self.hashes[name] = hashlib.sha256(data).hexdigest()
        return data

    def digest(self) -> str:
        """What `sha256sum FILES | sha256sum` says of the files that were read, sorted by name."""
        lines = "".join(f"{self.hashes[name]}  {name}\n" for name in sorted(self.hashes))
        return hashlib.sha256(os.fsencode(lines)).hexdigest()

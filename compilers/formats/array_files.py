"""The bytes of .npy and .npz files as arrays, and of zip archives: no header is believed beyond what they hold.

Each raises ValueError, with a few words on the reason, for bytes that are damaged or of another kind.
"""

import io
import shutil
import zipfile
from math import prod

import numpy as np

from ff2loihi.compilers.errors import brief

UNPACKED = 1 << 31  # bytes of all arrays of an .npz; golden vectors are mostly zeros and shrink a thousandfold
SHRUNK = 1100  # times that deflate makes zeros smaller, and a little


def from_npy(data: bytes) -> np.ndarray:
    """The array of a .npy file, a view of `data`."""
    try:
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = readers[version](file)
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
        if dtype.hasobject:
            raise ValueError("pickled objects, which could run code")
        if prod(shape) * dtype.itemsize > len(data) - file.tell():
            raise ValueError(f"an array {shape} is larger than its file")
        return np.ndarray(shape, dtype, data, file.tell(), order="F" if fortran else "C")
    except Exception as error:  # numpy's readers raise many kinds on damaged bytes, and each means the same
        raise ValueError(f"not an array, or a damaged one ({brief(error) or type(error).__name__})") from None


def from_npz(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name."""
    found: dict[str, np.ndarray] = {}
    with _zip(data) as box:
        entries = box.infolist()
        size = sum(entry.file_size for entry in entries)
        most = min(UNPACKED, SHRUNK * len(data))
        if size > most:
            raise ValueError(f"arrays of {size:,} bytes, at most {most:,} are read from {len(data):,}")
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if name in found:
                raise ValueError(f"two arrays of one name, {brief(name)}")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("compressed in a way that numpy does not write")
            content = io.BytesIO()
            try:
                with box.open(entry) as file:
                    shutil.copyfileobj(file, content, 1 << 20)
            except Exception as error:  # zipfile and zlib raise many kinds on damaged bytes, and each means the same
                raise ValueError(f"a damaged archive ({brief(error) or type(error).__name__})") from None
            found[name] = from_npy(content.getvalue())
    return found


def check_stored(data: bytes) -> None:
    """Raise ValueError for a zip archive that is damaged, or whose entries take more bytes than the file has."""
    with _zip(data) as box:
        entries = box.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its entries are compressed")
    if sum(entry.file_size for entry in entries) > len(data):
        raise ValueError("its entries claim more bytes than the file has")


def names(data: bytes) -> list[str]:
    """Of the entries of a zip archive."""
    with _zip(data) as box:
        return box.namelist()


def entries(data: bytes, suffix: str) -> list[bytes]:
    """Those entries of a zip archive that `check_stored` has passed."""
    with _zip(data) as box:
        try:
            return [box.read(name) for name in box.namelist() if name.endswith(suffix)]
        except Exception as error:  # as above
            raise ValueError(f"a damaged archive ({brief(error) or type(error).__name__})") from None


def _zip(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # as above
        raise ValueError(f"not a zip archive, or a damaged one ({brief(error) or type(error).__name__})") from None

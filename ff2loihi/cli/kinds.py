"""What kind of file this is, by its content: no name is believed, and nothing heavy is imported."""

import codecs
import contextlib
import os
import re
import stat
import zipfile
from pathlib import Path

from ff2loihi.compilers.files import is_lock
from ff2loihi.compilers.interchange import rule_file
from ff2loihi.page import FIRST_LINES

ARTIFACT, ARTIFACT_SUFFIX = "an ff2loihi artifact", ".ffl"
CHECKPOINT = "a torch checkpoint"
RUN_STATE = "the state of an unfinished run"
SAFETENSORS = "a safetensors file"
GOLDEN = "golden vectors"
RECORDING = "a recording"
ARRAYS = "numpy arrays"
NIR = "a NIR graph"
NETX = "a netx network"
HDF5 = "an HDF5 file"
RULE = "a learning rule"
LOG = "a learning log"
HISTORY = "a history of bench"
LOCK = "the lock of a run"
PREDICTIONS, PREDICTIONS_HEAD = "predictions", "index,predicted,label\n"  # the first line of the file
SPEC = "a spec"
JSON = "a JSON report"
PNG, SVG, PDF = "a PNG picture", "an SVG picture", "a PDF"
PICTURES = {"png": PNG, "svg": SVG, "pdf": PDF}  # by choices.PictureFormat
REPORT = "a report"
OTHER = "another kind of file"

HEAD = 1 << 16  # bytes that are looked at
LEGACY_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # torch < 1.6: its pickled number


def kind(path: Path) -> str | None:
    """None for what holds nothing that could be lost or mistaken: absent, empty, a device, a pipe. Raises OSError."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return None
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"PK\x03\x04"):
        return _zipped(path, head)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return NIR if b"node\0" in head else NETX if b"layer\0" in head else HDF5
    if head[5:9] == b"\0\0\0{":  # a header of less than 2^40 bytes
        return _safetensors(head[8:])
    heads = (
        (b"\x89PNG\r\n\x1a\n", PNG), (b"%PDF-", PDF), (LEGACY_TORCH, CHECKPOINT), (b'{"epoch":', LOG),
        (b'{"commit":', HISTORY),
        (PREDICTIONS_HEAD.encode(), PREDICTIONS), (FIRST_LINES.encode(), REPORT),
    )  # fmt: skip
    for start, name in heads:
        if head.startswith(start):
            return name
    if is_lock(head):
        return LOCK
    if re.match(rb"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg\b", head):
        return SVG
    if re.match(rb'\s*\{\s*["}]', head):
        return RULE if f'"format": "{rule_file.FORMAT}"'.encode() in head[:200] else JSON
    return OTHER


def is_text(path: Path) -> bool:
    """Whether a file of another kind begins with text alone. Raises OSError."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # whose last letter may be cut
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _safetensors(header: bytes) -> str:
    if header.startswith(b'{"__metadata__":{"manifest":'):
        return ARTIFACT
    return RUN_STATE if re.match(rb'\{"__metadata__":\{"(run|sha256)":', header) else SAFETENSORS


def _zipped(path: Path, head: bytes) -> str:
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first.endswith(b"/data.pkl"):
        return CHECKPOINT
    if not first.endswith(b".npy"):
        return OTHER
    with contextlib.suppress(Exception):  # a damaged archive raises many kinds: then its manifest says nothing
        with zipfile.ZipFile(path) as archive, archive.open("manifest.npy") as manifest:
            text = manifest.read(4096)  # of UTF-32
        for name, found in (("ff2loihi-golden", GOLDEN), ("ff2loihi-recording", RECORDING)):
            if name.encode("utf-32-le") in text:
                return found
    return ARRAYS

"""The artifact `model.ffl`: one file, whose manifest and arrays hold a Program. What others call is named here."""

from ff2loihi.compilers.artifact.file import check, digest, pack, read, to_bytes, unpack, write

__all__ = ["check", "digest", "pack", "read", "to_bytes", "unpack", "write"]

"""Files that hold networks, or stand for them, in formats that are not read: what each is, and what to do instead.

ONNX is read where its package is installed.
"""

from ff2loihi.compilers.formats import array_files

LEGACY_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # torch < 1.6: its pickled number
HEAD = 1 << 16  # bytes that are looked at
ARRAYS = "Save its weights as arrays: numpy.savez(FILE, **arrays)"
STATE = "Save its tensors: torch.save(model.state_dict(), FILE)"
UNPACK = "Unpack it, and name the file in it that holds the tensors"
KERAS = "a Keras model. Save its arrays: numpy.savez(FILE, *model.get_weights()); a dense one's orientation is in_out"
ENTRIES = {  # the end of a name in a zip archive: what the archive is
    "constants.pkl": "a TorchScript archive. Save its tensors: torch.save(torch.jit.load(FILE).state_dict(), OTHER)",
    "serialized_exported_program.json": f"a program of torch.export. {STATE}",
    "archive_format": f"a program of torch.export. {STATE}",
    "model.weights.h5": KERAS,
    "extern_modules": f"a package of torch.package. {STATE}",
}
HEADS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file it stands for. Fetch that: git lfs pull",
    b"<!DOCTYPE": "a web page. Download the file itself, not the page about it",
    b"<!doctype": "a web page. Download the file itself, not the page about it",
    b"<html": "a web page. Download the file itself, not the page about it",
    b"MATLAB": f"a MATLAB file. {ARRAYS}, arrays = scipy.io.loadmat(FILE)",
    b"GGUF": f"a GGUF model. {ARRAYS}",
    b"\x1f\x8b": f"packed by gzip. {UNPACK}",
    b"BZh": f"packed by bzip2. {UNPACK}",
    b"\xfd7zXZ": f"packed by xz. {UNPACK}",
    b"7z\xbc\xaf": f"a 7z archive. {UNPACK}",
    b"Rar!": f"a RAR archive. {UNPACK}",
    b"\x08\x01\x12": f"a TensorFlow SavedModel. {ARRAYS}",
}


def is_onnx(data: bytes) -> bool:
    """Whether it begins with the version of an ONNX model and a field that may follow it."""
    return data[:1] == b"\x08" and len(data) > 2 and 2 <= data[1] < 32 and data[2:3] in (b"\x12", b"\x1a", b":", b"B")


def what(data: bytes) -> str | None:
    """What the file is and what to do, where it is known and not read; None where it may be a torch checkpoint.

    Only its beginning and a zip archive's names are looked at. Raises ValueError for a damaged zip archive.
    """
    head = data[:HEAD]
    if head.startswith(b"PK\x03\x04"):
        return _zipped(data)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _hdf5(head)
    known = next((text for start, text in HEADS.items() if head.startswith(start)), None)
    if known:
        return known
    if is_onnx(head):
        return f"an ONNX model, which the package onnx reads: pip install onnx. Or: {ARRAYS}"
    if head[:1] == b"\n" and (b"Placeholder" in head or b"Const" in head):
        return f"a TensorFlow graph. {ARRAYS}"
    if head[4:8] == b"TFL3":
        return f"a TensorFlow Lite model. {ARRAYS} of the net that it was made from"
    if head[257:262] == b"ustar":
        return f"a tar archive. {UNPACK}"
    if b"\x81" <= head[:1] <= b"\x8f" and b"\xa1" <= head[1:2] <= b"\xbf":
        return f"a msgpack file, as flax writes it. {ARRAYS}"
    if head[:1] == b"\x80" and not head.startswith(LEGACY_TORCH):
        return "a plain pickle, which could run code. Save its tensors with torch.save, or numpy.savez(FILE, **arrays)"
    return None


def _zipped(data: bytes) -> str | None:
    names = array_files.names(data)
    known = (text for end, text in ENTRIES.items() for name in names if name.endswith(end))
    if any(name.endswith(".pkl") or "/data/" in name for name in names):
        return next(known, None)
    return next(known, f"a zip archive of other files. {UNPACK}") if names else None


def _hdf5(head: bytes) -> str:
    if b"node\0" in head:
        return "a NIR graph. Give it a name that ends in .nir"
    if b"layer\0" in head and b"neuron\0" in head:
        return "a netx network, which `ff2loihi compile` reads under a name that ends in .net"
    if b"layer_names" in head or b"keras_version" in head or b"_layer_checkpoint_dependencies" in head:
        return KERAS
    return f"an HDF5 file. {ARRAYS}"

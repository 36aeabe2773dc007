"""Files of others: what is no regular file, and headers that claim more than there is, are refused in one line."""

import io
import os
import resource
import warnings
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from ff2loihi.compilers import artifact
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.errors import (
    LINE,
    ArtifactError,
    CheckpointError,
    CompileError,
    FF2LoihiError,
    shortened,
    together,
)
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats import array_files, hdf5_file, yaml_file
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint, peek
from ff2loihi.compilers.frontend.spec import parse_spec, read_spec
from ff2loihi.compilers.interchange import nir, rule_file
from ff2loihi.learning import state as run_state
from ff2loihi.verification import golden

READERS = {
    "checkpoint": load_checkpoint,
    "peek": peek,
    "spec": read_spec,
    "chips": load_table,
    "artifact": artifact.read,
    "graph": nir.read,
    "rule": rule_file.read,
    "run": lambda path: run_state.read(path, {}, 1, 1, {}),
    "golden": lambda path: golden.read(path, golden.GOLDEN),
    "recording": lambda path: golden.read(path, golden.RECORDING),
}


def line_of(read, *arguments) -> str:
    """The one line of a refusal, formed within 500 MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FF2LoihiError) as caught:
        read(*arguments)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    text = str(caught.value)
    assert len(text) <= LINE
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_regular_file_is_refused_without_reading_it(tmp_path, kind):
    read, path = READERS[kind], tmp_path / "given"
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for target, words in (
        (tmp_path / "fifo", "a FIFO, where"), (tmp_path / "folder", "a folder, where"), (Path("/dev/zero"), "a device"),
        (tmp_path / "absent", "No such file"), (path, "symbolic links"), (Path("/proc/self/status"), "its size"),
    ):  # fmt: skip
        path.symlink_to(target)
        assert words in line_of(read, path)
        path.unlink()
    assert "File name too long" in line_of(read, tmp_path / ("n" * 300))
    assert "File name too long" in line_of(read, tmp_path.joinpath(*["folder"] * 1000))
    (tmp_path / "plain").touch()
    assert "Not a directory" in line_of(read, tmp_path / "plain" / "below")
    assert "no file's name" in line_of(read, Path("a\0b"))
    assert "no file's name" in line_of(read, Path("a\ud800b"))
    assert "No such file" in line_of(read, tmp_path / os.fsdecode(b"caf\xe9"))


def test_a_link_to_a_file_is_followed_and_a_file_beyond_the_limit_is_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link", CheckpointError, "a file") == b"12345"
    assert read_bytes(tmp_path / "link", CheckpointError, "a file", limit=5) == b"12345"
    with pytest.raises(CheckpointError, match="5 bytes, and a file of at most 4 is read"):
        read_bytes(tmp_path / "link", CheckpointError, "a file", limit=4)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "1,099,511,627,776 bytes" in line_of(artifact.read, tmp_path / "sparse")


def test_files_with_names_that_are_no_utf_8_are_read(files, tmp_path):
    model, about = files()
    there = tmp_path / os.fsdecode(b"caf\xe9.pt"), tmp_path / os.fsdecode(b"caf\xe9.yaml")
    model.rename(there[0])
    about.rename(there[1])
    assert load_checkpoint(*there).spec.pixels == 6
    with h5py.File(tmp_path / "a.nir", "w") as file:
        file["x"] = 1
    (tmp_path / "a.nir").rename(tmp_path / os.fsdecode(b"caf\xe9.nir"))
    assert "not a NIR graph" in line_of(nir.read, tmp_path / os.fsdecode(b"caf\xe9.nir"))


# Errors


def test_a_long_error_keeps_its_beginning_and_its_end_in_one_line():
    text = str(CheckpointError("where: " + "\n".join("x" * 99 for _ in range(100)) + " Train it again"))
    assert len(text) == LINE
    assert text.startswith("where: xxx")
    assert text.endswith("Train it again")
    assert "\n" not in text
    assert str(CheckpointError("y" * LINE)) == "y" * LINE
    assert together(["a" * 300, "b" * 300, "c"]) == f"{'a' * 300}; and 2 more"


def test_a_value_is_shown_in_60_characters_however_large_it_is():
    nest = []
    for _ in range(200):
        nest = [nest] * 10
    itself = {}
    itself["x"] = itself
    for value in (
        nest,
        itself,
        "x" * 10**6,
        1 << 10**6,
        list(range(10**6)),
        {i: i for i in range(10**6)},
        torch.ones(9),
    ):
        assert len(shortened(value)) <= 60
    assert [shortened(v) for v in ("a\n", 7, None, True, 0.5, [1, "b"])] == [
        "'a\\n'", "7", "None", "True", "0.5", "[1, 'b']",
    ]  # fmt: skip


# YAML

ALIASES = "a: &a [x, x]\n" + "\n".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "aliases": (ALIASES, "line 1: an alias"),
    "a recursive alias": ("&a [*a]", "line 1: an alias"),
    "an alias alone": ("pixels: 6\nlabel: *a", "line 2: an alias"),
    "a merge": ("a: {<<: *b}", "line 1: an alias"),
    "a deep list": ("[" * 50_000, "nested deeper than 20"),
    "deep dashes": ("- " * 40_000, "nested deeper than 20"),
    "a deep mapping": ("{a: " * 10_000, "nested deeper than 20"),
    "a key twice": ("pixels: 6\npixels: 7", "the key 'pixels' twice"),
    "a deep key twice": ("label: {kind: append, kind: none}", "the key 'kind' twice"),
    "no int": ("pixels: !!int foo", "not YAML"),
    "no float": ("pixels: !!float foo", "not YAML"),
    "no bool": ("pixels: !!bool foo", "not YAML"),
    "no date": ("pixels: 2001-99-99", "not YAML"),
    "no timestamp": ("pixels: !!timestamp foo", "not YAML"),
    "no set": ("pixels: !!set foo", "not YAML"),
    "code": ("pixels: !!python/object/apply:os.getcwd []", "not YAML"),
    "a list as key": ("? [a]\n: b", "not YAML"),
    "a NUL": ("pixels: \0", "not YAML"),
    "long": ("#" * 200_000, "200,000 bytes, and"),
}  # fmt: skip


@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_grows_or_is_none_is_one_line_for_specs_and_chip_tables(tmp_path, kind):
    text, words = YAML[kind]
    (tmp_path / "x.yaml").write_text(text)
    for read, error in ((read_spec, CheckpointError), (load_table, CompileError)):
        assert words in line_of(read, tmp_path / "x.yaml")
        with pytest.raises(error):
            read(tmp_path / "x.yaml")


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000, "1" + ":59" * 5000, "-" + "9" * 5000])
def test_integers_of_5000_digits_are_one_line(tmp_path, digits):
    (tmp_path / "x.yaml").write_text(f"pixels: {digits}")
    line_of(read_spec, tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text(f"chips: {{loihi2: {{like: loihi2, cores: {digits}}}}}")
    line_of(load_table, tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text(f"chips: {{{digits}: {{like: loihi2}}}}")
    line_of(load_table, tmp_path / "x.yaml")


def test_plain_yaml_is_read_as_the_library_reads_it(tmp_path):
    text = "a: [1, 2.5, yes, null, 'x']\nb: {c: 2001-01-01, 7: 0x1f}\n? d\n: {<<: {e: 1}}\nf: |\n  two\n  lines\n"
    (tmp_path / "x.yaml").write_text(text)
    assert yaml_file.read(tmp_path / "x.yaml", CompileError, "it") == yaml.safe_load(text)


def test_a_spec_with_a_nest_in_a_checkpoint_is_one_line(files, spec, tensors):
    nest = []
    for _ in range(20):
        nest = [nest] * 20
    ours = {"format": "ff2loihi-checkpoint", "version": 1, "tensors": tensors(), "training": {}}
    for wrong in (
        spec(goodness=nest), spec(pixels=1 << 40_000), spec(layers=[nest] * 100_000), spec(pixels=torch.ones(3)),
        {key: 1 for key in range(1000)}, torch.ones(2),
    ):  # fmt: skip
        model, _ = files({**ours, "spec": wrong})
        line_of(load_checkpoint, model)
    with pytest.raises(CheckpointError):
        parse_spec(nest, "here")


# .pt


def deflated(data: bytes) -> bytes:
    """The zip archive, its entries compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return packed.getvalue()


def test_a_tensor_that_repeats_a_few_numbers_is_refused_before_it_is_written_out(files, tensors):
    huge = torch.ones(1, 1).expand(10**5, 10**5)
    for legacy in (False, True):
        model, about = files()
        torch.save(tensors(extra=huge), model, _use_new_zipfile_serialization=not legacy)
        assert model.stat().st_size < 10_000
        assert "tensor 'extra' (100000, 100000)" in line_of(load_checkpoint, model, about)
        assert peek(model)[-1] == {"name": "extra", "shape": [10**5, 10**5], "dtype": "float32"}
    model, about = files(tensors(**{"b.weight": torch.ones(4, 1).expand(4, 5)}))
    assert load_checkpoint(model, about).tensors["b.weight"].tolist() == [[1.0] * 5] * 4


def test_a_checkpoint_whose_archive_is_compressed_or_claims_more_than_it_holds_is_refused(files):
    model, about = files(torch.zeros(1 << 24))
    data = model.read_bytes()
    model.write_bytes(deflated(data))
    assert model.stat().st_size < 100_000
    assert "compressed" in line_of(load_checkpoint, model, about)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as box:
        box.writestr("archive/data/0", b"0123")
    claimed = packed.getvalue().replace((4).to_bytes(4, "little") * 2, (1 << 30).to_bytes(4, "little") * 2)
    model.write_bytes(claimed)
    assert "claim more bytes" in line_of(load_checkpoint, model, about)


def nested_key(levels: int, part: bytes) -> bytes:
    """A pickle of a dict whose key is a tuple of tuples, each once the one before it and once `part`."""
    made = b"\x80\x02}K\x01K\x02\x86q\x01"  # {}, (1, 2)
    for level in range(1, levels):
        made += (part or b"h" + bytes([level])) + b"\x86q" + bytes([level + 1])
    return made + b"K\x01s."


def with_pickle(data: bytes) -> bytes:
    """A torch file with that pickle."""
    saved, changed = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.ones(2)}, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(changed, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, data if entry.filename.endswith("data.pkl") else source.read(entry))
    return changed.getvalue()


@pytest.mark.parametrize("part", [b"", b"K\x03"], ids=["doubled", "chain"])
def test_a_key_of_tuples_that_would_take_for_ever_to_hash_is_refused(tmp_path, part):
    path = tmp_path / "m.pt"
    for data in (with_pickle(nested_key(60, part)), nested_key(60, part)):  # the zip archive, and the older form
        path.write_bytes(data)
        assert "tuples in each other more than 20 deep" in line_of(load_checkpoint, path)
    path.write_bytes(with_pickle(nested_key(5, part)))
    assert "holds no tensor" in line_of(load_checkpoint, path)


def odd_tensors() -> dict[str, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on prototypes
        return {
            "meta": torch.ones(4, 5, device="meta"),
            "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            "sparse": torch.ones(4, 5).to_sparse(),
            "huge sparse": torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.long), torch.ones(1), (10**6, 10**6)),
            "csr": torch.ones(4, 5).to_sparse_csr(),
            "quantized": torch.quantize_per_tensor(torch.ones(4, 5), 1.0, 0, torch.quint8),
            "complex": torch.ones(4, 5, dtype=torch.complex64),
            "conjugate": torch.ones(4, 5, dtype=torch.complex64).conj(),
            **({"33 dimensions": torch.ones([1] * 40)} if np.__version__ < "2" else {}),  # numpy 2 holds 64
        }


@pytest.mark.parametrize("kind", odd_tensors())
def test_tensors_that_are_no_plain_arrays_are_refused_by_name(files, tensors, kind):
    model, about = files(tensors(**{"b.weight": odd_tensors()[kind]}))
    line = line_of(load_checkpoint, model, about)
    assert "'b.weight'" in line or "calls torch._utils._rebuild_nested_tensor" in line  # torch itself, from 2.13 on


def test_negated_views_slices_and_single_numbers_are_read_as_what_they_show(files, tensors):
    whole = torch.arange(20.0).reshape(4, 5)
    negated = torch._neg_view(whole)
    strided = torch.arange(40.0).reshape(5, 8).T[::2]
    for tensor, wanted in ((negated, (-whole).tolist()), (strided, strided.tolist())):
        model, about = files(tensors(**{"b.weight": tensor, "alone": torch.tensor(3.0)}))
        read = load_checkpoint(model, about).tensors
        assert read["b.weight"].tolist() == wanted
        assert read["alone"].tolist() == 3.0


def nests() -> dict[str, object]:
    deep, wide, itself = torch.ones(1), torch.ones(1), {}
    for _ in range(200):
        deep = {"x": deep}
    for _ in range(30):
        wide = {"x": wide, "y": wide}
    itself["x"] = itself
    long = {"k" * 10**6: {str(i): torch.ones(0) for i in range(300)}}
    return {"deep": deep, "wide": wide, "itself": itself, "long names": long}


@pytest.mark.parametrize("kind", ["deep", "wide", "itself"])
def test_dicts_in_dicts_without_end_are_one_line(files, kind):
    model, about = files(nests()[kind])
    line_of(load_checkpoint, model, about)
    line_of(peek, model)


def test_a_long_key_above_many_tensors_is_no_long_name_for_each(files):
    model, _ = files(nests()["long names"])
    assert max(len(found["name"]) for found in peek(model)) < 100


def test_keys_that_are_no_text_name_their_tensors_and_a_name_that_comes_twice_is_refused(files):
    model, _ = files({0: {"w": torch.ones(1)}, (1, None): torch.ones(2), 2.5: torch.ones(3)})
    assert [found["name"] for found in peek(model)] == ["0.w", "(1, None)", "2.5"]
    model, _ = files({"a": {"b": torch.ones(1)}, "a.b": torch.ones(2)})
    assert "two tensors have the name 'a.b'" in line_of(peek, model)


@pytest.mark.parametrize(
    "changes",
    [{"training": 5}, {"training": [1]}, {"training": {"data": 7}}, {"training": {"epochs": torch.ones(2)}},
     {"training": None}, {"version": torch.ones(2)}, {"version": True}, {"version": "1" * 10**6}],
)  # fmt: skip
def test_wrong_facts_in_a_checkpoint_of_ours_are_one_line(files, spec, tensors, changes):
    ours = {"format": "ff2loihi-checkpoint", "version": 1, "spec": spec(), "tensors": tensors(), "training": {}}
    model, _ = files(ours)
    assert load_checkpoint(model).training == {}
    model, _ = files(ours | changes)
    line_of(load_checkpoint, model)


def test_misspelt_names_of_a_million_characters_are_compared_with_nothing(files, spec, tensors):
    names = {f"{'w' * 10**5}{i}": torch.ones(1) for i in range(50)}
    layers = [{"weight": f"{'w' * 900}{i}"} for i in range(90)]
    line_of(load_checkpoint, *files(tensors(**names), spec(layers=layers)))


def test_a_convolution_of_more_places_than_any_chip_has_is_refused(files, spec):
    from ff2loihi.compilers.frontend.network import build

    about = {
        "pixels": 1 << 20,
        "image": [1, 1024, 1024],
        "label": {"kind": "none", "classes": 2},
        "readout": {"kind": "channels"},
        "layers": [{"weight": "w", "conv": {}}],
        "probability": {"kind": "contrast"},
    }
    for shape in ((2, 1, 30, 30), (100, 1, 1, 1)):
        checkpoint = load_checkpoint(*files({"w": torch.ones(shape)}, about))
        assert "hidden1: " in line_of(build, checkpoint)


# .npy and .npz


def npy(shape: str, descr: str = "'<f8'", content: bytes = b"") -> bytes:
    """A .npy file with that header."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


HEADERS = {
    "huge": npy("(10**6, 10**6)".replace("10**6", "1000000")),
    "overflow": npy("(9223372036854775807, 9223372036854775807)"),
    "digits": npy(f"({'9' * 60},)"),
    "negative": npy("(-1,)", content=bytes(80)),
    "short": npy("(11,)", content=bytes(80)),
    "objects": npy("(1,)", "'|O'", bytes(8)),
    "no type": npy("(1,)", "'nonsense'", bytes(8)),
    "deep": npy("(1,)", "(" * 40, bytes(8)),
    "text": b"1 2 3",
    "a version of later": b"\x93NUMPY\x09\x00" + bytes(100),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_claims_more_than_the_bytes_is_refused_in_arrays_and_archives(files, spec, tmp_path, kind):
    model, about = files(spec=spec(label={"kind": "append", "codes": "labels.npy", "classes": 3}))
    (tmp_path / "labels.npy").write_bytes(HEADERS[kind])
    assert "labels.npy: label codes" in line_of(load_checkpoint, model, about)
    with zipfile.ZipFile(tmp_path / "golden.npz", "w") as box:
        box.writestr("manifest.npy", HEADERS[kind])
    for form in (golden.GOLDEN, golden.RECORDING):
        assert "golden.npz: not" in line_of(golden.read, tmp_path / "golden.npz", form)


def test_arrays_are_read_as_numpy_reads_them(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {
        "plain": rng.normal(0, 1, (3, 4)), "fortran": np.asfortranarray(rng.integers(0, 9, (2, 3, 4))),
        "empty": np.zeros((0, 5), np.int16), "single": np.array(7), "text": np.array("ünï"), "flags": np.ones(3, bool),
        "big": np.arange(5, dtype=">i4"),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(tmp_path / "x.npy", array)
        read = array_files.from_npy((tmp_path / "x.npy").read_bytes())
        assert (read.dtype, read.shape, read.tolist()) == (array.dtype, array.shape, array.tolist()), name
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        read = array_files.from_npz((tmp_path / "x.npz").read_bytes())
        assert {name: a.tolist() for name, a in read.items()} == {name: a.tolist() for name, a in arrays.items()}


def test_an_archive_of_zeros_beyond_the_limit_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", manifest=np.zeros(10**6, np.int8))
    data = (tmp_path / "x.npz").read_bytes()
    assert len(data) < 2000
    monkeypatch.setattr(array_files, "UNPACKED", 10**6)
    with pytest.raises(ValueError, match="arrays of 1,000,128 bytes, at most 1,000,000 are read"):
        array_files.from_npz(data)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as box:
        box.writestr("manifest.npy", npy("(1,)", content=bytes(8)))
    long = (1 << 30).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"arrays of 1,073,741,824 bytes, at most \d+,\d+ are read"):
        array_files.from_npz(packed.getvalue().replace((136).to_bytes(4, "little") * 2, long * 2))
    with zipfile.ZipFile(tmp_path / "y.npz", "w", zipfile.ZIP_LZMA) as box:
        box.writestr("manifest.npy", npy("(1,)", content=bytes(8)))
    with pytest.raises(ValueError, match="numpy does not write"):
        array_files.from_npz((tmp_path / "y.npz").read_bytes())
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "z.npz", "w") as box:
        warnings.simplefilter("ignore")  # zipfile's on a second entry of one name
        for _ in range(2):
            box.writestr("manifest.npy", npy("(1,)", content=bytes(8)))
    with pytest.raises(ValueError, match="two arrays of one name"):
        array_files.from_npz((tmp_path / "z.npz").read_bytes())


# safetensors


def test_safetensors_headers_that_claim_more_than_the_file_are_one_line(tmp_path):
    entry = b'{"a":{"dtype":"I16","shape":[1000000,1000000],"data_offsets":[0,2000000000000]}}'
    for data in (
        (1 << 60).to_bytes(8, "little"), len(entry).to_bytes(8, "little") + entry,
        (10**5).to_bytes(8, "little") + b"[" * 10**5, (10**5).to_bytes(8, "little") + b'{"a":' * 20_000,
    ):  # fmt: skip
        (tmp_path / "m.ffl").write_bytes(data)
        with pytest.raises(ArtifactError):
            artifact.read(tmp_path / "m.ffl")
        line_of(artifact.read, tmp_path / "m.ffl")
        line_of(READERS["run"], tmp_path / "m.ffl")


def test_a_rule_of_nested_lists_is_one_line(tmp_path):
    (tmp_path / "x.rule.json").write_text("[" * 10**5)
    assert "not JSON" in line_of(rule_file.read, tmp_path / "x.rule.json")


# HDF5


def unwritten(file):
    file.create_dataset("node/x", shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))


def bomb(file):
    made = file.create_dataset(
        "node/x", shape=(1 << 12, 1 << 12), dtype="f4", chunks=(1 << 11, 1 << 11), compression="gzip"
    )
    zeros = zlib.compress(bytes(1 << 24), 9)
    for row in range(0, 1 << 12, 1 << 11):
        for column in range(0, 1 << 12, 1 << 11):
            made.id.write_direct_chunk((row, column), zeros)


def texts(file):
    file.create_dataset("node/x", shape=(10**7,), dtype=h5py.string_dtype(), chunks=(10**5,), compression="gzip")
    file["node/x"][:10] = "x"


def foreign_link(file):
    file["node"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    file["node"] = h5py.SoftLink("/")


def loop(file):
    made = file.create_group("node")
    made["self"] = made


def deep(file):
    file.create_group("/".join("x" * 100))


def outside(file):
    file.create_dataset("node/x", shape=(10,), dtype="i1", external=[("/etc/passwd", 0, 10)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(10,), dtype="i1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(10,))
    file.create_virtual_dataset("node/x", layout)


def references(file):
    file.create_dataset("node/x", data=[file.ref], dtype=h5py.ref_dtype)


def records(file):
    file.create_dataset("node/x", data=np.zeros(3, dtype=[("a", "i4")]))


@pytest.mark.parametrize(
    "harm", [unwritten, bomb, texts, foreign_link, soft_link, loop, deep, outside, virtual, references, records]
)
def test_hdf5_that_claims_more_than_it_holds_or_points_elsewhere_is_one_line(tmp_path, harm, monkeypatch):
    path = tmp_path / "x.nir"
    with h5py.File(path, "w") as file:
        harm(file)
    monkeypatch.setattr(hdf5_file, "BYTES", 1 << 25)
    monkeypatch.setattr(nir, "check_readable", lambda path: None)  # the parent has to see it itself
    assert "not a NIR graph, or a damaged one" in line_of(nir.read, path)


def test_the_child_refuses_what_the_parent_refuses(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "x.nir", "w") as file:
        unwritten(file)
    hdf5_file.check_readable(tmp_path / "x.nir")  # its child ends, in an error, and the parent says which
    with pytest.raises(ValueError, match="claims"):
        hdf5_file.read_all(str(tmp_path / "x.nir"))

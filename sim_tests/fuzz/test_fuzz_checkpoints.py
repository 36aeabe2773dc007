"""Checkpoints, specs and chip tables, hostile: what is read is compiled, or mapped."""

import contextlib
import io
import warnings
import zipfile

import numpy as np
import pytest
import torch
import yaml
from hypothesis import strategies as st
from safetensors.numpy import save

from ff2loihi import api
from ff2loihi.cli.commands.map import picture
from ff2loihi.compilers.board.chips import SHIPPED, load_table
from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.deployment.mapping import design, report


def odd_tensors() -> tuple:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on prototypes
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        plain = torch.ones(12, 15)
        return (
            torch.ones(12, 15, device="meta"), nested, plain.to_sparse(), plain.to_sparse_csr(), plain.bool(),
            plain.to(torch.complex64), torch.quantize_per_tensor(plain, 1.0, 0, torch.quint8), torch._neg_view(plain),
            plain.long(), plain.double() * 1e300, plain.to(torch.float8_e4m3fn), plain * 0, plain * float("nan"),
            torch.ones(1, 1).expand(10**5, 10**5), torch.tensor(1.0), torch.ones(0, 15), torch.ones(12, 0),
            torch.ones([1] * 40), torch.ones(15, 12).T, torch.ones(6, 12) * 1e6, torch.ones(4, 1, 3, 3) * 1e5,
            torch.ones(1, 1, 1, 1), torch.ones(12), torch.ones(3),
        )  # fmt: skip


def nests() -> tuple:
    shared, itself = torch.ones(1), {}
    for _ in range(30):
        shared = {"x": shared, "y": shared}
    itself["x"] = itself
    return shared, itself, [shared] * 2, {(1, 2): torch.ones(2), None: 3, 2.5: torch.ones(1)}


def test_a_hostile_checkpoint_is_compiled_or_refused(fuzz, change, content, specs, compiled):
    values = (*change.hostile, *odd_tensors(), *odd_tensors(), *nests())
    bases = {name: content(name) for name in ("norm", "conv", "pool", "head", "dense", "labelled")}

    def saved(tree, legacy=False) -> bytes:
        target = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(tree, target, _use_new_zipfile_serialization=not legacy)
        return target.getvalue()

    def repacked(data: bytes, name: str, changes) -> bytes:
        """The archive with one entry changed, and right in its checksums."""
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as box:
            for entry in source.infolist():
                old = source.read(entry)
                box.writestr(entry.filename, change.in_bytes(old, changes) if entry.filename.endswith(name) else old)
        return target.getvalue()

    def of(name):
        entries = st.sampled_from(("data.pkl", "data/0", "version"))
        return change.weighted(
            (3, st.tuples(st.just(name), st.just("tree"), change.tree(bases[name], values), st.booleans())),
            (1, st.tuples(st.just(name), entries, change.bytes(), st.just(False))),
            (1, st.tuples(st.just(name), st.just("bytes"), change.bytes(), st.booleans())),
        )

    def attempt(example, folder):
        name, where, changes, legacy = example
        if where == "tree":
            data = saved(change.in_tree(bases[name], changes), legacy)
        elif where == "bytes":
            data = change.in_bytes(saved(bases[name], legacy), changes)
        else:
            data = repacked(saved(bases[name]), where, changes)
        (folder / "m.pt").write_bytes(data)
        compiled(folder / "m.pt")

    fuzz(st.sampled_from(list(bases)).flatmap(of), attempt)


@pytest.mark.parametrize("form", ["safetensors", "npz"])
def test_hostile_arrays_are_compiled_or_refused(fuzz, change, specs, tensors, compiled, form):
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    used, none = st.sampled_from(("norm", "conv", "head")), st.just([])
    forms = change.weighted(
        (1, st.tuples(used, change.arrays(list(arrays)), none)), (2, st.tuples(used, none, change.bytes()))
    )

    def written(arrays: dict[str, np.ndarray]) -> bytes:
        target = io.BytesIO()
        np.savez_compressed(target, **arrays)
        return save(arrays) if form == "safetensors" else target.getvalue()

    def attempt(example, folder):
        name, of_arrays, of_bytes = example
        data = change.in_bytes(written(change.in_arrays(arrays, of_arrays)), of_bytes)
        (folder / f"m.{form}").write_bytes(data)
        with contextlib.suppress(CheckpointError):
            api.spec(folder / f"m.{form}")
        (folder / "spec.yaml").write_text(yaml.safe_dump(specs[name]))
        compiled(folder / f"m.{form}", folder / "spec.yaml")

    fuzz(forms, attempt)


def test_a_hostile_spec_is_compiled_or_refused(fuzz, change, specs, tensors, compiled):
    full = {"label": {"kind": "append", "classes": 3, "codes": "key:b"}, "image": [1, 3, 4], "version": 1}
    bases = specs | {"full": specs["norm"] | full | {"goodness": "l2", "readout": {"kind": "goodness", "layers": [0]}}}
    lines = (
        "&a [*a]", "a: &a [x]\nb: [*a, *a]", "!!int foo", "? [a]", "<<: {pixels: 3}", "0x" + "f" * 6000, "- " * 900,
        "'",
        "2001-99-99", "!!binary x", "---", "%YAML 9.9", "pixels: 6",
    )  # fmt: skip

    def of(name):
        return change.weighted(
            (4, st.tuples(st.just(name), st.just("tree"), change.tree(bases[name]))),
            (1, st.tuples(st.just(name), st.just("bytes"), change.bytes())),
            (1, st.tuples(st.just(name), st.just("lines"), st.tuples(st.integers(0, 30), st.sampled_from(lines)))),
        )

    saved = io.BytesIO()
    torch.save(tensors, saved)

    def attempt(example, folder):
        name, where, changes = example
        tree = change.in_tree(bases[name], changes) if where == "tree" else bases[name]
        data = yaml.safe_dump(tree, allow_unicode=False).encode()
        if where == "bytes":
            data = change.in_bytes(data, changes)
        elif where == "lines":
            rows = data.split(b"\n")
            rows.insert(changes[0] % len(rows), changes[1].encode())
            data = b"\n".join(rows)
        (folder / "spec.yaml").write_bytes(data)
        (folder / "m.pt").write_bytes(saved.getvalue())
        compiled(folder / "m.pt", folder / "spec.yaml")

    fuzz(st.sampled_from(list(bases)).flatmap(of), attempt)


def test_a_hostile_chip_table_is_mapped_on_or_refused(fuzz, change, programs):
    shipped = yaml.safe_load(SHIPPED.read_text())
    base = {
        "chips": {
            "own": {"like": "loihi2", "cores": 5, "table": {"words": 4000}},
            "copy": dict(shipped["chips"]["loihi2"]),
        },
        "boards": {"mine": {"chip": "own", "chips": 3}, "other": {"chip": "copy", "chips": 1}},
    }
    forms = change.weighted(
        (3, st.tuples(st.just("tree"), change.tree(base))), (1, st.tuples(st.just("bytes"), change.bytes()))
    )

    def attempt(example, folder):
        where, changes = example
        data = yaml.safe_dump(change.in_tree(base, changes) if where == "tree" else base).encode()
        (folder / "own.yaml").write_bytes(change.in_bytes(data, changes) if where == "bytes" else data)
        table = load_table(folder / "own.yaml")
        for name in sorted({"mine", "other", "own"} & {*table.boards, *table.chips}):
            for program in (programs["rule"], programs["hard"]):
                found = design(program, name, table)
                report(found)
                if found.mapping:
                    picture(found.mapping)

    fuzz(forms, attempt)

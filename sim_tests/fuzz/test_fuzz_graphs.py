"""NIR graphs and the rules beside them, hostile: what is read is run, or compiled."""

import json
from contextlib import suppress

import h5py
import nir
import numpy as np
import pytest
import yaml
from hypothesis import strategies as st

from ff2loihi import api
from ff2loihi.compilers import artifact
from ff2loihi.compilers.formats import hdf5_file
from ff2loihi.compilers.interchange import nir as nir_file
from ff2loihi.deployment import interchange

KINDS = ("graded", "conv", "soft", "hard", "head", "rule", "library")
TEXT = "node/metadata/ff2loihi/manifest"


@pytest.fixture(scope="module")
def exported(programs, tmp_path_factory):
    """kind -> (the graph's bytes, the rule's text or None, manifest, tensors)."""
    path, found = tmp_path_factory.mktemp("graphs") / "m.nir", {}
    for kind in KINDS:
        files, _ = interchange.export(programs[kind], "nir", path)
        rule = files[1].read_text() if len(files) > 1 else None
        found[kind] = (path.read_bytes(), rule, *artifact.pack(programs[kind]))
    return found


@pytest.fixture
def without_a_child(monkeypatch):
    """Graphs whose HDF5 is sound are read at once, so that there can be many."""
    monkeypatch.setattr(nir_file, "check_readable", lambda path: None)


def names_in(data: bytes, path) -> list[str]:
    """Every group and dataset of an HDF5 file."""
    found = []
    path.write_bytes(data)
    with h5py.File(path, "r") as file:
        file.visit(found.append)
    return found


VALUES = (
    -1, 0, 3, 10**9, 2**62, 0.5, 1e300, float("nan"), float("inf"), "", "Affine", "LIF", "x" * 5000, "\x1b[31m",
    b"\xff",
    np.zeros((0, 3)), np.zeros(()), np.ones(3), np.ones((3, 4)), np.full((2, 2), np.nan), np.ones((4, 1, 3, 3)),
    np.array([1, 4, 4]), np.array([0, 0]), np.array([-5]), np.array([2**40, 2**40]), np.array([True]),
    np.ones((2, 2), "c8"),
    np.array([b"a", b"b"]), np.array([[b"input", b"output"]]), np.ones(12), np.ones((12, 15)), np.ones(15) * 1e30,
)  # fmt: skip


def change_file(path, changes) -> None:
    """(name, what, value) each: set, drop, claim a size, turn a dataset into a group, link, copy."""
    with h5py.File(path, "r+") as file:
        for name, what, value in changes:
            if name not in file:
                continue
            if what in ("set", "drop", "claim", "group", "link"):
                del file[name]
            if what == "set":
                file[name] = value
            elif what == "claim":
                file.create_dataset(name, shape=(10**5, 10**5), dtype="f4", chunks=(100, 100), compression="gzip")
            elif what == "group":
                file.create_group(name)
            elif what == "link" and name != "version":
                file[name] = h5py.SoftLink("/version")
            elif what == "copy" and f"{name}x" not in file:
                with suppress(RuntimeError, OSError, KeyError):  # HDF5 itself copies not every object that was changed
                    file.copy(name, f"{name}x")


def structure(change, names: list[str]):
    """Up to three changes of an HDF5 file's objects."""
    whats = st.sampled_from(("set", "set", "set", "set", "drop", "claim", "group", "link", "copy"))
    one = st.tuples(st.sampled_from(names), whats, st.integers(0, len(VALUES) - 1).map(VALUES.__getitem__))
    return change.some(one, 3)


@pytest.mark.usefixtures("without_a_child")
def test_a_hostile_graph_of_ours_is_run_or_refused(fuzz, change, exported, used, hashed, tmp_path):
    named = {kind: names_in(base[0], tmp_path / "x.h5") for kind, base in exported.items()}

    def changes(kind):
        _, rule, manifest, _ = exported[kind]
        inside = [structure(change, named[kind])]
        if rule is None:
            inside.append(st.tuples(st.just(TEXT), change.tree(manifest)))
        return st.tuples(st.just(kind), st.one_of(inside))

    def attempt(example, folder):
        kind, how = example
        data, rule, manifest, tensors = exported[kind]
        path = folder / "m.nir"
        path.write_bytes(data)
        if rule:
            (folder / "m.rule.json").write_text(rule)
        if isinstance(how, list):
            change_file(path, how)
        else:
            text = json.dumps(hashed(change.in_tree(manifest, how[1]), tensors))
            change_file(path, [(TEXT, "set", text)])
        used(interchange.read_exported(path))

    fuzz(st.sampled_from(KINDS).flatmap(changes), attempt, share=0.5)


def foreign() -> nir.NIRGraph:
    ones, weight = np.ones(12), np.random.default_rng(0).normal(0.3, 1, (12, 15))
    neuron = nir.CubaLIF(tau_mem=ones * 5e-3, tau_syn=ones * 1e-3, r=ones * 5, v_leak=ones * 0, v_threshold=ones)
    return nir.NIRGraph(
        {"input": nir.Input({"input": np.array([15])}), "fc": nir.Linear(weight), "lif": neuron,
         "output": nir.Output({"output": np.array([12])})},
        [("input", "fc"), ("fc", "lif"), ("lif", "output")], metadata={"dt": 1e-3}, type_check=False,
    )  # fmt: skip


@pytest.mark.usefixtures("without_a_child")
def test_a_hostile_graph_of_others_is_compiled_or_refused(fuzz, change, specs, samples, tmp_path):
    nir.write(tmp_path / "f.nir", foreign())
    data = (tmp_path / "f.nir").read_bytes()
    spec = specs["spiking"] | {"layers": [{"weight": "fc.weight", "polarity": "half"}]}

    def attempt(example, folder):
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
        (folder / "f.nir").write_bytes(data)
        change_file(folder / "f.nir", example)
        checkpoint = interchange.load_graph(folder / "f.nir", folder / "spec.yaml")
        api.compile(checkpoint, samples(checkpoint.spec.pixels))

    fuzz(structure(change, names_in(data, tmp_path / "x.h5")), attempt, share=0.5)


def test_a_hostile_netx_network_is_run_or_refused(fuzz, change, programs, used, monkeypatch, tmp_path):
    monkeypatch.setattr(hdf5_file, "check_readable", lambda *_: None)
    found = {}
    for kind in ("spiking pool", "soft", "hard"):
        interchange.export(programs[kind], "netx", tmp_path / "m.net")
        data = (tmp_path / "m.net").read_bytes()
        found[kind] = data, names_in(data, tmp_path / "x.h5")
    change_file(tmp_path / "m.net", [("layer/1/neuron/vDecay", "set", 9)])
    used(interchange.read_netx(tmp_path / "m.net", 8)[0])  # so that the kernel with a leak is compiled

    def attempt(example, folder):
        kind, changes = example
        (folder / "m.net").write_bytes(found[kind][0])
        change_file(folder / "m.net", changes)
        used(interchange.read_netx(folder / "m.net", 8)[0])

    examples = st.sampled_from(sorted(found)).flatmap(
        lambda kind: st.tuples(st.just(kind), structure(change, found[kind][1]))
    )
    fuzz(examples, attempt, share=0.5)


def test_graphs_of_damaged_bytes_are_read_or_refused(fuzz, change, exported, monkeypatch):
    """Few: a child reads each first."""
    monkeypatch.setattr(hdf5_file, "PATIENCE", 5.0)

    def attempt(example, folder):
        (folder / "m.nir").write_bytes(change.in_bytes(exported["graded"][0], example))
        interchange.read_exported(folder / "m.nir")

    fuzz(change.bytes(), attempt, share=0.02)


@pytest.mark.usefixtures("without_a_child")
def test_a_hostile_rule_is_learned_or_refused(fuzz, change, exported, used, hashed):
    bases = {kind: json.loads(exported[kind][1]) for kind in ("rule", "library")}
    forms = st.sampled_from(list(bases)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.one_of(
            st.tuples(st.just("tree"), change.tree(bases[kind])),
            st.tuples(st.just("manifest"), change.tree(bases[kind]["manifest"])),
            st.tuples(st.just("bytes"), change.bytes()),
        ))
    )  # fmt: skip

    def attempt(example, folder):
        kind, (where, changes) = example
        data, text, _, tensors = exported[kind]
        rule = bases[kind]
        if where == "tree":
            text = json.dumps(change.in_tree(rule, changes))
        elif where == "manifest":
            text = json.dumps({**rule, "manifest": hashed(change.in_tree(rule["manifest"], changes), tensors)})
        encoded = text.encode("utf-8", "surrogatepass")
        (folder / "m.rule.json").write_bytes(change.in_bytes(encoded, changes) if where == "bytes" else encoded)
        (folder / "m.nir").write_bytes(data)
        used(interchange.read_exported(folder / "m.nir"))

    fuzz(forms, attempt)

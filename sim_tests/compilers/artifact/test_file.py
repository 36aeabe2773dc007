"""The artifact file: the same bytes, everything back, and a refusal for every damage."""

import dataclasses
import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from ff2loihi.compilers import artifact
from ff2loihi.compilers.artifact.manifest import VERSION
from ff2loihi.compilers.errors import ArtifactError

LEARNING = ("direct", "tag", "fields")
KINDS = ("tables", "head", "soft", "hard", "no label", "conv", "pooled", "top", "cells", *LEARNING, "library")


def same(a, b) -> bool:
    """Field by field, arrays by dtype, shape and bits."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if dataclasses.is_dataclass(a):
        fields = [field.name for field in dataclasses.fields(a)]
        return type(a) is type(b) and all(same(getattr(a, name), getattr(b, name)) for name in fields)
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_and_scalar_comes_back(programs, tmp_path, kind):
    digest = artifact.write(programs[kind], tmp_path / "m.ffl")
    program, read = artifact.read(tmp_path / "m.ffl")
    assert read == digest
    assert same(program, programs[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_program_gives_the_same_bytes_and_survives_a_second_trip(programs, tmp_path, kind):
    artifact.write(programs[kind], tmp_path / "a.ffl")
    artifact.write(artifact.read(tmp_path / "a.ffl")[0], tmp_path / "b.ffl")
    assert (
        (tmp_path / "a.ffl").read_bytes() == (tmp_path / "b.ffl").read_bytes() == artifact.to_bytes(programs[kind])[0]
    )


def test_one_weight_or_one_threshold_changes_the_hash(programs):
    program = programs["soft"]
    first = program.network.layers[0]
    weight = first.weight.copy()
    weight[0, 0] += 2
    for changed in (dataclasses.replace(first, weight=weight), dataclasses.replace(first, vth=first.vth + 1)):
        net = dataclasses.replace(program.network, layers=(changed, program.network.layers[1]))
        other = dataclasses.replace(program, network=net)
        assert artifact.to_bytes(other)[1] != artifact.to_bytes(program)[1]


@pytest.mark.parametrize("kind", LEARNING)
def test_one_constant_of_a_rule_changes_the_hash(programs, kind):
    program = programs[kind]
    net, (first, *rest) = program.network, program.network.layers
    trace, factor, neuron = first.trace, first.factor, first.neuron
    weight = first.weight.copy()
    weight[0, 0] += 2
    changed = [
        dataclasses.replace(first, weight=weight),
        dataclasses.replace(first, positive=~first.positive),
        dataclasses.replace(first, neuron=dataclasses.replace(neuron, dv=neuron.dv + 1)),
        dataclasses.replace(first, trace=dataclasses.replace(trace, impulse=trace.impulse + 1)),
        dataclasses.replace(first, factor=dataclasses.replace(factor, target=factor.target + 1)),
        dataclasses.replace(first, factor=dataclasses.replace(factor, table=(1, *factor.table[1:]))),
    ]
    others = [dataclasses.replace(net, layers=(layer, *rest)) for layer in changed]
    others += [dataclasses.replace(net, update=dataclasses.replace(net.update, exponent=6))]
    others += [dataclasses.replace(net, **{name: getattr(net, name) + 1}) for name in ("window", "input_factor")]
    others += [dataclasses.replace(net, **{name: getattr(net, name) + 1}) for name in ("label_codes", "label_phases")]
    hashes = {artifact.to_bytes(dataclasses.replace(program, network=other))[1] for other in [net, *others]}
    assert len(hashes) == 1 + len(others)


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), kind=st.sampled_from(KINDS))
def test_a_flipped_bit_in_the_tensors_is_a_changed_hash(share, bit, kind):
    data = bytearray(BYTES[kind])
    start = 8 + int.from_bytes(data[:8], "little")
    data[start + int(share * (len(data) - start))] ^= 1 << bit
    FOLDER["path"].write_bytes(data)
    with pytest.raises(ArtifactError, match="hash"):
        artifact.read(FOLDER["path"])


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), kind=st.sampled_from(["head", *LEARNING]))
def test_a_flipped_bit_in_the_header_never_gives_another_program(share, bit, kind):
    data = bytearray(BYTES[kind])
    data[int(share * (8 + int.from_bytes(data[:8], "little")))] ^= 1 << bit
    FOLDER["path"].write_bytes(data)
    try:
        program, _ = artifact.read(FOLDER["path"])
    except ArtifactError as error:
        assert "\n" not in str(error)
    else:  # a blank of the header became another blank
        assert same(program, FOLDER["programs"][kind])


BYTES: dict = {}
FOLDER: dict = {}


@pytest.fixture(autouse=True, scope="module")
def _bytes(programs, tmp_path_factory):
    BYTES.update({kind: artifact.to_bytes(program)[0] for kind, program in programs.items()})
    FOLDER.update(path=tmp_path_factory.mktemp("flipped") / "m.ffl", programs=programs)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.2, 0.5, 0.9, 0.9999])
def test_a_truncated_artifact_is_refused(tmp_path, share):
    (tmp_path / "m.ffl").write_bytes(BYTES["tables"][: int(len(BYTES["tables"]) * share)])
    with pytest.raises(ArtifactError, match="m.ffl: not an ff2loihi artifact, or a damaged one"):
        artifact.read(tmp_path / "m.ffl")


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 64, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"{}"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "m.ffl").write_bytes(content)
    with pytest.raises(ArtifactError, match="m.ffl: not an ff2loihi artifact"):
        artifact.read(tmp_path / "m.ffl")


def test_a_folder_and_a_missing_file_are_refused_with_the_mend(tmp_path):
    with pytest.raises(ArtifactError, match="a folder"):
        artifact.read(tmp_path)
    with pytest.raises(ArtifactError, match="No such file.*ff2loihi compile"):
        artifact.read(tmp_path / "absent.ffl")


@pytest.mark.parametrize(
    "metadata", [None, {"a": "b"}, {"manifest": "[1]"}, {"manifest": "{}"}, {"manifest": "{"}, {"manifest": "null"}]
)
def test_a_foreign_safetensors_file_is_refused(tmp_path, metadata):
    (tmp_path / "m.ffl").write_bytes(save({"w": np.ones(3, np.float32)}, metadata=metadata))
    with pytest.raises(ArtifactError, match="ff2loihi artifact"):
        artifact.read(tmp_path / "m.ffl")


@pytest.fixture
def rewritten(tmp_path, rehashed):
    """rewritten(kind, change) -> the refusal of an artifact whose content was changed, and hashed again."""

    def make(kind: str, change) -> str:
        (tmp_path / "m.ffl").write_bytes(rehashed(kind, change))
        with pytest.raises(ArtifactError) as caught:
            artifact.read(tmp_path / "m.ffl")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return make


def test_a_newer_version_says_to_update(rewritten):
    text = rewritten("head", lambda m, t: m.update(version=VERSION + 1))
    assert f"version {VERSION + 1}" in text
    assert "Update ff2loihi" in text


def test_version_2_which_has_neither_pools_nor_dilations_is_read(tmp_path, rehashed, programs):
    def older(manifest, tensors) -> None:
        manifest["version"] = 2
        for layer in manifest["layers"]:
            del layer["pool"], layer["averages"], layer["conv"]["dilation"]

    (tmp_path / "m.ffl").write_bytes(rehashed("conv", older))
    assert same(artifact.read(tmp_path / "m.ffl")[0], programs["conv"])


def test_version_3_which_has_no_other_goodness_is_read(tmp_path, rehashed, programs):
    def older(manifest, tensors) -> None:
        manifest["version"] = 3
        del manifest["top_k"], manifest["grid"]

    (tmp_path / "m.ffl").write_bytes(rehashed("pooled", older))
    assert same(artifact.read(tmp_path / "m.ffl")[0], programs["pooled"])


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("top", lambda m, t: m.update(top_k=0), "goodness of the 0 largest activities, 1..8 are possible"),
        ("top", lambda m, t: m.update(top_k=9), "goodness of the 9 largest activities, 1..8 are possible"),
        ("top", lambda m, t: m.update(top_k=1 << 40), "top_k"),
        ("cells", lambda m, t: m.update(top_k=1), "of two polarities or of cells"),
        ("cells", lambda m, t: m.update(grid=0), "0 cells along each side, 1..2 are possible"),
        ("cells", lambda m, t: m.update(grid=1 << 30), "1073741824 cells along each side"),
        ("cells", lambda m, t: m.update(grid=None), "pooled.0.weight"),
        ("cells", lambda m, t: m.update(readout="channels"), "read-out channels with a classifier of pooled goodness"),
        ("cells", lambda m, t: t.update({"pooled.bias": np.zeros(3, np.float32)}), "pooled.bias has shape (3,)"),
        ("cells", lambda m, t: t.update({"pooled.0.weight": np.zeros((4, 8), np.float32)}), "classifier of hidden2"),
        ("cells", lambda m, t: t.update({"pooled.bias": np.full(4, np.inf, np.float32)}), "no finite numbers"),
        ("conv", lambda m, t: m.update(grid=1), "pooled.0.weight"),
        ("conv", lambda m, t: m.update(readout="pooled"), "read-out pooled without a classifier"),
    ],
)
def test_goodness_of_the_largest_or_of_cells_that_do_not_fit_is_refused(rewritten, kind, change, words):
    assert words in rewritten(kind, change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: m.update(colour="red"), "colour"),
        (lambda m, t: m.pop("steps"), "steps"),
        (lambda m, t: m.update(neuron="adex"), "neuron"),
        (lambda m, t: m["layers"][1].pop("shift"), "shift"),
        (lambda m, t: m["losses"][0].update(extra=1), "extra"),
        (lambda m, t: m["losses"][0].pop("clipped"), "clipped"),
        (lambda m, t: t.pop("layers.1.weight"), "layers.1.weight"),
        (lambda m, t: t.pop("head.bias"), "head.bias"),
        (lambda m, t: t.update({"layers.1.weight": np.zeros((15, 3), np.int16)}), "hidden2"),
        (lambda m, t: t.update({"layers.1.weight": np.zeros(15, np.int16)}), "hidden2"),
        (lambda m, t: t.update({"layers.0.bias": np.zeros(3, np.int32)}), "hidden1"),
        (lambda m, t: t.update({"label.codes": np.zeros((4, 9), np.int32)}), "label"),
    ],
)
def test_a_manifest_that_does_not_fit_its_tensors_is_refused_by_name(rewritten, change, words):
    assert words in rewritten("head", change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: m.update(colour="red"), "colour"),
        (lambda m, t: m.pop("window"), "window"),
        (lambda m, t: m.update(input_code="edges"), "input_code"),
        (lambda m, t: m.update(steps="many"), "steps"),
        (lambda m, t: m["update"].update(eligibility="both"), "eligibility"),
        (lambda m, t: m["update"].pop("tag_decay"), "tag_decay"),
        (lambda m, t: m["layers"][1]["trace"].update(kind="exponential"), "layers.1.trace.kind"),
        (lambda m, t: m["layers"][1]["neuron"].pop("vth"), "layers.1.neuron.vth"),
        (lambda m, t: m["layers"][0]["factor"].update(probability="contrast"), "layers.0.factor.probability"),
        (lambda m, t: m["layers"][0]["factor"].update(table=0), "layers.0.factor.table"),
        (lambda m, t: m["layers"][0]["factor"].update(gain=0.5), "layers.0.factor.gain"),
        (lambda m, t: m["layers"][0].update(bias=1), "layers.0.bias"),
        (lambda m, t: m.update(pixels=m["pixels"] + 1), "hidden1 weight has shape"),
        (lambda m, t: t.pop("layers.1.weight"), "layers.1.weight"),
        (lambda m, t: t.pop("layers.0.positive"), "layers.0.positive"),
        (lambda m, t: t.pop("label.phases"), "label.phases"),
        (lambda m, t: t.update({"layers.1.weight": np.zeros((15, 3), np.int16)}), "hidden2 weight"),
        (lambda m, t: t.update({"layers.1.weight": np.zeros(15, np.int16)}), "hidden2 weight"),
        (lambda m, t: t.update({"layers.0.positive": np.zeros((20, 2), bool)}), "hidden1 sign"),
        (lambda m, t: t.update({"label.codes": np.zeros((4, 9), np.int32)}), "label.phases has shape"),
        (lambda m, t: t.update({"label.codes": np.zeros(4, np.int32)}), "label.codes has shape"),
        (lambda m, t: t.update({"label.phases": np.zeros((4, 1), np.int32)}), "label.phases has shape"),
    ],
)
@pytest.mark.parametrize("kind", LEARNING)
def test_a_learning_manifest_that_does_not_fit_its_tensors_is_refused_by_name(rewritten, kind, change, words):
    assert words in rewritten(kind, change)


@pytest.mark.parametrize("kind", ["head", *LEARNING])
def test_the_wrong_kind_is_refused(rewritten, kind):
    other = "learning" if kind == "head" else "inference"
    missing = "input_code" if kind == "head" else "neuron"
    assert missing in rewritten(kind, lambda m, t: m.update(kind=other))
    assert "'kind'" in rewritten(kind, lambda m, t: m.update(kind="analog"))
    assert "'kind'" in rewritten(kind, lambda m, t: m.pop("kind"))


@pytest.mark.parametrize("parent", ["absent", "file"])
def test_a_folder_that_cannot_hold_the_file_is_named(programs, tmp_path, parent):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ArtifactError, match=f"cannot write into .*{parent}.*Choose another folder"):
        artifact.write(programs["head"], tmp_path / parent / "m.ffl")


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("existing", [None, b"the older artifact"])
def test_a_full_disk_leaves_everything_as_it_was(programs, tmp_path, monkeypatch, name, existing):
    target = tmp_path / "m.ffl"
    if existing:
        target.write_bytes(existing)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, name, full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        artifact.write(programs["head"], target)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == (["m.ffl"] if existing else [])
    assert not existing or target.read_bytes() == existing


def test_a_write_on_a_device_without_space_is_one_line(programs, tmp_path, monkeypatch):
    real = os.fdopen

    def on_full(handle, mode):
        os.dup2(os.open("/dev/full", os.O_WRONLY), handle)
        return real(handle, mode)

    monkeypatch.setattr(os, "fdopen", on_full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        artifact.write(programs["head"], tmp_path / "m.ffl")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_writing_leaves_no_file(programs, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        artifact.write(programs["head"], tmp_path / "m.ffl")
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_the_mode_that_the_umask_gives(programs, tmp_path):
    before = os.umask(0o027)
    try:
        artifact.write(programs["head"], tmp_path / "m.ffl")
    finally:
        os.umask(before)
    assert (tmp_path / "m.ffl").stat().st_mode & 0o777 == 0o640

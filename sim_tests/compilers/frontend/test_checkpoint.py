"""Reading a .pt file and its spec: what is refused, and in which words."""

import hashlib
import io
import os
import warnings
import zipfile

import numpy as np
import pytest
import torch
import yaml

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint, peek
from ff2loihi.compilers.frontend.content import CODES


class Bomb:
    """A pickle of it creates the file when it is read."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def refusal(model, about=None) -> str:
    """The one line of the refusal; nothing else is said on the way, no warning either."""
    with warnings.catch_warnings(), pytest.raises(CheckpointError) as caught:
        warnings.simplefilter("error")
        load_checkpoint(model, about)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "beside tensors"])
def test_a_pickle_that_would_run_code_is_refused_by_name_and_runs_nothing(files, tensors, tmp_path, wrapped):
    marker = tmp_path / "marker"
    bomb = Bomb(marker)
    model, about = files(tensors(evil=bomb) if wrapped else bomb)
    assert "mkdir" in refusal(model, about)
    with pytest.raises(CheckpointError, match="mkdir"):
        peek(model)
    assert not marker.exists()


def test_a_legacy_pickle_that_would_run_code_is_refused_too(files, tmp_path):
    marker = tmp_path / "marker"
    model, about = files()
    torch.save(Bomb(marker), model, _use_new_zipfile_serialization=False)
    assert "mkdir" in refusal(model, about)
    assert not marker.exists()


def test_a_whole_pickled_module_is_refused_by_its_class(files):
    model, about = files(torch.nn.Linear(3, 2))
    assert "Linear" in refusal(model, about)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_a_truncated_file_is_one_line(files, share):
    model, about = files()
    data = model.read_bytes()
    model.write_bytes(data[: int(len(data) * share)])
    assert "model.pt: not a torch checkpoint" in refusal(model, about)


@pytest.mark.parametrize("legacy", [False, True])
def test_flipped_bytes_give_a_checkpoint_error_or_a_checkpoint_and_nothing_else(files, tensors, legacy):
    model, about = files()
    torch.save(tensors(), model, _use_new_zipfile_serialization=not legacy)
    data = bytearray(model.read_bytes())
    rng = np.random.default_rng(3)
    for place in rng.integers(0, len(data), 60):
        damaged = bytearray(data)
        damaged[place] ^= int(rng.integers(1, 256))
        model.write_bytes(damaged)
        try:
            load_checkpoint(model, about)
        except CheckpointError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"Dear sir,\n\nplease find no tensors here.\n", "not a torch checkpoint"),
        (b"\x80\x02}q\x00.", "not a torch checkpoint|holds no tensor"),
        (b"PK\x03\x04", "not a torch checkpoint"),
        (bytes(range(256)) * 4, "not a torch checkpoint"),
    ],
    ids=["empty", "text", "plain pickle", "zip head", "bytes"],
)
def test_a_file_that_is_no_checkpoint_is_one_line(files, content, words):
    model, about = files()
    model.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(model, about)
    refusal(model, about)


def test_a_zip_of_something_else_is_no_checkpoint(files):
    model, about = files()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as box:
        box.writestr("letter.txt", "hello")
    model.write_bytes(buffer.getvalue())
    assert "not a torch checkpoint" in refusal(model, about)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    assert "a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "absent.pt")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, ["a"]], 7], ids=["empty", "numbers", "list", "int"])
def test_a_file_without_tensors_is_refused(files, content):
    assert "holds no tensor" in refusal(*files(content))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_counted_and_placed(files, tensors, value):
    weight = tensors()["b.weight"].clone()
    weight[2, 3] = weight[3, 1] = value
    text = refusal(*files(tensors(**{"b.weight": weight})))
    assert "'b.weight'" in text
    assert "2 NaN or infinite" in text
    assert "(2, 3)" in text


def test_the_hash_is_the_files(files):
    model, about = files()
    assert load_checkpoint(model, about).sha256 == hashlib.sha256(model.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool])
def test_tensors_of_any_dense_kind_become_float32(files, tensors, kind):
    whole = torch.arange(20).reshape(4, 5).remainder(2 if kind is torch.bool else 20).to(kind)
    read = load_checkpoint(*files(tensors(**{"b.weight": whole}))).tensors["b.weight"]
    assert read.dtype == np.float32
    assert read.tolist() == [[float(v) for v in row] for row in whole.tolist()]


@pytest.mark.parametrize("odd", [torch.ones(4, 5, dtype=torch.complex64), torch.ones(4, 5).to_sparse()])
def test_complex_and_sparse_tensors_are_refused_by_name(files, tensors, odd):
    assert "'b.weight'" in refusal(*files(tensors(**{"b.weight": odd})))


def test_nested_dicts_and_parameters_are_read_by_dotted_names(files, tensors):
    nested = {
        "state": {"a": {"weight": torch.nn.Parameter(tensors()["a.weight"]), "bias": tensors()["a.bias"]}},
        "b.weight": tensors()["b.weight"],
        "epoch": 12,
    }
    layers = [{"weight": "state.a.weight", "bias": "state.a.bias"}, {"weight": "b.weight"}]
    model, about = files(nested)
    about.write_text(yaml.safe_dump({**yaml.safe_load(about.read_text()), "layers": layers}))
    read = load_checkpoint(model, about).tensors
    assert set(read) == {"state.a.weight", "state.a.bias", "b.weight", CODES}
    assert read["state.a.weight"].tolist() == tensors()["a.weight"].tolist()


def test_a_foreign_file_without_a_spec_lists_its_tensors(files):
    model, _ = files()
    text = refusal(model)
    assert "--spec" in text
    for words in ("'a.weight' (5, 9)", "'a.bias' (5,)", "'b.weight' (4, 5)"):
        assert words in text


def test_peek_lists_names_shapes_and_dtypes(files, tensors):
    model, _ = files(tensors(**{"a.bias": torch.ones(5, dtype=torch.float16)}))
    assert peek(model) == [
        {"name": "a.weight", "shape": [5, 9], "dtype": "float32"},
        {"name": "a.bias", "shape": [5], "dtype": "float16"},
        {"name": "b.weight", "shape": [4, 5], "dtype": "float32"},
    ]


def test_a_tensor_that_is_not_there_is_named_with_the_nearest_one(files, spec):
    text = refusal(*files(spec=spec(layers=[{"weight": "a.wieght"}, {"weight": "b.weight"}])))
    assert "no tensor 'a.wieght'" in text
    assert "Did you mean 'a.weight'?" in text


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"version": None}, {"spec": None}, {"spec": [1]}, {"tensors": None}, {"tensors": {}}],
    ids=["newer", "no version", "no spec", "spec a list", "no tensors", "empty tensors"],
)
def test_a_checkpoint_of_ours_with_a_wrong_part_is_refused(files, spec, tensors, changes):
    ours = {"format": "ff2loihi-checkpoint", "version": 1, "spec": spec(), "tensors": tensors(), "training": {}}
    model, _ = files(ours)
    assert load_checkpoint(model).tensors["a.bias"].shape == (5,)
    model, _ = files(ours | changes)
    text = refusal(model)
    if changes == {"version": 2}:
        assert "version 2" in text
        assert "Update ff2loihi" in text


def test_a_checkpoint_of_ours_without_its_tensors_cannot_be_peeked_into(files, spec):
    model, _ = files({"format": "ff2loihi-checkpoint", "version": 1, "spec": spec()})
    with pytest.raises(CheckpointError):
        peek(model)

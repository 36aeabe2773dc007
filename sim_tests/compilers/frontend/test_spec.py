"""spec.yaml and the label codes beside it: every refusal names the key or the file."""

import zipfile

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.content import CODES


def refusal(model, about) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(model, about)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(data: dict, key: str) -> dict:
    return {name: value for name, value in data.items() if name != key}


@pytest.mark.parametrize("key", ["pixels", "label", "layers", "probability"])
def test_a_missing_key_is_named(files, spec, key):
    assert f"{key}: Field required" in refusal(*files(spec=without(spec(), key)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pixel": 6}, "pixel: Extra"),
        ({"goodnes": "l2"}, "goodnes: Extra"),
        ({"layers": [{"wieght": "a.weight"}]}, "layers.0.wieght"),
        ({"layers": []}, "layers:"),
        ({"pixels": 0}, "pixels:"),
        ({"pixels": "many"}, "pixels:"),
        ({"goodness": "sum"}, "goodness:"),
        ({"normalization": "batch"}, "normalization:"),
        ({"label": {"kind": "beside"}}, "label.kind"),
        ({"label": {"kind": "append", "classes": 1}}, "label.classes"),
        ({"probability": {"kind": "sigmoid"}}, "theta"),
        ({"probability": {"kind": "tanh"}}, "probability"),
        ({"probability": {"kind": "sigmoid", "theta": 1, "alpha": 0}}, "alpha"),
        ({"readout": {"kind": "head"}}, "readout"),
        ({"readout": {"kind": "goodness", "head": {"weights": ["a.weight"]}}}, "readout"),
        ({"version": 2}, "version"),
        ({"layers": [{"weight": "a.weight", "orientation": "in-out"}]}, "layers.0.orientation"),
    ],
)
def test_a_wrong_value_or_key_is_named(files, spec, changes, words):
    assert words in refusal(*files(spec=spec(**changes)))


@pytest.mark.parametrize("name", ["layer_norm", "LayerNorm", "layer-norm", "ln"])
@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("normalization", lambda name: {"normalization": name}),
        ("input.norm", lambda name: {"input": {"norm": name}}),
        (
            "readout.head.activities",
            lambda name: {"readout": {"kind": "head", "head": {"weights": ["a.weight"], "activities": name}}},
        ),
    ],
)
def test_a_layer_norm_is_refused_with_what_to_train_instead(files, spec, key, changes, name):
    text = refusal(*files(spec=spec(**changes(name))))
    assert f"{key}: LayerNorm, which takes the mean off first, is not compiled. Train with h / ||h|| (l2)" in text
    assert text.endswith("(rms, LayerNorm without the mean), without weight and bias")


def test_all_violations_of_a_spec_are_reported_at_once(files, spec):
    text = refusal(*files(spec=without(spec(pixel=6, goodness="sum", normalization="batch"), "probability")))
    assert all(key in text for key in ("pixel:", "goodness:", "normalization:", "probability:"))


@pytest.mark.parametrize(
    "text", ["- pixels: 6\n- label\n", "", "just words", "42"], ids=["list", "empty", "text", "int"]
)
def test_a_spec_that_is_no_mapping_is_refused(files, text):
    assert "spec.yaml: the whole spec" in refusal(*files(spec=text))


@pytest.mark.parametrize(
    "text", ["pixels: [6\nlabel: }", "a: b: c", "\tpixels: 6", "!!python/object/apply:os.getcwd []"]
)
def test_a_spec_that_is_no_yaml_is_one_line(files, text):
    assert "spec.yaml: not YAML" in refusal(*files(spec=text))


def test_a_spec_of_bytes_a_missing_one_and_a_folder_are_named(files, tmp_path):
    model, about = files()
    about.write_bytes(b"\xff\xfe\x00pixels")
    assert "spec.yaml: not YAML" in refusal(model, about)
    assert "No such file" in refusal(model, tmp_path / "absent.yaml")
    assert "a folder, where a spec" in refusal(model, tmp_path)


def with_codes(name: str) -> dict:
    return {"label": {"kind": "append", "codes": name, "classes": 3}}


@pytest.mark.parametrize("name", ["labels.npy", "labels.pt"])
def test_label_codes_beside_the_spec_are_read_as_they_are(files, spec, tmp_path, name):
    model, about = files(spec=spec(**with_codes(name)))
    codes = np.linspace(0, 1, 12).reshape(3, 4)
    if name.endswith("npy"):
        np.save(tmp_path / name, codes)
    else:
        torch.save(torch.from_numpy(codes), tmp_path / name)
    assert load_checkpoint(model, about).tensors[CODES].tolist() == codes.astype(np.float32).tolist()


def test_label_codes_under_a_key_and_one_hot_are_read(files, spec, tensors):
    codes = torch.rand(3, 4)
    model, about = files(tensors(mine=codes), spec(**with_codes("key:mine")))
    assert load_checkpoint(model, about).tensors[CODES].tolist() == codes.tolist()
    assert load_checkpoint(*files()).tensors[CODES].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert "no tensor 'yours'" in refusal(*files(spec=spec(**with_codes("key:yours"))))


@pytest.mark.parametrize("name", ["two_hot", "labels.csv", "labels.npz", ""])
def test_label_codes_of_another_kind_are_refused(files, spec, name):
    assert "label.codes: must be one_hot" in refusal(*files(spec=spec(**with_codes(name))))


@pytest.mark.parametrize("name", ["labels.npy", "labels.pt"])
@pytest.mark.parametrize(
    "content", [None, b"", b"1 2 3\n", b"\x93NUMPY\x01\x00"], ids=["absent", "empty", "text", "cut"]
)
def test_damaged_label_codes_are_refused_by_file(files, spec, tmp_path, name, content):
    model, about = files(spec=spec(**with_codes(name)))
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert name in refusal(model, about)


def test_label_codes_of_pickled_objects_are_not_unpickled(files, spec, tmp_path):
    model, about = files(spec=spec(**with_codes("labels.npy")))
    np.save(tmp_path / "labels.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "labels.npy" in refusal(model, about)


@pytest.mark.parametrize(
    "codes",
    [np.array([["a", "b"]]), np.zeros(3, dtype=[("x", "i4"), ("y", "f4")]), np.zeros(3, dtype="M8[s]")],
    ids=["text", "records", "dates"],
)
def test_label_codes_that_are_no_numbers_are_refused(files, spec, tmp_path, codes):
    model, about = files(spec=spec(**with_codes("labels.npy")))
    np.save(tmp_path / "labels.npy", codes)
    assert "labels.npy" in refusal(model, about)


def test_an_archive_of_arrays_under_the_name_npy_is_refused(files, spec, tmp_path):
    model, about = files(spec=spec(**with_codes("labels.npy")))
    with zipfile.ZipFile(tmp_path / "labels.npy", "w") as box:
        box.writestr("a.npy", b"x")
    assert "labels.npy" in refusal(model, about)


def test_label_codes_with_two_tensors_or_nan_are_refused(files, spec, tmp_path):
    model, about = files(spec=spec(**with_codes("labels.pt")))
    torch.save({"a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "labels.pt")
    assert "holds 2 tensors" in refusal(model, about)
    torch.save(torch.full((3, 3), float("nan")), tmp_path / "labels.pt")
    assert "NaN" in refusal(model, about)

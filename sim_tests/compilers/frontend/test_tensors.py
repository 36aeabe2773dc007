"""The forms in which people keep tensors: each is read as the same network; what is not read is named."""

import hashlib
import io
import pickle
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save, save_file
from torch import nn

import ff2loihi
from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend import tensors as tensor_files
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint, load_checkpoint, peek
from ff2loihi.compilers.frontend.network import build
from ff2loihi.data.datasets import Dataset


def refusal(path, spec=None) -> str:
    """The one line of the refusal, the same for both readers."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, spec)
    with pytest.raises(CheckpointError) as again:
        peek(path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value) == str(again.value)
    return str(caught.value)


def with_names(spec: dict, *names: str) -> dict:
    """The plain spec with other names of its three tensors."""
    first, bias, second = names
    return spec | {"layers": [{"weight": first, "bias": bias}, {"weight": second}]}


@pytest.fixture
def same(files, tensors, spec):
    """same(path or live net, names) asserts that it is the network of plain tensors, by those names."""
    wanted = build(load_checkpoint(*files()))

    def check(given, *names):
        named = with_names(spec(), *(names or tensors()))
        read = live_checkpoint if not hasattr(given, "read_bytes") else load_checkpoint
        for layer, other in zip(build(read(given, named)).layers, wanted.layers, strict=True):
            assert layer.weight.tolist() == other.weight.tolist()
            assert (layer.bias is None) == (other.bias is None)
            assert layer.bias is None or layer.bias.tolist() == other.bias.tolist()

    return check


def test_safetensors_are_read_whatever_the_name(tensors, same, tmp_path):
    save_file(tensors(), tmp_path / "net.bin")
    same(tmp_path / "net.bin")
    save_file({"a": torch.tensor([[0.5, -1.25]], dtype=torch.bfloat16)}, tmp_path / "net.bin", {"format": "pt"})
    assert peek(tmp_path / "net.bin") == [{"name": "a", "shape": [1, 2], "dtype": "bfloat16"}]


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_of_numpy_are_read(tensors, same, tmp_path, write):
    arrays = {name: tensor.numpy() for name, tensor in tensors().items()}
    write(tmp_path / "net.npz", **arrays, note=np.array("text"), epoch=np.array(3))
    same(tmp_path / "net.npz")
    write(tmp_path / "net.npz", *(np.asfortranarray(array.astype(">f8")) for array in arrays.values()))
    same(tmp_path / "net.npz", "arr_0", "arr_1", "arr_2")
    assert [found["dtype"] for found in peek(tmp_path / "net.npz")] == ["float64"] * 3


def test_zeros_that_pack_into_few_bytes_are_read(tensors, spec, tmp_path):
    np.savez_compressed(tmp_path / "net.npz", zeros=np.zeros((1000, 1000), np.float32), **tensors())
    assert (tmp_path / "net.npz").stat().st_size < 10_000
    assert load_checkpoint(tmp_path / "net.npz", spec()).tensors["zeros"].shape == (1000, 1000)


def test_a_single_array_is_a_bare_tensor(tmp_path, spec):
    np.save(tmp_path / "w.npy", np.ones((5, 9)))
    read = load_checkpoint(tmp_path / "w.npy", spec(layers=[{"weight": "."}]))
    assert read.tensors["."].shape == (5, 9)


def test_lists_and_tuples_of_tensors_have_their_places_as_names(files, tensors, same):
    for kind in (list, tuple):
        model, _ = files(kind(tensors().values()))
        same(model, "0", "1", "2")


def test_lists_of_state_dicts_are_read(files, tensors, same):
    first, bias, second = tensors().values()
    model, _ = files([{"weight": first, "bias": bias}, {"weight": second}])
    same(model, "0.weight", "0.bias", "1.weight")
    model, _ = files([[{"weight": first, "bias": bias}, {}], ({"weight": second},)])
    same(model, "0.0.weight", "0.0.bias", "1.0.weight")


@pytest.mark.parametrize("above", ["model", "state_dict", "net.module"])
def test_a_state_dict_within_others_is_found_without_its_prefix(files, tensors, same, above):
    nested = tensors()
    for key in reversed(above.split(".")):
        nested = {key: nested}
    optimizer = {"optimizer": {"state": {0: {"exp_avg": torch.zeros(5, 9)}}, "param_groups": [{"lr": 0.1}]}}
    model, _ = files({**nested, **optimizer, "epoch": 3})
    same(model)
    same(model, *(f"{above}.{name}" for name in tensors()))


def test_a_key_below_two_prefixes_is_asked_for_in_full(files, tensors):
    model, about = files({"model": tensors(), "ema": tensors()})
    with pytest.raises(
        CheckpointError, match=r"'a.weight' stands below 'model.', 'ema.': give the spec's keys in full"
    ):
        load_checkpoint(model, about)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(9, 5), nn.Linear(5, 4, bias=False)


def test_a_live_module_and_its_state_dict_are_compiled(tensors, same, spec, tmp_path):
    net = Net()
    net.load_state_dict(tensors())
    same(net)
    same(net.state_dict())
    same({"epoch": 3, "model": net.state_dict()})
    images = Dataset("random", "train", np.random.default_rng(0).integers(0, 256, (20, 6)).astype(np.uint8),
                     np.arange(20) % 3, 3)  # fmt: skip
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec()))
    torch.save(tensors(), tmp_path / "net.pt")
    programs = [
        ff2loihi.compile(given, images, spec=about)
        for given in (net, net.state_dict(), tmp_path / "net.pt") for about in (spec(), tmp_path / "spec.yaml")
    ]  # fmt: skip
    layers = [[layer.weight.tolist() for layer in program.network.layers] for program in programs]
    assert all(found == layers[0] for found in layers)
    assert programs[0].provenance["checkpoint"] == {
        "name": "Net", "sha256": hashlib.sha256(save(dict(net.state_dict()))).hexdigest()
    }  # fmt: skip


def test_a_draft_for_a_live_net_or_its_file_is_the_spec_that_it_is_compiled_with(tmp_path):
    net = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 15))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    drafts = [ff2loihi.spec(given) for given in (net, net.state_dict(), tmp_path / "net.pt", f"{tmp_path}/net.pt")]
    assert all(draft.values == drafts[0].values for draft in drafts)
    program = ff2loihi.compile(net, "digits:60", spec=drafts[0].values)
    assert [layer.neurons for layer in program.network.layers] == [20, 15]


def test_a_live_nets_checkpoint_stays_what_it_was(tensors, spec):
    net = Net()
    read = live_checkpoint(net, spec())
    before = read.tensors["a.weight"].tolist()
    with torch.no_grad():
        net.a.weight += 1
    assert read.tensors["a.weight"].tolist() == before


def test_a_live_net_without_a_spec_or_without_tensors_is_one_line():
    with pytest.raises(CheckpointError, match=r"^Net: a live net needs spec=.*'a.weight' \(5, 9\)"):
        ff2loihi.compile(Net(), "digits")
    for empty in (nn.ReLU(), {}, [1], 7):
        with pytest.raises(CheckpointError, match="holds no tensor"):
            live_checkpoint(empty, {})


def test_a_parameter_without_values_yet_is_named(tmp_path):
    net = nn.Sequential(nn.Linear(6, 5), nn.LazyLinear(3))
    for read in (lambda: live_checkpoint(net, {}), lambda: ff2loihi.spec(net)):
        with pytest.raises(CheckpointError) as caught:
            read()
        assert "Sequential: tensor '1.weight' has no values and no shape yet, as in LazyLinear" in str(caught.value)


# What is not read


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as box:
        for name in names:
            box.writestr(name, "x")
    return target.getvalue()


def hdf5(tmp_path, *names: str) -> bytes:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in names:
            file.attrs[name] = "x"
        file["x"] = np.ones(3)
    return (tmp_path / "x.h5").read_bytes()


def scripted() -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's on its own form
        torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3)), target)
    return target.getvalue()


NAMED = {
    "an ONNX model": lambda _: b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\x10graph",
    "a TorchScript archive": lambda _: scripted(),
    "a program of torch.export": lambda _: zipped("net/archive_format", "net/data/weights/weight_0"),
    "a Keras model": lambda folder: hdf5(folder, "keras_version", "backend", "layer_names"),
    "a Keras model. Save its arrays": lambda _: zipped("metadata.json", "config.json", "model.weights.h5"),
    "an HDF5 file": lambda folder: hdf5(folder),
    "a TensorFlow SavedModel": lambda _: b"\x08\x01\x12\xd0\x20\x0a\x10",
    "a TensorFlow graph": lambda _: b"\n\x2a\n\x05input\x12\x0bPlaceholder*",
    "a TensorFlow Lite model": lambda _: b"\x1c\0\0\0TFL3\0\0",
    "a plain pickle": lambda _: pickle.dumps({"w": np.ones(3)}),
    "a msgpack file": lambda _: b"\x81\xa6params\x81\xa7Dense_0",
    "a GGUF model": lambda _: b"GGUF\x03\0\0\0",
    "a MATLAB file": lambda _: b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "a pointer of Git LFS": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "a web page": lambda _: b"<!DOCTYPE html><html>404</html>",
    "packed by gzip": lambda _: b"\x1f\x8b\x08\0",
    "a tar archive": lambda _: b"\0" * 257 + b"ustar\x0000" + b"\0" * 300,
    "a zip archive of other files": lambda _: zipped("net.pt", "README"),
}


def onnx_model(path, *nodes, **arrays):
    """Writes a model of those nodes and initialisers; returns the package."""
    onnx = pytest.importorskip("onnx")
    tensors = [onnx.numpy_helper.from_array(array, name.replace("__", ".")) for name, array in arrays.items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(list(nodes), "net", [], [], tensors)), path)
    return onnx


def test_the_initialisers_of_an_onnx_model_are_tensors_in_the_order_of_its_nodes(tmp_path):
    node = pytest.importorskip("onnx").helper.make_node
    arrays = {
        "last": np.random.default_rng(0).random((4, 3)).astype(np.float32), "shape": np.array([1, -1]),
        "fc__weight": np.arange(10, dtype=np.float32).reshape(5, 2), "fc__bias": np.ones(5, np.float32),
        "plain": np.arange(20, dtype=np.float64).reshape(5, 4), "unused": np.ones(2, np.float16),
    }  # fmt: skip
    onnx_model(
        tmp_path / "net.pt", node("Gemm", ["x", "fc.weight", "fc.bias"], ["a"], transB=1),
        node("Reshape", ["a", "shape"], ["b"]), node("MatMul", ["b", "plain"], ["c"]),
        node("Gemm", ["c", "last"], ["y"]), **arrays,
    )  # fmt: skip
    read = tensor_files.read(tmp_path / "net.pt")
    content = tensor_files.arrays(tmp_path / "net.pt", read.tree, read.size)
    assert list(content) == ["fc.weight", "fc.bias", "plain", "last", "unused"]
    for name, wanted in (("fc.weight", arrays["fc__weight"]), ("plain", arrays["plain"].T), ("last", arrays["last"].T)):
        np.testing.assert_array_equal(content[name], wanted)
    assert content["plain"].dtype == np.float32


def test_a_weight_that_an_onnx_model_hands_on_is_turned_where_it_is_multiplied(tmp_path):
    node = pytest.importorskip("onnx").helper.make_node
    arrays = {name: np.random.default_rng(0).random((4, 4 + n)).astype(np.float32) for n, name in enumerate("ab")}
    onnx_model(
        tmp_path / "net.onnx", node("Identity", ["b"], ["b1"]), node("Identity", ["b1"], ["b2"]),
        node("MatMul", ["x", "a"], ["y"]), node("MatMul", ["y", "b2"], ["z"]), **arrays,
    )  # fmt: skip
    read = tensor_files.read(tmp_path / "net.onnx")
    content = tensor_files.arrays(tmp_path / "net.onnx", read.tree, read.size)
    assert list(content) == ["a", "b"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(content[name], array.T)


def test_onnx_models_that_hold_no_weights_of_their_own_are_one_line(tmp_path):
    onnx = onnx_model(tmp_path / "net.onnx", w=np.ones((2000, 3), np.float32))
    model = onnx.load(tmp_path / "net.onnx")
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert "'w' lies in another file. Write it as one file: onnx.save(" in refusal(tmp_path / "split.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    model.graph.initializer[0].dims[0] = 1 << 40
    (tmp_path / "more.onnx").write_bytes(model.SerializeToString())
    assert "an ONNX model that cannot be read ('w': cannot reshape" in refusal(tmp_path / "more.onnx")
    scaled = onnx.helper.make_node("Gemm", ["x", "w"], ["y"], name="gemm", alpha=0.5)
    onnx_model(tmp_path / "scaled.onnx", scaled, w=np.ones((2, 3), np.float32))
    assert "'gemm' scales what it computes" in refusal(tmp_path / "scaled.onnx")
    data = (tmp_path / "net.onnx").read_bytes()
    for share in (0.01, 0.3, 0.9):
        (tmp_path / "cut.onnx").write_bytes(data[: int(len(data) * share)])
        assert "an ONNX model that cannot be read" in refusal(tmp_path / "cut.onnx")


def test_an_onnx_model_without_the_package_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "net.onnx").write_bytes(NAMED["an ONNX model"](tmp_path))
    assert "but an ONNX model, which the package onnx reads: pip install onnx. Or: Save" in refusal(
        tmp_path / "net.onnx"
    )


@pytest.mark.parametrize("words", NAMED)
def test_a_format_that_is_not_read_is_named_with_what_to_do(tmp_path, words):
    path = tmp_path / "model.pt"
    path.write_bytes(NAMED[words](tmp_path))
    text = refusal(path)
    assert f"model.pt: not a torch checkpoint but {words}" in text
    assert "damaged" not in text
    assert text.count(". ") >= 1  # a second sentence says what to do


def test_a_file_of_ours_that_holds_no_checkpoint_is_named(tmp_path):
    for head, words in (
        ({"manifest": "{}"}, "an ff2loihi artifact, so compiled"), ({"run": "{}"}, "the state of an unfinished run"),
    ):  # fmt: skip
        save_file({"a": torch.ones(2)}, tmp_path / "x.pt", head)
        assert words in refusal(tmp_path / "x.pt")
    np.savez(tmp_path / "x.npz", manifest=np.array('{"format": "ff2loihi-golden"}'), v=np.ones(3))
    assert "golden vectors, or a recording" in refusal(tmp_path / "x.npz")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_truncated_files_of_every_kind_are_one_line(tensors, tmp_path, share):
    save_file(tensors(), tmp_path / "x.safetensors")
    np.savez(tmp_path / "x.npz", **tensors())
    np.save(tmp_path / "x.npy", tensors()["a.weight"])
    for name in ("x.safetensors", "x.npz", "x.npy"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: int(len(data) * share)])
        refusal(tmp_path / name)


def test_arrays_that_torch_has_no_form_for_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", wide=np.ones(3, np.longdouble))
    assert "array 'wide' of float128, which torch has not. Save it as float32" in refusal(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", odd=np.array([None]))
    assert "pickled objects, which could run code" in refusal(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", text=np.array("alone"))
    assert "holds no tensor" in refusal(tmp_path / "x.npz")

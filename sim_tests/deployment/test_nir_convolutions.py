"""NIR's Conv2d: what is exported means the same to a reader of its nodes alone; foreign ones compile; refusals."""

from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest
import torch
import yaml

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.inference.integer_forward import quantize_pixels
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import interchange


def shapeless_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images as arrays, which may be taken for images of any shape, and their labels."""
    found = load_data("digits", "train", limit=60)
    return found.images, found.labels


def computed(node, x: torch.Tensor) -> torch.Tensor:
    """What NIR's text says that a node does, in float64, by torch's own layers; x (samples, *the node's input)."""
    if isinstance(node, nir.Conv2d):
        weight, bias = (torch.from_numpy(np.asarray(a)).double() for a in (node.weight, node.bias))
        assert tuple(node.input_shape) == x.shape[2:]
        sides = (tuple(np.asarray(a).tolist()) for a in (node.stride, node.padding, node.dilation))
        return torch.nn.functional.conv2d(x, weight, bias, *sides, int(node.groups))
    if isinstance(node, nir.Flatten):
        return x.flatten(int(node.start_dim) + 1)
    if isinstance(node, nir.Affine | nir.Linear):
        bias = torch.from_numpy(node.bias).double() if isinstance(node, nir.Affine) else None
        return torch.nn.functional.linear(x, torch.from_numpy(node.weight).double(), bias)
    raise AssertionError(node)


@pytest.mark.parametrize("net", ["cwc-ff", "mixed"])
def test_another_readers_float_nodes_compute_what_the_emulator_does(artifacts, mixed, digits, tmp_path, net):
    """Each layer's sums are exactly the emulator's before its floor and rectifier, which NIR has no node for."""
    program = mixed["graded"] if net == "mixed" else artifacts["cwc-ff", "plain", "graded"]
    interchange.export(program, "nir", tmp_path / "m.nir")
    graph, network = nir.read(tmp_path / "m.nir", type_check=net != "mixed"), program.network
    states = Emulator().run(program, digits.images, states=True).states
    x = torch.from_numpy(quantize_pixels(digits.images, network.input_bits)).double()
    x = x.reshape(-1, *graph.nodes["input"].input_type["input"])
    layers, after = {f"{layer.name}.weights": layer for layer in network.layers}, dict(graph.edges)
    name, seen = after["input"], 0
    while name != "output":
        x = computed(graph.nodes[name], x)
        if name in layers:
            layer, seen = layers[name], seen + 1
            x = x.floor().clamp(0, layer.top)
            wanted = states[f"{layer.name}.h"].reshape(len(x), -1)
            np.testing.assert_array_equal(x.flatten(1).numpy(), wanted)
            assert wanted.any()
        name = after[name]
    assert (seen, x.shape[1:]) == (len(layers), tuple(graph.nodes["output"].output_type["output"]))


@pytest.mark.parametrize("form", ["graded", "hard"])
def test_convolutions_with_groups_and_biases_before_a_dense_layer_make_the_trip(ff2loihi, mixed, tmp_path, form):
    api.save(mixed[form], tmp_path / "m.ffl")
    code, _, err = ff2loihi("export", tmp_path / "m.ffl", "--format", "nir")
    assert code == 0
    assert "hidden1: nir 1.0 infers wrong shapes" in err
    assert ff2loihi("compile", tmp_path / "m.nir", "-o", tmp_path / "back.ffl")[0] == 0
    assert (tmp_path / "back.ffl").read_bytes() == (tmp_path / "m.ffl").read_bytes()


def test_the_remark_on_shapes_says_what_nirs_own_check_does(artifacts, mixed, tmp_path):
    for program, known in ((mixed["hard"], False), (artifacts["cwc-ff", "plain", "hard"], True)):
        _, remarks = interchange.export(program, "nir", tmp_path / "m.nir")
        assert any("type_check" in remark for remark in remarks) != known
        if known:
            nir.read(tmp_path / "m.nir")
        else:
            with pytest.raises(ValueError, match="type mismatch"):
                nir.read(tmp_path / "m.nir")


def test_biases_that_differ_within_a_channel_compile_and_are_refused_where_a_format_has_one_a_channel(
    mixed_content, digits, tmp_path
):
    """A mean of the input becomes a bias, but for what a kernel sees of the zeros outside of the image."""
    tensors, about = mixed_content
    torch.save(tensors, tmp_path / "m.pt")
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump({**about, "input": {"mean": 0.3, "std": 0.5}}))
    checkpoint = load_checkpoint(tmp_path / "m.pt", tmp_path / "spec.yaml")
    program = api.compile(checkpoint, shapeless_digits())
    first = program.network.layers[0]
    biases = first.bias.reshape(first.conv.out_shape)
    assert np.ptp(biases, axis=(1, 2)).all()
    assert not np.ptp(biases[:, 1:-1, 1:-1], axis=(1, 2)).any()
    _, remarks = interchange.export(program, "netx", tmp_path / "m.net")
    assert any("hidden1: biases that differ within a channel" in remark for remark in remarks)
    with h5py.File(tmp_path / "m.net") as file:
        assert file["layer/1/bias"][()].tolist() == first.bias.tolist()
    with pytest.raises(CompileError, match="NIR's Conv2d has one bias a channel"):
        interchange.export(program, "nir", tmp_path / "m.nir")


def foreign(tensors, **changes) -> nir.NIRGraph:
    """The layers of `mixed_content` as another framework would export them; changes: nodes in place of these."""
    a, b, c = (tensors[f"{name}.weight"].numpy() for name in "abc")
    nodes = {
        "input": nir.Input({"input": np.array([2, 4, 8])}),
        "a": nir.Conv2d((4, 8), a, 1, (1, 1), 1, 2, tensors["a.bias"].numpy()),
        "b": nir.Conv2d((4, 9), b, (2, 2), "valid", 1, 1, np.zeros(len(b))),
        "flat": nir.Flatten({"input": np.array([4, 2, 4])}, start_dim=0),
        "c": nir.Linear(c),
        "output": nir.Output({"output": np.array([10])}),
    } | changes
    nodes = {name: node for name, node in nodes.items() if node is not None}
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata={"dt": 1e-3}, type_check=False)


def test_a_foreign_graph_compiles_to_what_its_tensors_and_a_full_spec_do(mixed, mixed_content, tmp_path):
    """Of the geometry its spec says nothing: the nodes and the input have it. Saying the same is fine."""
    tensors, about = mixed_content
    nir.write(tmp_path / "f.nir", foreign(tensors))
    bare = [{key: value for key, value in layer.items() if key != "conv"} for layer in about["layers"]]
    for spec in ({**about, "layers": bare, "image": None}, about):
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
        checkpoint = interchange.load_graph(tmp_path / "f.nir", tmp_path / "spec.yaml")
        found = api.compile(checkpoint, shapeless_digits())
        (_, got), (_, wanted) = (artifact.pack(program) for program in (found, mixed["graded"]))
        assert all(np.array_equal(got[name], wanted[name]) for name in wanted)
        assert [layer.conv for layer in found.network.layers] == [
            layer.conv for layer in mixed["graded"].network.layers
        ]


def test_the_draft_of_a_graph_of_convolutions_leaves_their_geometry_to_the_graph(mixed_content, tmp_path):
    tensors, about = mixed_content
    nir.write(tmp_path / "f.nir", foreign(tensors))
    made = api.spec(tmp_path / "f.nir")
    weights = [{key: value for key, value in layer.items() if key != "conv"} for layer in about["layers"]]
    assert made.values["layers"] == weights[:2]
    assert made.values["readout"]["head"]["weights"] == ["c.weight"]
    (tmp_path / "spec.yaml").write_text(made.text)
    checkpoint = interchange.load_graph(tmp_path / "f.nir", tmp_path / "spec.yaml")
    program = api.compile(checkpoint, shapeless_digits())
    assert [layer.conv.out_shape for layer in program.network.layers] == [(6, 4, 9), (4, 2, 4)]
    assert program.network.head.weights[0].shape == (10, 32)


def pool(kind, rows: int, columns: int):
    return kind(np.array([rows, columns]), np.array([2, 2]), np.array([0, 0]))


@pytest.mark.parametrize("kind", [nir.AvgPool2d, nir.SumPool2d])
def test_a_foreign_graphs_pool_compiles_to_what_the_specs_does(mixed_content, tmp_path, kind):
    """A sum is an average of weights that are four times as large."""
    tensors, about = mixed_content
    tensors = {**tensors, "c.weight": tensors["c.weight"][:, :8]}
    graph = foreign(
        tensors, b=pool(kind, 2, 2), flat=nir.Conv2d((2, 4), tensors["b.weight"].numpy(), 2, 0, 1, 1, np.zeros(4)),
        c=nir.Flatten({"input": np.array([4, 1, 2])}, start_dim=0), output=nir.Linear(tensors["c.weight"].numpy()),
        out=nir.Output({"output": np.array([10])}),
    )  # fmt: skip
    nir.write(tmp_path / "f.nir", graph)
    first, second, dense = about["layers"]
    layers = [first, {**second, "weight": "flat.weight"}, {"weight": "output.weight"}]
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump({**about, "layers": layers, "image": None}))
    images = shapeless_digits()
    found = api.compile(interchange.load_graph(tmp_path / "f.nir", tmp_path / "spec.yaml"), images)
    torch.save(tensors, tmp_path / "m.pt")
    layers = [{**first, "pool": {"kind": "average"}}, second, dense]
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump({**about, "layers": layers}))
    wanted = api.compile(load_checkpoint(tmp_path / "m.pt", tmp_path / "spec.yaml"), images)
    (_, got), (_, arrays) = (artifact.pack(program) for program in (found, wanted))
    assert all(np.array_equal(got[name], arrays[name]) for name in arrays)
    times = [
        ours.scale / theirs.scale for ours, theirs in zip(found.network.layers, wanted.network.layers, strict=True)
    ]
    assert times == pytest.approx([4.0 if kind is nir.SumPool2d else 1.0] * 4)


A, B, ONES = np.ones((6, 1, 3, 2)), np.ones((4, 6, 2, 2)), np.ones(6)
BAD = {
    "stride": ({"a": nir.Conv2d((4, 8), A, (1, 2), (1, 1), 1, 2, ONES)}, "'a' has stride"),
    "padding": ({"a": nir.Conv2d((4, 8), A, 1, "same", 1, 2, ONES)}, "'a' has padding same"),
    "dilation": ({"a": nir.Conv2d((4, 8), A, 1, 1, (1, 2), 2, ONES)}, "'a' has dilation"),
    "pooling": ({"flat": pool(nir.AvgPool2d, 2, 1)}, "'flat' has kernel_size"),
    "pool of stride 0": (
        {"flat": nir.AvgPool2d(*(np.array([n, n]) for n in (2, 0, 0)))}, "'flat' has stride [0 0]: a pool's is 1 or",
    ),
    "padded pool": ({"flat": nir.AvgPool2d(*(np.array([n, n]) for n in (2, 2, 1)))}, "'flat' has padding"),
    "pool above none": ({"a": pool(nir.SumPool2d, 2, 2)}, "'a' is a pool that stands behind no Conv2d"),
    "no flatten": ({"flat": None}, "'c' is a dense layer behind a convolution"),
    "flat image": ({"a": nir.Flatten({"input": np.array([2, 4, 8])}, 0)}, "'b' is a convolution behind 'a'"),
    "neurons": ({"b": nir.IF(np.ones((6, 4, 9)), np.ones((6, 4, 9))), "flat": None, "c": None}, "neurons behind"),
    "spec's stride": ({"b": nir.Conv2d((4, 9), B, 1, 0, 1, 1, ONES[:4])}, "the spec's conv says"),
    "spec's image": (
        {
            "input": nir.Input({"input": np.array([2, 8, 4])}),
            "a": nir.Conv2d((8, 4), A, 1, 1, 1, 2, ONES),
            "b": nir.Conv2d((8, 5), B, 2, 0, 1, 1, ONES[:4]),
        },
        "the spec's image 2 x 4 x 8",
    ),
    "bias": ({"b": nir.Conv2d((4, 9), B, 2, 0, 1, 1, ONES[:4])}, "layer bias: b.bias"),
    "negative": ({"b": nir.Conv2d((4, 9), B, 2, -1, 1, 1, ONES[:4])}, "'b': padding: Input should be greater"),
    "input": ({"input": nir.Input({"input": np.array([64])})}, "its input is 64"),
    "input below": ({"b": nir.Conv2d((4, 8), B, 2, 0, 1, 1, ONES[:4])}, "'b' takes 6 x 4 x 8, and gets 6 x 4 x 9"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_convolution_that_has_no_form_here_is_one_line(refused, mixed_content, tmp_path, kind):
    changes, wanted = BAD[kind]
    nir.write(tmp_path / "m.nir", foreign(mixed_content[0], **changes))
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(mixed_content[1]))
    code, line = refused("compile", tmp_path / "m.nir", "--spec", tmp_path / "spec.yaml", "--calibrate", "digits:50")
    assert code == 2
    assert wanted in line


def test_a_convolution_that_was_changed_is_refused(refused, mixed, tmp_path):
    path = tmp_path / "m.nir"
    for key in ("stride", "bias"):
        interchange.export(mixed["graded"], "nir", path)
        graph = nir.read(path, type_check=False)
        node = graph.nodes["hidden2.weights"]
        setattr(node, key, getattr(node, key) + (1 if key == "stride" else 2.0**-10))
        nir.write(path, graph)
        code, line = refused("compile", path)
        assert code == 2
        assert "changed" in line

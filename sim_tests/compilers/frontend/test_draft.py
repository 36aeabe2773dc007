"""A drafted spec.yaml: what names and shapes tell, what is asked, and that it reads as the spec that it says."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import ff2loihi
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.draft import Choice, Draft, Question, draft
from ff2loihi.compilers.frontend.guess import guess
from ff2loihi.compilers.frontend.spec import Spec, parse_spec

CONVOLUTIONS = {
    "conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,), "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
}  # fmt: skip


def chain(prefix: str, *widths: int, bias: bool = True, last: str = "weight") -> dict[str, tuple[int, ...]]:
    """The shapes of dense layers as torch has them."""
    found = {}
    for index, (below, above) in enumerate(pairwise(widths)):
        found[f"{prefix}{index}.{last}"] = (above, below)
        found |= {f"{prefix}{index}.bias": (above,)} if bias else {}
    return found


def spec_of(shapes: dict) -> Spec:
    return parse_spec(draft("net.pt", shapes).values, "the draft")


def asked(made: Draft) -> list[str]:
    return [question.key for question in made.questions]


def test_the_most_copied_form_is_known_by_its_shapes():
    made = draft("net.pt", chain("layers.", 784, 500, 500))
    spec = parse_spec(made.values, "the draft")
    assert (spec.pixels, spec.input.mean, spec.input.std, spec.input.norm) == (784, 0.1307, 0.3081, "l2")
    assert (spec.label.kind, spec.label.value, spec.label.classes) == ("overwrite", "max", 10)
    assert (spec.goodness, spec.normalization, spec.probability.theta) == ("mean_squares", "l2", 2)
    assert [layer.bias for layer in spec.layers] == ["layers.0.bias", "layers.1.bias"]
    assert asked(made) == ["label", "input", "input.norm", "goodness", "probability", "normalization", "readout"]
    assert "assumed to be as in mpezeshki/pytorch_forward_forward" in made.text
    assert "# label: {kind: overwrite, classes: 10}  # over the first 10 pixels (or as many as there" in made.text


@pytest.mark.parametrize("above", ["", "model.", "state_dict.net.", "module."])
def test_names_are_taken_as_they_are(above):
    assert [layer.weight for layer in spec_of(chain(above, 784, 50, 40)).layers] == [
        f"{above}0.weight", f"{above}1.weight",
    ]  # fmt: skip


def test_lists_of_tensors_take_the_vector_behind_a_matrix_as_its_bias():
    spec = spec_of({"0": (50, 784), "1": (50,), "2": (40, 50), "3": (40,)})
    assert [(layer.weight, layer.bias) for layer in spec.layers] == [("0", "1"), ("2", "3")]
    spec = spec_of({"W1": (784, 50), "b1": (50,), "W2": (50, 50), "b2": (50,)})
    assert [(layer.weight, layer.bias, layer.orientation) for layer in spec.layers] == [
        ("W1", "b1", "in_out"), ("W2", "b2", "in_out"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "orientation", "pixels", "kind"),
    [
        ((200, 884), "out_in", 784, "append"), ((884, 200), "in_out", 784, "append"),
        ((40, 784), "out_in", 784, "overwrite"), ((3072, 90), "in_out", 3072, "overwrite"),
        ((40, 74), "out_in", 64, "append"), ((40, 63), "out_in", 63, "overwrite"),
        ((50, 810), "out_in", 784, "append"),
    ],
)  # fmt: skip
def test_a_single_matrix_is_turned_so_that_an_image_enters_it(shape, orientation, pixels, kind):
    spec = spec_of({".": shape})
    assert (spec.layers[0].orientation, spec.pixels, spec.label.kind) == (orientation, pixels, kind)


@pytest.mark.parametrize(
    ("widths", "pixels", "label"),
    [
        ((784, 500, 500), 784, {"kind": "append", "classes": 10}),
        ((64, 40, 50), 64, {"kind": "append", "classes": 10}),
        ((63, 40, 30), 63, {"kind": "append", "classes": 3}), ((784, 60, 60), 784, {"kind": "append", "classes": 26}),
        ((784, 60, 40), 784, {"kind": "append", "codes": "labels.npy", "classes": 10}),
        ((784, 60, 40), 784, {"kind": "overwrite", "classes": 10}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_as_many_inputs_more_in_every_layer_are_the_labels(widths, pixels, label, turned):
    n = 100 if "codes" in label else label["classes"]
    first = widths[0] if label["kind"] == "overwrite" else widths[0] + n
    shapes = [(widths[1], first), (widths[2], widths[1] + n), (widths[2], widths[2] + n)]
    shapes = {f"layers.{index}": shape[::-1] if turned else shape for index, shape in enumerate(shapes)}
    found = draft("net.pt", shapes).values
    assert (found["pixels"], found["label"]) == (pixels, label)
    assert [layer.get("label") for layer in found["layers"]] == [None, "append", "append"]
    assert [layer.get("orientation") for layer in found["layers"]] == ["in_out" if turned else None] * 3
    assert parse_spec(found, "the draft").normalization == "l2"


def test_a_label_that_stands_before_the_pixels_is_assumed_to_stand_before_the_others_too():
    def ask(question: Question) -> Choice:
        return next((one for one in question.choices if "prepend" in one.value), question.choices[0])

    found = draft("net.pt", {"a": (50, 794), "b": (40, 60)}, ask).values
    assert (found["label"]["kind"], found["layers"][1]["label"]) == ("prepend", "prepend")


@pytest.mark.parametrize("place", ["append", "prepend"])
def test_a_label_beside_the_pixels_is_said_to_have_other_values_too(place):
    def ask(question: Question) -> Choice:
        return next((one for one in question.choices if place in one.value), question.choices[0])

    text = draft("net.pt", chain("fc", 794, 50, 40), ask).text
    [line] = [line for line in text.splitlines() if "value: 3" in line]
    assert line == f"# label: {{kind: {place}, classes: 10, value: 3}}  # where a 1 has the value 3"
    spec = parse_spec(yaml.safe_load(text) | yaml.safe_load(line.removeprefix("# ")), "the draft")
    assert (spec.label.kind, spec.label.value) == (place, 3)
    assert "value: 3" not in draft("net.pt", chain("fc", 784, 50, 40)).text


def test_a_matrix_of_the_labels_own_at_each_layer_is_told_by_its_name_and_size():
    shapes = chain("fc.", 784, 60, 50)
    for index, n in enumerate((60, 50)):
        shapes |= {f"label_proj.{index}.weight": (n, 10), f"label_proj.{index}.bias": (n,)}
    made = draft("net.pt", shapes)
    assert made.missing == made.unplaced == ()
    spec = parse_spec(made.values, "the draft")
    assert (spec.pixels, spec.label.kind, spec.label.classes) == (784, "append", 10)
    assert [(layer.weight, layer.label, layer.label_bias) for layer in spec.layers] == [
        (f"fc.{index}.weight", f"label_proj.{index}.weight", f"label_proj.{index}.bias") for index in range(2)
    ]


def test_a_classifier_is_not_taken_for_label_inputs():
    for shapes in (
        chain("layers.", 784, 50, 40) | {"out.weight": (10, 40)}, chain("layers.", 784, 50, 40) | {"x": (10, 90)},
        chain("", 63, 40, 10),
    ):  # fmt: skip
        assert all("label" not in layer for layer in draft("net.pt", shapes).values["layers"])


def test_labels_of_other_sizes_beside_the_pixels():
    assert spec_of(chain("", 784 + 26, 50)).label.classes == 26
    made = draft("net.pt", {".": (884, 200)})
    assert made.missing == ("labels.npy beside this file, the label codes as a (10, 100) array",)
    assert "# TO FILL IN: labels.npy" in made.text
    [label] = [question for question in made.questions if question.key == "label"]
    offered = [yaml.safe_load(choice.value) for choice in label.choices]
    assert {"kind": "prepend", "codes": "labels.npy", "classes": 10} in offered
    assert {"kind": "append", "classes": 100} in offered


def test_a_tensor_of_codes_says_where_the_label_stands():
    label = spec_of({"label_codes": (10, 30), **chain("fc", 814, 60, 50)}).label
    assert (label.kind, label.codes, label.classes) == ("append", "key:label_codes", 10)
    assert spec_of({"codes": (7, 7), **chain("fc", 784, 60, 50)}).label.kind == "overwrite"
    assert spec_of({"encoder.0.weight": (60, 784), "encoder.1.weight": (50, 60)}).label.codes == "one_hot"


def test_files_in_the_order_of_names_are_chained_by_their_shapes():
    spec = spec_of({"hidden.weight": (30, 40), "input.weight": (40, 784), "last.weight": (25, 30), "last.bias": (25,)})
    assert [layer.weight for layer in spec.layers] == ["input.weight", "hidden.weight", "last.weight"]
    many = dict(sorted(chain("layers.", 784, *range(60, 48, -1)).items()))  # layers.10 before layers.2
    assert [layer.weight for layer in spec_of(many).layers] == [f"layers.{n}.weight" for n in range(12)]


def test_an_optimizers_state_and_a_second_copy_are_left_aside():
    net = chain("", 784, 50, 50, 50)
    shapes = {
        **{f"model.{name}": shape for name, shape in net.items()},
        **{f"optimizer.state.{index}.exp_avg": shape for index, shape in enumerate(net.values())},
        **{f"initial.{name}": shape for name, shape in net.items()}, "ema_model.0.weight": (50, 784), "epoch": (),
    }  # fmt: skip
    assert [layer.weight for layer in spec_of(shapes).layers] == [f"model.{n}.weight" for n in range(3)]


# Classifiers


def test_a_linear_last_layer_is_a_head_on_raw_activities():
    spec = spec_of({"fc1.weight": (128, 784), "fc1.bias": (128,), "fc2.weight": (10, 128), "fc2.bias": (10,)})
    assert (spec.label.kind, spec.readout.kind, spec.readout.layers) == ("none", "head", (0,))
    head = spec.readout.head
    assert (head.weights, head.bias, head.activities) == (("fc2.weight",), "fc2.bias", "raw")


def test_what_only_its_few_rows_call_a_classifier_is_said_to_be_assumed():
    said = "# assumed: fc3.weight, last and with few rows, is a classifier. Were it a layer, it"
    assert said in draft("net.pt", chain("fc", 784, 128, 64) | {"fc3.weight": (10, 64)}).text
    named = draft("net.pt", chain("fc", 784, 128, 64) | {"classifier.weight": (10, 64)})
    assert "is a classifier. Were it" not in named.text
    assert spec_of(chain("fc", 784, 128, 64) | {"fc3.weight": (10, 64)}).readout.kind == "head"


def test_a_matrix_whose_name_stands_beside_the_chain_is_said_to_be_assumed_in_it():
    shapes = {"fc1.weight": (50, 784), "skip1.weight": (50, 50), "fc2.weight": (50, 50)}
    text = draft("net.pt", shapes).text
    assert "# assumed: in the chain of layers stands skip1.weight. What goes beside it," in text
    assert "layers:  # each takes what the one before it gives" in text
    assert "beside it" not in draft("net.pt", chain("fc", 784, 50, 50)).text


@pytest.mark.parametrize("grid", [1, 2, 3])
def test_a_classifier_for_each_convolution_reads_the_goodness_of_cells(grid):
    heads = {f"heads.{index}.weight": (10, n * grid**2) for index, n in enumerate((32, 64))}
    heads |= {f"heads.{index}.bias": (10,) for index in range(2)}
    made = draft("net.pt", CONVOLUTIONS | heads)
    spec = parse_spec(made.values, "the draft")
    assert (spec.readout.kind, spec.readout.layers, spec.readout.head.grid) == ("pooled", (0, 1), grid)
    assert spec.readout.head.weights == ("heads.0.weight", "heads.1.weight")
    assert spec.readout.head.bias == ("heads.0.bias", "heads.1.bias")
    assert (spec.goodness, spec.label.kind, made.unplaced) == ("rms", "none", ())
    assert "goodness" in asked(made)


@pytest.mark.parametrize(
    ("width", "layers"), [(50, (2,)), (60 + 50, (1, 2)), (70 + 60 + 50, (0, 1, 2)), (70 + 60, (0, 1))]
)
def test_one_matrix_over_several_layers_is_placed_by_its_width(width, layers):
    for name in ("linear_classifier.0.weight", "fc4.weight"):
        found = guess("net.pt", chain("model.", 784, 70, 60, 50) | {name: (10, width)})
        assert (found.head.weights, found.head.layers, found.head.classes) == ((name,), layers, 10)
        assert len(found.parts) == 3


def test_a_classifier_of_several_layers_is_part_of_the_chain():
    shapes = CONVOLUTIONS | {"classifier.0.weight": (500, 3136), "classifier.0.bias": (500,)}
    spec = spec_of(shapes | {"classifier.3.weight": (10, 500), "classifier.3.bias": (10,)})
    assert [layer.weight for layer in spec.layers] == ["conv1.weight", "conv2.weight", "classifier.0.weight"]
    assert (spec.readout.head.weights, spec.readout.layers) == (("classifier.3.weight",), (2,))


def test_matrices_that_have_their_inputs_first_are_turned_and_a_classifiers_are_asked_for():
    keras = {"arr_0": (784, 50), "arr_1": (50,), "arr_2": (50, 50), "arr_3": (50,), "arr_4": (50, 10), "arr_5": (10,)}
    flax = {"Dense_0/bias": (50,), "Dense_0/kernel": (784, 50), "out/kernel": (50, 10)}
    for shapes, count, head in ((keras, 2, "arr_4"), (flax, 1, "out/kernel")):
        made = draft("net.npz", shapes)
        spec = parse_spec(made.values, "the draft")
        assert [(layer.orientation, layer.bias is not None) for layer in spec.layers] == [("in_out", True)] * count
        assert spec.readout.head.weights == (head,)
        assert made.missing == (
            f"a classifier's weights have the classes first: save the transpose of {head} by that name",
        )


def test_heads_of_one_matrix_a_layer_are_placed_by_widths_or_asked_for():
    net = chain("layers.", 784, 70, 60, 50)
    found = guess("net.pt", net | {"head.0.weight": (10, 60), "head.1.weight": (10, 50), "head.bias": (10,)})
    assert (found.head.layers, found.head.biases, found.head.certain) == ((1, 2), ("head.bias",), True)
    made = draft("net.pt", chain("net.", 784, 50, 50, 50) | {"head.0.weight": (10, 50), "head.1.weight": (10, 50)})
    [layers] = [question for question in made.questions if question.key == "readout.layers"]
    assert [choice.value for choice in layers.choices] == ["[1, 2]", "[0, 1]"]


# Convolutions


def test_strides_that_the_dense_layer_above_tells_are_found():
    spec = spec_of(CONVOLUTIONS | {"fc.weight": (10, 64 * 7 * 7), "fc.bias": (10,)})
    assert (spec.image, spec.pixels, spec.readout.layers) == ((1, 28, 28), 784, (1,))
    sizes = [28]
    for layer in spec.layers:
        halved = layer.conv.stride == 2 or "pool" in layer.model_fields_set
        sizes.append(sizes[-1] // 2 if halved else sizes[-1])
        assert (layer.conv.padding, layer.conv.groups) == (1, 1)
    assert sizes == [28, 14, 7]
    spec = spec_of(CONVOLUTIONS | {"fc.weight": (500, 64 * 28 * 28)})
    assert [(layer.conv and layer.conv.stride) for layer in spec.layers] == [1, 1, None]


def test_convolutions_alone_are_asked_for_and_groups_are_counted():
    shapes = {"a.weight": (20, 3, 5, 5), "b.weight": (40, 10, 3, 3), "c.weight": (40, 1, 3, 3)}
    made = draft("net.pt", shapes)
    assert made.questions[0].key == "image"
    spec = parse_spec(made.values, "the draft")
    assert [layer.conv.groups for layer in spec.layers] == [1, 2, 40]
    assert (spec.image, spec.label.kind, spec.readout.kind) == ((3, 32, 32), "none", "channels")


def test_axes_of_other_libraries_are_told():
    with pytest.raises(CheckpointError, match=r"net.npz: tensor 'k' \(3, 3, 1, 32\) has the axes of Keras or JAX"):
        draft("net.npz", {"k": (3, 3, 1, 32), "w": (10, 25088)})


# Answers, and whatever a file may hold


def test_each_answer_is_a_spec():
    """Every choice of every question, taken by itself, reads as a spec that has it."""
    nets = (
        chain("layers.", 784, 50, 40), {".": (3082, 40)}, chain("net.", 784, 50, 50) | {"head.0.weight": (10, 50)},
        CONVOLUTIONS | {"fc.weight": (500, 64 * 49)},
    )  # fmt: skip
    tried = 0
    for shapes in nets:
        for question in draft("net.pt", shapes).questions:
            for index, wanted in enumerate(question.choices):

                def answer(asked: Question, key=question.key, index=index) -> Choice:
                    return asked.choices[index if asked.key == key else 0]

                made, tried = draft("net.pt", shapes, answer), tried + 1
                parse_spec(made.values, "the draft")
                assert wanted.means in made.text
                assert "assumed" not in made.text
    assert tried > 60


def convolutional(*channels: int, norms: bool = True) -> dict[str, tuple[int, ...]]:
    """The shapes of convolutions of 3 x 3 with batch norms."""
    found = {}
    for index, (below, above) in enumerate(pairwise(channels)):
        found |= {f"conv.{index}.weight": (above, below, 3, 3), f"conv.{index}.bias": (above,)}
        found |= {f"bn.{index}.{name}": (above,) for name in ("weight", "bias", "running_mean", "running_var") if norms}
    return found


NETS = {
    "stacked": chain("layers.", 784, 40, 30), "label behind": chain("", 794, 40), "colour": chain("x.", 3072, 30, 25),
    "bare": {".": (60, 784)}, "turned": {".": (74, 30)}, "linear on top": chain("fc", 784, 40, 10),
    "over all layers": chain("l.", 784, 30, 30, 30) | {"classifier.weight": (10, 90)},
    "over two layers": chain("l.", 784, 30, 30, 30) | {"head.0.weight": (10, 30), "head.1.weight": (10, 30)},
    "convolutions": convolutional(1, 8, 12), "channels": convolutional(1, 4, 20),
    "colour channels": convolutional(3, 4, 20, norms=False),
    "convolutions, linear": convolutional(1, 4, 8) | {"fc.weight": (10, 8 * 49)},
    "convolutions, averaged": convolutional(1, 4, 8) | {"fc.weight": (10, 8)},
    "convolutions, dense": convolutional(1, 4, 8) | {"a.weight": (30, 8 * 49), "b.weight": (10, 30)},
    "input's norm": {"in.running_mean": (784,), "in.running_var": (784,), **chain("fc", 784, 30, 20)},
}  # fmt: skip


@pytest.mark.parametrize("kind", NETS)
def test_a_draft_compiles_as_it_stands(kind):
    shapes = NETS[kind]
    made = draft("net.pt", shapes)
    assert (made.missing, made.unplaced) == ((), ())
    rng = np.random.default_rng(5)
    tensors = {name: torch.from_numpy(rng.normal(0, 0.1, shape)) for name, shape in shapes.items()}
    tensors |= {name: tensor.abs() + 0.1 for name, tensor in tensors.items() if name.endswith("running_var")}
    images = rng.integers(0, 256, (12, made.values["pixels"])).astype(np.uint8)
    calibration = pipeline.Calibration(images, np.arange(12) % 10, "random")
    program = pipeline.compile_checkpoint(
        pipeline.live_checkpoint(tensors, made.values), calibration, pipeline.Options()
    )
    assert len(program.losses) >= len(made.values["layers"])


def test_a_symmetric_probability_gives_each_layer_its_polarity():
    def symmetric(question: Question) -> Choice:
        return next((choice for choice in question.choices if "symmetric" in choice.value), question.choices[0])

    made = draft("net.pt", chain("layers.", 784, 50, 40), symmetric)
    assert [layer["polarity"] for layer in made.values["layers"]] == ["half", "half"]


NAMES = st.one_of(
    st.text(max_size=20), st.sampled_from(("a.weight", "a.bias", "head.weight", "codes", "b.running_mean", "0", "1.5")),
    st.lists(st.sampled_from(("layers", "0", "10", "weight", "bias", "head", "yes", "#", "{", "\n")), max_size=4).map(
        ".".join
    ),
)  # fmt: skip
SIZES = st.sampled_from((0, 1, 2, 3, 5, 10, 50, 100, 784, 794, 884, 3072, 10**6, 2**40))
SHAPES = st.dictionaries(NAMES.filter(bool), st.lists(SIZES, max_size=5).map(tuple), max_size=12)


@settings(max_examples=100)
@given(SHAPES)
def test_the_draft_for_any_names_and_shapes_is_a_spec_or_one_line(shapes):
    try:
        made = draft("net.pt", shapes)
    except CheckpointError as error:
        assert len(str(error).splitlines()) == 1
        return
    known = {"weight", "orientation", "conv", "bias", "batch_norm", "batch_norm_place", "pool"}
    assert set(made.values["layers"][0]) <= known
    assert all(layer["weight"] in shapes for layer in made.values["layers"])
    try:
        parse_spec(made.values, "the draft")
    except CheckpointError as error:
        assert "less than or equal to" in str(error)  # sides, classes and strides have limits


@pytest.mark.parametrize("seed", range(5))
def test_safetensors_keep_no_order_and_the_draft_is_the_same(tmp_path, seed):
    """A Sequential of dense layers and batch norms, all of one width: nothing but the numbers tell which is which."""
    from safetensors.torch import save_file

    made, tensors = torch.Generator().manual_seed(0), {}
    for index in range(4):
        tensors[f"{3 * index}.weight"] = torch.randn((64, 64), generator=made)
        for name in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{3 * index + 1}.{name}"] = torch.rand(64, generator=made)
    tensors["12.weight"] = torch.randn((10, 64), generator=made)
    torch.save(tensors, tmp_path / "net.pt")
    wanted = ff2loihi.spec(tmp_path / "net.pt").values
    assert [layer["batch_norm"] for layer in wanted["layers"]] == ["1", "4", "7", "10"]
    names = list(np.random.default_rng(seed).permutation(list(tensors)))
    save_file({str(name): tensors[str(name)] for name in names}, tmp_path / "net.safetensors")
    assert ff2loihi.spec(tmp_path / "net.safetensors").values == wanted


def test_a_batch_norm_goes_to_the_layer_of_its_name():
    widths = {"conv1.weight": (16, 1, 3, 3), "conv2.weight": (16, 16, 3, 3)}
    norm = {f"bn2.{name}": (16,) for name in ("weight", "bias", "running_mean", "running_var")}
    first, second = draft("net.pt", widths | norm).values["layers"][:2]
    assert "batch_norm" not in first
    assert second["batch_norm"] == "bn2"


def layer_norm(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape}


def test_a_layer_norm_of_a_layers_width_is_told_and_has_no_place():
    shapes = chain("fc", 784, 50, 40) | layer_norm("norms.a", 50) | layer_norm("0", 784)
    made = draft("net.pt", shapes)
    assert set(made.layer_norms) == {"norms.a", "0"}
    assert set(made.unplaced) == {f"{name}.{end}" for name in made.layer_norms for end in ("weight", "bias")}
    assert "# norms.a; 0: like a LayerNorm, which is not compiled." in made.text
    assert [layer["bias"] for layer in made.values["layers"]] == ["fc0.bias", "fc1.bias"]


@pytest.mark.parametrize(
    "beside",
    [
        {"ln.weight": (50,)}, layer_norm("ln", 49), {"ln.weight": (50,), "ln.bias": (40,)}, layer_norm("ln", 50, 1),
        {f"bn.{name}": (50,) for name in ("weight", "bias", "running_mean", "running_var")},
    ],
)  # fmt: skip
def test_what_is_no_weight_and_bias_of_a_layers_width_is_not_taken_for_a_layer_norm(beside):
    assert draft("net.pt", chain("fc", 784, 50, 40) | beside).layer_norms == ()


def test_the_norm_of_a_convolutions_channels_is_not_called_a_layer_norm():
    made = draft("net.pt", CONVOLUTIONS | layer_norm("gn", 64))
    assert (made.layer_norms, set(made.unplaced)) == ((), {"gn.weight", "gn.bias"})


def test_a_draft_says_of_each_net_of_several_layers_that_layer_norm_is_no_normalisation():
    said = "# F.layer_norm, which takes the mean off first, is none of these, and leaves no trace in a file."
    for shapes, times in ((chain("", 784, 50, 40), 1), (CONVOLUTIONS, 1), (chain("", 784, 50), 0)):
        assert draft("net.pt", shapes).text.count(said) == times


def test_layers_that_are_taken_for_copies_are_named():
    block = {"c1.weight": (16, 16, 3, 3), "c2.weight": (16, 16, 3, 3)}
    shapes = {"block1.weight": (16, 1, 3, 3)}
    shapes |= {f"block{n}.{name}": shape for n in (2, 3) for name, shape in block.items()}
    made = draft("net.pt", shapes)
    assert {"block3.c1.weight", "block3.c2.weight"} <= set(made.unplaced)
    assert draft("net.pt", {"best_fc1.weight": (30, 64), "fc2.weight": (20, 30)}).values["pixels"] == 64

"""From tensors to a checked float network: columns, polarities, shapes, values."""

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.network import build

CONTRAST = {"kind": "contrast"}


def made(paths):
    return build(load_checkpoint(*paths))


def refusal(paths) -> str:
    with pytest.raises(CheckpointError) as caught:
        made(paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["labels.npy", "labels.pt"])
def test_a_bare_884_by_200_tensor_with_ten_codes_of_100_becomes_the_right_columns(files, tmp_path, name):
    weight, codes = torch.randn(884, 200), torch.rand(10, 100)
    about = {
        "pixels": 784,
        "label": {"kind": "append", "codes": name},
        "layers": [{"weight": ".", "orientation": "in_out", "polarity": "half"}],
        "probability": {"kind": "symmetric"},
    }
    paths = files(weight, about)
    if name.endswith("npy"):
        np.save(tmp_path / name, codes.numpy())
    else:
        torch.save(codes, tmp_path / name)
    net = made(paths)
    image, code = torch.rand(784), codes[7]
    wanted = (torch.cat([image, code]).double() @ weight.double()).tolist()
    got = net.layers[0].weight.astype(np.float64) @ np.concatenate([image, net.label.codes[7]])
    assert got == pytest.approx(wanted)
    assert net.layers[0].positive.tolist() == [True] * 100 + [False] * 100
    assert net.label.neutral == pytest.approx(codes.mean(0).numpy(), rel=1e-5)
    assert (net.pixels, net.classes, net.readout_layers, net.label.kind) == (784, 10, (0,), "append")


def test_a_state_dict_of_two_layers_keeps_weights_biases_and_readout(files, tensors):
    net = made(files())
    assert [layer.name for layer in net.layers] == ["hidden1", "hidden2"]
    assert net.layers[0].weight.tolist() == tensors()["a.weight"].tolist()
    assert net.layers[0].bias.tolist() == tensors()["a.bias"].tolist()
    assert net.layers[1].bias is None
    assert all(layer.positive.all() for layer in net.layers)
    assert net.readout_layers == (0, 1)


def test_both_orientations_of_one_matrix_are_one_network(files, tensors, spec):
    layers = [{"weight": "a.weight", "bias": "a.bias", "orientation": "in_out"}, {"weight": "b.weight"}]
    turned = made(files(tensors(**{"a.weight": tensors()["a.weight"].T}), spec(layers=layers)))
    assert turned.layers[0].weight.tolist() == made(files()).layers[0].weight.tolist()


def test_a_turned_matrix_is_refused_with_the_orientation_to_set(files, tensors, spec):
    text = refusal(files(tensors(**{"a.weight": tensors()["a.weight"].T})))
    assert "hidden1" in text
    assert "set orientation: in_out" in text
    layers = [{"weight": "a.weight"}, {"weight": "b.weight", "orientation": "in_out"}]
    text = refusal(files(spec=spec(layers=layers)))
    assert "hidden2" in text
    assert "set orientation: out_in" in text


def test_shapes_that_do_not_chain_are_named_with_both_widths(files, tensors):
    text = refusal(files(tensors(**{"b.weight": torch.ones(4, 7)})))
    assert "hidden2: 'b.weight' takes 7 inputs, the layer below has 5 neurons" in text
    text = refusal(files(tensors(**{"a.weight": torch.ones(5, 8)})))
    assert "hidden1: 'a.weight' takes 8 inputs" in text
    assert "6 pixels with the label behind them are 9" in text


@pytest.mark.parametrize("shape", [(5,), (), (5, 3, 3), (8, 1, 3, 3)])
def test_a_weight_that_is_no_matrix_is_refused(files, tensors, shape):
    assert "hidden1: 'a.weight' has shape" in refusal(files(tensors(**{"a.weight": torch.ones(shape)})))


def test_an_unknown_activation_is_named(files, spec):
    assert "activation 'gelu'" in refusal(files(spec=spec(activation="gelu")))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("GELU", "no curve has that form"),
        ("tanh", "no curve has that form"),
        ("leaky_relu", "have no sign for what it lets through below 0"),
        ("identity", "part of the layer above"),
    ],
)
def test_an_activation_without_a_form_is_refused_with_its_reason(files, spec, name, reason):
    text = refusal(files(spec=spec(activation=name)))
    assert f"activation {name!r} is not supported, only relu is: " in text
    assert reason in text


@pytest.mark.parametrize("name", ["a.weight", "b.weight"])
def test_a_layer_of_zeros_is_refused(files, tensors, name):
    layer = "hidden1" if name == "a.weight" else "hidden2"
    zeros = torch.zeros_like(tensors()[name])
    assert f"{layer}: all weights are zero" in refusal(files(tensors(**{name: zeros})))


@pytest.mark.parametrize("name", ["a.weight", "a.bias"])
def test_values_of_1e30_are_refused(files, tensors, name):
    assert "1e+30" in refusal(files(tensors(**{name: tensors()[name] * 0 + 1e30})))


def test_a_float64_beyond_float32_is_refused(files, tensors):
    huge = torch.full((5, 9), 1e300, dtype=torch.float64)
    assert "a.weight" in refusal(files(tensors(**{"a.weight": huge})))


@pytest.mark.parametrize("shape", [(4,), (5, 1), ()])
def test_a_bias_of_the_wrong_shape_is_refused(files, tensors, shape):
    assert "bias 'a.bias' has shape" in refusal(files(tensors(**{"a.bias": torch.ones(shape)})))


def test_label_codes_beyond_a_million_are_refused(files, tensors, spec):
    label = {"kind": "append", "codes": "key:codes", "classes": 3}
    assert "at most 1e+06 are taken" in refusal(files(tensors(codes=torch.full((3, 3), 2e6)), spec(label=label)))


@pytest.mark.parametrize("shape", [(4, 3), (3,), (3, 3, 1), (2, 3)])
def test_a_wrong_number_of_classes_is_refused(files, tensors, spec, shape):
    label = {"kind": "append", "codes": "key:codes", "classes": 3}
    assert "label.classes = 3" in refusal(files(tensors(codes=torch.ones(shape)), spec(label=label)))


@pytest.mark.parametrize("pixels", [2, 3])
def test_an_overwritten_label_must_leave_a_pixel(files, spec, pixels):
    label = {"kind": "overwrite", "classes": 3}
    text = refusal(files(spec=spec(pixels=pixels, label=label)))
    assert f"3 label inputs cannot overwrite {pixels} pixels" in text


@pytest.mark.parametrize("changes", [{"a.weight": (0, 9)}, {"b.weight": (0, 5)}])
def test_a_layer_without_neurons_is_refused(files, tensors, changes):
    assert "hidden" in refusal(files(tensors(**{name: torch.ones(shape) for name, shape in changes.items()})))


def test_label_codes_without_inputs_are_refused(files, tensors, spec):
    label = {"kind": "append", "codes": "key:codes", "classes": 3}
    assert "label.kind to none" in refusal(files(tensors(codes=torch.ones(3, 0)), spec(pixels=9, label=label)))


def test_a_backprop_net_without_a_label_input_is_taken_as_it_is(files, tensors, spec):
    about = spec(pixels=9, label={"kind": "none", "classes": 3}, readout=backprop_readout())
    del about["probability"]
    net = made(files(tensors(**head_tensors()), about))
    assert (net.classes, net.label.codes.shape, net.pass_labels.shape) == (3, (3, 0), (1, 0))
    assert (net.readout, net.readout_layers, net.head.activities) == ("head", (1,), "raw")


@pytest.mark.parametrize("kind", ["goodness", "softmax"])
def test_without_a_label_input_labels_cannot_be_compared(files, tensors, spec, kind):
    about = spec(pixels=9, label={"kind": "none", "classes": 3}, readout={"kind": kind})
    assert "label.kind 'none' has no label inputs: use readout.kind 'head' or" in refusal(files(tensors(), about))


def test_label_codes_of_a_network_without_label_inputs_are_refused(files, tensors, spec):
    label = {"kind": "none", "classes": 3, "codes": "key:codes"}
    text = refusal(files(tensors(**head_tensors()), spec(pixels=9, label=label, readout=backprop_readout())))
    assert "label.codes" in text


def test_without_a_label_input_the_first_layer_takes_the_pixels_alone(files, tensors, spec):
    about = spec(label={"kind": "none", "classes": 3}, readout=backprop_readout(), probability=CONTRAST)
    assert "takes 9 inputs, 6 pixels are 6" in refusal(files(tensors(**head_tensors()), about))


def test_symmetric_probability_needs_neurons_of_both_polarities(files, tensors, spec):
    symmetric = {"kind": "symmetric"}
    text = refusal(files(spec=spec(probability=symmetric)))
    assert "hidden1: probability symmetric needs" in text
    assert "hidden2: probability symmetric needs" in text
    signs = torch.tensor([1, -1, -1, 1, 1])
    layers = [{"weight": "a.weight", "polarity": "signs"}, {"weight": "b.weight", "polarity": "half"}]
    net = made(files(tensors(signs=signs), spec(probability=symmetric, layers=layers)))
    assert net.layers[0].positive.tolist() == [True, False, False, True, True]
    assert net.layers[1].positive.tolist() == [True, True, False, False]


@pytest.mark.parametrize("signs", [[1, -1, 0, 1, 1], [1, -1], [1] * 6, [[1, -1, 1, -1, 1]]])
def test_a_polarity_that_is_not_plus_or_minus_one_is_refused(files, tensors, spec, signs):
    layers = [{"weight": "a.weight", "polarity": "signs"}, {"weight": "b.weight"}]
    assert "polarity 'signs'" in refusal(files(tensors(signs=torch.tensor(signs)), spec(layers=layers)))


def head_spec(weights=("c", "d"), bias="e", **more) -> dict:
    return {"kind": "head", "head": {"weights": list(weights), "bias": bias}, **more}


def backprop_readout() -> dict:
    return {"kind": "head", "layers": [1], "head": {"weights": ["d"], "bias": "e", "activities": "raw"}}


def head_tensors() -> dict:
    return {"c": torch.ones(3, 5), "d": torch.ones(3, 4), "e": torch.arange(3.0)}


def test_a_head_of_the_right_shape_is_kept(files, tensors, spec):
    net = made(files(tensors(**head_tensors()), spec(readout=head_spec())))
    assert [w.shape for w in net.head.weights] == [(3, 5), (3, 4)]
    assert net.head.bias.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"c": torch.ones(3, 4)}, "'c' has shape"),
        ({"d": torch.ones(2, 4)}, "'d' has shape"),
        ({"d": torch.zeros(3, 4)}, "'d' is all zero"),
        ({"e": torch.ones(4)}, "bias 'e' has shape"),
    ],
)
def test_a_head_of_the_wrong_shape_is_refused(files, tensors, spec, changes, words):
    assert words in refusal(files(tensors(**{**head_tensors(), **changes}), spec(readout=head_spec())))


def test_a_head_needs_one_matrix_for_each_layer(files, tensors, spec):
    text = refusal(files(tensors(**head_tensors()), spec(readout=head_spec(weights=("c",)))))
    assert "1 weights for 2 read-out layers" in text


@pytest.mark.parametrize("layers", [[2], [-1], [0, 0], []])
def test_read_out_layers_that_are_not_there_are_refused(files, spec, layers):
    assert "readout.layers" in refusal(files(spec=spec(readout={"kind": "goodness", "layers": layers})))


def test_all_violations_are_reported_at_once(files, tensors, spec):
    bad = tensors(**{"a.weight": torch.zeros(5, 9), "a.bias": torch.ones(3), "b.weight": torch.full((4, 5), 1e30)})
    text = refusal(files(bad, spec(activation="tanh", layers=[
        {"weight": "a.weight", "bias": "a.bias"}, {"weight": "b.weight"}])))  # fmt: skip
    assert "tanh" in text
    text = refusal(files(bad))
    assert all(words in text for words in ("hidden1: all weights are zero", "bias 'a.bias'", "hidden2: weights up to"))

"""Convolutions: against torch's own, unrolled, in integers against plain loops; and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.network import build
from ff2loihi.compilers.inference import arithmetic_rules, readout
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration, Options, quantize
from ff2loihi.compilers.ir.convolution import Conv, convolve, product

GEOMETRIES = (
    Conv((1, 5, 7), 4, (3, 3), 1, 0, 1),
    Conv((2, 6, 6), 6, (3, 2), 2, 1, 2),
    Conv((3, 4, 5), 3, (1, 1), 1, 0, 3),
    Conv((2, 3, 3), 5, (3, 3), 1, 0, 1),
    Conv((4, 8, 8), 8, (5, 5), 3, 2, 4),
    Conv((2, 9, 8), 4, (3, 2), 2, 3, 2, 3),
    Conv((1, 7, 7), 2, (3, 3), 1, 2, 1, 2),
)


def integers(conv: Conv, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (3, conv.inputs)), rng.integers(-254, 255, conv.weight_shape)


def conv_ones(conv: Conv) -> np.ndarray:
    """(neurons, inputs): how many taps join them."""
    eye = np.eye(conv.inputs, dtype=np.int64)
    return by_torch(eye, np.ones(conv.weight_shape, np.int64), conv).T


def by_torch(x: np.ndarray, weight: np.ndarray, conv: Conv) -> np.ndarray:
    image = torch.from_numpy(x).double().view(-1, *conv.shape)
    kernels = torch.from_numpy(weight).double()
    out = torch.nn.functional.conv2d(image, kernels, None, conv.stride, conv.padding, conv.dilation, conv.groups)
    assert out.shape[1:] == conv.out_shape
    return out.flatten(1).round().long().numpy()


@pytest.mark.parametrize("conv", GEOMETRIES)
def test_the_products_are_those_of_torch_in_numpy_in_torch_and_unrolled(conv):
    x, weight = integers(conv, 1)
    wanted = by_torch(x, weight, conv)
    assert product(x.astype(np.float64), weight, conv).tolist() == wanted.tolist()
    arrays = torch.from_numpy(x).double(), torch.from_numpy(conv.grouped(weight)).double()
    assert convolve(*arrays, torch.from_numpy(conv.patches), torch).tolist() == wanted.tolist()
    assert (x @ conv.unrolled(weight).toarray().T.astype(np.int64)).tolist() == wanted.tolist()
    assert conv.fan_out.tolist() == conv_ones(conv).sum(0).tolist()
    assert conv.synapses == conv.unrolled(np.ones_like(weight)).nnz


def competitive(files, read=(0, 1), **changes):
    """Two layers of convolutions on 2 x 4 x 6 images, 3 classes, channels compete."""
    made = torch.Generator().manual_seed(3)
    tensors = {"a": torch.randn(6, 1, 3, 3, generator=made), "b": torch.randn(9, 6, 2, 2, generator=made)}
    about = {
        "pixels": 48,
        "image": [2, 4, 6],
        "label": {"kind": "none", "classes": 3},
        "layers": [
            {"weight": "a", "conv": {"padding": 1, "groups": 2}}, {"weight": "b", "conv": {"stride": 2}},
        ],
        "goodness": "mean_squares",
        "normalization": "rms",
        "readout": {"kind": "channels", "layers": list(read)},
    }  # fmt: skip
    return build(load_checkpoint(*files(tensors | changes.pop("tensors", {}), about | changes)))


def float_class_goodness(net, pixels: np.ndarray) -> np.ndarray:
    """(samples, layers, classes), by torch."""
    x, found = torch.from_numpy(pixels).double().view(-1, 2, 4, 6) / 255, []
    for layer in net.layers:
        conv = layer.conv
        weight = torch.tensor(layer.weight).double()
        h = torch.nn.functional.conv2d(x, weight, None, conv.stride, conv.padding, 1, conv.groups).relu()
        found.append(torch.stack([part.square().mean((1, 2, 3)) for part in h.chunk(3, dim=1)], 1))
        x = h / h.square().mean((1, 2, 3), keepdim=True).sqrt()
    return torch.stack(found, 1).numpy()


@pytest.mark.parametrize("layers", [(0, 1), (1,)])
def test_the_class_whose_channels_are_strongest_is_read_from_integers(files, layers):
    net = competitive(files, read=layers)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 48)).astype(np.uint8)
    network = quantize(net, Calibration(images, np.zeros(80, int)), Options())
    assert network.deferred
    result = Forward(network).run(quantize_pixels(images, network.input_bits))
    wanted = float_class_goodness(net, images)
    got = readout.goodness(network, result.sums)
    assert np.allclose(got.transpose(0, 2, 1), wanted, rtol=0.05, atol=0.02 * wanted.max())
    total = wanted[:, list(layers)].sum(1)
    assert np.allclose(readout.scores(network, result.sums, None), total, rtol=0.05, atol=0.02 * total.max())


def test_graded_states_of_convolutions_are_those_of_whole_numbers(files):
    net = competitive(files)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (40, 48)).astype(np.uint8)
    network = quantize(net, Calibration(images, np.zeros(40, int)), Options(weight_bits=5))
    result = Forward(network).run(quantize_pixels(images, network.input_bits), states=True)
    x = quantize_pixels(images, network.input_bits)
    for index, layer in enumerate(network.layers):
        a = by_torch(x, layer.weight.astype(np.int64), layer.conv)
        x = np.clip(a >> layer.shift, 0, layer.top)
        assert result.states[f"{layer.name}.a"][:, 0].tolist() == a.tolist()
        assert result.states[f"{layer.name}.h"][:, 0].tolist() == x.tolist()
        each = (x.reshape(40, 3, -1) ** 2).sum(-1)
        assert result.sums[:, 0, index, 0].tolist() == each.tolist()


def test_the_rules_and_the_usage_of_a_convolution_count_its_kernels(files):
    net = competitive(files)
    images = np.full((10, 48), 255, np.uint8)
    network = quantize(net, Calibration(images, np.zeros(10, int)), Options())
    arithmetic_rules.check(network)
    first = arithmetic_rules.usage(network)[0]
    assert (first["neurons"], first["synapses"], first["shape"]) == (144, 6 * (4 * 6 * 9 - 2 * 4 * 3 - 2 * 6 * 3 + 4),
                                                                     "6x4x6, 3x3/1, 2 groups")  # fmt: skip
    second = network.layers[1]
    heavy = replace(second, bias=np.full(second.neurons, (1 << 23) - 1, np.int32))
    with pytest.raises(CompileError, match="hidden2: sums reach"):
        arithmetic_rules.check(replace(network, layers=(network.layers[0], heavy)))


APPENDED = {
    "label": {"kind": "append", "classes": 3},
    "readout": {"kind": "goodness"},
    "probability": {"kind": "contrast"},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": None}, "hidden1: a convolution needs an image below it, image: [channels,"),
        ({"image": [1, 4, 6]}, "image: 1 x 4 x 6 is not pixels = 48"),
        ({"tensors": {"a": torch.ones(6, 2, 3, 3)}}, "6 channels of 2 groups over 2 channels want (6, 1, 3, 3)"),
        ({"tensors": {"a": torch.ones(6, 9)}}, "a convolution's has 4 dimensions"),
        ({"tensors": {"b": torch.ones(9, 6, 5, 5)}}, "hidden2: a kernel of 5 x 5 with padding 0 leaves 4 x 6"),
        ({"tensors": {"b": torch.ones(8, 6, 2, 2)}}, "hidden2: 8 channels are not 3 subsets of the same size"),
        (APPENDED | {"readout": {"kind": "channels"}}, "use label.kind 'none'"),
        (APPENDED, "no place for label inputs beside the image"),
        ({"probability": {"kind": "symmetric"}}, "probability: label.kind 'none'"),
        ({"layers": [{"weight": "a"}, {"weight": "b"}]}, "For a convolution give the layer conv"),
    ],
)  # fmt: skip
def test_what_is_no_network_of_convolutions_is_refused_by_name(files, changes, words):
    with pytest.raises(CheckpointError) as caught:
        competitive(files, **changes)
    assert words in str(caught.value)

"""Pooling: against torch's own in float, in integers against plain windows; and what does not fit is refused."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.network import build
from ff2loihi.compilers.inference import arithmetic_rules, float_forward, readout, thresholds
from ff2loihi.compilers.inference.fold import fold_averages
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration, Options, mean_weights, payload_bits, quantize
from ff2loihi.compilers.ir.convolution import product
from ff2loihi.compilers.ir.pooling import MaxPool

GEOMETRIES = (
    MaxPool((1, 4, 6), (2, 2), 2),
    MaxPool((3, 7, 5), (2, 2), 2),  # a row and a column are left over
    MaxPool((2, 7, 8), (3, 3), 2),  # windows overlap
    MaxPool((2, 5, 3), (5, 3), 5),  # global
    MaxPool((2, 6, 6), (1, 1), 3),
)


@pytest.mark.parametrize("pool", GEOMETRIES)
def test_the_windows_are_those_of_torch_in_numpy_and_in_torch(pool):
    x = np.random.default_rng(0).integers(0, 256, (4, 2, pool.inputs))
    image = torch.from_numpy(x).double().view(-1, *pool.shape)
    wanted = F.max_pool2d(image, pool.size, pool.stride)
    assert wanted.shape[1:] == pool.out_shape
    wanted = wanted.reshape(4, 2, pool.outputs).long().tolist()
    assert pool.largest(x, np).tolist() == wanted
    assert pool.largest(torch.from_numpy(x), torch).tolist() == wanted
    assert x[..., pool.windows].max(-1).tolist() == wanted
    assert pool.kernels.out_shape == pool.out_shape


KINDS = ("max", "average")


def content() -> dict:
    made = torch.Generator().manual_seed(4)
    sizes = {"a": (6, 1, 3, 3), "b": (9, 6, 2, 2), "c": (12, 9)}
    return {name: torch.randn(size, generator=made) for name, size in sizes.items()}


def spec(kind: str, **changes) -> dict:
    """Two pooled convolutions, the second globally, and a dense layer on 2 x 6 x 8 images; 3 classes."""
    return {
        "pixels": 96, "image": [2, 6, 8], "label": {"kind": "none", "classes": 3},
        "layers": [
            {"weight": "a", "conv": {"padding": 1, "groups": 2}, "pool": {"kind": kind}},
            {"weight": "b", "conv": {"padding": 1}, "pool": {"kind": kind, "size": "global"}},
            {"weight": "c"},
        ],
        "goodness": "mean_squares", "normalization": "rms", "readout": {"kind": "channels"},
    } | changes  # fmt: skip


def images(count: int = 60) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 96)).astype(np.uint8)


def by_torch(kind: str, normalization: str = "rms") -> list[torch.Tensor]:
    """What leaves each layer."""
    tensors = {name: tensor.double() for name, tensor in content().items()}
    pool = F.max_pool2d if kind == "max" else F.avg_pool2d

    def divided(h: torch.Tensor) -> torch.Tensor:
        rms = h.square().flatten(1).mean(1).sqrt().view(-1, *[1] * (h.ndim - 1))
        return h / rms if normalization == "rms" else h

    x = torch.from_numpy(images()).double().view(-1, 2, 6, 8) / 255
    first = pool(F.conv2d(x, tensors["a"], None, 1, 1, 1, 2).relu(), 2)
    second = F.conv2d(divided(first), tensors["b"], padding=1).relu()
    second = pool(second, second.shape[2:])
    return [first, second, (divided(second).flatten(1) @ tensors["c"].T).relu()]


def class_goodness(layers: list[torch.Tensor]) -> np.ndarray:
    """(samples, classes, layers)."""
    found = [torch.stack([part.square().flatten(1).mean(1) for part in h.chunk(3, 1)], 1) for h in layers]
    return torch.stack(found, 2).numpy()


def read(network, values):
    return values[:, :, list(network.readout_layers)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalization", ["rms", "none"])
def test_the_float_network_is_torchs_and_its_integers_read_the_same_goodness(files, kind, normalization):
    net = build(load_checkpoint(*files(content(), spec(kind, normalization=normalization))))
    wanted = by_torch(kind, normalization)
    found = [float_forward.all_labels(net, images())[index][:, 0] for index in net.readout_layers]
    for got, layer in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, layer.flatten(1).numpy(), rtol=1e-4, atol=1e-4)
    assert [layer.name for layer in net.layers] == (
        ["hidden1", "hidden2", "hidden3"]
        if kind == "max"
        else ["hidden1", "hidden1_average", "hidden2", "hidden2_average", "hidden3"]
    )
    network = quantize(net, Calibration(images(), np.zeros(60, int)), Options())
    arithmetic_rules.check(network)
    result = Forward(network).run(quantize_pixels(images(), network.input_bits))
    target = class_goodness(wanted)
    got = read(network, readout.goodness(network, result.sums))
    assert np.allclose(got, target, rtol=0.05, atol=0.03 * target.max())
    np.testing.assert_allclose(readout.scores(network, result.sums, result.head), got.sum(2))


def test_payloads_of_a_net_that_averages_are_rounded_to_the_nearest(files):
    """Rounded down, they would lie half a unit below the means in each layer."""
    net = build(load_checkpoint(*files(content(), spec("average", normalization="none"))))
    network = quantize(net, Calibration(images(), np.zeros(60, int)), Options())
    states = Forward(network).run(quantize_pixels(images(), network.input_bits), states=True).states
    pools = [(below, layer) for below, layer in itertools.pairwise(network.layers) if layer.averages]
    assert len(pools) == 2
    for below, layer in pools:
        sums = product(states[f"{below.name}.h"][:, 0].astype(float), np.ones(layer.weight.shape), layer.conv)
        means = sums / layer.weight[0].size * below.scale / layer.scale
        h = states[f"{layer.name}.h"][:, 0]
        inside = (means > 1) & (h < layer.top)
        assert inside.sum() > 300
        assert np.abs(h - means)[inside].max() < 0.51
        assert abs((h - means)[inside].mean()) < 0.1


@pytest.mark.parametrize(("side", "weight"), [(2, 254), (9, 254), (28, 36), (200, 2)])
@pytest.mark.parametrize("bits", [2, 8])
def test_an_average_loses_nothing_by_its_weights_and_takes_payloads_of_8_bits(side, weight, bits):
    means = np.full((3, 1, side, side), 1 / side**2, np.float32)
    even, unit = mean_weights(means, bits)
    assert np.unique(even).tolist() == [min(weight, (1 << bits) - 2)]
    assert even[0, 0, 0, 0] * unit == pytest.approx(1 / side**2)
    if side < 200:
        assert payload_bits([even], 8, "hidden1") == 8


def test_graded_states_of_a_max_pool_are_the_largest_payloads(files):
    network = quantize(
        build(load_checkpoint(*files(content(), spec("max")))), Calibration(images(), np.zeros(60, int)), Options()
    )
    states = Forward(network).run(quantize_pixels(images(), network.input_bits), states=True).states
    for layer in network.layers[:2]:
        before, after = states[f"{layer.name}.unpooled"], states[f"{layer.name}.h"]
        assert before[..., layer.pool.windows].max(-1).tolist() == after.tolist()
        assert before.shape[-1] == layer.neurons > after.shape[-1] == layer.outputs
        assert len(np.unique(after)) > 20
    below = states["hidden2.h"][:, 0]
    assert (below @ network.layers[2].weight.T.astype(int)).tolist() == states["hidden3.a"][:, 0].tolist()


@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_a_pooled_window_spikes_as_often_as_its_most_active_neuron(files, reset):
    net = build(load_checkpoint(*files(content(), spec("max"))))
    options = Options(neuron="lif", steps=12, reset=reset)
    network = quantize(net, Calibration(images(), np.zeros(60, int)), options)
    network, _ = thresholds.sweep(net, network, images(), None)
    arithmetic_rules.check(network)
    result = Forward(network).run(quantize_pixels(images(), 8), states=True)
    for index, layer in enumerate(network.layers[:2]):
        before, counts = result.states[f"{layer.name}.unpooled"], result.states[f"{layer.name}.r"]
        assert np.unique(before).tolist() == [0, 1]
        assert before.cumsum(2)[..., layer.pool.windows].max(-1).tolist() == counts.tolist()
        assert np.unique(np.diff(counts, axis=2, prepend=0)).tolist() == [0, 1]
        assert counts[:, :, -1].sum(-1).tolist() == result.spikes[:, :, index].tolist()


def test_the_torch_form_of_the_integers_is_the_numpy_form(files):
    net = build(load_checkpoint(*files(content(), spec("max"))))
    for options in (Options(), Options(neuron="lif", steps=7)):
        network = quantize(net, Calibration(images(), np.zeros(60, int)), options)
        if options.neuron == "lif":
            network, _ = thresholds.sweep(net, network, images(), 300)
        pixels = quantize_pixels(images(5), network.input_bits)
        wanted = Forward(network).run(pixels.astype(np.float32), states=True)
        made = Forward(network, torch, lambda a, kind: torch.from_numpy(np.array(a)).to(getattr(torch, kind)))
        found = made.run(torch.from_numpy(pixels).float(), states=True)
        assert found.sums.tolist() == wanted.sums.tolist()
        assert set(found.states) == set(wanted.states) >= {"hidden1.unpooled"}
        assert all(found.states[name].tolist() == wanted.states[name].tolist() for name in wanted.states)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("max", {"pool": {"kind": "max", "size": 9}}, "hidden1: a pool of 9 x 9 over an image of 6 x 8"),
        ("max", {"pool": {"kind": "min"}}, "layers.0.pool.kind"),
        ("max", {"pool": {"kind": "max", "size": 0}}, "layers.0.pool.size"),
        ("max", {"conv": None, "weight": "d"}, "hidden1: a pool needs an image below it, the layer is dense"),
        ("max", {"polarity": "signs"}, "hidden1: polarity 'signs' must be 72 values of +1 and -1"),
        ("average", {"polarity": "signs"}, "hidden1: polarity 'signs' must be 72 values of +1 and -1"),
    ],
)
def test_what_is_no_pool_is_refused_by_name(files, kind, changes, words):
    about = spec(kind)
    about["layers"][0] |= changes
    with pytest.raises(CheckpointError) as caught:
        build(load_checkpoint(*files(content() | {"d": torch.ones(4, 96), "signs": torch.ones(288)}, about)))
    assert words in str(caught.value)


def test_an_average_before_a_normalisation_by_tables_is_refused(files):
    about, tensors = spec("average"), content() | {"bias": torch.ones(9)}
    about["layers"][1]["bias"] = "bias"
    net = build(load_checkpoint(*files(tensors, about)))
    with pytest.raises(CompileError, match="hidden1_average: averages .* Train the layers above the first without"):
        quantize(net, Calibration(images(), np.zeros(60, int)), Options())


def test_a_pool_that_is_none_is_refused_in_an_artifact(files):
    net = build(load_checkpoint(*files(content(), spec("max"))))
    network = quantize(net, Calibration(images(), np.zeros(60, int)), Options())
    first = network.layers[0]
    for pool, words in (
        (MaxPool((6, 6, 8), (0, 2), 2), r"hidden1: a pool of windows \(0, 2\), stride 2"),
        (MaxPool((6, 6, 8), (7, 2), 2), r"hidden1: a pool of windows \(7, 2\), stride 2"),
        (MaxPool((6, 8, 6), (2, 2), 2), "hidden1: a pool over"),
        (MaxPool((6, 6, 8), (2, 2), 1), "hidden1 sign has shape"),
        (None, "hidden1 sign has shape"),
    ):
        with pytest.raises(CompileError, match=words):
            arithmetic_rules.check(replace(network, layers=(replace(first, pool=pool), *network.layers[1:])))
    dense = replace(network.layers[2], pool=MaxPool((12, 1, 1), (1, 1), 1))
    with pytest.raises(CompileError, match="hidden3: a pool over .* above a dense layer"):
        arithmetic_rules.check(replace(network, layers=(*network.layers[:2], dense)))
    with pytest.raises(CompileError, match="hidden1: averages no layer below it"):
        arithmetic_rules.check(replace(network, layers=(replace(first, averages=True), *network.layers[1:])))


def averaged(side: int, above: dict, weight: tuple) -> tuple[dict, dict]:
    """A convolution, averaged by twos, on images of 1 x side x 6, and a layer above it: (spec, tensors)."""
    made = torch.Generator().manual_seed(2)
    tensors = {"a": torch.randn((4, 1, 3, 3), generator=made), "b": torch.randn(weight, generator=made)}
    about = {
        "pixels": side * 6, "image": [1, side, 6], "label": {"kind": "none", "classes": 2},
        "layers": [{"weight": "a", "conv": {"padding": 1}, "pool": {"kind": "average"}}, {"weight": "b", **above}],
        "goodness": "mean_squares", "normalization": "none", "readout": {"kind": "channels", "layers": [1]},
    }  # fmt: skip
    return about, tensors


@pytest.mark.parametrize(
    ("side", "above", "weight", "folds"),
    [
        (8, {"conv": {"padding": 1}}, (6, 4, 3, 3), True),
        (8, {"conv": {"padding": 2, "stride": 2, "groups": 2}}, (6, 2, 3, 3), True),
        (7, {"conv": {"stride": 2}}, (6, 4, 2, 2), True),
        (7, {}, (6, 36), True),
        (7, {"conv": {"padding": 1}}, (6, 4, 3, 3), False),  # zeros would fall on the row that the pool leaves out
        (8, {"conv": {"dilation": 2}}, (6, 4, 2, 2), False),
    ],
)
def test_for_spikes_means_become_part_of_the_layer_above(tmp_path, side, above, weight, folds):
    about, tensors = averaged(side, above, weight)
    torch.save(tensors, tmp_path / "m.pt")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(about))
    net = build(load_checkpoint(tmp_path / "m.pt", tmp_path / "m.yaml"))
    folded = fold_averages(net)
    assert [layer.name for layer in net.layers] == ["hidden1", "hidden1_average", "hidden2"]
    pixels = np.random.default_rng(3).integers(0, 256, (20, side * 6)).astype(np.uint8)
    before, after = (float_forward.all_labels(one, pixels) for one in (net, folded))
    if not folds:
        assert folded.layers == net.layers
        return
    assert [layer.name for layer in folded.layers] == ["hidden1", "hidden2"]
    assert folded.readout_layers == (1,)
    assert np.abs(before[-1]).max() > 0.1
    np.testing.assert_allclose(after[-1], before[-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        readout.float_scores(folded, after), readout.float_scores(net, before), rtol=1e-4, atol=1e-6
    )


def test_means_that_are_read_out_or_normalised_stay_a_layer(tmp_path):
    for change in ({"readout": {"kind": "channels", "layers": [0]}}, {"normalization": "rms"}):
        about, tensors = averaged(8, {"conv": {"padding": 1}}, (6, 4, 3, 3))
        torch.save(tensors, tmp_path / "m.pt")
        (tmp_path / "m.yaml").write_text(yaml.safe_dump(about | change))
        net = build(load_checkpoint(tmp_path / "m.pt", tmp_path / "m.yaml"))
        assert fold_averages(net).layers == net.layers

"""Leaky ReLU as two neurons for one: what torch computes, in float, in integers and as spikes."""

import numpy as np
import pytest
import torch
from torch import nn

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.data.datasets import load_data

SLOPE = 0.2
HEAD = {"kind": "head", "head": {"weights": ["6.weight"], "bias": "6.bias", "activities": "raw"}, "layers": [2]}
SPEC = {
    "pixels": 64, "image": [1, 8, 8], "label": {"kind": "none"}, "activation": "leaky_relu", "negative_slope": SLOPE,
    "layers": [
        {"weight": "0.weight", "bias": "0.bias", "conv": {"padding": 1}},
        {"weight": "2.weight", "bias": "2.bias", "conv": {"stride": 2}},
        {"weight": "5.weight", "bias": "5.bias"},
    ],
    "readout": HEAD,
}  # fmt: skip


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    """Two convolutions and a dense layer below a classifier, trained on digits by backprop."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(6, 8, 2, stride=2),
        nn.Sequential(nn.LeakyReLU(SLOPE), nn.Flatten()), nn.Identity(), nn.Linear(128, 20),
        nn.Linear(20, 10),
    )  # fmt: skip
    data = load_data("digits", "train")
    images, labels = torch.from_numpy(data.images).float() / 255, torch.from_numpy(data.labels).long()
    optimizer = torch.optim.Adam(made.parameters(), 3e-3)
    for _ in range(30):
        for rows in torch.randperm(len(images)).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(made, images[rows]), labels[rows]).backward()
            optimizer.step()
    return made


def logits(net: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
    hidden = nn.functional.leaky_relu(net[:6](images.reshape(-1, 1, 8, 8)), SLOPE)
    return net[6](hidden)


def test_two_neurons_for_one_compute_what_torch_does(net):
    images = load_data("digits", "test", limit=40).images
    built = network.build(live_checkpoint(net, SPEC))
    assert [layer.neurons for layer in built.layers] == [2 * 6 * 64, 2 * 8 * 16, 40]
    with torch.no_grad():
        wanted = logits(net, torch.from_numpy(images).float() / 255).numpy()
    found = readout.float_scores(built, float_forward.all_labels(built, images))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    other = network.build(live_checkpoint(net, SPEC | {"negative_slope": 0.01}))
    assert np.abs(readout.float_scores(other, float_forward.all_labels(other, images)) - wanted).max() > 0.1


@pytest.mark.parametrize(("options", "lost"), [(Options(), 0.01), (Options(neuron="lif", steps=16), 0.04)])
def test_a_trained_net_keeps_its_accuracy(net, options, lost):
    test = load_data("digits", "test")
    program = api.compile(net, "digits", options, SPEC)
    with torch.no_grad():
        accuracy = (logits(net, torch.from_numpy(test.images).float() / 255).numpy().argmax(1) == test.labels).mean()
    assert accuracy > 0.9
    assert (Emulator().run(program, test.images).predictions == test.labels).mean() > accuracy - lost


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"readout": {"kind": "channels", "layers": [1]}}, "Of two neurons for one no goodness or norm is exact"),
        ({"readout": {**HEAD, "head": {**HEAD["head"], "activities": "l2"}}}, "no goodness or norm is exact"),
        ({"normalization": "l2"}, "Of two neurons for one normalization l2 is not exact"),
        ({"layers": [SPEC["layers"][0] | {"pool": {"kind": "max"}}, *SPEC["layers"][1:]]}, "for one have no pool"),
        ({"layers": [SPEC["layers"][0] | {"conv": {"groups": 2}}, *SPEC["layers"][1:]]}, "no groups of a convolution"),
        ({"negative_slope": 1.5}, "negative_slope"),
        ({"activation": "relu"}, "negative_slope: stands beside activation: leaky_relu, drop it"),
    ],
)
def test_what_two_neurons_cannot_stand_for_is_refused_with_the_reason(net, changes, words):
    with pytest.raises(CheckpointError, match=words):
        network.build(live_checkpoint(net, SPEC | changes))

"""Nets as public Forward-Forward code writes them, and a state_dict as its users save it: the drafted spec, as it
stands, gives the same predictions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint
from ff2loihi.compilers.frontend.draft import draft
from ff2loihi.compilers.inference import float_forward, readout


class Layer(nn.Linear):
    def forward(self, x):
        return F.relu(super().forward(x / x.norm(2, 1, keepdim=True)))


class Stacked(nn.Module):
    """The most copied form: standardised pixels, the label over the first ten as x.max(), each input by its l2 norm."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(784, 40), Layer(40, 30)])

    def forward(self, images):
        x = (images - 0.1307) / 0.3081
        found = []
        for label in range(10):
            h = x.clone()
            h[:, :10] = 0
            h[:, label] = x.max()
            goodness = 0
            for layer in self.layers:
                h = layer(h)
                goodness = goodness + h.pow(2).mean(1)
            found.append(goodness)
        return torch.stack(found, 1)


class Concatenated(nn.Module):
    """A linear classifier over all layers but the first, each divided by its root mean square, as every input is; the
    label's ten pixels hold 1/10."""

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleList([nn.Linear(784, 40), nn.Linear(40, 30), nn.Linear(30, 25)])
        self.linear_classifier = nn.Sequential(nn.Linear(55, 10, bias=False))

    def forward(self, images):
        def by_rms(z):
            return z / z.square().mean(1, keepdim=True).sqrt()

        h, seen = images.clone(), []
        h[:, :10] = 0.1
        h = by_rms(h)
        for layer in self.model:
            h = by_rms(F.relu(layer(h)))
            seen.append(h)
        return self.linear_classifier(torch.cat(seen[1:], 1))


class Convolutions(nn.Module):
    """Convolutions with batch norm and pools, and a linear layer on top."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 7 * 7, 10)

    def forward(self, images):
        h = ((images - 0.1307) / 0.3081).view(-1, 1, 28, 28)
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2)):
            h = F.max_pool2d(F.relu(norm(conv(h))), 2)
        return self.fc(h.flatten(1))


@pytest.mark.parametrize("kind", [Stacked, Concatenated, Convolutions])
def test_the_draft_for_a_public_form_classifies_as_the_net_itself(kind):
    torch.manual_seed(3)
    net = kind()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                tensor.uniform_(0.5, 1.5)
    pixels = np.random.default_rng(4).integers(0, 256, (20, 784)).astype(np.uint8)
    pixels[:, 100] = 255  # so that the largest of all images is a white pixel
    with torch.no_grad():
        wanted = net.eval()(torch.from_numpy(pixels).float() / 255).numpy()
    made = draft("it", {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()})
    assert made.missing == made.unplaced == ()
    built = network.build(live_checkpoint(net, made.values))
    found = readout.float_scores(built, float_forward.all_labels(built, pixels))
    assert np.ptp(wanted) > 0.1 * np.abs(wanted).mean()
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.ptp(wanted))

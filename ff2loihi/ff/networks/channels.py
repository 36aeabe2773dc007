"""Convolutions whose channels compete for the classes, see ff.recipes.cwc."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.ff.networks.checkpoint import Model, checkpoint_content
from ff2loihi.ff.networks.stack import Stack


@dataclass(frozen=True)
class ConvLayer:
    """channels out, a multiple of the classes; square kernel, stride, padding; groups; rate: Adam's at the start."""

    channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    rate: float


class CwCNetwork(nn.Module, Model):
    """h_l = relu(W_l * (h_(l-1) / rms(h_(l-1)))), h_0 the image; no gradient between layers.

    shape: (channels, height, width) of an image. The prediction is the class of the last layer's largest goodness.
    It is the same without the image's own division by its root mean square, and the compiled network has none.
    """

    def __init__(self, shape: tuple[int, int, int], layers: tuple[ConvLayer, ...], classes: int, facts: dict) -> None:
        super().__init__()
        self.shape, self.geometry, self.classes, self.training_facts = shape, layers, classes, facts
        below = (shape[0], *(layer.channels for layer in layers))
        self.convolutions = Stack(
            nn.Conv2d(n, part.channels, part.kernel, part.stride, part.padding, groups=part.groups, bias=False)
            for n, part in zip(below, layers, strict=False)
        )
        for part in self.convolutions:
            nn.init.kaiming_normal_(part.weight)

    def weight(self, index: int) -> Tensor:
        """(channels, channels below / groups, k, k), the mean of each filter taken off."""
        raw = self.convolutions[index].weight
        return raw - raw.mean((1, 2, 3), keepdim=True)

    def activities(self, images: Tensor) -> list[Tensor]:
        """h of each layer, (samples, channels, height, width), each detached from the one below."""
        h = images.view(-1, *self.shape).contiguous(memory_format=torch.channels_last)
        out = []
        for index, part in enumerate(self.convolutions):
            x = _by_rms(h.detach())
            h = F.relu(F.conv2d(x, self.weight(index), None, part.stride, part.padding, 1, part.groups))
            out.append(h)
        return out

    def goodness(self, h: Tensor) -> Tensor:
        """(samples, classes): mean square of the class's channels over all positions."""
        return h.square().mean((2, 3)).view(len(h), self.classes, -1).mean(2)

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """(samples, classes): the last layer's goodness. images (samples, pixels) float in [0, 1]."""
        return self.goodness(self.activities(images)[-1])

    def checkpoint(self) -> dict:
        """The file's content: tensors, what they mean (compilers.spec), and how they were trained."""
        layers = [
            {
                "weight": f"layers.{index}.weight",
                "conv": {"stride": part.stride, "padding": part.padding, "groups": part.groups},
            }
            for index, part in enumerate(self.geometry)
        ]
        spec = {
            "version": 1,
            "pixels": math.prod(self.shape),
            "image": list(self.shape),
            "label": {"kind": "none", "classes": self.classes},
            "layers": layers,
            "goodness": "mean_squares",
            "normalization": "rms",
            "readout": {"kind": "channels", "layers": [len(layers) - 1]},
        }
        tensors = {f"layers.{index}.weight": self.weight(index) for index in range(len(layers))}
        return checkpoint_content(spec, tensors, self.training_facts)


def _by_rms(h: Tensor) -> Tensor:
    return h / h.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)

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
    """channels out, a multiple of the classes; square kernel, stride, padding; groups; rate: Adam's at the start.

    pool: side of the square whose mean leaves the layer, behind its ReLU; 1: every activity leaves.
    """

    channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    rate: float
    pool: int = 1


class CwCNetwork(nn.Module, Model):
    """h_l = pool(relu(W_l * n(h_(l-1)))), h_0 the image; no gradient between layers.

    shape: (channels, height, width) of an image. The prediction is the class of the last layer's largest goodness.
    n divides by the root mean square of a sample's activities, and each filter has mean 0. The prediction is the same
    without the image's own division, and the compiled network has none. batch_norm: h_l = pool(relu(bn_l(W_l *
    h_(l-1)))) in place of both (Ioffe and Szegedy 2015).
    """

    def __init__(
        self, shape: tuple[int, int, int], layers: tuple[ConvLayer, ...], classes: int, facts: dict,
        batch_norm: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape, self.geometry, self.classes, self.training_facts = shape, layers, classes, facts
        below = (shape[0], *(layer.channels for layer in layers))
        self.convolutions = Stack(
            nn.Conv2d(n, part.channels, part.kernel, part.stride, part.padding, groups=part.groups, bias=False)
            for n, part in zip(below, layers, strict=False)
        )
        for part in self.convolutions:
            nn.init.kaiming_normal_(part.weight)
        self.norms = Stack(nn.BatchNorm2d(part.channels) for part in layers) if batch_norm else None

    def weight(self, index: int) -> Tensor:
        """(channels, channels below / groups, k, k); without batch norm, the mean of each filter taken off."""
        raw = self.convolutions[index].weight
        return raw if self.norms else raw - raw.mean((1, 2, 3), keepdim=True)

    def activities(self, images: Tensor) -> list[Tensor]:
        """h of each layer, (samples, channels, height, width), each detached from the one below."""
        h = images.view(-1, *self.shape).contiguous(memory_format=torch.channels_last)
        out = []
        for index, part in enumerate(self.convolutions):
            x = h.detach() if self.norms else _by_rms(h.detach())
            a = F.conv2d(x, self.weight(index), None, part.stride, part.padding, 1, part.groups)
            h = F.relu(self.norms[index](a) if self.norms else a)
            if self.geometry[index].pool > 1:
                h = F.avg_pool2d(h, self.geometry[index].pool)
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
        layers: list[dict[str, object]] = [
            {
                "weight": f"layers.{index}.weight",
                "conv": {"stride": part.stride, "padding": part.padding, "groups": part.groups},
            }
            for index, part in enumerate(self.geometry)
        ]
        tensors = {f"layers.{index}.weight": self.weight(index) for index in range(len(layers))}
        for index, part in enumerate(self.geometry):
            if part.pool > 1:
                layers[index]["pool"] = {"kind": "average", "size": part.pool}
            if self.norms:
                layers[index]["batch_norm"] = f"norms.{index}"
                state = self.norms[index].state_dict()
                state.pop("num_batches_tracked")
                tensors |= {f"norms.{index}.{name}": value for name, value in state.items()}
        spec = {
            "version": 1,
            "pixels": math.prod(self.shape),
            "image": list(self.shape),
            "label": {"kind": "none", "classes": self.classes},
            "layers": layers,
            "goodness": "mean_squares",
            "normalization": "none" if self.norms else "rms",
            "readout": {"kind": "channels", "layers": [len(layers) - 1]},
        }
        return checkpoint_content(spec, tensors, self.training_facts)


def _by_rms(h: Tensor) -> Tensor:
    return h / h.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)

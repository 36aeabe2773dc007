"""CwC-FF: channels compete for the classes, layer by layer, and no label enters the network.

Papachristodoulou et al. 2024 ("Convolutional Channel-wise Competitive Learning for the Forward-Forward Algorithm"):
the channels of a layer form one subset a class, in order; the goodness of a class is its subset's mean square, and
each layer alone minimises the cross-entropy of the softmax of these. In a form that the chip holds: strides in place
of pooling, no batch norm and no bias; each filter has mean 0, which is what batch norm was good for here, and the
root mean square of a sample's activities is divided out between layers.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import Progress, Schedule, descend
from ff2loihi.ff.networks.checkpoint import Model, checkpoint_content
from ff2loihi.ff.recipes.recipe import Choice, schedule_for

SMALL_SIDE = 16  # pixels: the last layer of smaller images is padded, or nothing would be left for it


@dataclass(frozen=True)
class ConvLayer:
    """channels out, a multiple of the classes; square kernel, stride, padding; groups; rate: Adam's at the start."""

    channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    rate: float


LAYERS = (
    ConvLayer(20, 5, 2, 2, 1, 0.03),
    ConvLayer(40, 3, 1, 1, 1, 0.02),
    ConvLayer(80, 3, 2, 1, 1, 0.01),
    ConvLayer(160, 3, 1, 0, 1, 0.005),
)


class CwCNetwork(nn.Module, Model):
    """h_l = relu(W_l * (h_(l-1) / rms(h_(l-1)))), h_0 the image; no gradient between layers.

    shape: (channels, height, width) of an image. The prediction is the class of the last layer's largest goodness.
    It is the same without the image's own division by its root mean square, and the compiled network has none.
    """

    def __init__(self, shape: tuple[int, int, int], layers: tuple[ConvLayer, ...], classes: int, facts: dict) -> None:
        super().__init__()
        self.shape, self.geometry, self.classes, self.training_facts = shape, layers, classes, facts
        below = (shape[0], *(layer.channels for layer in layers))
        self.convolutions = nn.ModuleList(
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


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """(1, side, side). Raises DataError for images that are not grey and square."""
    side = math.isqrt(data.images.shape[1])
    if data.channels != 1 or side * side != data.images.shape[1]:
        raise DataError(f"{data.name}: cwc-ff takes square grey images. Use --data mnist, fashion-mnist or digits")
    return 1, side, side


def _layers(channels: tuple[int, ...], side: int, classes: int) -> tuple[ConvLayer, ...]:
    if len(channels) != len(LAYERS) or any(count % classes for count in channels):
        raise FF2LoihiError(
            f"the channels of cwc-ff (--widths) must be {len(LAYERS)} multiples of {classes}, "
            f"got {'-'.join(map(str, channels))}"
        )
    layers = [replace(layer, channels=count) for layer, count in zip(LAYERS, channels, strict=True)]
    if side < SMALL_SIDE:
        layers[-1] = replace(layers[-1], padding=layers[-1].kernel // 2)
    return tuple(layers)


@dataclass(frozen=True)
class CwCRecipe:
    """See ff.recipe.Recipe. All layers learn at once, each on its own loss; widths are the layers' channels."""

    source: str
    schedule: Schedule
    small_epochs: int
    quick_epochs: int
    choices: frozenset[str] = frozenset({"widths"})

    def train(self, data: Dataset, choice: Choice, facts: dict, progress: Progress | None = None) -> CwCNetwork:
        """0 epochs give the untrained net. Raises DataError for images, FF2LoihiError for channels that do not fit."""
        usual = replace(self.schedule, epochs=self.quick_epochs) if choice.quick else self.schedule
        schedule = schedule_for(data, choice, usual, self.small_epochs)
        shape = image_shape(data)
        layers = _layers(choice.widths or tuple(layer.channels for layer in LAYERS), shape[1], data.classes)
        network = CwCNetwork(shape, layers, data.classes, {**facts, "epochs": schedule.epochs})

        def loss(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
            return sum(F.cross_entropy(network.goodness(h), labels) for h in network.activities(images))

        rates = zip(network.convolutions, layers, strict=True)
        groups = [{"params": part.parameters(), "lr": layer.rate} for part, layer in rates]
        descend(groups, loss, data, schedule, choice.seed, progress)
        return network


CWC = {
    "cwc-ff": CwCRecipe(
        source="Papachristodoulou 2024, channel-wise competition of four convolutions",
        schedule=Schedule(epochs=4, batch=128, rate=0.005, jitter=1),
        small_epochs=40,
        quick_epochs=1,
    ),
}

"""CwC-FF: channels compete for the classes, layer by layer, and no label enters the network.

Papachristodoulou et al. 2024 ("Convolutional Channel-wise Competitive Learning for the Forward-Forward Algorithm"):
the channels of a layer form one subset a class, in order; the goodness of a class is its subset's mean square, and
each layer alone minimises the cross-entropy of the softmax of these.

cwc-ff has strides in place of pooling, no batch norm and no bias: each filter has mean 0, which is what batch norm was
good for here, and the root mean square of a sample's activities is divided out between layers. cwc-ff-bn has batch
norm and average pooling, which the compiler folds into weights and biases.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend
from ff2loihi.ff.networks.channels import ConvLayer, CwCNetwork
from ff2loihi.ff.recipes.recipe import Choice, layout, training_for

SMALL_SIDE = 16  # pixels: the last layer of smaller images is padded, or nothing would be left for it
STRIDED = (
    ConvLayer(20, 5, 2, 2, 1, 0.03),
    ConvLayer(40, 3, 1, 1, 1, 0.02),
    ConvLayer(80, 3, 2, 1, 1, 0.01),
    ConvLayer(160, 3, 1, 0, 1, 0.005),
)
POOLED = (
    ConvLayer(30, 5, 1, 2, 1, 0.02, 2),
    ConvLayer(60, 3, 1, 1, 1, 0.02, 2),
    ConvLayer(120, 3, 1, 1, 1, 0.02),
    ConvLayer(160, 3, 1, 1, 1, 0.02),
)


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """(1, side, side). Raises DataError for images that are not grey and square."""
    side, width, channels = data.shape
    if channels != 1 or side != width or side * side != data.images.shape[1]:
        raise DataError(f"{data.name}: cwc-ff takes square grey images. Use --data mnist, fashion-mnist or digits")
    return 1, side, side


@dataclass(frozen=True)
class CwCRecipe:
    """See recipe.Recipe. All layers learn at once, each on its own loss; widths are the layers' channels.

    mirrored: names of data sets whose images are mirrored half of the time.
    """

    source: str
    training: Training
    small_epochs: int
    quick_epochs: int
    layers: tuple[ConvLayer, ...]
    batch_norm: bool = False
    mirrored: tuple[str, ...] = ()
    choices: frozenset[str] = frozenset({"widths", "device"})

    @property
    def layout(self) -> str:
        return layout(tuple(layer.channels for layer in self.layers))

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> CwCNetwork:
        """0 epochs give the untrained net. Raises DataError for images, FF2LoihiError for channels that do not fit."""
        usual = replace(self.training, epochs=self.quick_epochs) if choice.quick else self.training
        training = training_for(data, choice, usual, self.small_epochs)
        shape, device = image_shape(data), choice.device
        layers = self._sized(choice.widths, shape[1], data.classes)
        network = CwCNetwork(shape, layers, data.classes, {**facts, "epochs": training.epochs}, self.batch_norm)
        network.to(device)

        def loss(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
            if data.name in self.mirrored:
                images = _half_mirrored(images.view(-1, *shape), generator)
            losses = (F.cross_entropy(network.goodness(h), labels) for h in network.activities(images))
            return sum(losses, torch.zeros((), device=device))

        parts = [*network.convolutions, *(network.norms or ())]  # of layer 1, 2, ..., and again
        rates = [layer.rate for layer in layers] * 2
        groups = [{"params": part.parameters(), "lr": rate} for part, rate in zip(parts, rates, strict=False)]
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            extra = tuple(network.buffers())
            descend(groups, loss, data, training, choice.seed, hooks, device, extra, network)
        return network.cpu().eval()

    def _sized(self, channels: tuple[int, ...] | None, side: int, classes: int) -> tuple[ConvLayer, ...]:
        channels = channels or tuple(layer.channels for layer in self.layers)
        if len(channels) != len(self.layers) or any(count % classes for count in channels):
            raise FF2LoihiError(
                f"the channels of this recipe (--widths) must be {len(self.layers)} multiples of {classes}, "
                f"got {layout(channels)}"
            )
        layers = [replace(layer, channels=count) for layer, count in zip(self.layers, channels, strict=True)]
        if side < SMALL_SIDE:
            layers[-1] = replace(layers[-1], padding=layers[-1].kernel // 2)
        return tuple(layers)


def _half_mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """images (batch, channels, height, width), each with its left and right exchanged by a coin's throw."""
    coins = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(coins.to(images.device), images.flip(3), images)


CWC = {
    "cwc-ff": CwCRecipe(
        source="Papachristodoulou 2024, channel-wise competition of four convolutions",
        training=Training(epochs=4, batch=128, rate=0.005, jitter=1),
        small_epochs=40,
        quick_epochs=1,
        layers=STRIDED,
    ),
    "cwc-ff-bn": CwCRecipe(
        source="Papachristodoulou 2024, channel-wise competition of four convolutions with batch norm and pooling",
        training=Training(epochs=16, batch=128, rate=0.02, jitter=1),
        small_epochs=40,
        quick_epochs=1,
        layers=POOLED,
        batch_norm=True,
        mirrored=("fashion-mnist",),
    ),
}

"""Networks that see the image alone: no label in the input, a linear head on the activities."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.ff.networks.checkpoint import Model, checkpoint_content
from ff2loihi.ff.networks.model import normalize
from ff2loihi.ff.networks.stack import Stack


@dataclass(frozen=True)
class Plain:
    """A network's kind; names as in spec.yaml. read: the layers that the head sees, 0-based; raw: as they are, not each
    divided by its l2 norm."""

    read: tuple[int, ...]
    raw: bool = False
    activation: str = "relu"  # or sigmoid
    normalization: str = "none"


class PlainNetwork(nn.Module, Model):
    """h_l = f(W_l n(h_(l-1)) + b_l), n the normalisation, identity on the input; scores = sum_l V_l h_l + c.

    pixels: inputs in [0, 1]; the sum is over the layers that are read, h_l / ||h_l||_2 in place of h_l if not raw.
    """

    def __init__(
        self, pixels: int, widths: tuple[int, ...], classes: int, kind: Plain, bias: bool, training: dict
    ) -> None:
        super().__init__()
        self.kind, self.training_facts = kind, training
        self.layers = Stack(nn.Linear(a, b, bias=bias) for a, b in zip((pixels, *widths), widths, strict=False))
        self.head = nn.Linear(sum(widths[index] for index in kind.read), classes)

    def activities(self, images: Tensor, local: bool = True) -> list[Tensor]:
        """h of each layer, (samples, n); local: each detached from the layer below."""
        f = torch.sigmoid if self.kind.activation == "sigmoid" else F.relu
        out, x = [], images
        for layer in self.layers:
            h = f(layer(x))
            out.append(h)
            x = normalize(h.detach() if local else h, self.kind.normalization)
        return out

    def features(self, images: Tensor, local: bool = True) -> Tensor:
        """The head's input."""
        h = self.activities(images, local)
        read = [h[index] if self.kind.raw else F.normalize(h[index], dim=-1) for index in self.kind.read]
        return torch.cat(read, dim=1)

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))

    def checkpoint(self) -> dict:
        tensors, layers, keys = {}, [], []
        for index, layer in enumerate(self.layers):
            tensors[f"layers.{index}.weight"] = layer.weight
            layers.append({"weight": f"layers.{index}.weight"})
            if layer.bias is not None:
                tensors[f"layers.{index}.bias"] = layer.bias
                layers[-1]["bias"] = f"layers.{index}.bias"
        widths = [self.layers[index].out_features for index in self.kind.read]
        for index, part in zip(self.kind.read, self.head.weight.detach().split(widths, dim=1), strict=True):
            keys.append(f"head.{index}.weight")
            tensors[keys[-1]] = part
        tensors["head.bias"] = self.head.bias
        head = {"weights": keys, "bias": "head.bias", "activities": "raw" if self.kind.raw else "l2"}
        spec = {
            "version": 1,
            "pixels": self.layers[0].in_features,
            "label": {"kind": "none", "classes": self.head.out_features},
            "layers": layers,
            "activation": self.kind.activation,
            "normalization": self.kind.normalization,
            "readout": {"kind": "head", "layers": list(self.kind.read), "head": head},
        }
        return checkpoint_content(spec, tensors, self.training_facts)

"""The network: layers, label embedding and read-out, and its checkpoint."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir import Binning
from ff2loihi.compilers.ir.options import Probability
from ff2loihi.ff.networks.checkpoint import Model, checkpoint_content
from ff2loihi.ff.networks.labels import Embedding
from ff2loihi.ff.networks.stack import Stack
from ff2loihi.ff.objectives.goodness import score


@dataclass(frozen=True)
class Rule:
    """What a layer is judged by and what passes to the next one; names as in spec.yaml.

    layers: those whose scores, or features, are read out; all of them where None.
    """

    goodness: str
    probability: Probability
    normalization: str
    readout: str  # goodness, or softmax
    layers: tuple[int, ...] | None = None


def normalize(h: Tensor, kind: str) -> Tensor:
    """h / ||h||_2, h / ||h||_1, or h / sqrt(mean h^2) (rms), between layers (Hinton 2022; Tosato 2025, app. K)."""
    if kind == "none":
        return h
    if kind == "l2":
        return F.normalize(h, dim=-1)
    if kind == "l1":
        return F.normalize(h, p=1, dim=-1)
    if kind == "rms":
        return F.normalize(h, dim=-1) * h.shape[-1] ** 0.5
    raise ValueError(f"normalization must be none, l2, l1 or rms, got {kind!r}")


class FFNetwork(nn.Module, Model):
    """h_l = relu(W_l n(h_(l-1)) + b_l), n the normalisation, identity on the input.

    pixels: image inputs in [0, 1]. The first half of each layer's neurons is positive where the probability is
    symmetric. head: a linear classifier of the l2-normalised activities under the neutral label (the mean code).
    events: how spikes are made of events, which stand for pixels then; the net is compiled as it is, untrained.
    """

    def __init__(
        self, pixels: int, widths: tuple[int, ...], embedding: Embedding, rule: Rule, bias: bool, training: dict,
        events: Binning | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if embedding.kind == "overwrite" and embedding.codes.shape[1] >= pixels:
            raise DataError(
                f"a label over the first {embedding.codes.shape[1]} values of an image of {pixels}: too many classes "
                "for it. Use a recipe that appends the label, as ffa-symmetric"
            )
        self.pixels, self.embedding, self.rule, self.training_facts = pixels, embedding, rule, training
        self.events = events
        sizes = (embedding.inputs(pixels), *widths)
        self.layers = Stack(nn.Linear(a, b, bias=bias) for a, b in zip(sizes, widths, strict=False))
        self.head: nn.Linear | None = None

    @property
    def read(self) -> tuple[int, ...]:
        """The layers that are read out."""
        return self.rule.layers or tuple(range(len(self.layers)))

    def positive(self, index: int) -> Tensor:
        """(n,) bool: the + neurons of a layer."""
        n = self.layers[index].out_features
        return torch.arange(n) < (n + 1) // 2 if self.rule.probability.kind == "symmetric" else torch.ones(n).bool()

    @torch.no_grad()
    def keep_synapses(self, exists: Tensor) -> None:
        """Of layer 1 only these synapses, (n, inputs) bool: the others become 0, and training leaves them so."""
        weight = self.layers[0].weight
        weight.mul_(exists)
        weight.register_hook(lambda gradient: gradient * exists)

    def image_drive(self, images: Tensor) -> Tensor:
        """The images' part of layer 1's sum, (samples, n): the same under every label."""
        image, _ = self.embedding.columns(self.pixels)
        return images[:, image] @ self.layers[0].weight[:, image].T

    def label_drive(self, codes: Tensor) -> Tensor:
        """The labels' part of layer 1's sum with its bias, (..., n)."""
        _, label = self.embedding.columns(self.pixels)
        return F.linear(codes, self.layers[0].weight[:, label], self.layers[0].bias)

    def activities(self, drive: Tensor, local: bool = True) -> list[Tensor]:
        """h of each layer, (..., n), from layer 1's sum; local: each detached from the layer below."""
        h = F.relu(drive)
        out = [h]
        for layer in self.layers[1:]:
            h = F.relu(layer(normalize(h.detach() if local else h, self.rule.normalization)))
            out.append(h)
        return out

    @torch.no_grad()
    def label_scores(self, image_drive: Tensor) -> list[Tensor]:
        """Each layer's score of each label, (samples, classes), from image_drive (samples, n)."""
        drive = image_drive[:, None] + self.label_drive(self.embedding.codes)
        return [
            score(h, self.positive(index), self.rule.goodness, self.rule.probability)
            for index, h in enumerate(self.activities(drive))
        ]

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """(samples, classes): the read-out. images (samples, pixels) float in [0, 1]."""
        if self.head is not None:
            return self.head(self.features(images))
        return self.combine(self.label_scores(self.image_drive(images)))

    def combine(self, parts: list[Tensor]) -> Tensor:
        """The read layers' scores in one: their sum, or the sum of each one's softmax over the labels."""
        parts = [parts[index] for index in self.read]
        return sum((part.softmax(1) if self.rule.readout == "softmax" else part for part in parts), torch.zeros(()))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """The head's input: the l2-normalised activities of every read layer under the neutral label."""
        drive = self.image_drive(images) + self.label_drive(self.embedding.codes.mean(0))
        h = self.activities(drive)
        return torch.cat([F.normalize(h[index], dim=-1) for index in self.read], dim=1)

    def checkpoint(self) -> dict:
        """The file's content: tensors, what they mean (compilers.spec), and how they were trained."""
        tensors = {"codes": self.embedding.codes}
        layers = []
        symmetric = self.rule.probability.kind == "symmetric"
        for index, layer in enumerate(self.layers):
            tensors[f"layers.{index}.weight"] = layer.weight
            part = {"weight": f"layers.{index}.weight"}
            if layer.bias is not None:
                tensors[f"layers.{index}.bias"] = layer.bias
                part["bias"] = f"layers.{index}.bias"
            layers.append({**part, "polarity": "half"} if symmetric else part)
        readout: dict[str, object] = {"kind": self.rule.readout}
        if self.head is not None:
            widths = [self.layers[index].out_features for index in self.read]
            for index, part in enumerate(self.head.weight.detach().split(widths, dim=1)):
                tensors[f"head.{index}.weight"] = part
            tensors["head.bias"] = self.head.bias
            keys = [f"head.{index}.weight" for index in range(len(widths))]
            readout = {"kind": "head", "head": {"weights": keys, "bias": "head.bias"}}
        if self.rule.layers:
            readout["layers"] = list(self.rule.layers)
        spec = {
            "version": 1,
            "pixels": self.pixels,
            "label": {"kind": self.embedding.kind, "codes": "key:codes", "classes": len(self.embedding.codes)},
            "layers": layers,
            "goodness": self.rule.goodness,
            "probability": self.rule.probability.model_dump(),
            "normalization": self.rule.normalization,
            "readout": readout,
        }
        if self.events:
            spec["input"] = {"events": self.events.model_dump()}
        return checkpoint_content(spec, tensors, self.training_facts)

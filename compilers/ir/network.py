"""A float Forward-Forward network, checked."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ff2loihi.compilers.ir.convolution import Conv, product
from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.frozen import Frozen, Sized
from ff2loihi.compilers.ir.options import LIF, Goodness, HeadActivities, Probability, Readout
from ff2loihi.compilers.ir.pooling import MaxPool

# Read-outs of one pass a sample, under the neutral label, in place of one a label.
ONE_PASS = ("head", "channels", "pooled")


@dataclass(frozen=True)
class Layer(Sized):
    """h = relu(W x + b). weight (out, in) float32; bias (out,) or None; positive (outputs,) bool, the + ones.

    conv: of a convolution, whose weight has the shape conv.weight_shape. pool: of the activities that leave the layer.
    averages: it averages windows of the layer below, which come to it as they are: normalisation is not before it.
    label (out, label inputs) float32: of a layer above the first that sees the label's code c, too: + label c.
    mask (out, in) bool: the synapses that exist, None: all of them.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray | None
    positive: np.ndarray
    conv: Conv | None = None
    pool: MaxPool | None = None
    averages: bool = False
    label: np.ndarray | None = None
    mask: np.ndarray | None = None


def absorbed(layer: Layer, scale: np.ndarray, offset: np.ndarray) -> Layer:
    """The layer above x that does what `layer` does above scale x + offset: W (s x + o) + b = (W s) x + (W o + b).

    scale, offset (inputs,); under a convolution's kernel scale is that of its channel, the same everywhere in it.
    What a convolution sees outside its image stays 0, so that the bias of neurons at its borders is another.
    """
    conv = layer.conv
    bias = product(offset.astype(np.float64)[None], layer.weight.astype(np.float64), conv)[0]
    bias = bias if layer.bias is None else layer.bias + bias
    if conv:
        of_channels = scale.reshape(conv.shape[0], -1)[:, 0].reshape(conv.groups, 1, -1, 1, 1)
        groups = layer.weight.reshape(conv.groups, -1, *layer.weight.shape[1:])
        weight = (groups * of_channels).reshape(layer.weight.shape)
    else:
        weight = layer.weight * scale
    return replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32) if bias.any() else None)


@dataclass(frozen=True)
class Input(Frozen):
    """What a net that does not take u = pixels / 255 and label codes in 0..1 makes of them: x = scale u + offset.

    scale, offset (inputs,) float32. length: what the net brings ||x||_2 to, None: x stays as it is.
    """

    scale: np.ndarray
    offset: np.ndarray
    length: float | None = None


@dataclass(frozen=True)
class Label(Frozen):
    """codes (classes, n) in [0, 1]; neutral (n,). The label inputs stand behind the pixels, or on the first n.

    none: n = 0.
    """

    kind: Literal["append", "overwrite", "none"]
    codes: np.ndarray
    neutral: np.ndarray


@dataclass(frozen=True)
class Head(Frozen):
    """logits = sum_l weights[l] h_l / ||h_l||_2 + bias; rms: h_l / sqrt(mean h_l^2); raw: h_l.

    weights[l] (classes, n_l) float32, bias (classes,).
    """

    weights: tuple[np.ndarray, ...]
    bias: np.ndarray
    activities: HeadActivities = "l2"


@dataclass(frozen=True)
class PooledHead(Frozen):
    """logits = sum_l weights[l] g_l + bias, g_l the goodness of each of a layer's cells: see Cells. It is the host's.

    weights[l] (classes, cells) float32, bias (classes,) float32.
    """

    weights: tuple[np.ndarray, ...]
    bias: np.ndarray
    grid: int


@dataclass(frozen=True)
class Network(Frozen):
    """A float Forward-Forward network, checked: shapes chain, values are finite, everything has a chip form.

    readout_layers: the layers that the read-out uses. head: None unless readout is "head". neuron: of a net that
    was trained as it spikes, in place of the layers' relu. input: None where the first layer sees u as it is.
    top_k: how many of a layer's activities, the largest, make its goodness; None: all of them. pooled: None unless
    readout is "pooled". events: how the spikes of its inputs are made, where they are no pixels.
    """

    pixels: int
    label: Label
    layers: tuple[Layer, ...]
    goodness: Goodness
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    readout: Readout
    readout_layers: tuple[int, ...]
    head: Head | None = None
    neuron: LIF | None = None
    input: Input | None = None
    top_k: int | None = None
    pooled: PooledHead | None = None
    events: Binning | None = None

    @property
    def classes(self) -> int:
        return self.label.codes.shape[0]

    @property
    def pass_labels(self) -> np.ndarray:
        """The label codes of a sample's passes: (passes, n)."""
        return self.label.neutral[None] if self.readout in ONE_PASS else self.label.codes


def split_input(pixels: int, label_inputs: int, kind: str) -> tuple[slice, slice]:
    """The columns of layer 1 that see the image, and those that see the label; of a row of pixels, the
    image columns are the last ones: an overwritten pixel never reaches the network."""
    if kind in ("append", "none"):
        return slice(0, pixels), slice(pixels, pixels + label_inputs)
    return slice(label_inputs, pixels), slice(0, label_inputs)

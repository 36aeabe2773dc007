"""The schema of `spec.yaml`, which says what the tensors of a checkpoint mean.

A checkpoint that this project wrote carries the same spec inside, so there is one schema and one reader.
"""

from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from ff2loihi.compilers.errors import CheckpointError, brief, shortened, together
from ff2loihi.compilers.formats import yaml_file
from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.options import LIF, Goodness, HeadActivities, Probability, Readout, Strict
from ff2loihi.processes.limits import MAX_CLASSES

CHECKPOINT_FORMAT, CHECKPOINT_VERSION = "ff2loihi-checkpoint", 1  # of the .pt files that carry a spec inside
MAX_SIDE = 1 << 20  # pixels, sides, strides, ...: as many as a chip has neurons
MAX_VALUES = 5000  # of a spec
BESIDE = ("append", "prepend")  # where a label stands that has inputs of its own: behind the others, or before them

NO_LAYER_NORM = (
    "LayerNorm, which takes the mean off first, is not compiled. Train with h / ||h|| (l2), or with h / sqrt(mean h^2) "
    "(rms, LayerNorm without the mean), without weight and bias"
)


def _no_layer_norm(value: object) -> object:
    if isinstance(value, str) and value.lower().replace("_", "").replace("-", "") in ("layernorm", "layer", "ln"):
        raise ValueError(NO_LAYER_NORM)
    return value


NotLayerNorm = BeforeValidator(_no_layer_norm)
Name = Annotated[str, Field(min_length=1)]  # of a tensor
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ConvSpec(Strict):
    """A layer's convolution; the kernel's size is the weight's."""

    stride: Side = 1
    padding: int = Field(default=0, ge=0, le=MAX_SIDE)
    groups: Side = 1
    dilation: Side = 1


class PoolSpec(Strict):
    """What leaves a layer: the largest or the mean activity of each window, as torch's MaxPool2d and AvgPool2d."""

    kind: Literal["max", "average"]
    size: Side | Literal["global"] = 2  # of a window's sides; global: each channel is one window
    stride: Side | None = None  # the size where absent


class LayerSpec(Strict):
    """One layer: h = activation(W x + b), W dense, or a convolution's (channels, channels below / groups, k, k).

    A dense layer above the first may see the label as well as what comes from below: in W, or through a matrix of its
    own, W x + b + U label + label_bias.

    Batch norm, as evaluation computes it, stands between W x + b and the activation; or behind that, over what leaves
    the layer; or over what comes in, normalised already.
    """

    weight: Name  # key of the tensor in the file, "." where the file is one bare tensor
    orientation: Literal["out_in", "in_out"] = "out_in"
    conv: ConvSpec | None = None  # dense where absent
    bias: Name | None = None  # key of a tensor of shape (out,)
    label: Name | None = None  # where it stands in W, append or prepend, or the key of its own matrix
    label_bias: Name | None = None  # beside such a matrix: key of a tensor of shape (out,)
    batch_norm: Name | None = None  # the first part of its tensors' keys: NAME.running_mean, ...
    batch_norm_eps: float = Field(default=1e-5, gt=0)
    batch_norm_place: Literal["before_relu", "after_relu", "input"] = "before_relu"
    pool: PoolSpec | None = None  # of a convolution, behind its activation
    polarity: Name | None = None  # "half": first half +, rest -; or the key of a tensor of +1 and -1, one an output


Values = float | tuple[float, ...]  # one number, or one a channel of `image`


class InputSpec(Strict):
    """What the net makes of pixels in 0..1 before its first layer: (pixel - mean) / std, then divided by its norm.

    norm: l2: by ||x||_2 over all inputs, label included; rms: by sqrt(mean x^2); none.
    events: in place of pixels, events as they are binned into spikes; then nothing else stands here.
    """

    mean: Values = 0.0
    std: Values = 1.0
    norm: Annotated[Literal["none", "l2", "rms"], NotLayerNorm] = "none"
    events: Binning | None = None

    @model_validator(mode="after")
    def _events_are_spikes(self) -> "InputSpec":
        if self.events and len(self.model_fields_set) > 1:
            raise ValueError("input.events: a spike is 0 or 1, drop mean, std and norm")
        return self


class LabelSpec(Strict):
    """How a label enters: appended behind the pixels, put before them, written over some, or not at all (none).

    A label input has the value background + code (value - background), in the net's own units, after mean and std.
    """

    kind: Literal["append", "prepend", "overwrite", "none"]
    value: float | Literal["max"] = 1.0  # of a code of 1; max: what a pixel of 255 has, as x.max() gives it
    background: float = 0.0  # of a code of 0
    pixels: tuple[int, ...] | None = None  # which ones are overwritten: the first where absent
    codes: str = "one_hot"  # "one_hot", "key:NAME" (a tensor of the checkpoint), or a .npy/.pt file beside the spec
    classes: int = Field(default=10, ge=2, le=MAX_CLASSES)
    neutral: Literal["mean", "zero"] = "mean"  # the label of a softmax head's single pass


class HeadSpec(Strict):
    """A linear classifier of the activities of some layers, one key a layer: weight (classes, n), bias, or its parts.

    One key for several layers: their weights beside each other, (classes, sum of n), in the order of readout.layers.
    activities: l2: each layer's h / ||h||_2 (Hinton 2022, sec. 3.3); rms: h / sqrt(mean h^2); raw: h itself, as a
    backprop net's last layer. grid: of pooled goodness, the cells along each side of a channel.
    """

    weights: tuple[Name, ...]
    bias: Name | tuple[Name, ...] | None = None  # several are summed
    activities: Annotated[HeadActivities, NotLayerNorm] = "l2"
    grid: Side = 1

    @property
    def biases(self) -> tuple[Name, ...]:
        return (self.bias,) if isinstance(self.bias, str) else self.bias or ()


class ReadoutSpec(Strict):
    """goodness: sum over layers; softmax: per-layer softmax over labels, summed; head: a linear classifier.

    vote: the label that most layers' own goodness calls best, of those that tie the first.
    channels: without a label input, a layer's channels form one subset a class, in order; the goodness of a class's
    subset, summed over layers (Papachristodoulou et al. 2024).
    pooled: a linear classifier of the goodness of each cell of each channel (Gong et al. 2025), the head's weights.
    """

    kind: Readout = "goodness"
    layers: tuple[int, ...] | None = None  # 0-based; all of them where absent
    head: HeadSpec | None = None

    @model_validator(mode="after")
    def _head_and_kind_agree(self) -> "ReadoutSpec":
        if (self.kind in ("head", "pooled")) != (self.head is not None):
            raise ValueError("readout.head is given exactly where readout.kind is 'head' or 'pooled'")
        if self.head and self.kind == "pooled" and "activities" in self.head.model_fields_set:
            raise ValueError("readout.head.activities: readout.kind 'pooled' reads the cells' goodness, drop it")
        if self.head and self.kind == "head" and self.head.grid > 1:
            raise ValueError("readout.head.grid cuts channels into cells for readout.kind 'pooled', not for 'head'")
        return self

    @property
    def divides(self) -> bool:
        """Whether it reads no linear function of the activities: their goodness, or a norm."""
        return self.kind != "head" or self.head is None or self.head.activities != "raw"


class Spec(Strict):
    """The meaning of a checkpoint's tensors. Pixels lie in [0, 1], before `input`."""

    version: Literal[1] = 1
    pixels: Side
    image: tuple[Side, Side, Side] | None = None  # channels, height, width, for convolutions
    input: InputSpec = InputSpec()
    label: LabelSpec
    layers: tuple[LayerSpec, ...] = Field(min_length=1, max_length=100)
    activation: str = "relu"  # of analog neurons; leaky_relu below a head on raw activities
    negative_slope: float = Field(default=0.01, gt=0, lt=1)  # of leaky_relu, as torch calls it
    neuron: LIF | None = None  # analog where absent
    goodness: Goodness = "sum_squares"
    top_k: Side | None = None  # of the k largest activities alone; of all where absent
    probability: Probability
    normalization: Annotated[Literal["none", "l2", "l1", "rms"], NotLayerNorm] = "none"  # between layers
    dt: float | None = Field(default=None, gt=0)  # of a NIR graph whose metadata hold none: a step's length
    readout: ReadoutSpec = ReadoutSpec()

    @model_validator(mode="before")
    @classmethod
    def _no_label_needs_no_probability(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("label"), dict) and data["label"].get("kind") == "none":
            return {"probability": {"kind": "contrast"}} | data
        return data

    @model_validator(mode="after")
    def _layers_labels_agree(self) -> "Spec":
        first, *above = (layer.label for layer in self.layers)
        if self.label.kind == "none" and any((first, *above)):
            raise ValueError("layers: label.kind 'none' has no label inputs, drop each layer's label")
        if first in BESIDE:
            raise ValueError(f"layers.0.label: how a label enters the first layer says label.kind: {first}, drop it")
        if first and self.label.kind not in BESIDE:
            raise ValueError(
                f"layers.0.label: a matrix of its own reads labels beside the pixels, label.kind is {self.label.kind!r}"
            )
        for index, layer in enumerate(self.layers):
            if layer.label and layer.conv:
                raise ValueError(f"layers.{index}.label: a convolution has no place for label inputs beside the image")
            if layer.label_bias and layer.label in (None, *BESIDE):
                raise ValueError(f"layers.{index}.label_bias: stands beside a label with a matrix of its own, drop it")
        return self

    @model_validator(mode="after")
    def _label_and_readout_agree(self) -> "Spec":
        sees_label, kind = self.label.kind != "none", self.readout.kind
        if not sees_label and kind not in ("head", "channels", "pooled"):
            raise ValueError(
                f"readout.kind {kind!r} compares the goodness under each label, and label.kind 'none' has "
                "no label inputs: use readout.kind 'head' or 'channels', or 'pooled'"
            )
        if sees_label and kind == "channels":
            raise ValueError("readout.kind 'channels' reads the class from the channels: use label.kind 'none'")
        if not sees_label and self.label.codes != "one_hot":
            raise ValueError("label.codes: label.kind 'none' has no label inputs, drop the codes")
        if not sees_label and self.probability.kind != "contrast":
            raise ValueError("probability: label.kind 'none' has no right and wrong label, drop it")
        return self

    @model_validator(mode="after")
    def _slope_has_a_meaning(self) -> "Spec":
        if "negative_slope" in self.model_fields_set and self.activation != "leaky_relu":
            raise ValueError("negative_slope: stands beside activation: leaky_relu, drop it")
        return self

    @model_validator(mode="after")
    def _top_k_has_a_meaning(self) -> "Spec":
        if self.top_k and self.probability.kind == "symmetric":
            raise ValueError("top_k: probability symmetric compares both polarities, of all their neurons. Drop one")
        if self.top_k and self.readout.kind == "pooled":
            raise ValueError("top_k: readout.kind 'pooled' reads every neuron of a cell. Drop top_k")
        return self


def parse_spec(data: object, where: str) -> Spec:
    """Check `data` against the schema; the violations in one line. Raises CheckpointError."""
    if not _is_small(data):
        raise CheckpointError(f"{where}: more than {MAX_VALUES:,} values, where a layer has about ten. Shorten it")
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        found = (
            f"{brief('.'.join(map(str, item['loc'])) or 'the whole spec')}: "
            f"{brief(item['msg'].removeprefix('Value error, '), 250)}"
            + ("" if item["type"] in ("missing", "value_error") else f" (got {shortened(item['input'])})")
            for item in error.errors()
        )
        raise CheckpointError(f"{where}: {together(found)}") from None


def _is_small(data: object) -> bool:
    """Whether it holds few enough values to look at each; a list may hold another many times."""
    level, left = [data], MAX_VALUES
    while level and left >= 0:
        parts = (part for part in level if isinstance(part, dict | list | tuple))
        inner = (part.values() if isinstance(part, dict) else part for part in parts)
        level = list(islice(chain.from_iterable(inner), left + 1))
        left -= len(level)
    return left >= 0


def read_spec(path: Path) -> Spec:
    """Read and check a spec.yaml. Raises CheckpointError."""
    return parse_spec(yaml_file.read(path, CheckpointError, "a spec (.yaml)"), str(path))

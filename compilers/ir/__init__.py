"""What passes between the stages: Checkpoint -> Network -> IntNetwork -> Program: frozen, their arrays read-only."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ff2loihi.compilers.frontend.spec import LIF, Probability, Spec
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.learning_rule import Neuron as LearningNeuron
from ff2loihi.processes.learning_rule import OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GateFactor
from ff2loihi.processes.library_rule import period as stock_period

CODES = "label codes"  # the name under which a Checkpoint holds its label codes
ONE_PASS = ("head", "channels")  # read-outs of one pass a sample, under the neutral label, in place of one a label
Neuron = Literal["graded", "lif"]
Reset = Literal["soft", "hard"]


class _Frozen:
    """Shows its arrays through views that nobody writes to; what they were made of stays as it is."""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _read_only(getattr(self, field.name)))


def _read_only(value):
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, tuple):
        return tuple(map(_read_only, value))
    if isinstance(value, dict):
        return {key: _read_only(one) for key, one in value.items()}
    return value


@dataclass(frozen=True)
class Checkpoint(_Frozen):
    """A file's tensors, as numpy arrays, with what they mean.

    tensors: name -> float array, the label codes under CODES; `source` names the file, `sha256` is its hash;
    training: what the trainer wrote down (its data set, recipe, seed), empty for foreign files.
    """

    tensors: dict[str, np.ndarray]
    spec: Spec
    source: str
    sha256: str
    training: dict


class _Sized(_Frozen):
    """The sizes of a layer; conv is None where its connection is dense."""

    weight: np.ndarray
    positive: np.ndarray
    conv: Conv | None = None

    @property
    def inputs(self) -> int:
        return self.conv.inputs if self.conv else self.weight.shape[1]

    @property
    def neurons(self) -> int:
        return len(self.positive)

    @property
    def synapses(self) -> int:
        return self.conv.synapses if self.conv else int(self.weight.size)


@dataclass(frozen=True)
class Layer(_Sized):
    """h = relu(W x + b). weight (out, in) float32; bias (out,) or None; positive (out,) bool, the + neurons.

    conv: of a convolution, whose weight has the shape conv.weight_shape.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray | None
    positive: np.ndarray
    conv: Conv | None = None


@dataclass(frozen=True)
class Label(_Frozen):
    """codes (classes, n) in [0, 1]; neutral (n,). The label inputs stand behind the pixels, or on the first n.

    none: n = 0.
    """

    kind: Literal["append", "overwrite", "none"]
    codes: np.ndarray
    neutral: np.ndarray


@dataclass(frozen=True)
class Head(_Frozen):
    """logits = sum_l weights[l] h_l / ||h_l||_2 + bias, raw: weights[l] h_l + bias.

    weights[l] (classes, n_l) float32, bias (classes,).
    """

    weights: tuple[np.ndarray, ...]
    bias: np.ndarray
    activities: Literal["l2", "raw"] = "l2"


@dataclass(frozen=True)
class Network(_Frozen):
    """A float Forward-Forward network, checked: shapes chain, values are finite, everything has a chip form.

    readout_layers: the layers that the read-out uses. head: None unless readout is "head". neuron: of a net that
    was trained as it spikes, in place of the layers' relu.
    """

    pixels: int
    label: Label
    layers: tuple[Layer, ...]
    goodness: Literal["sum_squares", "mean_squares", "l2", "l1"]
    probability: Probability
    normalization: Literal["none", "l2", "l1", "rms"]
    readout: Literal["goodness", "softmax", "head", "channels"]
    readout_layers: tuple[int, ...]
    head: Head | None = None
    neuron: LIF | None = None

    @property
    def classes(self) -> int:
        return self.label.codes.shape[0]

    @property
    def shown(self) -> np.ndarray:
        """The label codes of a sample's passes: (passes, n)."""
        return self.label.neutral[None] if self.readout in ONE_PASS else self.label.codes


def split_input(pixels: int, label_inputs: int, kind: str) -> tuple[slice, slice]:
    """The columns of layer 1 that see the image, and those that see the label; of a row of pixels, the
    image columns are the last ones: an overwritten pixel never reaches the network."""
    if kind in ("append", "none"):
        return slice(0, pixels), slice(pixels, pixels + label_inputs)
    return slice(label_inputs, pixels), slice(0, label_inputs)


@dataclass(frozen=True)
class IntLayer(_Sized):
    """A layer in the chip's integers.

    weight (out, in) int16: even, -2^b..2^b - 2 [weight LSB] with b = weight_bits; conv: as in Layer.
    graded: h = min(max((W x + bias) >> shift, 0), top); bias (out,) int32 [accumulator LSB].
    lif:    a = (W s) >> shift; v += (a << 6) + bias; spike where v > vth << 6; then v -= vth << 6 (soft) or 0.
            bias (out,) int32 [v LSB] = mantissa 2^bias_exp.
    scale:  the float activity that one unit of h (one spike of a sample, for lif) stands for.
    """

    name: str
    weight: np.ndarray
    weight_bits: int
    bias: np.ndarray
    bias_exp: int
    shift: int
    top: int
    vth: int
    v0: int
    positive: np.ndarray
    scale: float
    conv: Conv | None = None


@dataclass(frozen=True)
class NormTable(_Frozen):
    """y = min((h table[m]) >> (e + shift), top) with sum h^2 (or (sum h)^2) = (m + ...) 4^e: see processes.normalize.

    table (entries,) int32; shift; top; the unit of y is `scale` (float value of one unit).
    """

    power: int
    table: np.ndarray
    shift: int
    top: int
    scale: float


@dataclass(frozen=True)
class IntHead(_Frozen):
    """weights[i] (classes, n) int16, even; scales[i]: float value of a weight LSB; bias (classes,), of the read-out."""

    weights: tuple[np.ndarray, ...]
    scales: tuple[float, ...]
    bias: np.ndarray
    activities: Literal["l2", "raw"]


@dataclass(frozen=True)
class IntNetwork(_Frozen):
    """The network in integers, ready for a back end.

    label_codes (classes, n) int32 in 0..2^input_bits - 1; phases (inputs,) int32, lif only: start of the
    input accumulators. norms: one table for each gap between layers, or () where normalisation is deferred
    to the read-out (nets without bias) or absent.
    """

    neuron: Neuron
    reset: Reset
    steps: int  # time steps of a sample; 1 for graded
    pixels: int
    input_bits: int
    label_kind: Literal["append", "overwrite", "none"]
    label_codes: np.ndarray
    neutral: np.ndarray
    phases: np.ndarray
    layers: tuple[IntLayer, ...]
    norms: tuple[NormTable, ...]
    goodness: str
    probability: Probability
    normalization: str
    deferred: bool
    readout: str
    readout_layers: tuple[int, ...]
    head: IntHead | None

    @property
    def classes(self) -> int:
        return self.label_codes.shape[0]

    @property
    def shown(self) -> np.ndarray:
        """The label codes of a sample's passes: (passes, n)."""
        return self.neutral[None] if self.readout in ONE_PASS else self.label_codes

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def parts(self) -> int:
        """The parts of a layer whose goodness is summed apart: + and -, or one a class (channels)."""
        return self.classes if self.readout == "channels" else 2

    def part_of(self, layer: IntLayer) -> np.ndarray:
        """(n,) int64: the part that each neuron of `layer` belongs to."""
        if self.readout != "channels":
            return np.where(layer.positive, 0, 1)
        channels = layer.conv.channels if layer.conv else layer.neurons
        return np.repeat(np.arange(channels) * self.classes // channels, layer.neurons // channels)


@dataclass(frozen=True)
class LayerLoss:
    """What a layer lost between float and integers, on calibration images.

    weight_sqnr_db: 10 log10(sum W^2 / sum (W - q s)^2); clipped: share of weights beyond the clip;
    saturated: share of activities at the top; activity_corr: correlation with the float layer's activity.
    """

    weight_sqnr_db: float
    clipped: float
    saturated: float
    activity_corr: float


@dataclass(frozen=True)
class LearningLayer(_Sized):
    """A plastic layer: weight (out, in) int16, -256..255 [weight LSB]; positive (out,) bool, the + neurons."""

    name: str
    weight: np.ndarray
    positive: np.ndarray
    neuron: LearningNeuron
    trace: OutputTrace
    factor: ThirdFactor | GateFactor
    conv = None  # plastic layers are dense


@dataclass(frozen=True)
class UpdateRule:
    """dw = 2^-exponent x0 y2 - 2^-exponent x0 y3; with a tag that goes into dt, and dw = 2^-exponent t u0.

    tag_exponent, tag_decay: of dt. gate: the rule of library neurons alone, see processes.library_rule; its
    thermometers are enabled in one of 2^exponent steps.
    """

    eligibility: Literal["none", "tag", "gate"]
    exponent: int
    tag_exponent: int = 0
    tag_decay: int = 0


@dataclass(frozen=True)
class LearningNetwork(_Frozen):
    """A network that learns on the chip, all layers at once, each from the spikes below it.

    input_code: pixels, or contrast: |pixel - the image's median|; input_factor: an input fires pixel factor >> 8 times
    in 256 steps; label_codes (classes, n) int32, rates of the label inputs behind the pixels in 1/256 a step;
    label_phases (n,) int32: start of their accumulators. steps of a presentation, window: the last ones, that learn.
    """

    pixels: int
    input_code: Literal["pixels", "contrast"]
    input_factor: int
    label_codes: np.ndarray
    label_phases: np.ndarray
    steps: int
    window: int
    layers: tuple[LearningLayer, ...]
    update: UpdateRule

    @property
    def classes(self) -> int:
        return self.label_codes.shape[0]

    @property
    def inputs(self) -> int:
        return self.pixels + self.label_codes.shape[1]

    @property
    def probability(self) -> str:
        """symmetric or sigmoid, the same in every layer."""
        return self.layers[0].factor.probability

    @property
    def stock(self) -> bool:
        """Whether it learns with library neurons alone; steps and window are then of four time steps each."""
        return self.update.eligibility == "gate"

    @property
    def period(self) -> int:
        """Time steps from one presentation to the next: the last layer's goodness is out before the next begins."""
        return stock_period(self.steps) if self.stock else self.steps + len(self.layers) + 1


@dataclass(frozen=True)
class Program:
    """An artifact's content: the integer network, what each layer lost, and where it came from (JSON-able)."""

    network: IntNetwork | LearningNetwork
    losses: tuple[LayerLoss, ...]
    provenance: dict

"""A network in the chip's integers that classifies."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ff2loihi.compilers.choices import NeuronKind, Reset
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.frozen import Array, Frozen, Sized
from ff2loihi.compilers.ir.network import ONE_PASS, PooledHead
from ff2loihi.compilers.ir.options import Flag, Float, HeadActivities, Probability
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes.limits import Int


@dataclass(frozen=True)
class IntLabel(Frozen):
    """The label's inputs into a layer above the first: in every step they add (weight p) >> shift to its sums.

    weight (out, label inputs) int16, even; p: the payloads of a code, `payload` where it is full; shift below 0: to the
    left. graded: W x of the layer is what they add to; lif: a, behind the layer's own shift.
    """

    weight: Array
    payload: Int
    shift: Int

    def payloads(self, codes: np.ndarray, full: int) -> np.ndarray:
        """p (..., label inputs) int64 of codes in 0..full, rounded half up."""
        return (2 * codes.astype(np.int64) * self.payload + full) // (2 * full)

    def drive(self, codes: np.ndarray, full: int) -> np.ndarray:
        """What they add for each of the codes: (..., out) int64."""
        sums = self.payloads(codes, full) @ self.weight.T.astype(np.int64)
        return sums >> self.shift if self.shift >= 0 else sums << -self.shift

    def reach(self, codes: np.ndarray, full: int) -> int:
        """The largest magnitude of weight p for any of the codes, in any order of summation, before the shift."""
        p, w = self.payloads(codes, full), self.weight.T.astype(np.int64)
        return int(max((p @ np.maximum(w, 0)).max(), (p @ np.maximum(-w, 0)).max()))


@dataclass(frozen=True)
class Leak(Frozen):
    """What a neuron with a hard reset forgets in a step, rounded toward 0, as Lava's LIF has it.

    u' = u (4096 - (du + 1)) / 4096 + (a << 6), v' = v (4096 - dv) / 4096 + u' + bias.
    """

    du: Int
    dv: Int


@dataclass(frozen=True)
class IntLayer(Sized):
    """A layer in the chip's integers.

    weight (out, in) int16: even, -2^b..2^b - 2 [weight LSB] with b = weight_bits; conv: as in Layer.
    graded: h = min(max((W x + bias) >> shift, 0), top); bias (out,) int32 [accumulator LSB].
    lif:    a = (W s) >> shift; v += (a << 6) + bias; spike where v > vth << 6; then v -= vth << 6 (soft) or 0.
            bias (out,) int32 [v LSB] = mantissa 2^bias_exp.
    label:  what its code adds to W x (graded) or a (lif), None where the layer does not see it, as the first: there the
            label's inputs are some of x.
    leak:   lif alone, None where the current keeps nothing and v everything.
    scale:  the float activity that one unit of h (one spike of a sample, for lif) stands for.
    positive (outputs,) bool; pool, averages: as in Layer.
            Spikes leave a pool's window as its most active neuron's count rises: as many in a sample as that has.
    """

    name: str
    weight: Array
    weight_bits: Int
    bias: Array
    bias_exp: Int
    shift: Int
    top: Int
    vth: Int
    v0: Int
    positive: Array
    scale: Float
    conv: Conv | None
    pool: MaxPool | None = None
    averages: Flag = False
    label: IntLabel | None = None
    leak: Leak | None = None

    @property
    def synapses(self) -> int:
        return super().synapses + (self.label.weight.size if self.label else 0)


@dataclass(frozen=True)
class NormTable(Frozen):
    """y = min((h table[m]) >> (e + shift), top) with sum h^2 (or (sum h)^2) = (m + ...) 4^e: see processes.normalize.

    table (entries,) int32; shift; top; the unit of y is `scale` (float value of one unit).
    """

    power: Int
    table: Array
    shift: Int
    top: Int
    scale: Float


@dataclass(frozen=True)
class IntHead(Frozen):
    """weights[i] (classes, n) int16, even; scales[i]: float value of a weight LSB; bias (classes,), of the read-out."""

    weights: tuple[np.ndarray, ...]
    scales: tuple[float, ...]
    bias: np.ndarray
    activities: HeadActivities


@dataclass(frozen=True)
class IntNetwork(Frozen):
    """The network in integers, ready for a back end.

    label_codes (classes, n) int32 in 0..2^input_bits - 1; phases (inputs,) int32, lif only: start of the
    input accumulators. norms: one table for each gap between layers, or () where normalisation is deferred
    to the read-out (nets without bias) or absent. top_k, pooled: as in Network; the host picks the largest activities
    and classifies, in float. events: a sample is the spikes of its inputs, as `events` bins them, in place of pixels.
    """

    neuron: NeuronKind
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
    top_k: int | None = None
    pooled: PooledHead | None = None
    events: Binning | None = None

    @property
    def row(self) -> int:
        """Bytes of a sample: a pixel each, or the packed spikes of one step after the other."""
        return self.events.row if self.events else self.pixels

    @property
    def classes(self) -> int:
        return self.label_codes.shape[0]

    @property
    def pass_labels(self) -> np.ndarray:
        """The label codes of a sample's passes: (passes, n)."""
        return self.neutral[None] if self.readout in ONE_PASS else self.label_codes

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def full(self) -> int:
        """The payload of a white pixel, and of a label's code of 1."""
        return (1 << self.input_bits) - 1

    def is_summed(self, index: int) -> bool:
        """Whether anything reads the goodness sums of layer `index`: the read-out, or a normalisation."""
        read = index in self.readout_layers and (self.head is None or self.head.activities != "raw")
        return read or self.deferred or index < len(self.norms)

    @property
    def goodness_parts(self) -> int:
        """The parts of a layer whose goodness is summed apart: + and -, one a class (channels), or the pieces of
        cells (pooled), as many as the layer with the most has. The k largest activities are one part."""
        if self.pooled:
            return max(layer.cells(self.pooled.grid).pieces for layer in self.layers)
        return self.classes if self.readout == "channels" else 1 if self.top_k else 2

    def goodness_part_of(self, layer: IntLayer) -> np.ndarray:
        """(n,) int64: the part that each neuron of `layer` belongs to."""
        if self.pooled:
            return layer.cells(self.pooled.grid).piece_of
        if self.readout != "channels":
            return np.where(layer.positive, 0, 0 if self.top_k else 1)
        channels = layer.conv.channels if layer.conv else layer.neurons
        return np.repeat(np.arange(channels) * self.classes // channels, layer.outputs // channels)


@dataclass(frozen=True)
class LayerLoss:
    """What a layer lost between float and integers, on calibration images; its weights are its label's, too.

    weight_sqnr_db: 10 log10(sum W^2 / sum (W - q s)^2); clipped: share of weights beyond the clip;
    saturated: share of activities at the top; activity_corr: correlation with the float layer's activity.
    neurons_db: the same of each neuron's own weights: the least, the lowest tenth's end, the median; vanished: neurons
    that fire in the float net and have no weight left; silent, float_silent: neurons that never fire, float: there.
    """

    weight_sqnr_db: Float
    clipped: Float
    saturated: Float
    activity_corr: Float
    neurons_db: tuple[Float, Float, Float] | None = None
    vanished: Int = 0
    silent: Int = 0
    float_silent: Int = 0

    @property
    def quantiles(self) -> str:
        """neurons_db in words; of an artifact that has none, nothing."""
        return "-" if self.neurons_db is None else " / ".join(f"{value:.1f}" for value in self.neurons_db)

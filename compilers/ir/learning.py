"""A network in the chip's integers that learns, each layer from the spikes below it."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.frozen import Frozen, Sized
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.library_rule import GateFactor
from ff2loihi.processes.library_rule import period as library_period
from ff2loihi.processes.limits import Int

Factor = TypeVar("Factor", bound=ThirdFactor | GateFactor)


@dataclass(frozen=True)
class LearningLayer(Sized, Generic[Factor]):
    """A plastic layer: weight (out, in) int16, -256..255 [weight LSB]; positive (out,) bool, the + neurons.

    mask (out, in) bool: the synapses that exist, None: all of them; the others weigh 0 and learn nothing.
    """

    name: str
    weight: np.ndarray
    positive: np.ndarray
    neuron: Neuron
    trace: OutputTrace
    factor: Factor
    mask: np.ndarray | None = None
    conv = pool = None  # plastic layers are dense


@dataclass(frozen=True)
class UpdateRule:
    """dw = 2^-exponent x0 y2 - 2^-exponent x0 y3; with a tag that goes into dt, and dw = 2^-exponent t u0.

    tag_exponent, tag_decay: of dt. gate: the rule of library neurons alone, see processes.library_rule; its
    thermometers are enabled in one of 2^exponent steps.
    """

    eligibility: Literal["none", "tag", "gate"]
    exponent: Int
    tag_exponent: Int
    tag_decay: Int


@dataclass(frozen=True)
class LearningNetwork(Frozen, Generic[Factor]):
    """A network that learns on the chip, all layers at once, each from the spikes below it.

    input_code: pixels, or contrast: |pixel - the image's median|; input_factor: an input fires pixel factor >> 8 times
    in 256 steps. events: a sample is the spikes of its inputs, as `events` bins them, whatever the factor.
    label_codes (classes, n) int32, rates of the label inputs behind the pixels in 1/256 a step;
    label_phases (n,) int32: start of their accumulators. steps of a presentation, window: the last ones, that learn.
    """

    pixels: int
    input_code: Literal["pixels", "contrast", "events"]
    input_factor: int
    label_codes: np.ndarray
    label_phases: np.ndarray
    steps: int
    window: int
    layers: tuple[LearningLayer[Factor], ...]
    update: UpdateRule
    events: Binning | None = None

    @property
    def row(self) -> int:
        """Bytes of a sample: a pixel each, or the packed spikes of one step after the other."""
        return self.events.row if self.events else self.pixels

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
    def library(self) -> bool:
        """Whether it learns with library neurons alone; steps and window are then of four time steps each."""
        return self.update.eligibility == "gate"

    @property
    def period(self) -> int:
        """Time steps from one presentation to the next: the last layer's goodness is out before the next begins."""
        return library_period(self.steps) if self.library else self.steps + len(self.layers) + 1

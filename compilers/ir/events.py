"""How events become the spikes of a network's inputs: a spec and an artifact say it, so that every run bins alike."""

from typing import Annotated

import numpy as np
from pydantic import Field

from ff2loihi.compilers.errors import in_words
from ff2loihi.compilers.ir.options import WHERE_USED, Flag, Strict
from ff2loihi.processes.limits import MAX_LEARNING_STEPS

Sensor = tuple[int, int, int]  # height, width, polarities


class Binning(Strict):
    """An event (t, x, y, p) is a spike of input (y // downsample, x // downsample, p, part) in step t steps // window.

    One spike a step, however many events; events at window or later are dropped. window: in the recording's own time,
    which starts at 0: microseconds of N-MNIST, seconds of SHD, frames of an array. sensor: what the events come from;
    part: step parts // steps, so that each part of the sample has inputs of its own, and a time is a place, too.
    merged: polarities share an input; most: spikes of an input in a sample, None: any number; denoise: an event that
    no other one precedes by at most so long, at its pixel or one of the eight around it, is noise and dropped, None:
    none is. saccades: the events were made of images by data.events.saccades. rounds: how often a presentation repeats
    the sample; the last one learns, when a neuron's trace knows the whole sample, so that early events are credited
    like late ones.
    """

    steps: int = Field(ge=4, le=MAX_LEARNING_STEPS)
    window: float = Field(gt=0)
    sensor: Sensor
    merged: Flag = False
    downsample: int = Field(default=1, ge=1, le=1 << 20)
    most: int | None = Field(default=None, ge=1, le=MAX_LEARNING_STEPS)
    denoise: Annotated[float | None, WHERE_USED] = Field(default=None, gt=0, allow_inf_nan=False)  # in window's unit
    saccades: Flag = False
    parts: int = Field(default=1, ge=1, le=MAX_LEARNING_STEPS)
    rounds: int = Field(default=2, ge=1, le=MAX_LEARNING_STEPS)

    def __str__(self) -> str:
        return in_words(dict(self))

    @property
    def presented(self) -> int:
        """Steps of a presentation."""
        return self.steps * self.rounds

    @property
    def row(self) -> int:
        """Bytes of a sample: the packed spikes of one step after the other."""
        return self.steps * row_bytes(self.inputs)

    def spikes(self, packed: np.ndarray) -> np.ndarray:
        """Of samples (..., row) uint8 all that a presentation shows, (presented, ..., inputs) uint8 0/1."""
        steps = packed.reshape(*packed.shape[:-1], self.steps, -1)
        once = np.moveaxis(np.unpackbits(steps, axis=-1, count=self.inputs), -2, 0)
        return np.concatenate([once] * self.rounds)

    @property
    def shape(self) -> Sensor:
        """Of the inputs, channels last as in images."""
        height, width, polarities = self.sensor
        channels = self.parts * (1 if self.merged else polarities)
        return -(-height // self.downsample), -(-width // self.downsample), channels

    @property
    def inputs(self) -> int:
        height, width, channels = self.shape
        return height * width * channels


def row_bytes(inputs: int) -> int:
    """Of a step's spikes, packed by numpy.packbits."""
    return -(-inputs // 8)

"""Networks without a label, in which the last layer's neuron with the most spikes is the class."""

from typing import NamedTuple

import numpy as np

from ff2loihi.compilers.choices import Reset
from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.inference import IntHead, IntLayer, IntNetwork
from ff2loihi.compilers.ir.options import Contrast
from ff2loihi.processes.fixed_point import start_phases
from ff2loihi.processes.limits import INPUT_BITS


class SpikingLayer(NamedTuple):
    """A dense layer and its neurons, in thresholds: u' = current u + W s, v' = decay v + u' + b, spike where v' > 1.

    weight (out, in), bias (out,) float64; decay, current: of v and u in a step, 0..1.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray
    decay: float
    current: float


def counting_network(
    layers: tuple[IntLayer, ...], reset: Reset, steps: int, classes: int, head: IntHead | None = None,
    events: Binning | None = None,
) -> IntNetwork:  # fmt: skip
    """The network of those layers; its class is one of the last layer's channels, or of a head's sums, over the steps.

    events: how a sample's events become its input's spikes; without it pixels spike at their rate.
    """
    inputs = layers[0].inputs
    return IntNetwork(
        neuron="lif",
        reset=reset,
        steps=steps,
        pixels=inputs,
        input_bits=INPUT_BITS,
        label_kind="none",
        label_codes=np.zeros((classes, 0), np.int32),
        neutral=np.zeros(0, np.int32),
        phases=start_phases(inputs, (1 << INPUT_BITS) - 1),
        layers=layers,
        norms=(),
        goodness="l1",
        probability=Contrast(kind="contrast"),
        normalization="none",
        deferred=False,
        readout="head" if head else "channels",
        readout_layers=(len(layers) - 1,),
        head=head,
        events=events,
    )

"""What a network does for one sample, as numbers: the events of each layer, and what each chip's cores see of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Activity:
    """Means of a sample over some samples. steps: time steps that it takes.

    spikes: of each population and of the host's sources, by name; graded: payloads that are not 0.
    nonzero: share of each layer's weights that are not 0.
    updates: of each plastic population's synapses: (those that may change a weight, those that the engine visits).
    fan_out: of each convolution or layer of fields, the mean number of its synapses that a spike below reaches.
    """

    steps: float
    spikes: dict[str, float]
    nonzero: dict[str, float]
    updates: dict[str, tuple[float, float]]
    fan_out: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """An Activity's sums over all populations, and those of the busiest core in one step.

    cores: that are at work in a step. synaptic_ops: (without zero weights, with them); synaptic_updates, core_updates:
    as in Activity.
    """

    steps: float
    cores: float
    spikes: float
    copies: float  # spikes, once for each core that they go to
    crossings: float  # spikes, once for each further chip that they go to
    synaptic_ops: tuple[float, float]
    neuron_updates: float
    synaptic_updates: tuple[float, float]
    core_neurons: float
    core_ops: float
    core_updates: tuple[float, float]

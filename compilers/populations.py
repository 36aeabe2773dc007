"""A network as the chip's cores see it: groups of neurons, and the rows of synapses that feed each of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from ff2loihi.compilers.chips import Chip
from ff2loihi.compilers.forward import powers
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork
from ff2loihi.processes.limits import WEIGHT_BITS

INPUT, CONTROL = "input", "control"  # sources that are not on the chip's cores: the host sends their spikes
WORD = 64  # bits of a word of synaptic memory
MODULATION = 2  # m+ and m-, of a layer that learns


@dataclass(frozen=True)
class Rows:
    """`axons` inputs from `source`, each with one row of synapses on every core that holds the population.

    fan: neurons that a row reaches, None: all of the core's. Another kind of connection needs `source`, `axons`,
    `plastic` and `words`, nothing else.
    """

    source: str
    axons: int
    weight_bits: int = WEIGHT_BITS
    plastic: bool = False
    fan: int | None = None

    def words(self, neurons: int, chip: Chip) -> int:
        """Synaptic words on a core of that many of the population's neurons; see chips.Chip for the formula."""
        synapses = neurons if self.fan is None else min(self.fan, neurons)
        bits = (chip.synapse_bits - WEIGHT_BITS + self.weight_bits) * synapses + chip.row_bits
        factor = chip.plastic_factor if self.plastic else 1
        return self.axons * ceil(round(factor * bits / WORD, 9))


@dataclass(frozen=True)
class Population:
    """Neurons of one kind, which may be split over cores. layer: the network's layer that they belong to."""

    name: str
    layer: str
    neurons: int
    rows: tuple[Rows, ...]
    groups: int = 1  # neuron configurations that it needs on a core

    @property
    def axons(self) -> int:
        return sum(rows.axons for rows in self.rows)

    @property
    def plastic(self) -> bool:
        return any(rows.plastic for rows in self.rows)

    def words(self, neurons: int, chip: Chip) -> int:
        """Synaptic words on a core that holds that many of its neurons."""
        return sum(rows.words(neurons, chip) for rows in self.rows)


def populations(network: IntNetwork | LearningNetwork) -> tuple[Population, ...]:
    """What of the network is on the chip, in the order of its layers; the input's spikes come from the host."""
    found = _learning(network) if isinstance(network, LearningNetwork) else _inference(network)
    return tuple(found)


def dense_chain(widths: tuple[int, ...]) -> tuple[Population, ...]:
    """Dense layers without a read-out on the chip: widths[0] inputs, then a layer for each further width."""
    names = [INPUT, *(f"hidden{index}" for index in range(1, len(widths)))]
    return tuple(
        Population(name, name, width, (Rows(below, inputs),))
        for name, width, below, inputs in zip(names[1:], widths[1:], names, widths, strict=False)
    )


def _inference(net: IntNetwork) -> Iterator[Population]:
    """Layers, each with its goodness sums; tables between layers; the head."""
    below = INPUT
    for index, layer in enumerate(net.layers):
        n, inputs = layer.weight.shape
        yield Population(layer.name, layer.name, n, (Rows(below, inputs, layer.weight_bits),))
        yield Population(f"{layer.name}.goodness", layer.name, 2 * len(powers(net)), (Rows(layer.name, n),))
        if net.head and index in net.readout_layers:
            yield Population(f"{layer.name}.head", layer.name, net.classes, (Rows(layer.name, n),))
        below = layer.name
        if index < len(net.norms):
            below = f"{layer.name}.norm"
            yield Population(below, layer.name, n, (Rows(layer.name, n, fan=1), Rows(f"{layer.name}.goodness", 1)))


def _learning(net: LearningNetwork) -> Iterator[Population]:
    """Plastic layers, which also take their modulation and the control's signals; each with its third factor."""
    below, inputs = INPUT, net.inputs
    for layer in net.layers:
        n, unit = len(layer.positive), f"{layer.name}.goodness"
        yield Population(
            layer.name, layer.name, n, (Rows(below, inputs, plastic=True), Rows(unit, MODULATION), Rows(CONTROL, 1))
        )
        yield Population(unit, layer.name, 2 + MODULATION, (Rows(layer.name, n), Rows(CONTROL, 1)))
        below, inputs = layer.name, n

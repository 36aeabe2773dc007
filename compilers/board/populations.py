"""A network as the chip's cores see it: groups of neurons, and the rows of synapses that feed each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ff2loihi.compilers.board.chips import Chip
from ff2loihi.compilers.inference.integer_forward import powers
from ff2loihi.compilers.ir import IntNetwork, LearningLayer, LearningNetwork
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.library_rule import GROUPS, GateFactor
from ff2loihi.processes.limits import KERNEL_AXONS, WEIGHT_BITS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

INPUT, CONTROL = "input", "control"  # sources that are not on the chip's cores: the host sends their spikes
CLEAR, ENABLE = "control.clear", "control.enable"  # so do these, of library neurons that learn
WORD = 64  # bits of a word of synaptic memory
MODULATION = 2  # m+ and m-, of a layer that learns


@dataclass(frozen=True)
class Rows:
    """`axons` inputs from `source`, each with one row of synapses on every core that holds the population.

    fan: neurons that a row reaches, None: all of the core's.
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

    def taken(self, first: int, stop: int, chip: Chip) -> tuple[int, int]:
        """(axons, synaptic words) on a core that holds neurons first..stop - 1 of the population."""
        return self.axons, self.words(stop - first, chip)


@dataclass(frozen=True)
class Kernels:
    """A convolution's inputs: a core has its channels' kernels once, and axons that its neurons share, as Intel's
    printed tables have it; see chips.Chip for the words.
    """

    source: str
    conv: Conv
    plastic: bool = False

    @property
    def axons(self) -> int:
        return int(KERNEL_AXONS.value)

    def words(self, neurons: int, chip: Chip) -> int:
        """The fewest words that so many neurons take."""
        return self._words(ceil(neurons / self._positions), chip)

    def taken(self, first: int, stop: int, chip: Chip) -> tuple[int, int]:
        """(axons, synaptic words) on a core that holds neurons first..stop - 1 of the population."""
        channels = (stop - 1) // self._positions - first // self._positions + 1
        return self.axons, self._words(channels, chip)

    @property
    def _positions(self) -> int:
        return self.conv.neurons // self.conv.channels

    def _words(self, channels: int, chip: Chip) -> int:
        return ceil(chip.kernel_bits * channels * prod(self.conv.weight_shape[1:]) / WORD)


@dataclass(frozen=True)
class OneToOne:
    """Inputs from `source`, one for each neuron and with a synapse to it alone: a core has its own neurons'."""

    source: str
    plastic = False

    @property
    def axons(self) -> int:
        """The fewest that a core takes."""
        return 1

    def words(self, neurons: int, chip: Chip) -> int:
        return Rows(self.source, neurons).words(1, chip)

    def taken(self, first: int, stop: int, chip: Chip) -> tuple[int, int]:
        """(axons, synaptic words) on a core that holds neurons first..stop - 1 of the population."""
        return stop - first, self.words(stop - first, chip)


@dataclass(frozen=True)
class Fields:
    """Inputs of which each neuron sees some, mask (n, inputs) of 0 and 1, an array or a sparse one: a core has axons
    for those that its neurons see, and in their rows the synapses that exist."""

    source: str
    mask: "np.ndarray | csr_array" = field(compare=False)
    plastic: bool = False

    @property
    def axons(self) -> int:
        """The fewest that a core takes."""
        return int(self.mask.sum(axis=1).min())

    def words(self, neurons: int, chip: Chip) -> int:
        """No more than so many neurons take, whichever they are."""
        synapses = int(np.sort(self.mask.sum(axis=1))[:neurons].sum())
        bits = chip.synapse_bits * synapses + chip.row_bits * self.axons
        return ceil(round(self._factor(chip) * bits / WORD, 9))

    def taken(self, first: int, stop: int, chip: Chip) -> tuple[int, int]:
        """(axons, synaptic words) on a core that holds neurons first..stop - 1 of the population."""
        fans = self.mask[first:stop].sum(axis=0)
        seen = fans[fans > 0]
        words = np.ceil(np.round(self._factor(chip) * (chip.synapse_bits * seen + chip.row_bits) / WORD, 9))
        return len(seen), int(words.sum())

    def _factor(self, chip: Chip) -> float:
        return chip.plastic_factor if self.plastic else 1


Inputs = Rows | Kernels | Fields | OneToOne


@dataclass(frozen=True)
class Population:
    """Neurons of one kind, which may be split over cores. layer: the network's layer that they belong to."""

    name: str
    layer: str
    neurons: int
    rows: tuple[Inputs, ...]
    groups: int = 1  # neuron configurations that it needs on a core

    @property
    def axons(self) -> int:
        return sum(rows.axons for rows in self.rows)

    @property
    def shared(self) -> bool:
        """Whether what a core takes depends on which neurons it holds, not on how many alone."""
        return any(isinstance(rows, Kernels | Fields | OneToOne) for rows in self.rows)

    @property
    def plastic(self) -> bool:
        return any(rows.plastic for rows in self.rows)

    def words(self, neurons: int, chip: Chip) -> int:
        """Synaptic words on a core that holds that many of its neurons."""
        return sum(rows.words(neurons, chip) for rows in self.rows)

    def taken(self, first: int, stop: int, chip: Chip) -> tuple[int, int]:
        """(axons, synaptic words) on a core that holds its neurons first..stop - 1."""
        axons, words = zip(*(rows.taken(first, stop, chip) for rows in self.rows), strict=True)
        return sum(axons), sum(words)


def populations(network: IntNetwork | LearningNetwork) -> tuple[Population, ...]:
    """What of the network is on the chip, in the order of its layers; the input's spikes come from the host."""
    found = _learning(network) if isinstance(network, LearningNetwork) else _inference(network)
    return tuple(found)


def _inference(net: IntNetwork) -> Iterator[Population]:
    """Layers, each with its pool and, where they are read, its goodness sums; tables between layers; the head.

    The host picks the largest activities of those that it is sent.
    """
    below = INPUT
    for index, layer in enumerate(net.layers):
        n = layer.outputs
        rows = [Kernels(below, layer.conv) if layer.conv else Rows(below, layer.inputs, layer.weight_bits)]
        if layer.label:
            rows.append(Rows(f"{layer.name}.label", layer.label.weight.shape[1], layer.weight_bits))  # of the host
        yield Population(layer.name, layer.name, layer.neurons, tuple(rows))
        below = layer.name
        if layer.pool:
            below = f"{layer.name}.pool"
            yield Population(below, layer.name, n, (Kernels(layer.name, layer.pool.kernels),))
        divided = {norm.power for norm in net.norms[index : index + 1]}  # before the next layer
        sums = len({*powers(net), *divided})  # of a part; each neuron belongs to one part
        if sums and net.is_summed(index):
            parts = layer.cells(net.pooled.grid).pieces if net.pooled else net.goodness_parts
            yield Population(f"{layer.name}.goodness", layer.name, parts * sums, (Rows(below, n, fan=sums),))
        if net.head and index in net.readout_layers:
            yield Population(f"{layer.name}.head", layer.name, net.classes, (Rows(below, n),))
        if index < len(net.norms):
            rows = Rows(below, n, fan=1), Rows(f"{layer.name}.goodness", 1)
            below = f"{layer.name}.norm"
            yield Population(below, layer.name, n, rows)


def _learning(net: LearningNetwork) -> Iterator[Population]:
    """Plastic layers, which also take their modulation and the control's signals; each with its third factor."""
    if net.library:
        yield from _library(net)
        return
    below = INPUT
    for layer in net.layers:
        n, unit = len(layer.positive), f"{layer.name}.goodness"
        yield Population(layer.name, layer.name, n, (_plastic(below, layer), Rows(unit, MODULATION), Rows(CONTROL, 1)))
        yield Population(unit, layer.name, 2 + MODULATION, (Rows(layer.name, n), Rows(CONTROL, 1)))
        below = layer.name


def _plastic(below: str, layer: LearningLayer) -> Inputs:
    if layer.mask is None:
        return Rows(below, layer.inputs, plastic=True)
    return Fields(below, layer.mask, plastic=True)


def _library(net: LearningNetwork[GateFactor]) -> Iterator[Population]:
    """The layer and the library neurons of its third factor, 4 n + 4 K: see backends.lava.graphs.library_learning."""
    [layer] = net.layers
    n, units = layer.neurons, GROUPS * len(layer.factor.thresholds[0])
    count, square, steps, product, gates = (
        f"{layer.name}.{part}" for part in ("count", "square", "thermometers", "product", "gates")
    )
    own = OneToOne(gates)
    yield Population(layer.name, layer.name, n, (_plastic(INPUT, layer), own))
    yield Population(count, layer.name, n, (OneToOne(layer.name), OneToOne(count), own, Rows(CLEAR, 1)))
    yield Population(square, layer.name, n, (OneToOne(count),))
    yield Population(steps, layer.name, units, (Rows(square, n), Rows(ENABLE, GROUPS, fan=units // GROUPS)))
    yield Population(product, layer.name, n, (OneToOne(count), Rows(steps, units)))
    yield Population(gates, layer.name, n, (OneToOne(product),))

"""Which neurons lie on which core of which chip, and what each core takes of its limits."""

from collections.abc import Iterable
from dataclasses import dataclass

from ff2loihi.compilers.board.chips import Chip
from ff2loihi.compilers.board.populations import OneToOne, Population

COLUMNS = ("AxonIn", "NeuronGr", "Neurons", "Synapses", "AxonMap", "AxonMem", "Total")  # of Intel's compiler


@dataclass(frozen=True)
class Part:
    """Neurons first..stop - 1 of a population."""

    population: Population
    first: int
    stop: int

    @property
    def neurons(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True)
class Fill:
    """What a core takes: counts. axons_out: pairs of a neuron and a core that its spikes go to."""

    axons_in: int
    neuron_groups: int
    neurons: int
    synaptic_words: int
    axons_out: int

    @property
    def entries(self) -> int:
        """The counts of all of Intel's columns together: AxonMap has one entry a neuron, AxonMem none."""
        return self.axons_in + self.neuron_groups + 2 * self.neurons + self.synaptic_words


@dataclass(frozen=True)
class Core:
    """Core `number` of chip `chip`, both from 0."""

    chip: int
    number: int
    parts: tuple[Part, ...]
    fill: Fill


@dataclass(frozen=True)
class Mapping:
    """A network on chips of one kind. crossings: spikes that pass between chips if every neuron fires once."""

    chip_name: str
    chip: Chip
    populations: tuple[Population, ...]
    cores: tuple[Core, ...]
    crossings: int

    @property
    def chips(self) -> int:
        return 1 + max((core.chip for core in self.cores), default=-1)

    def cores_of(self, population: str) -> tuple[Core, ...]:
        return tuple(core for core in self.cores if any(part.population.name == population for part in core.parts))

    def neuron(self, chip: int, core: int, place: int) -> tuple[str, str, int]:
        """Neuron number `place` of a core: its layer, its population, and its number there. Raises IndexError."""
        found = next((c for c in self.cores if (c.chip, c.number) == (chip, core)), None)
        if found is None or not 0 <= place < found.fill.neurons:
            raise IndexError(f"no neuron {place} on core {core} of chip {chip}")
        for part in found.parts:
            if place < part.neurons:
                return part.population.layer, part.population.name, part.first + place
            place -= part.neurons
        raise AssertionError("a core's neurons are those of its parts")


def targets(populations: Iterable[Population], cores: Iterable[tuple[Part, ...]]) -> dict[str, int]:
    """How many cores a spike of each population, or of the host's sources, goes to: of the population that a neuron
    feeds one to one, the one that holds the neuron of its number."""
    found: dict[str, set[int | str]] = {population.name: set() for population in populations}
    for number, parts in enumerate(cores):
        for part in parts:
            for rows in part.population.rows:
                reached = part.population.name if isinstance(rows, OneToOne) else number
                found.setdefault(rows.source, set()).add(reached)
    return {name: len(reached) for name, reached in found.items()}


def shares(fill: Fill, chip: Chip) -> dict[str, float]:
    """A core's fill in percent, in the columns of Intel's compiler and of what it takes 100 % to be.

    AxonMap has one entry a neuron; AxonMem is 0 for dense connections; Total is the sum of all counts over
    table.total (fitted on ten printed rows), or, for chips without one, the fullest column.
    """
    table = chip.table
    counts = (fill.axons_in, fill.neuron_groups, fill.neurons, fill.synaptic_words, fill.neurons, 0)
    wholes = (table.axons, chip.neuron_groups, table.neurons, table.words, table.axons, table.axons)
    found = [100 * count / whole for count, whole in zip(counts, wholes, strict=True)]
    total = 100 * fill.entries / table.total if table.total else max(found)
    return dict(zip(COLUMNS, (*found, total), strict=True))


def fullest(mapping: Mapping, population: Population) -> dict[str, float]:
    """The shares of that of a population's cores which has the most synaptic words."""
    core = max(mapping.cores_of(population.name), key=lambda core: core.fill.synaptic_words)
    return shares(core.fill, mapping.chip)

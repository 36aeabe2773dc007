"""Populations onto cores and chips: as few cores as the limits allow, evenly filled, little traffic between chips."""

from itertools import product
from math import ceil

from ff2loihi.compilers.board.chips import Chip
from ff2loihi.compilers.board.placement import (
    Core,
    Fill,
    Mapping,
    Part,
    targets,
)
from ff2loihi.compilers.board.populations import OneToOne, Population
from ff2loihi.compilers.errors import CompileError

MAX_BLOCKS = 12  # populations up to which all ways to start them on a fresh chip are compared

Parts = tuple[Part, ...]


def place(populations: tuple[Population, ...], chip_name: str, chip: Chip, pack: bool = False) -> Mapping:
    """The populations on as many chips as they need. Raises CompileError where one neuron does not fit a core.

    A population is split evenly over the fewest cores; as Intel's compiler does it, each core holds one population.
    pack: populations of one core share cores, up to the limits and the chip's neuron groups.
    """
    counts = _core_counts(populations, chip, _core_counts(populations, chip, {}))
    blocks = [_split(population, counts[population.name]) for population in populations]
    if pack:
        blocks = _packed(blocks, populations, chip)
    homes = _chips(blocks, populations, chip)
    reached = _reached(populations, blocks)
    cores, used = [], {}
    for parts, home in ((parts, home) for block, chips in zip(blocks, homes, strict=True)
                        for parts, home in zip(block, chips, strict=True)):  # fmt: skip
        number = used.get(home, 0)
        used[home] = number + 1
        cores.append(Core(home, number, parts, _fill(parts, reached, chip)))
    return Mapping(chip_name, chip, populations, tuple(cores), _crossings(blocks, homes, populations))


def most_neurons(population: Population, targets: int, chip: Chip) -> int:
    """The most of its neurons that one core holds, 0 where not even one fits; targets: cores that they spike to."""
    low, high = 0, min(population.neurons, chip.neurons, chip.table.neurons)
    while low < high:
        middle = (low + high + 1) // 2
        fill = Fill(
            population.axons, population.groups, middle, population.words(middle, chip), middle * max(1, targets)
        )
        low, high = (middle, high) if fits(fill, chip) else (low, middle - 1)
    return low


def fits(fill: Fill, chip: Chip) -> bool:
    """Whether a core can hold that."""
    return (
        fill.axons_in <= chip.axons_in
        and fill.neuron_groups <= chip.neuron_groups
        and fill.neurons <= min(chip.neurons, chip.table.neurons)
        and fill.synaptic_words <= chip.synaptic_words
        and fill.axons_out <= chip.axons_out
        and (chip.table.total is None or fill.entries <= chip.table.total)
    )


def _core_counts(populations: tuple[Population, ...], chip: Chip, before: dict[str, int]) -> dict[str, int]:
    """Cores of each population, from the last to the first: a neuron needs an axon to each core that it feeds.

    before: the counts of an earlier call, for what is fed backwards.
    """
    counts: dict[str, int] = {}
    stuck = []
    for population in reversed(populations):
        fed = sum(
            _cores_fed(population.name, other, counts.get(other.name, before.get(other.name, 0)))
            for other in populations
        )
        most = most_neurons(population, fed, chip)
        if not most and fed > chip.axons_out:
            most = min(1, most_neurons(population, 0, chip))  # the rule axons_out says so
        if not most:
            stuck.append(
                f"{population.name}: one neuron with {population.axons:,} axons takes {population.words(1, chip):,} "
                f"words of synapses and {max(1, fed):,} output axons; a core has {chip.axons_in:,} axons, "
                f"{chip.synaptic_words:,} words and {chip.axons_out:,} output axons"
                f"{f', {chip.table.total:,} entries of all kinds' if chip.table.total else ''}. Use a narrower layer"
            )
        counts[population.name] = _fewest(population, most, fed, chip) if most else 1
    if stuck:
        raise CompileError("; ".join(stuck))
    return counts


def _cores_fed(source: str, other: Population, cores: int) -> int:
    """Of the cores that hold a population, those that a spike of `source` goes to."""
    links = [isinstance(rows, OneToOne) for rows in other.rows if rows.source == source]
    return (cores if not all(links) else min(cores, 1)) if links else 0


def _fewest(population: Population, most: int, targets: int, chip: Chip) -> int:
    """Cores over which the population is split evenly; most: neurons that a core holds at best."""
    least = ceil(population.neurons / most)
    if not population.shared:
        return least
    reached = {population.name: targets if targets <= chip.axons_out else 1}
    for cores in range(least, population.neurons):
        if all(fits(_fill(parts, reached, chip), chip) for parts in _split(population, cores)):
            return cores
    return population.neurons


def _split(population: Population, cores: int) -> list[Parts]:
    """Its neurons in order over that many cores, as evenly as they go."""
    each, more = divmod(population.neurons, cores)
    parts, first = [], 0
    for index in range(cores):
        stop = first + each + (index < more)
        parts.append((Part(population, first, stop),))
        first = stop
    return parts


def _packed(blocks: list[list[Parts]], populations: tuple[Population, ...], chip: Chip) -> list[list[Parts]]:
    """First fit, the fullest first: populations of a single core join a core that still has room."""
    reached = _reached(populations, blocks)
    single = [block for block in blocks if len(block) == 1]
    single.sort(key=lambda block: -_fill(block[0], reached, chip).synaptic_words)
    bins: list[Parts] = []
    for [parts] in single:
        for index, held in enumerate(bins):
            if fits(_fill(held + parts, reached, chip), chip):
                bins[index] = held + parts
                break
        else:
            bins.append(parts)
    return [block for block in blocks if len(block) > 1] + [[parts] for parts in bins]


def _reached(populations: tuple[Population, ...], blocks: list[list[Parts]]) -> dict[str, int]:
    return targets(populations, (parts for block in blocks for parts in block))


def _fill(parts: Parts, reached: dict[str, int], chip: Chip) -> Fill:
    taken = [part.population.taken(part.first, part.stop, chip) for part in parts]
    return Fill(
        axons_in=sum(axons for axons, _ in taken),
        neuron_groups=sum(part.population.groups for part in parts),
        neurons=sum(part.neurons for part in parts),
        synaptic_words=sum(words for _, words in taken),
        axons_out=sum(part.neurons * max(1, reached[part.population.name]) for part in parts),
    )


def _chips(blocks: list[list[Parts]], populations, chip: Chip) -> list[list[int]]:
    """The chip of each core of each block: the fewest chips, then the fewest spikes between them."""
    breaks = product((False, True), repeat=len(blocks) - 1) if len(blocks) <= MAX_BLOCKS else ((False,) * len(blocks),)
    found = (_homes(blocks, (False, *fresh), chip) for fresh in breaks)
    return min(found, key=lambda homes: (homes[-1][-1], _crossings(blocks, homes, populations)))


def _homes(blocks: list[list[Parts]], fresh: tuple[bool, ...], chip: Chip) -> list[list[int]]:
    """The chip of each core of each block. fresh: the blocks that begin on a chip of their own."""
    homes, used = [], 0
    for block, start in zip(blocks, fresh, strict=False):
        if start and used % chip.cores:
            used += chip.cores - used % chip.cores
        homes.append([(used + index) // chip.cores for index in range(len(block))])
        used += len(block)
    return homes


def _crossings(blocks: list[list[Parts]], homes: list[list[int]], populations) -> int:
    """Spikes between chips if every neuron fires once: one for each other chip that holds a target."""
    held: dict[str, dict[int, int]] = {}
    for block, chips in zip(blocks, homes, strict=True):
        for parts, home in zip(block, chips, strict=True):
            for part in parts:
                chips_of = held.setdefault(part.population.name, {})
                chips_of[home] = chips_of.get(home, 0) + part.neurons
    crossings = 0
    for population in populations:
        for rows in population.rows:
            for home, neurons in held.get(rows.source, {}).items():
                if isinstance(rows, OneToOne):
                    crossings += max(0, neurons - held[population.name].get(home, 0))
                else:
                    crossings += neurons * len(set(held[population.name]) - {home})
    return crossings

"""A second count of every core, written apart from the first: synapse by synapse, axon by axon.

It shares the data of a Mapping and the formula of chips.Chip with the mapper, and none of its code.
"""

from collections import Counter
from fractions import Fraction
from itertools import product

from ff2loihi.compilers.board.chips import Chip
from ff2loihi.compilers.board.placement import Core, Fill, Mapping
from ff2loihi.compilers.board.populations import Fields, Kernels, OneToOne, Rows
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.limits import KERNEL_AXONS

_WORD = 64


def recount(mapping: Mapping) -> list[str]:
    """Everything that is wrong with a mapping: neurons that are missing or doubled, cores beyond a limit."""
    found = _neurons(mapping)
    seats = Counter((core.chip, core.number) for core in mapping.cores)
    found += [f"chip {chip} core {number}: {count} cores there" for (chip, number), count in seats.items() if count > 1]
    reached = _reached(mapping)
    for core in mapping.cores:
        where, fill = f"chip {core.chip} core {core.number}", count_core(core, mapping.chip, reached)
        if fill != core.fill:
            found.append(f"{where}: {fill}, the mapper says {core.fill}")
        chip = mapping.chip
        limits = {
            "axons_in": chip.axons_in,
            "neuron_groups": chip.neuron_groups,
            "neurons": min(chip.neurons, chip.table.neurons),
            "synaptic_words": chip.synaptic_words,
            "axons_out": chip.axons_out,
        }
        for name, most in limits.items():
            if getattr(fill, name) > most:
                found.append(f"{where}: {name} {getattr(fill, name):,}, {most:,} fit")
        entries = fill.axons_in + fill.neuron_groups + fill.neurons + fill.synaptic_words + fill.neurons
        if chip.table.total and entries > chip.table.total:
            found.append(f"{where}: {entries:,} entries of all kinds, {chip.table.total:,} fit")
        if not 0 <= core.number < chip.cores:
            found.append(f"{where}: a chip has {chip.cores} cores")
    return found


def count_core(core: Core, chip: Chip, reached: Counter[str]) -> Fill:
    """What a core takes, counted from its neurons; reached: the cores that each population's spikes go to."""
    axons = words = neurons = outputs = groups = 0
    for part in core.parts:
        seats = range(part.first, part.stop)
        neurons += len(seats)
        groups += part.population.groups
        for rows in part.population.rows:
            if isinstance(rows, Kernels):
                axons += int(KERNEL_AXONS.value)
                words += -(-_kernel_weights(rows.conv, seats) * chip.kernel_bits // _WORD)
                continue
            if isinstance(rows, OneToOne):
                axons += len(seats)
                words += sum(_row_words(Rows(rows.source, 1), 1, chip) for _ in seats)
                continue
            if isinstance(rows, Fields):
                columns = rows.mask[seats.start : seats.stop].nonzero()[1]
                fans = Counter(Counter(columns.tolist()).values())
                axons += sum(many for fan, many in fans.items() if fan)
                row = Rows(rows.source, 1, plastic=rows.plastic)
                words += sum(many * _row_words(row, fan, chip) for fan, many in fans.items() if fan)
                continue
            axons += rows.axons
            words += rows.axons * _row_words(rows, len(seats), chip)
        outputs += sum(max(1, reached[part.population.name]) for _ in seats)
    return Fill(axons, groups, neurons, words, outputs)


def _reached(mapping: Mapping) -> Counter[str]:
    """The cores that each population's spikes go to: all that hold a target, one of a target fed one to one."""
    found = Counter(
        source
        for core in mapping.cores
        for source in {
            rows.source for part in core.parts for rows in part.population.rows if not isinstance(rows, OneToOne)
        }
    )
    for population in mapping.populations:
        found.update({rows.source for rows in population.rows if isinstance(rows, OneToOne)})
    return found


def _kernel_weights(conv: Conv, seats: range) -> int:
    """The weights of those neurons' channels, tap by tap."""
    _, rows, columns = conv.out_shape
    channels = {seat // (rows * columns) for seat in seats}
    sources = range(conv.shape[0] // conv.groups)
    return len({(channel, *tap) for channel in channels for tap in product(sources, *map(range, conv.kernel))})


def _row_words(rows: Rows, neurons: int, chip: Chip) -> int:
    """Words of one row: its bits are laid down one synapse after the other, and a new word begins where one is full."""
    each = Fraction(str(chip.plastic_factor)) if rows.plastic else Fraction(1)
    bits = each * chip.row_bits
    for _ in range(neurons if rows.fan is None else min(neurons, rows.fan)):
        bits += each * (rows.weight_bits + chip.synapse_bits - 8)
    words = 0
    while bits > 0:
        words, bits = words + 1, bits - _WORD
    return words


def _neurons(mapping: Mapping) -> list[str]:
    seats = Counter(
        (part.population.name, index)
        for core in mapping.cores
        for part in core.parts
        for index in range(part.first, part.stop)
    )
    wanted = {(population.name, index) for population in mapping.populations for index in range(population.neurons)}
    found = [f"{name} neuron {index}: on no core" for name, index in sorted(wanted - set(seats))]
    found += [f"{name} neuron {index}: no such neuron" for name, index in sorted(set(seats) - wanted)]
    return found + [f"{name} neuron {index}: on {count} cores" for (name, index), count in seats.items() if count > 1]

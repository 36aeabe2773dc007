"""A program on a board: the Python form of `ff2loihi map`."""

import dataclasses

from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.chips import ChipTable, known_limits, load_table
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import populations
from ff2loihi.compilers.board.rules import Design, violations
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import AnyProgram

DEFAULT_CHIP = "loihi2"


def design(program: AnyProgram, board: str | None = None, table: ChipTable | None = None, pack: bool = False) -> Design:
    """A program on a board, by default the smallest one of Loihi 2 that holds it. Raises CompileError."""
    table = table or load_table()
    chosen = table.board(board or DEFAULT_CHIP)
    groups = populations(program.network)
    try:
        mapping = place(groups, chosen.chip_name, chosen.chip, pack)
    except CompileError:
        mapping = None  # the rules say which limit no core keeps
    if board is None and mapping:
        chosen = table.smallest(chosen.chip_name, mapping.chips) or chosen
    return Design(program.network, groups, chosen, mapping, table)


def report(found: Design) -> dict:
    """The JSON of `map`: every core with its neurons and its fill, every broken rule, and where the limits are from.

    recount: what a second count of every core finds wrong with the mapping.
    """
    mapping = found.mapping
    plain = {
        "board": found.board.name,
        "chip": found.board.chip_name,
        "chips_of_board": found.board.count,
        "limits": {name: limit._asdict() for name, limit in known_limits(found.board.chip_name, found.chip).items()},
        "violations": [dataclasses.asdict(violation) for violation in violations(found)],
    }
    if mapping is None:
        return plain
    return plain | {
        "chips": mapping.chips,
        "cores": len(mapping.cores),
        "crossings": mapping.crossings,
        "recount": recount(mapping),
        "populations": [
            {"name": p.name, "layer": p.layer, "neurons": p.neurons, "plastic": p.plastic,
             "cores": len(mapping.cores_of(p.name))}
            for p in mapping.populations
        ],
        "placement": [
            {"chip": core.chip, "core": core.number, **dataclasses.asdict(core.fill),
             "neurons_of": [[part.population.name, part.first, part.stop] for part in core.parts]}
            for core in mapping.cores
        ],
    }  # fmt: skip

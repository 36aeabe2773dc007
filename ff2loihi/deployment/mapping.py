"""A program on a board: the Python form of `ff2loihi map`."""

import dataclasses

from ff2loihi.backends.loihi.deployed import deployed_populations, refused
from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.chips import ChipTable, known_limits, load_table
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import populations
from ff2loihi.compilers.board.rules import Design, violations
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import AnyProgram, learns

DEFAULT_CHIP = "loihi2"


def design(
    program: AnyProgram,
    board: str | None = None,
    table: ChipTable | None = None,
    form: BoardForm = "deployed",
    share: bool = True,
) -> Design:
    """A program on a board, by default the smallest one of Loihi 2 that holds it. Raises CompileError.

    form: see rules.Design; a network whose deployment is refused is counted as microcode all the same. share: small
    populations share a core.
    """
    table = table or load_table()
    chosen = table.board(board or DEFAULT_CHIP)
    form, reason = _form(program, form)
    groups = deployed_populations(program.network) if form == "deployed" else populations(program.network)
    try:
        mapping = place(groups, chosen.chip_name, chosen.chip, share)
    except CompileError:
        mapping = None  # the rules say which limit no core keeps
    if board is None and mapping:
        chosen = table.smallest(chosen.chip_name, mapping.chips) or chosen
    return Design(program.network, groups, chosen, mapping, table, form, reason)


def _form(program: AnyProgram, form: BoardForm) -> tuple[BoardForm, str]:
    """The form that is counted, and why it is not the one that was asked for."""
    if learns(program) and program.network.library:
        return "deployed", "" if form == "deployed" else "a network of library neurons has no other"
    wrong = refused(program.network) if form == "deployed" else []
    if wrong:
        return "microcode", f"no script of `deploy` does all of it: {'; '.join(wrong)}"
    return form, ""


def report(found: Design) -> dict:
    """The JSON of `map`: every core with its neurons and its fill, every broken rule, and where the limits are from.

    recount: what a second count of every core finds wrong with the mapping.
    """
    mapping = found.mapping
    plain = {
        "board": found.board.name,
        "chip": found.board.chip_name,
        "chips_of_board": found.board.count,
        "form": found.form,
        "reason": found.reason,
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

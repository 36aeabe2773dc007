"""The commands about boards: `map` says what a network takes of them, and whether it keeps their rules."""

import dataclasses
from collections import Counter
from pathlib import Path

from ff2loihi import api, console
from ff2loihi.compilers.chip_rules import RULES, Design, violations
from ff2loihi.compilers.chips import Board, Table, load_table
from ff2loihi.compilers.errors import CheckFailed, CompileError
from ff2loihi.compilers.ir import Program
from ff2loihi.compilers.mapping import place
from ff2loihi.compilers.placement import COLUMNS, Mapping, shares
from ff2loihi.compilers.populations import populations
from ff2loihi.processes.limits import COMPILER_FACTOR

DEFAULT_CHIP = "loihi2"
ROW = 16  # cores in a row of the picture


def design(program: Program, board: str | None = None, table: Table | None = None, pack: bool = False) -> Design:
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


def map_model(model: Path, board: str | None, chips: Path | None, pack: bool) -> dict:
    """Show the mapping in the columns of Intel's compiler, the picture of the chips, and every broken rule."""
    found = design(api.load(model), board, load_table(chips), pack)
    broken = violations(found)
    if found.mapping:
        _show_mapping(model, found.board, found.mapping)
    if broken:
        rows = [(v.rule, v.kind, v.layer, f"{v.value:,}", f"{v.limit:,}", f"{v.text}. Use {v.mend}") for v in broken]
        console.table("broken rules", ("rule", "kind", "layer", "value", "limit", "what, and the way out"), rows)
    else:
        console.out.print(f"all {len(RULES)} rules of {found.board.name} hold")
    return report(found)


def report(found: Design) -> dict:
    """The JSON of `map`: every core with its neurons and its fill, and every broken rule."""
    mapping = found.mapping
    plain = {
        "board": found.board.name,
        "chip": found.board.chip_name,
        "chips_of_board": found.board.count,
        "violations": [dataclasses.asdict(violation) for violation in violations(found)],
    }
    if mapping is None:
        return plain
    return plain | {
        "chips": mapping.chips,
        "cores": len(mapping.cores),
        "crossings": mapping.crossings,
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


def refuse_if_broken(model: Path, found: dict) -> None:
    """Raise CheckFailed where a report of `map` holds a broken rule."""
    if found["violations"]:
        names = ", ".join(dict.fromkeys(violation["rule"] for violation in found["violations"]))
        raise CheckFailed(f"{model}: {len(found['violations'])} broken rules of {found['board']}: {names}")


def _show_mapping(model: Path, board: Board, mapping: Mapping) -> None:
    rows = []
    for population in mapping.populations:
        cores = mapping.cores_of(population.name)
        fullest = max(cores, key=lambda core: core.fill.synaptic_words)
        cells = (f"{share:.2f}%" for share in shares(fullest.fill, mapping.chip).values())
        name = f"{population.name} plastic" if population.plastic else population.name
        rows.append((*cells, len(cores), name))
    rows.append((*[""] * len(COLUMNS), len(mapping.cores), "all"))
    console.table(
        f"{model} on {board.name}: {len(mapping.cores):,} of {board.cores:,} cores, {mapping.chips:,} of "
        f"{board.count:,} chips; each population's fullest core",
        (*COLUMNS, "Cores", "population"),
        rows,
    )
    console.out.print(
        f"{mapping.crossings:,} spikes cross chips if every neuron fires once; Intel's compiler may take up to "
        f"{COMPILER_FACTOR.value} times as many cores"
    )
    console.out.print(picture(mapping))


def picture(mapping: Mapping) -> str:
    """Each chip's cores in rows of 16: a letter a population, * for a shared core, . for a free one.

    Chips that look the same are drawn once.
    """
    letters = {p.name: chr(ord("A") + index % 26) for index, p in enumerate(mapping.populations)}
    drawn: Counter[str] = Counter()
    for chip in range(mapping.chips):
        cells = ["."] * mapping.chip.cores
        for core in mapping.cores:
            if core.chip == chip:
                cells[core.number] = "*" if len(core.parts) > 1 else letters[core.parts[0].population.name]
        drawn["\n".join("".join(cells[start : start + ROW]) for start in range(0, len(cells), ROW))] += 1
    legend = ", ".join(f"{letter} {name}" for name, letter in letters.items())
    chips = [f"{count} x\n{text}" if count > 1 else text for text, count in drawn.items()]
    return "\n\n".join([*chips, legend])

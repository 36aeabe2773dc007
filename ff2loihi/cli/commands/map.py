"""The commands about boards: `map` says what a network takes of them, and whether it keeps their rules."""

from collections import Counter
from pathlib import Path

from ff2loihi import api
from ff2loihi.cli import console
from ff2loihi.compilers.board.chips import Board, load_table
from ff2loihi.compilers.board.placement import COLUMNS, Mapping, fullest
from ff2loihi.compilers.board.rules import RULES, Design, violations
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.errors import CheckFailed
from ff2loihi.deployment.mapping import design, report
from ff2loihi.processes.limits import COMPILER_FACTOR

ROW = 16  # cores in a row of the picture


def map_model(model: Path, board: str | None, chips: Path | None, form: BoardForm, share: bool) -> dict:
    """Show the mapping in the columns of Intel's compiler, the picture of the chips, and every broken rule."""
    found = design(api.load(model), board, load_table(chips), form, share)
    broken = violations(found)
    say_form(found)
    if found.mapping:
        _show_mapping(model, found.board, found.mapping)
    if broken:
        rows = [(v.rule, v.kind, v.layer, f"{v.value:,}", f"{v.limit:,}", f"{v.text}. Use {v.mend}") for v in broken]
        console.table("broken rules", ("rule", "kind", "layer", "value", "limit", "what, and the way out"), rows)
    else:
        console.say(f"all {len(RULES)} rules of {found.board.name} hold")
    return report(found)


def say_form(found: Design) -> None:
    """One line: whose neurons are counted, and why not those that were asked for."""
    console.say(f"counted in the {found.form} form{f', for {found.reason}' if found.reason else ''}")


def refuse_if_broken(model: Path, found: dict, strict: bool) -> None:
    """Raise CheckFailed where a report of `map` holds a broken limit; strict: or a risk."""
    if found.get("recount"):
        raise CheckFailed(f"{model}: a fault of the mapper, not of the network: {found['recount'][0]}. See --json")
    broken = [violation for violation in found["violations"] if strict or violation["kind"] == "limit"]
    if broken:
        names = ", ".join(dict.fromkeys(violation["rule"] for violation in broken))
        raise CheckFailed(f"{model}: on {found['board']} it breaks {names}. See the table, or --json")


def _show_mapping(model: Path, board: Board, mapping: Mapping) -> None:
    rows = []
    for population in mapping.populations:
        cells = (f"{share:.2f}%" for share in fullest(mapping, population).values())
        name = f"{population.name} plastic" if population.plastic else population.name
        rows.append((*cells, len(mapping.cores_of(population.name)), name))
    rows.append((*[""] * len(COLUMNS), len(mapping.cores), "all"))
    console.table(
        f"{model} on {board.name}: {len(mapping.cores):,} of {board.cores:,} cores, {mapping.chips:,} of "
        f"{board.count:,} chips; each population's fullest core",
        (*COLUMNS, "Cores", "population"),
        rows,
    )
    console.say(
        f"{mapping.crossings:,} spikes cross chips if every neuron fires once; Intel's compiler may take up to "
        f"{COMPILER_FACTOR.value} times as many cores"
    )
    console.say(*picture(mapping).split("\n"))


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
                first, *others = core.parts
                cells[core.number] = "*" if others else letters[first.population.name]
        drawn["\n".join("".join(cells[start : start + ROW]) for start in range(0, len(cells), ROW))] += 1
    legend = ", ".join(f"{letter} {name}" for name, letter in letters.items())
    for core in mapping.cores:
        if len(core.parts) > 1:
            shared = " + ".join(letters[part.population.name] for part in core.parts)
            legend += f"; * core {core.number} of chip {core.chip}: {shared}"
    chips = [f"{count} x\n{text}" if count > 1 else text for text, count in drawn.items()]
    return "\n\n".join([*chips, legend])

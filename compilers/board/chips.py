"""The table of chips and boards: chips.yaml beside this file, and what a user's own file adds or replaces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ff2loihi.compilers.errors import CompileError, brief, shortened, together
from ff2loihi.compilers.formats import yaml_file
from ff2loihi.processes import limits

SHIPPED = Path(__file__).with_name("chips.yaml")
MOST = 1 << 20  # of anything that a core, a chip or a board is said to have
Count = Annotated[int, Field(ge=1, le=MOST)]
Entry = TypeVar("Entry", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Shares(_Strict):
    """What the compiler's table takes 100 % of a column to be; total: of all columns together, or None."""

    neurons: Count
    axons: Count
    words: Count
    total: Count | None


class Chip(_Strict):
    """The limits of a chip, of a core where not said otherwise; each value's source is in processes/limits.py.

    A dense row of n static synapses takes ceil(((synapse_bits - 8 + b) n + row_bits) / 64) words for b-bit weights,
    a plastic one plastic_factor times as many bits; the kernels of a core ceil(kernel_bits n / 64) for n weights that
    all its neurons share. vth_max, bias_mantissa_max: mantissas; decay_max: of 4096.
    """

    generation: Annotated[int, Field(ge=1, le=2)]
    cores: Count  # of the chip
    neurons: Count
    axons_in: Count
    axons_out: Count
    synaptic_words: Count
    synapse_bits: Annotated[int, Field(ge=9, le=MOST)]
    row_bits: Annotated[int, Field(ge=0, le=MOST)]
    kernel_bits: Count
    plastic_factor: Annotated[float, Field(ge=1, le=MOST, allow_inf_nan=False)]
    neuron_groups: Count
    weight_bits: Count
    vth_max: Count
    decay_max: Count
    bias_mantissa_max: Count
    state_bits: Count
    payload_bits: Annotated[int, Field(ge=0, le=MOST)]
    trace_bits: Count
    tag_bits: Count
    microcode: bool
    third_factor: bool
    power_of_two_reset: bool
    table: Shares


class _Board(_Strict):
    chip: str
    chips: Count


@dataclass(frozen=True)
class Board:
    """`count` chips of one kind."""

    name: str
    chip_name: str
    chip: Chip
    count: int

    @property
    def cores(self) -> int:
        return self.count * self.chip.cores


@dataclass(frozen=True)
class ChipTable:
    """Chips and boards by name."""

    chips: dict[str, Chip]
    boards: dict[str, Board]

    def board(self, name: str) -> Board:
        """That board, or one chip of that name. Raises CompileError."""
        if name in self.boards:
            return self.boards[name]
        if name in self.chips:
            return Board(name, name, self.chips[name], 1)
        names = brief(", ".join([*self.boards, *self.chips]), 250)
        raise CompileError(
            f"board {shortened(name)}: not in the table. Use one of {names}, or give it with --chips FILE.yaml"
        )

    def smallest(self, chip: str, chips: int) -> Board | None:
        """The smallest board with at least so many chips of that kind."""
        fitting = [board for board in self.boards.values() if board.chip_name == chip and board.count >= chips]
        return min(fitting, key=lambda board: board.count, default=None)


def load_table(path: Path | None = None) -> ChipTable:
    """The shipped table, with the entries of a user's file in place of or beside it. Raises CompileError."""
    shipped = _parse(SHIPPED)
    own = _parse(path) if path else {"chips": {}, "boards": {}}
    wrong: list[str] = []
    chips = {name: Chip.model_validate(_named(entry)) for name, entry in shipped["chips"].items()}
    for name, entry in own["chips"].items():
        base = {}
        if isinstance(entry, dict) and "like" in entry:
            entry = dict(entry)
            like = entry.pop("like")
            if not isinstance(like, str) or like not in chips:
                wrong.append(
                    f"chips.{name}.like: {shortened(like)} is no chip. Use one of {brief(', '.join(chips), 200)}"
                )
                continue
            base = chips[like].model_dump()
            if isinstance(entry.get("table"), dict):
                entry["table"] = base["table"] | entry["table"]
        made = _checked(Chip, base | entry if isinstance(entry, dict) else entry, f"chips.{name}", wrong)
        if made:
            chips[name] = made
    boards = {}
    for name, entry in (shipped["boards"] | own["boards"]).items():
        board = _checked(_Board, entry, f"boards.{name}", wrong)
        if board and board.chip in chips:
            boards[name] = Board(name, board.chip, chips[board.chip], board.chips)
        elif board:
            wrong.append(
                f"boards.{name}.chip: {shortened(board.chip)} is no chip of the table, "
                f"{brief(', '.join(chips), 200)} are"
            )
    if wrong:
        raise CompileError(f"{path}: {together(wrong)}")
    return ChipTable(chips, boards)


def known_limits(chip_name: str, chip: Chip) -> dict[str, limits.Limit]:
    """A shipped chip's limits with unit, certainty and source, its table's as table.NAME.

    Those that `chip` changes are left out.
    """
    shipped = _parse(SHIPPED)["chips"].get(chip_name, {"table": {}})
    names = shipped | {f"table.{key}": name for key, name in shipped["table"].items()}
    values = chip.model_dump() | {f"table.{key}": value for key, value in chip.table.model_dump().items()}
    found = {key: getattr(limits, name) for key, name in names.items() if isinstance(name, str)}
    return {key: limit for key, limit in found.items() if values[key] == limit.value}


def _parse(path: Path) -> dict[str, dict]:
    data = yaml_file.read(path, CompileError, "a chip table (.yaml)")
    if (
        not isinstance(data, dict)
        or set(data) - {"chips", "boards"}
        or not all(isinstance(part, dict) for part in data.values())
    ):
        raise CompileError(f"{path}: a chip table holds `chips:` and `boards:`, each with entries by name")
    for name in (name for part in data.values() for name in part):
        if not isinstance(name, str) or not 1 <= len(name) <= 64:
            raise CompileError(
                f"{path}: the name {shortened(name)} of a chip or board must be text of 1..64 characters"
            )
    return {"chips": {}, "boards": {}} | data


def _checked(kind: type[Entry], entry: object, where: str, wrong: list[str]) -> Entry | None:
    """`entry` as a Chip or a board; what is wrong goes into `wrong`, with None as the result."""
    try:
        return kind.model_validate(_named(entry))
    except ValidationError as failure:
        errors = failure.errors()
        missing = [".".join(map(str, error["loc"])) for error in errors if error["type"] == "missing"]
        if missing:
            others = f", and {', '.join(missing[1:])}" if missing[1:] else ""
            way_out = "Give it" if kind is _Board else "Give it, or take the rest from another chip with `like: NAME`"
            wrong.append(f"{where}.{missing[0]}: missing{brief(others, 350)}. {way_out}")
        for error in errors:
            if error["type"] != "missing":
                wrong.append(f"{brief('.'.join(map(str, (where, *error['loc']))), 120)}: {_reason(error)}")
        return None


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "no such limit"
    if error["type"] == "greater_than_equal" and "ctx" in error:
        return f"must be at least {error['ctx']['ge']:g}, got {shortened(error['input'])}"
    if error["type"] == "model_type":
        return f"must hold limits by name, got {shortened(error['input'])}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {shortened(error['input'])}".replace(
        "input should", "must"
    )


def _named(entry: object) -> object:
    """Names of Limits in limits.py become their values."""
    if isinstance(entry, dict):
        return {key: value if key == "chip" else _named(value) for key, value in entry.items()}
    found = getattr(limits, entry, None) if isinstance(entry, str) else None
    return found.value if isinstance(found, limits.Limit) else entry

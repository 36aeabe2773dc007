"""What the reference says of the code, made from the code itself: Markdown for a page's `<!-- generated: NAME -->`."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args, get_origin

import typer
import yaml
from pydantic import BaseModel

from ff2loihi.cli.app import app
from ff2loihi.compilers.board.chips import SHIPPED
from ff2loihi.compilers.board.rules import RULES
from ff2loihi.compilers.frontend.spec import Spec
from ff2loihi.processes import costs, limits
from ff2loihi.processes.limits import Cost, Limit
from ff2loihi.sweeps.settings import SECTIONS, Settings
from ff2loihi.sweeps.space import Draw, Range

BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; a bar in a cell is text."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(cell: object) -> str:
    return " ".join(str(cell).split()).replace("|", "\\|")


def commands() -> str:
    """A section a command: its sentence, its usage, and a row an option."""
    found = []
    for name, command in typer.main.get_command(app).commands.items():
        named = [each for each in command.params if not each.opts[0].startswith("-")]
        usage = " ".join(("ff2loihi", name, *(each.metavar or each.name for each in named), "[OPTIONS]"))
        rows = [_option(each) for each in command.params]
        found.append(f"## {name}\n\n{inspect.cleandoc(command.help)}\n\n```text\n{usage}\n```\n")
        found.append(table(("option", "values", "what it is"), rows) + "\n")
    return "\n".join(found)


def _option(each) -> tuple[str, str, str]:
    named = each.opts[0].startswith("-")
    opts = [*each.opts, *each.secondary_opts] if named else [each.metavar or each.name]
    text = each.help or ""
    shown = each.default
    if named and not each.is_flag and shown is not None and "[default:" not in text:
        text = f"{text} [default: {shown}]"
    return ", ".join(f"`{opt}`" for opt in opts), _values(each), text.replace("<", "\\<")


def _values(each) -> str:
    annotation = each.type_descriptor.annotation
    if getattr(each, "is_flag", False):
        return ""
    if each.metavar and each.opts[0].startswith("-"):
        return f"`{each.metavar}`"
    literals = [part for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal]
    if literals:
        return ", ".join(f"`{value}`" for value in get_args(literals[0]))
    names = [part.__name__ for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
    names = [name for name in names if name != "NoneType"]
    return {"int": "a whole number", "float": "a number", "Path": "a path", "str": "text"}.get(names[0], names[0])


def models(*roots: type[BaseModel]) -> str:
    """A section a schema: its docstring, and a row a key with its values, its default, and the code's own remark."""
    seen: dict[str, type[BaseModel]] = {}
    for root in roots:
        _collect(root, seen)
    return "\n".join(_model(model) for model in seen.values())


def _collect(model: type[BaseModel], seen: dict[str, type[BaseModel]]) -> None:
    if model.__name__ in seen:
        return
    seen[model.__name__] = model
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                _collect(part, seen)


def _parts(annotation: object) -> Iterable[object]:
    yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)


def _model(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    remarks = dict(re.findall(r"^    (\w+): [^#\n]*#\s*(.*)$", inspect.getsource(model), flags=re.MULTILINE))
    needed = schema.get("required", [])
    rows = [
        (f"`{name}`", _type(entry, schema), "needed" if name in needed else _default(entry), remarks.get(name, ""))
        for name, entry in schema["properties"].items()
    ]
    text = inspect.cleandoc(model.__doc__ or "")
    return f"## {model.__name__}\n\n```text\n{text}\n```\n\n{table(('key', 'values', 'default', 'remark'), rows)}\n"


def _default(entry: Mapping) -> str:
    default = entry.get("default")
    if default is None:
        return "absent"
    return f"`{default}`" if not isinstance(default, dict) else "its keys' own"


def _type(entry: Mapping, schema: Mapping) -> str:
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in entry:
            parts = [_type(each, schema) for each in entry[key] if each.get("type") != "null"]
            return ", or ".join(dict.fromkeys(parts))
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if entry.get("type") == "array":
        if "prefixItems" in entry:
            return f"{len(entry['prefixItems'])} of: {_type(entry['prefixItems'][0], schema)}"
        return f"a list of {_type(entry['items'], schema)}"
    kind = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "`true`, `false`"}
    said = [f"{word} {entry[key]:,}" for key, word in BOUNDS.items() if key in entry]
    return ", ".join([kind.get(entry.get("type", ""), "a value"), *said])


def spec() -> str:
    return models(Spec)


def space() -> str:
    return models(*SECTIONS.values(), Settings, Range, Draw)


def chips() -> str:
    """A row a limit and chip, with unit, certainty and source; and a row a board."""
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    rows = []
    for key in next(iter(shipped["chips"].values())):
        for chip, entries in shipped["chips"].items():
            entry = getattr(limits, str(entries[key]), entries[key]) if isinstance(entries[key], str) else entries[key]
            if isinstance(entry, Limit):
                rows.append((f"`{key}`", chip, f"{entry.value:,}", entry.unit, entry.certainty, entry.source))
            elif not isinstance(entry, dict):
                rows.append((f"`{key}`", chip, str(entry).lower(), "", "", ""))
    boards = []
    for name, entry in shipped["boards"].items():
        count = getattr(limits, entry["chips"])
        boards.append((name, entry["chip"], f"{count.value:,}", count.certainty, count.source))
    return "\n\n".join(
        (
            table(("limit", "chip", "value", "unit", "certainty", "source"), rows),
            "## Boards",
            table(("board", "chip", "chips", "certainty", "source"), boards),
        )
    )


def rules() -> str:
    """A row a rule of `map`."""
    return table(("rule", "what it looks at"), ((f"`{rule.__name__}`", inspect.getdoc(rule)) for rule in RULES))


def events() -> str:
    """A row an event and generation: low and high end with certainty and source."""
    rows = []
    for generation, found in costs.GENERATIONS.items():
        for name, cost in found.items():
            rows.append((name, f"Loihi {generation}", *_ends(cost)))
    for name, found in (("static power", costs.CHIP_STATIC_W), ("board", costs.BOARD_W)):
        rows += [(name, f"Loihi {generation}", *_ends(cost)) for generation, cost in found.items()]
    rows += [(name, "both", *_ends(cost)) for name, cost in (("hops", costs.HOPS), ("off-chip hop", costs.CHIP_HOP))]
    return table(("event", "chip", "low", "high", "unit", "source of low", "source of high"), rows)


def _ends(cost: Cost) -> tuple[str, ...]:
    low, high = cost
    said = (f"{end.certainty}: {end.source}" for end in cost)
    return f"{low.value:.3g}", f"{high.value:.3g}", low.unit, *said


GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands, "spec": spec, "space": space, "chips": chips, "rules": rules, "events": events,
}  # fmt: skip

"""The documentation cannot rot: README's size and first screen, commands and options that exist, links that lead on."""

import importlib.util
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Literal, get_args, get_origin

import pytest
import typer

from ff2loihi.cli.app import app
from ff2loihi.compilers.board.rules import RULES
from ff2loihi.compilers.frontend.spec import LayerSpec, ReadoutSpec, Spec
from ff2loihi.ff.recipes import RECIPES
from ff2loihi.processes import costs, limits
from ff2loihi.reproduce.experiments import EXPERIMENTS
from ff2loihi.sweeps.settings import SECTIONS, Settings
from sim_tests.pages import PAGES, ROOT, blocks, words_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = (*PAGES, *sorted((ROOT / "examples").glob("*.md")), ROOT / "CONTRIBUTING.md")
FIRST_SCREEN = 24  # lines
LANGUAGES = {"sh", "python", "yaml", "text", "{toctree}", "{eval-rst}"}
GROUP = typer.main.get_command(app)
COMMANDS, ROOT_OPTIONS = GROUP.commands, {opt for each in GROUP.params for opt in each.opts}


def test_readme_is_one_page_with_picture_and_install_on_its_first_screen():
    lines = README.splitlines()
    assert len(lines) < 120
    first = "\n".join(lines[:FIRST_SCREEN])
    assert re.search(r"^!\[.+\]\(docs/pictures/ladder\.svg\)$", first, flags=re.MULTILINE)
    assert "make demo" in first
    assert "pip install" in first


@pytest.mark.parametrize("name", ["ladder", "events"])
def test_a_picture_is_small_and_needs_no_network(name):
    picture = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert len(picture) < 50_000
    assert not re.search(r"<image|<script|@import|href=\"http", picture)


def used() -> Iterator[tuple[str, list[str]]]:
    """Where and what: every `ff2loihi` line of a block, of indented text, and between backticks."""
    for path in TEXTS:
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        for block in blocks(path):
            for words in block.commands():
                yield block.where, words
        indented = "\n".join(line for line in text.splitlines() if line.startswith("    ff2loihi "))
        for quoted in (indented, *re.findall(r"`(ff2loihi [^`]+)`", text)):
            for words in words_of(quoted):
                yield name, words


def wrong(words: list[str]) -> str | None:
    """What the app would not take: a command, an option or a choice that is not there."""
    name, *rest = words
    if name in ROOT_OPTIONS | {"--help", "COMMAND"}:
        return None
    if name not in COMMANDS:
        return f"no command {name}"
    options = {opt: each for each in COMMANDS[name].params for opt in each.opts}
    for word, following in zip_longest(rest, rest[1:], fillvalue=""):
        if not re.match(r"--?[a-zA-Z]", word) or word == "--help":
            continue
        if word not in options:
            return f"{name} has no option {word}"
        annotation = options[word].type_descriptor.annotation
        choices = [
            value for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal
            for value in get_args(part)
        ]  # fmt: skip
        if choices and following not in choices and not following.isupper() and "|" not in following:
            return f"{name} {word} takes {', '.join(choices)}, not {following}"
    return None


def test_every_command_in_the_pages_exists_with_its_options():
    found = list(used())
    assert len(found) > 100
    assert {words[0] for _, words in found} >= set(COMMANDS)  # each command is shown somewhere
    assert [f"{where}: {complaint}" for where, words in found if (complaint := wrong(words))] == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("trian", "no command trian"),
        ("train --epoch 3", "train has no option --epoch"),
        ("compile m.pt --neuron liff", "compile --neuron takes graded, lif, not liff"),
        ("compile m.pt --neuron lif -o x.ffl", None),
    ],
)
def test_a_line_that_the_app_would_not_take_is_found(words, complaint):
    assert wrong(words.split()) == complaint


def test_every_block_says_its_language():
    """Blocks without one are not run, and are `make` and installation alone."""
    for path in PAGES:
        for block in blocks(path):
            plain = block.page == "README.md" and block.text.startswith("make demo")
            assert plain or block.language in LANGUAGES, f"{block.where}: {block.language!r}"
            assert block.mark in (None, "file", "needs") or block.said, block.where


def test_every_link_inside_the_repository_leads_to_a_file_and_heading():
    checked = 0
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            if re.match(r"https?:|mailto:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), f"{path.relative_to(ROOT)}: {link}"
            if anchor:
                assert anchor in anchors(target.read_text(encoding="utf-8")), f"{path.relative_to(ROOT)}: {link}"
            checked += 1
    assert checked > 60


def anchors(text: str) -> set[str]:
    """Of headings, as GitHub and MyST make them; a page that includes a file has that one's, too."""
    text += "".join((ROOT / name).read_text(encoding="utf-8") for name in re.findall(r"<!-- include: (\S+) -->", text))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_stands_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in PAGES[1:]} - {"index"}
    trees = "".join(re.findall(r"```{toctree}\n(.*?)```", index, flags=re.DOTALL)).splitlines()
    assert pages == {line for line in trees if line and not line.startswith(":")}


@pytest.mark.parametrize(
    ("page", "names"),
    [("reference/recipes.md", tuple(RECIPES)), ("guides/papers.md", tuple(EXPERIMENTS))],
)
def test_a_table_made_by_hand_names_everything_there_is(page, names):
    """A row may shorten the names of a family: `ff-negatives-hard`, `-mixed`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = set()
    for line in text.splitlines():
        if line.startswith("| `"):
            found = re.findall(r"`([^`]+)`", line.split("|")[1])
            stems = {found[0], *(found[0][:end] for end, letter in enumerate(found[0]) if letter == "-")}
            shown |= {name.split()[0] for name in found} | {stem + name for stem in stems for name in found}
    assert set(names) <= shown


def made_by(name: str):
    """A module of docs/, which is no package."""
    found = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_reference_that_is_made_from_the_code_has_every_option_key_and_limit():
    made = {name: make() for name, make in made_by("generated").GENERATED.items()}
    asked = {
        name
        for path in PAGES
        for name in re.findall(r"^<!-- generated: (\w+) -->$", path.read_text(), flags=re.MULTILINE)
    }
    assert asked == set(made)
    options = {f"`{opt}`" for each in COMMANDS.values() for param in each.params for opt in param.opts if opt[0] == "-"}
    assert {option for option in options if option not in made["commands"]} == set()
    for section, models in (("spec", (Spec, LayerSpec, ReadoutSpec)), ("space", (Settings, *SECTIONS.values()))):
        keys = {f"| `{key}` |" for model in models for key in model.model_fields}
        assert {key for key in keys if key not in made[section]} == set()
    sources = {limit.source for limit in vars(limits).values() if isinstance(limit, limits.Limit)}
    assert sum(source in made["chips"] for source in sources) > 15
    assert all(f"| {event} |" in made["events"] for event in costs.LOIHI2)


def test_a_tutorials_notebook_has_a_cell_for_each_block_that_runs_and_all_of_its_words(tmp_path):
    pages = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
    files = made_by("notebooks").write(tmp_path / "new")
    assert [file.stem for file in files] == [page.stem for page in pages]
    assert len(files) >= 5
    attached = []
    for page, file in zip(pages, files, strict=True):
        made = json.loads(file.read_text(encoding="utf-8"))
        assert (made["nbformat"], made["metadata"]["kernelspec"]["name"]) == (4, "python3")
        assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
        code = ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"]
        words = "\n".join("".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "markdown")
        ran = [block for block in blocks(page) if block.mark != "not run"]
        for cell, block in zip(code, ran, strict=True):
            magic = f"%%writefile {block.said}" if block.mark == "file" else "%%bash" if block.language == "sh" else ""
            assert cell.startswith(f"{magic}\n" if magic else block.text[:10])
            assert cell.endswith(block.text.rstrip())
        said = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        lost = [line for line in said.splitlines() if "](" not in line and "<!--" not in line and line not in words]
        assert lost == []
        assert not re.search(r"\]\((?!https?:|attachment:)[^)]*\.(md|png|svg)[#)]", words)
        pictures = re.findall(r"\]\(attachment:([^)]+)\)", words)
        assert pictures == [name for cell in made["cells"] for name in cell.get("attachments", {})]
        attached += pictures
    assert {"adapt.svg", "events.svg"} <= set(attached)


def test_every_rule_of_map_says_what_it_looks_at():
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []


def test_help_names_the_pages(ff2loihi):
    code, out, _ = ff2loihi("--help")
    assert code == 0
    named = re.findall(r"docs/[\w/-]+\.md", out)
    assert len(named) >= 3
    assert all((ROOT / name).is_file() for name in named)

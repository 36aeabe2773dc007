"""The tutorials as notebooks: `python docs/notebooks.py FOLDER` makes them of their pages, `make site` beside those.

A block of `python` becomes a cell, one of `sh` a cell of bash, a file's content one that writes it; all else is text.
The tests run the same blocks in the same order, see sim_tests/test_pages.py.
"""

import base64
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from sim_tests.pages import FENCE  # noqa: E402  the path above comes first

TUTORIALS = sorted((HERE / "tutorials").glob("*.md"))
INTRODUCTION = (
    "*Start Jupyter in a folder of your own, from an environment in which `ff2loihi --version` works. Where a cell "
    "names `examples/`, put that folder of the source tree there.*"
)
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


def notebook(page: Path) -> dict:
    """The content of a notebook (nbformat 4) of a page."""
    text, cells, end = page.read_text(encoding="utf-8"), [], 0
    for found in FENCE.finditer(text):
        if found["mark"] == "not run":  # it stays text
            continue
        cells += [_words(page, text[end : found.start()]), _code(found)]
        end = found.end()
    cells.append(_words(page, text[end:]))
    title, *rest = (cell for cell in cells if "".join(cell["source"]).strip())
    title["source"] = [*"".join(title["source"]).rstrip().splitlines(keepends=True), "\n\n", INTRODUCTION]
    for number, cell in enumerate((title, *rest)):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": [title, *rest], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _code(found: re.Match) -> dict:
    magic = "" if found["language"] == "python" else "%%bash\n"
    if found["mark"] == "file":
        magic = f"%%writefile {found['said']}\n"
    if found["mark"] == "needs":
        magic += f"# needs {found['said']}\n"
    source = (magic + found["text"]).rstrip("\n")
    return {
        "cell_type": "code", "source": source.splitlines(keepends=True), "metadata": {}, "outputs": [],
        "execution_count": None,
    }  # fmt: skip


def _words(page: Path, text: str) -> dict:
    """Pictures come along; links to pages lead to those of the site, beside which the notebook lies."""
    attached: dict[str, dict] = {}

    def picture(match: re.Match) -> str:
        file = page.parent / match[2]
        attached[file.name] = {TYPES[file.suffix]: base64.b64encode(file.read_bytes()).decode()}
        return f"![{match[1]}](attachment:{file.name})"

    text = re.sub(r"!\[([^\]]*)\]\(([^)\s]+)\)", picture, text.strip())
    text = re.sub(r"\]\(((?!https?:)[^)\s]+)\.md(#[^)\s]*)?\)", r"](\1.html\2)", text)
    cell = {"cell_type": "markdown", "source": text.splitlines(keepends=True), "metadata": {}}
    return cell | ({"attachments": attached} if attached else {})


def write(folder: Path) -> list[Path]:
    """A notebook of each tutorial, named as its page."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for page in TUTORIALS:
        files.append(folder / f"{page.stem}.ipynb")
        files[-1].write_text(json.dumps(notebook(page), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return files


if __name__ == "__main__":
    for file in write(Path(sys.argv[1])):
        print(file)

"""The pages of the documentation as the tests read them: their fenced blocks, and what a comment before one says of it.

`<!-- file: NAME -->`: the block is the content of that file; `<!-- needs: lava -->`: it runs where that is there;
`<!-- not run: REASON -->`: it is not run.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>file|needs|not run): (?P<said>.+?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    page: str  # from the root of the tree, e.g. docs/faq.md
    line: int
    language: str
    text: str
    mark: str | None  # file, needs or not run
    said: str | None  # a name, or a reason

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in ("sh", "python") and self.mark != "not run"

    def commands(self) -> Iterator[list[str]]:
        """The words of each `ff2loihi` line, its own name left out."""
        if self.language in ("sh", ""):
            yield from words_of(self.text)


def blocks(path: Path) -> list[Block]:
    """Those of a page, in their order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            path.relative_to(ROOT).as_posix(), text.count("\n", 0, found.start("language")) + 1,
            found["language"].strip(), found["text"], found["mark"], found["said"],
        )
        for found in FENCE.finditer(text)
    ]  # fmt: skip


def words_of(text: str) -> Iterator[list[str]]:
    for part in re.split(r"\n|&&|;", text):
        if re.match(r"\s*(?:\.venv/bin/)?ff2loihi\s", part):
            yield shlex.split(part, comments=True)[1:]

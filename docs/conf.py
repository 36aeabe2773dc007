"""Sphinx's configuration. `make docs` builds the pages into out/docs, where a warning is an error.

A line `<!-- generated: NAME -->` of a page becomes what generated.py makes of the code, and `<!-- include: PATH -->`
the text of a file of this repository.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import notebooks  # noqa: E402  the path above comes first
from docutils import nodes  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402
from generated import GENERATED  # noqa: E402

from ff2loihi import __version__  # noqa: E402

project = "ff2loihi"
author = "the ff2loihi authors"
copyright = author
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_math_renderer = "mathml"  # browsers draw it themselves, where MathJax would be loaded from elsewhere
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["requirements.lock"]
html_theme = "furo"
html_title = f"ff2loihi {__version__}"
autodoc_typehints = "none"  # the signature's own words, in the docstring
autodoc_member_order = "groupwise"
PAGES = {  # files outside of docs/ -> the pages that include them
    "examples/RESULTS.md": "results.md",
    "examples/LIBRARY.md": "explanation/library.md",
    "CONTRIBUTING.md": "contributing.md",
}


def _filled(app, docname: str, source: list[str]) -> None:
    up = "../" * docname.count("/")

    def included(match: re.Match) -> str:
        folder = Path(match[1]).parent

        def moved(link: re.Match) -> str:
            name, _, anchor = link[1].partition("#")
            if not (ROOT / folder / name).is_file():  # an address, or a heading of this page
                return link[0]
            path = (folder / name).as_posix()
            return f"]({up}{PAGES.get(path, f'../{path}')}{'#' if anchor else ''}{anchor})"

        text = (ROOT / match[1]).read_text(encoding="utf-8").split("\n", 1)[1]  # the page has a title of its own
        return re.sub(r"\]\(([^)\s]+)\)", moved, text)

    text = re.sub(r"^<!-- include: (\S+) -->$", included, source[0], flags=re.MULTILINE)
    source[0] = re.sub(r"^<!-- generated: (\w+) -->$", lambda match: GENERATED[match[1]](), text, flags=re.MULTILINE)


def _offered(app, docname: str, source: list[str]) -> None:
    """A tutorial says where its notebook is."""
    folder, _, name = docname.rpartition("/")
    if folder == "tutorials":
        link = f'<p><a href="{name}.ipynb" download>This page as a notebook</a></p>'
        source[0] = re.sub(r"\A(# .+\n)", rf"\1\n{link}\n", source[0])


def _write_notebooks(app, exception: Exception | None) -> None:
    if exception is None:
        notebooks.write(Path(app.outdir) / "tutorials")


def _draw_math(translator, node) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (_draw_math, None), (_draw_math, None))
    app.connect("source-read", _filled)
    app.connect("source-read", _offered)
    app.connect("build-finished", _write_notebooks)

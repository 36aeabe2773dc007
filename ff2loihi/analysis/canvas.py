"""A figure without a display, and its files."""

import io

from matplotlib import rc_context
from matplotlib.figure import Figure

from ff2loihi.choices import PictureFormat

DPI = 110
SAME_BYTES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
# Letters of a PDF as TrueType, which journals ask for; names inside of an SVG that are the same each time.
STYLE: dict = {"pdf.fonttype": 42, "svg.hashsalt": "ff2loihi"}


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    return Figure(figsize=(width, height), dpi=DPI)  # without pyplot: no display, no state


def image(figure: Figure, form: PictureFormat) -> bytes:
    """The figure as a file's bytes."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format=form, bbox_inches="tight", metadata=SAME_BYTES.get(form))
    return buffer.getvalue()

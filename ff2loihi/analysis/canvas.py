"""A figure without a display, and its PNG."""

import io

from matplotlib.figure import Figure

DPI = 110


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    return Figure(figsize=(width, height), dpi=DPI)  # without pyplot: no display, no state


def png(figure: Figure) -> bytes:
    """The figure as a file's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()

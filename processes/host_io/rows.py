"""Rows that were recorded, one a time step, cut into passes. Needs numpy alone: a board's machine has a copy."""

import numpy as np


def cut(rows: np.ndarray, passes: int, period: int, steps: int, first: int, stride: int = 1) -> np.ndarray:
    """Rows (time steps, ...) -> (passes, steps, ...): step i of pass p is row p period + i stride + first."""
    return rows[np.arange(passes)[:, None] * period + np.arange(steps) * stride + first]

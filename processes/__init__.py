"""The chip as we model it: limits, fixed-point arithmetic and one Lava Process a file.

Lava matches a Process class by identity, so a second copy under a bare name would be another class. Whoever imports
Lava imports this package before it: see lava_imports.
"""

if __name__ != "ff2loihi.processes":
    raise ImportError(f"import this package as ff2loihi.processes, not as {__name__}")

from ff2loihi.processes.lava_imports import register

register()

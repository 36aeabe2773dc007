"""ff2loihi: Forward-Forward networks from PyTorch to Lava and Loihi.

The commands' Python form, loaded when first used: compile, load, save, run, verify, bench (see ff2loihi.api).
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["bench", "compile", "load", "run", "save", "verify"]


def __getattr__(name: str):
    if name in __all__:
        return getattr(import_module("ff2loihi.api"), name)
    raise AttributeError(f"module 'ff2loihi' has no attribute {name!r}")

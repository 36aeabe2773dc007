"""ff2loihi: Forward-Forward networks from PyTorch to Lava and Loihi.

The commands' Python form: every verb, and every type that a verb takes or returns. Each is loaded when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_WHERE = {
    "ff2loihi.api": (
        "analyze", "backend", "bench", "calibration_set", "compile", "learn", "load", "run", "save", "verify",
    ),
    "ff2loihi.backends.base": ("Backend", "Trace"),
    "ff2loihi.compilers.errors": ("FF2LoihiError",),
    "ff2loihi.compilers.frontend.content": ("Checkpoint",),
    "ff2loihi.compilers.inference.quantize": ("Options",),
    "ff2loihi.compilers.ir": ("Program",),
    "ff2loihi.compilers.learning.rule": ("LearningOptions",),
    "ff2loihi.compilers.pipeline": ("load_checkpoint",),
    "ff2loihi.data.datasets": ("Dataset", "load_data"),
    "ff2loihi.learning.controller": ("Schedule",),
    "ff2loihi.learning.run": ("Hooks",),
    "ff2loihi.measurement.speed": ("LearningSpeedReport", "SpeedReport"),
    "ff2loihi.reports.accuracy": ("AccuracyReport",),
    "ff2loihi.verification.equality": ("EqualityReport", "Variable"),
}  # fmt: skip
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = sorted([*_MODULES, "__version__"])


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'ff2loihi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

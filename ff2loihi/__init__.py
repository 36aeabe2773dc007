"""ff2loihi: Forward-Forward networks from PyTorch to Lava and Loihi.

The commands' Python form: every verb, and every type that a verb takes or returns. Each is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ff2loihi.api import (
        analyze,
        backend,
        bench,
        calibration_set,
        classify,
        compare,
        compile,
        diff_golden,
        dry_run,
        learn,
        load,
        report,
        run,
        save,
        spec,
        sweep,
        train,
        verify,
    )  # fmt: skip
    from ff2loihi.backends.base import Backend, Trace
    from ff2loihi.compilers.errors import FF2LoihiError
    from ff2loihi.compilers.frontend.content import Checkpoint
    from ff2loihi.compilers.inference.quantize import Options
    from ff2loihi.compilers.ir import Program
    from ff2loihi.compilers.learning.rule import LearningOptions
    from ff2loihi.compilers.pipeline import load_checkpoint
    from ff2loihi.data.datasets import Dataset, load_data
    from ff2loihi.learning.controller import Schedule
    from ff2loihi.learning.run import Hooks
    from ff2loihi.measurement.speed import LearningSpeedReport, SpeedReport
    from ff2loihi.page.page import Page
    from ff2loihi.reports.accuracy import AccuracyReport
    from ff2loihi.verification.equality import EqualityReport, Variable

__version__ = "0.1.0"

_WHERE = {
    "ff2loihi.api": (
        "analyze", "backend", "bench", "calibration_set", "classify", "compare", "compile", "diff_golden", "dry_run",
        "learn", "load", "report", "run", "save", "spec", "sweep", "train", "verify",
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
    "ff2loihi.page.page": ("Page",),
    "ff2loihi.reports.accuracy": ("AccuracyReport",),
    "ff2loihi.verification.equality": ("EqualityReport", "Variable"),
}  # fmt: skip
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "AccuracyReport", "Backend", "Checkpoint", "Dataset", "EqualityReport", "FF2LoihiError", "Hooks",
    "LearningOptions", "LearningSpeedReport", "Options", "Page", "Program", "Schedule", "SpeedReport", "Trace",
    "Variable", "__version__", "analyze", "backend", "bench", "calibration_set", "classify", "compare", "compile",
    "diff_golden", "dry_run", "learn", "load", "load_checkpoint", "load_data", "report", "run", "save", "spec", "sweep",
    "train", "verify",
]  # fmt: skip


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'ff2loihi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

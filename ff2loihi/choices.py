"""The closed choices of the commands and of the API, by name, and NAME:N or DATA:N; nothing heavy is imported.

Each is defined here alone: a misspelt one is told before torch or Lava is loaded. Those of `compile` are in
compilers.choices.
"""

import os
import re
from typing import Literal, get_args

from ff2loihi.compilers.errors import BackendError, DataError, FF2LoihiError, meant

DataName = Literal[
    "digits", "mnist", "fashion-mnist", "svhn", "cifar10", "kmnist", "emnist", "qmnist", "usps", "yin-yang",
]  # fmt: skip
YIN_YANG = "yin-yang"  # events; all others are images
TONIC = "tonic:"  # before the name of a data set of that package
Recipe = Literal[
    "ffa-sigmoid", "ffa-sigmoid-sparse", "ffa-symmetric", "ff-mlp", "ff-hinton", "ff-hinton-jittered",
    "hinton-unsupervised", "tosato-ff", "tosato-ff-contrast", "tosato-ff-l1", "tosato-bp-ff", "tosato-bp-ff-hard",
    "tosato-bp-ff-l1", "tosato-bp", "random-features", "rbm", "ff-negatives-random", "ff-negatives-hard",
    "ff-negatives-mixed", "ff-negatives-hybrid", "ff-negatives-noise", "ff-negatives-masked", "ff-collaboration-0.3",
    "ff-collaboration-0.5", "ff-collaboration-0.7", "ff-collaboration-1", "ff-three-factor-bottom-up",
    "ff-three-factor-top-down", "ff-three-factor-both", "ff-prospective-3", "ff-prospective-5", "pcl-ff", "cwc-ff",
    "cwc-ff-bn", "ff-lif", "ff-lif-decay", "bptt-lif",
]  # fmt: skip
Experiment = Literal["hebbian-ffa", "hinton", "tosato", "negatives", "transfer", "continual"]
Split = Literal["train", "test", "fit", "validation"]
AnalysisSplit = Literal["test", "validation"]
Backend = Literal["emulator", "lava", "loihi"]
Device = Literal["cpu", "cuda"]
Learning = Literal["off", "on", "library"]
Plan = Literal["scratch", "continue", "adapt"]
Negatives = Literal["hard", "random", "mixed"]
Rounding = Literal["lava", "chip"]
Form = Literal["graph", "own_plastic", "per_layer", "one_process", "library"]
ExportFormat = Literal["netx", "nir", "golden"]
PictureFormat = Literal["png", "svg", "pdf"]

EXPORT_SUFFIXES = {"netx": ".net", "nir": ".nir"}
GOLDEN_FILE = "golden.npz"  # in the folder of golden vectors


def name_and_count(text: str, option: str) -> tuple[str, int | None]:
    """NAME or NAME:N -> (NAME, N or None). Raises DataError."""
    name, colon, count = text.partition(":")
    return name, _count(count, text, option) if colon else None


def data_and_count(text: str, option: str) -> tuple[str, int | None]:
    """The same of a data set, whose name may be a path, with colons of its own. Raises DataError."""
    if os.path.exists(text):
        return text, None
    if text.startswith(TONIC):
        name, number = name_and_count(text.removeprefix(TONIC), option)
        return TONIC + name, number
    path, _, count = text.rpartition(":")
    return (path, _count(count, text, option)) if os.path.exists(path) else name_and_count(text, option)


def _count(count: str, text: str, option: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,17}", count, re.ASCII):
        raise DataError(f"{option} {text}: must be NAME or NAME:N with N at least 1")
    return int(count)


def check_data(option: str, name: str) -> None:
    """Raise DataError where it is neither a data set's name nor the path of anything."""
    names = get_args(DataName)
    if name not in names and not name.startswith(TONIC) and not os.path.exists(name):
        raise DataError(
            f"{option}: {name!r} is not one of {', '.join(map(repr, names))}, and no such file is there."
            f"{meant(name, names)}".rstrip(".")
        )


def check_share(option: str, value: float | None) -> None:
    """Raise FF2LoihiError where it is given and no share of a whole."""
    if value is not None and not 0 <= value <= 1:
        raise FF2LoihiError(f"{option} must be in 0..1, as 0.91 for 91 %, got {value:g}")


def check(option: str, value: object, choice: object) -> None:
    """Raise FF2LoihiError where the value is none of the choice's."""
    if value not in get_args(choice):
        known = get_args(choice)
        raise FF2LoihiError(
            f"{option} must be one of {', '.join(known)}, got {value!r}.{meant(value, known)}".rstrip(".")
        )


def check_device(name: str) -> None:
    """Raise FF2LoihiError where --device is no choice, BackendError where torch does not see it here."""
    check("--device", name, Device)
    if name == "cuda":
        import torch  # the emulator on the CPU does without it

        if not torch.cuda.is_available():
            raise BackendError("--device cuda: torch sees no CUDA device here. Use --device cpu")

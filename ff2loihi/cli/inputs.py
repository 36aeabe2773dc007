"""What a command reads: looked at while its options are parsed, before anything heavy is imported.

These are callbacks of typer's options. The readers look closer: here only what is plainly something else is refused.
"""

import math
import os
import re
import stat
from pathlib import Path

from ff2loihi.choices import Split, check, check_data, check_share, data_and_count, name_and_count
from ff2loihi.cli import kinds
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.interchange import rule_file
from ff2loihi.data.events import options

NO_NETWORKS = {
    kinds.RULE, kinds.LOG, kinds.HISTORY, kinds.LOCK, kinds.PREDICTIONS, kinds.JSON, kinds.REPORT,
    *kinds.PICTURES.values(),
}  # fmt: skip
NETWORKS = (
    "a torch checkpoint (.pt), safetensors, numpy arrays (.npz), an ONNX model, a NIR graph (.nir), a netx network "
    "(.net) or an artifact (.ffl)"
)
COMPILE_IT = {kinds.CHECKPOINT, kinds.NIR, kinds.NETX, kinds.SAFETENSORS, kinds.ARRAYS}


def artifact(path: Path) -> Path:
    """An artifact. Raises FF2LoihiError, with what can be done with the file that was named."""
    found = _kind(path, "an artifact (.ffl)", f"Make one with: ff2loihi compile MODEL.pt -o {_named(path)}")
    if found in COMPILE_IT:
        raise FF2LoihiError(f"{path}: {found}, not an ff2loihi artifact. Make it one with: ff2loihi compile {path}")
    if found not in (None, kinds.ARTIFACT):
        raise FF2LoihiError(f"{path}: {found}, not an ff2loihi artifact. Make one with: ff2loihi compile MODEL.pt")
    return path


def model(path: Path) -> Path:
    """A checkpoint or a graph. Raises FF2LoihiError."""
    found = _kind(path, "a checkpoint (.pt) or a graph (.nir)", "Make one with: ff2loihi train -o MODEL.pt")
    if found == kinds.ARTIFACT:
        raise FF2LoihiError(f"{path}: {found}, so compiled already, not a torch checkpoint. Use: ff2loihi run {path}")
    return path


def network(path: Path) -> Path:
    """A network in any form. Raises FF2LoihiError for what is plainly none."""
    found = _kind(path, "a file", "Name one that is there")
    if found == kinds.OTHER and kinds.is_text(path):
        found = "text"
    if found == "text" or found in NO_NETWORKS:
        raise FF2LoihiError(f"{path}: {found}, not {NETWORKS}")
    return path


def file(path: Path | None) -> Path | None:
    """Any file. Raises FF2LoihiError."""
    if path is not None:
        _kind(path, "a file", "Name one that is there")
    return path


def files(paths: list) -> list[Path]:  # bare: typer takes list[Path] for a class on Python 3.10, and fails
    """Any files, each once. Raises FF2LoihiError."""
    for index, path in enumerate(paths):
        file(path)
        if path in paths[:index]:
            raise FF2LoihiError(f"{path}: given twice. Name it once")
    return paths


def file_or_folder(path: Path) -> Path:
    """Raises FF2LoihiError where there is neither."""
    _status(path, "Name one that is there")
    return path


def calibration(text: str | None) -> str | None:
    """DATA[:N]. Raises DataError or FF2LoihiError."""
    if text is not None:
        check_data("--calibrate", data_and_count(text, "--calibrate")[0])
    return text


def data(name: str | None) -> str | None:
    """The name of a data set, or a path. Raises DataError."""
    if name is not None:
        check_data("--data", name)
    return name


def evaluation(text: str | None) -> str | None:
    """SPLIT[:N]. Raises DataError or FF2LoihiError."""
    if text is not None:
        check("--evaluate", name_and_count(text, "--evaluate")[0], Split)
    return text


def share(value: float | None) -> float | None:
    """A number in 0..1. Raises FF2LoihiError."""
    check_share("--expect", value)
    return value


def sizes(text: str | None) -> tuple[int, ...]:
    """K or K,L, of fields. Raises FF2LoihiError."""
    if text is None:
        return ()
    if not re.fullmatch("[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})?", text, re.ASCII):
        raise FF2LoihiError(f"--field must be K, or K,L for half of the neurons each, as 14 or 14,10, got {text!r}")
    return tuple(map(int, text.split(",")))


def events(text: str | None) -> str | None:
    """How events become spikes. Raises DataError."""
    options.parse(text)
    return text


def step(value: float | None) -> float | None:
    """A length of time. Raises FF2LoihiError."""
    if value is not None and not 0 < value < math.inf:
        raise FF2LoihiError(f"--dt must be above 0, as 1e-3, got {value:g}")
    return value


def rule_beside(path: Path) -> Path | None:
    """The learning rule's file that a graph may be read with."""
    return path.with_suffix(rule_file.SUFFIX) if path.suffix == ".nir" else None


def is_artifact(path: Path) -> bool:
    """Whether the file is to be read as an artifact, where a checkpoint would do as well."""
    found = kinds.kind(path)
    return found == kinds.ARTIFACT or (found != kinds.CHECKPOINT and path.suffix == ".ffl")


def _named(path: Path) -> str:
    return str(path) if path.suffix == ".ffl" else "MODEL.ffl"


def _status(path: Path, mend: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as failure:
        raise FF2LoihiError(f"{path}: {failure.strerror}. {mend}") from None


def _kind(path: Path, wanted: str, mend: str) -> str | None:
    if stat.S_ISDIR(_status(path, mend).st_mode):
        raise FF2LoihiError(f"{path}: a folder, where {wanted} is wanted")
    try:
        return kinds.kind(path)
    except OSError as failure:
        raise FF2LoihiError(f"{path}: {failure.strerror}. Choose another file") from None

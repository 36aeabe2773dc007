"""What a command writes: checked before anything heavy is imported, so that nothing is lost at its end.

An output must be none of the command's inputs and no other of its outputs, by whatever name, and it may replace only
a file of the kind that the command writes.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, get_args

from ff2loihi.choices import EXPORT_SUFFIXES, GOLDEN_FILE, PictureFormat
from ff2loihi.cli import kinds
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import check_new_folder, is_stream
from ff2loihi.compilers.interchange import rule_file

OUTPUT, TABLES = "--output", "-"
STDOUT = Path("/dev/stdout")


class Output(NamedTuple):
    """A file that is to be written. option: whose value decides its name; kind: of kinds."""

    path: Path
    kind: str
    option: str = OUTPUT


def check(
    reads: Iterable[Path | None], json: str | None, *writes: Output, folder: Path | None = None, files: str = "*"
) -> None:
    """Raise FF2LoihiError where one of the outputs, or the JSON report, cannot be written, or would destroy a file.

    folder: one that is filled with `files`, a pattern of names; the report is none of them.
    """
    inputs = [path for path in reads if path is not None]
    outputs = [*writes, *([Output(Path(json), kinds.JSON, "--json")] if json not in (None, TABLES) else [])]
    for index, output in enumerate(outputs):
        _check_place(output)
        for path in inputs:
            if _same(output.path, path):
                raise FF2LoihiError(f"{output.path}: {output.option} would replace the input {path}. {_other(output)}")
        for other in outputs[:index]:
            if _same(output.path, other.path):
                raise FF2LoihiError(
                    f"{output.path}: {output.option} and {other.option} would write the same file. {_other(output)}"
                )
        _check_kind(output)
    if folder is not None and json not in (None, TABLES):
        report, target = Path(os.path.realpath(json)), Path(os.path.realpath(folder))
        if report == target or (report.parent == target and report.match(files)):
            raise FF2LoihiError(f"{json}: --json would write into {folder}, which is an output itself. Name another")


def check_new(path: Path) -> None:
    """Raise FF2LoihiError where a person's edits would be lost."""
    if not is_stream(path) and _exists(path, OUTPUT) and path.is_file() and path.stat().st_size:
        raise FF2LoihiError(
            f"{path}: exists, and may hold edits: not overwritten. Name another file with {OUTPUT}, or remove it"
        )


def predictions(path: Path | None) -> tuple[Output, ...]:
    """The file that `run --predictions` writes."""
    return () if path is None else (Output(path, kinds.PREDICTIONS, "--predictions"),)


def picture(path: Path | None, option: str = OUTPUT) -> tuple[Output, ...]:
    """The file of a picture."""
    return () if path is None else (Output(path, kinds.PICTURES[picture_format(path)], option),)


def picture_format(path: Path) -> PictureFormat:
    """By the file's name; png for other names."""
    form = path.suffix[1:].lower()
    return form if form in get_args(PictureFormat) else "png"  # pyright: ignore[reportReturnType]


class RunFiles(NamedTuple):
    """What `train` and `learn` write beside their output: the state of an unfinished run, and a lock while it runs."""

    output: Output
    state: Path
    lock: Path

    @classmethod
    def of(cls, path: Path, kind: str) -> "RunFiles":
        real = os.path.realpath(path)  # one lock for all names of a file
        return cls(Output(path, kind), Path(f"{path}.run"), Path(f"{real}.run.lock"))

    def outputs(self) -> tuple[Output, ...]:
        """Each with its kind. Raises FF2LoihiError for an output that nothing can stand beside."""
        if is_stream(self.output.path):
            raise FF2LoihiError(
                f"{self.output.path}: no file, and a run keeps its state beside one. Name it with {OUTPUT}"
            )
        return self.output, Output(self.state, kinds.RUN_STATE), Output(self.lock, kinds.LOCK)

    def check_unfinished(self, resume: bool) -> None:
        """Raise FF2LoihiError where an unfinished run would be lost."""
        if self.state.exists() and not resume:
            raise FF2LoihiError(
                f"{self.state}: an unfinished run is kept there. Use --resume to continue it, or remove the file"
            )


def learning_log(artifact: Path) -> Output:
    """The file of a line an epoch that `learn` writes."""
    return Output(Path(f"{str(artifact).removesuffix(kinds.ARTIFACT_SUFFIX)}.jsonl"), kinds.LOG)


def check_export(model: Path, format: str, output: Path | None, json: str | None) -> Path:
    """The file that `export` writes, in OUTPUT where that is a folder. Raises FF2LoihiError."""
    if format == "golden":
        folder = output or model.with_name(f"{model.stem}-golden")
        check_folder(folder)
        file = folder / GOLDEN_FILE
        check((model,), json, Output(file if folder.exists() else folder, kinds.GOLDEN))
        return file
    suffix = EXPORT_SUFFIXES[format]
    file = output or model.with_suffix(suffix)
    file = file / f"{model.stem}{suffix}" if file.is_dir() else file
    kind = kinds.NETX if format == "netx" else kinds.NIR
    check((model,), json, Output(file, kind), Output(file.with_suffix(rule_file.SUFFIX), kinds.RULE))
    return file


def check_folder(path: Path, option: str = OUTPUT) -> None:
    """Raise FF2LoihiError where `path` is no folder and none could be made there."""
    if not _exists(path, option):
        return _check_parent(path, option)
    if not path.is_dir():
        raise FF2LoihiError(f"{path}: not a folder. Name one with {option}")
    return _check_writable(path, path, option)


def check_log_folder(path: Path | None, resume: bool) -> None:
    """Raise FF2LoihiError where no events can be written, or a new run's would mix with those of another."""
    if path is not None:
        check_folder(path, "--log-dir")
        if not resume:
            check_new_folder(path, FF2LoihiError)


def _check_place(output: Output) -> None:
    path, option = output.path, output.option
    if not _exists(path, option):
        return _check_parent(path, option)
    if path.is_dir():
        raise FF2LoihiError(f"{path}: a folder. Name the file with {option}")
    return None if is_stream(path) else _check_parent(path, option)


def _check_kind(output: Output) -> None:
    path, option = output.path, output.option
    try:
        found = None if is_stream(path) else kinds.kind(path)
    except OSError as failure:
        raise FF2LoihiError(f"{path}: {failure.strerror}. {_other(output)}") from None
    if found not in (None, output.kind):
        raise FF2LoihiError(
            f"{path}: holds {found}, and {option} writes {output.kind}: not overwritten. {_other(output)}, or remove it"
        )


def _other(output: Output) -> str:
    return f"Name another file with {output.option}"


def _exists(path: Path, option: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as failure:
        raise FF2LoihiError(f"{path}: {failure.strerror}. Choose another {option}") from None
    return True


def _check_parent(path: Path, option: str) -> None:
    parent = Path(os.path.realpath(path)).parent
    if not _exists(parent, option) or not parent.is_dir():
        shown = path.parent if not path.is_symlink() else parent
        raise FF2LoihiError(f"{path}: the folder {shown} does not exist. Choose another {option}")
    _check_writable(path, parent, option)


def _check_writable(path: Path, folder: Path, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FF2LoihiError(f"{path}: cannot write into {folder}: permission denied. Choose another {option}")


def _same(left: Path, right: Path) -> bool:
    """Whether two names stand for one file, through links of both kinds; a device or a pipe is nobody's."""
    try:
        found = os.stat(left)
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(right))
    except FileNotFoundError:
        return os.path.realpath(left) == os.path.realpath(right)

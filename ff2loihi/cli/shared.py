"""What several commands need: the data set that a model stands for."""

import contextlib
from pathlib import Path

from ff2loihi.compilers.errors import CheckpointError, DataError, brief
from ff2loihi.compilers.frontend.checkpoint import file_sha256
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import AnyProgram, learns
from ff2loihi.data.datasets import Dataset, check_events, check_shape, load_data
from ff2loihi.data.events.options import events_of


def dataset(
    program: AnyProgram, name: str | None, split: str, limit: int | None, root: Path | None, unlabelled: bool = False
) -> Dataset:
    """The data set of that name, or the one that the program was compiled with. Raises DataError.

    unlabelled: whether images alone will do.
    """
    events = events_of(program.network.events)
    if name is not None:
        found = load_data(name, split, root=root, limit=limit, unlabelled=unlabelled, events=events)
        check_events(found, program)
        check_shape(found, program)
        return found
    name, sha256 = named_data(program)
    if name is None:
        raise DataError("the artifact does not name a data set. Use --data NAME")
    found = load_data(name, split, root=root, limit=limit, events=events)
    check_content(found, sha256, "--data")
    return found


def named_data(source: Checkpoint | AnyProgram) -> tuple[str | None, str | None]:
    """(name, sha256) of the data set that a checkpoint was trained on, or an artifact compiled with, where known."""
    if isinstance(source, Checkpoint):
        return source.training.get("data"), source.training.get("data_sha256")
    facts = source.provenance.get("calibration", {})
    return facts.get("data"), facts.get("sha256")


def was_made_of(program: AnyProgram, model: Path) -> bool:
    """Whether the program was compiled from the file as it is now. Raises CheckpointError where that is not read."""
    return program.provenance.get("checkpoint", {}).get("sha256") == file_sha256(model)


def spec_of(program: AnyProgram, compiled: Path, model: Path) -> Path | None:
    """The spec that the program, of the file `compiled`, was compiled with: as it was, beside that file or the model.

    None where the program was not made of the model with one, or another lies there.
    """
    facts = program.provenance.get("spec", {})
    name = facts.get("name")
    if not name or Path(name).name != name or not was_made_of(program, model):
        return None
    for beside in (compiled.with_name(name), model.with_name(name)):
        with contextlib.suppress(CheckpointError):
            if file_sha256(beside) == facts["sha256"]:
                return beside
    return None


def check_content(data: Dataset, sha256: str | None, option: str) -> None:
    """Raise DataError where the person's own files are no longer those that the model was made with."""
    if sha256 not in (None, data.sha256):
        raise DataError(
            f"{data.name}: its content is not what the model was made with (sha256 {brief(sha256, 16)}). To take it as "
            f"it is now, use {option} {data.name}"
        )


def waits_for(program: AnyProgram, backend: str = "emulator") -> str:
    """What nothing can be seen of until the first sample is done."""
    starts = {"lava": "starting Lava", "loihi": "waiting for the board"}.get(backend, "")
    if not learns(program) or backend == "loihi":
        return starts
    return ", ".join(filter(None, ("compiling kernels", starts)))

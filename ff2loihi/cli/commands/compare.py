"""The command `compare`: a checkpoint beside the artifact that was compiled from it."""

import dataclasses
from pathlib import Path

from ff2loihi import api
from ff2loihi.choices import PictureFormat
from ff2loihi.cli import console
from ff2loihi.cli.shared import dataset, spec_of
from ff2loihi.compilers.errors import CheckpointError, FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import AnyProgram
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import Dataset


def compare_models(
    model: Path, compiled: Path, spec: Path | None, data: str | None, split: str, limit: int, dt: float | None,
    drawn: tuple[Path, PictureFormat] | None, data_root: Path | None,
) -> dict:  # fmt: skip
    """Compare, show one table, and draw it where a file is named."""
    program = api.load(compiled)
    checkpoint = _checkpoint(model, spec or spec_of(program, compiled, model), dt)
    if program.provenance.get("checkpoint", {}).get("sha256") not in (None, checkpoint.sha256):
        console.warn(f"{compiled} was not compiled from {model} as it is now")
    images = dataset(program, data, split, limit, data_root)
    found = api.compare(checkpoint, program, images, calibration=_calibration(program, data_root))
    best = found.stages[0].accuracy
    rows = [
        (
            stage.name, f"{stage.accuracy:.2%}", f"{100 * (stage.accuracy - best):+.2f}", f"{stage.same:.2%}",
            f"{stage.layer.weight_db:.1f} dB" if stage.layer else "-",
            f"{stage.layer.correlation:.4f}" if stage.layer else "-",
        )
        for stage in found.stages
    ]  # fmt: skip
    console.table(
        f"{model} in integers up to here, in float above: {found.samples:,} samples of {found.data}",
        ("integers up to", "accuracy", "points", "as the float net", "weights", "activity r"),
        rows,
    )
    lost = found.first_loss
    console.say(f"the first point is lost in {lost}" if lost else "no stage is a point below the float net")
    if drawn is not None:
        file, form = drawn
        write_atomic(file, found.picture(form), FF2LoihiError)
        console.say(f"{file}  a picture")
    return {"model": str(model), "artifact": str(compiled), **dataclasses.asdict(found), "first_loss": lost}


def _checkpoint(model: Path, spec: Path | None, dt: float | None) -> Checkpoint:
    if model.suffix != ".nir":
        return load_checkpoint(model, spec)
    if spec is None:
        raise CheckpointError(f"{model}: a graph's layers mean what --spec says: an exported one holds no float net")
    from ff2loihi.deployment import interchange

    return interchange.load_graph(model, spec, dt)


def _calibration(program: AnyProgram, data_root: Path | None) -> Dataset | None:
    """The images that the program was compiled with, where it names them."""
    facts = program.provenance.get("calibration", {})
    name, images = facts.get("data"), facts.get("images")
    return None if name is None else api.calibration_set(f"{name}:{images}" if images else name, data_root)

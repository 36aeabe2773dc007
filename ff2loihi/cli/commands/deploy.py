"""The command `deploy`. What it needs to say that there is no board loads in a moment: the rest is imported later."""

from pathlib import Path

from ff2loihi.backends.loihi.search import require_board
from ff2loihi.cli import console
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CheckFailed


def deploy(model: Path, target: Path, dry_run: bool, samples: int | None, data, data_root) -> dict:
    """Write the deployment as the folder `target`, or run it on the board that is there, and its recording there.

    Raises CheckFailed where bits differ.
    """
    program, digest = artifact.read(model)
    if not dry_run:
        require_board()
    from ff2loihi.cli.commands.interchange import samples_for
    from ff2loihi.cli.shared import dataset

    images = dataset(program, data, "test", samples_for(program, samples), data_root)
    if dry_run:
        return _write(target, program, digest, images)
    return _run(model, program, digest, images, target)


def _write(folder: Path, program, digest: str, images) -> dict:
    from ff2loihi import api
    from ff2loihi.cli.shared import waits_for

    with console.progress("golden vectors", waits=waits_for(program)) as show:
        remarks = api.dry_run(program, folder, images, show)
    for remark in remarks:
        console.warn(remark)
    files = sorted(folder.iterdir())
    console.table(folder, ("file", "bytes"), [(file.name, file.stat().st_size) for file in files])
    return {"artifact": digest, "folder": str(folder), "files": [file.name for file in files], "remarks": remarks}


def _run(model: Path, program, digest: str, images, output: Path) -> dict:
    import dataclasses

    from ff2loihi.backends.loihi.board import Loihi, check_runs
    from ff2loihi.backends.presentations import pairs
    from ff2loihi.cli.commands.interchange import show_differences
    from ff2loihi.cli.shared import waits_for
    from ff2loihi.compilers.ir import LearningNetwork
    from ff2loihi.verification import golden

    board, accuracy = Loihi(), None
    check_runs(program.network)
    learns = isinstance(program.network, LearningNetwork) and program.network.library
    wanted = (golden.golden if learns else golden.classification)(program, digest, images)
    with console.progress("Loihi 2", waits=waits_for(program, "loihi")) as show:
        if learns:
            arrays, seconds = board.show(program, pairs(program.network, images), states=True, progress=show)
        else:
            trace = board.run(program, images.images, states=True, progress=show)
            arrays = {name: values for name, values in trace.states.items() if name in wanted.arrays}
            arrays |= {"predictions": trace.predictions}
            accuracy, seconds = float((trace.predictions == images.labels).mean()), trace.seconds
    found = golden.Vectors(digest, arrays, {name: wanted.axes[name] for name in arrays})
    golden.write(found, output, golden.RECORDING)
    report = golden.compare(wanted, found, str(output))
    console.table(
        f"{model} on Loihi 2, {len(images.labels)} samples of {images.name}",
        ("process", "model on a neurocore"),
        sorted({tuple(line.split()) for line in board.models}),
    )
    show_differences(report)
    found_out = "" if accuracy is None else f"accuracy {accuracy:.2%}, "
    console.say(f"{output}  {found_out}{seconds:.1f} s")
    if not report.equal:
        raise CheckFailed(f"{model}: the board differs from the golden vectors, first at {report.first_divergence}")
    console.say("every recorded state agrees")
    return {
        "artifact": digest, "recording": str(output), "accuracy": accuracy, "seconds": seconds,
        "models": list(board.models), **dataclasses.asdict(report),
    }  # fmt: skip

"""The commands between an artifact and other machines: export, diff-golden, deploy."""

from pathlib import Path
from typing import Annotated

import typer

from ff2loihi import choices
from ff2loihi.cli import inputs, kinds, outputs
from ff2loihi.cli.options import Artifact, Data, DataRoot, Json
from ff2loihi.cli.outputs import Output
from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.compilers.files import check_new_folder

commands = typer.Typer()

Samples = Annotated[
    int | None, typer.Option(min=1, help="test samples, under every label [default: 5; learning, right and wrong: 2]")
]


@commands.command()
def export(
    model: Artifact,
    format: Annotated[
        choices.ExportFormat,
        typer.Option(help="netx (HDF5 of lava-dl), nir, or golden (every state, to compare with)"),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="file, or folder [default: beside the model]")
    ] = None,
    samples: Samples = None,
    data: Data = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Write an artifact for another framework. Its learning rule goes into a file beside it."""
    file = outputs.check_export(model, format, output, json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.interchange import export_model

    console.write_json(export_model(model, format, file, data, samples, data_root), json)


@commands.command()
def diff_golden(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", callback=inputs.file_or_folder, help="where golden.npz is: an export's or a deployment's"
        ),
    ],
    recording: Annotated[
        Path,
        typer.Argument(metavar="RECORDING", callback=inputs.file, help="what a board, or a simulator, recorded"),
    ],
    json: Json = None,
) -> None:
    """Compare a recording with golden vectors. Exit 1 with the first state that differs."""
    outputs.check((folder, recording), json)
    from ff2loihi.cli.commands.interchange import diff_golden as command

    command(folder, recording, json)


@commands.command()
def deploy(
    model: Artifact,
    dry_run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write everything for a board's machine; needs no board")
    ] = None,
    samples: Samples = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="recording to write [default: MODEL-recording.npz]")
    ] = None,
    data: Data = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Run an artifact on a Loihi 2 board. Hold it to golden vectors; exit 3 where there is no board."""
    if dry_run is None:
        target = output or model.with_name(f"{model.stem}-recording.npz")
        outputs.check((model,), json, Output(target, kinds.RECORDING))
    elif output is not None:
        raise FF2LoihiError("--output: nothing is recorded with --dry-run")
    else:
        target = dry_run
        outputs.check((model,), json, folder=target)
        outputs.check_folder(target, "--dry-run")
        check_new_folder(target, DataError)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.deploy import deploy as command

    console.write_json(command(model, target, dry_run is not None, samples, data, data_root), json)

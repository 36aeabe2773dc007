"""Options and arguments that several commands have, each with its check that imports nothing heavy."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from ff2loihi import choices
from ff2loihi.cli import inputs, outputs
from ff2loihi.compilers import choices as compile_choices


def _tables_elsewhere(target: str | None) -> str | None:
    """Where standard output takes the JSON, standard error takes the tables."""
    from ff2loihi.cli import console

    console.tables_on_stderr(target in (outputs.TABLES, str(outputs.STDOUT)))
    return target


Json = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE", callback=_tables_elsewhere,
        help="also write the result as JSON; - for stdout, with the tables on stderr",
    ),
]  # fmt: skip
Pictures = Annotated[choices.PictureFormat, typer.Option(help="of the pictures; svg and pdf for print")]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="folder of the data sets, torchvision's layout [default: $FF2LOIHI_DATA, or a cache]"),
]
DATA_HELP = f"{', '.join(get_args(choices.DataName))}, tonic:NAME, or your own: an .npz, an .h5 or a folder"
Data = Annotated[
    str | None,
    typer.Option(metavar="DATA", callback=inputs.data, help=f"{DATA_HELP} [default: the calibration's data set]"),
]
Field = Annotated[
    str | None,
    typer.Option(metavar="K[,L]", help="neurons of the first layer see K x K pixels each, at their own place"),
]
Events = Annotated[
    str | None,
    typer.Option(
        "--events", metavar="NAME=N,...", callback=inputs.events,
        help="how events become spikes: steps=N, window=T, parts=N, rounds=N, downsample=K, most=N, "
        "denoise=T, merged; saccades, of images [default: what fits the data]",
    ),
]  # fmt: skip
Artifact = Annotated[
    Path,
    typer.Argument(metavar="MODEL.ffl", callback=inputs.artifact, help="an artifact that `ff2loihi compile` wrote"),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.pt",
        callback=inputs.model,
        help="a checkpoint (.pt, .safetensors, .npz), a NIR graph (.nir) or a netx network (.net)",
    ),
]
Spec = Annotated[
    Path | None,
    typer.Option(callback=inputs.file, help="spec.yaml of a checkpoint that ff2loihi did not write"),
]
Step = Annotated[
    float | None,
    typer.Option("--dt", callback=inputs.step, help="a NIR graph's step, in its own time [default: its metadata's]"),
]
BoardName = Annotated[
    str | None,
    typer.Option("--board", "--chip", help="a board, or one chip [default: the smallest board that holds it]"),
]
Chips = Annotated[
    Path | None,
    typer.Option("--chips", metavar="FILE.yaml", callback=inputs.file, help="chips and boards of your own"),
]
BoardForm = Annotated[
    compile_choices.BoardForm,
    typer.Option(
        help="deployed: the library neurons that `deploy` puts on cores; microcode: one neuron of a program of your "
        "own for each of the network, with goodness and read-out on cores, too"
    ),
]
Alone = Annotated[
    bool, typer.Option("--one-population-a-core", help="no core is shared: each holds neurons of one kind and layer")
]
Device = Annotated[choices.Device, typer.Option(help="where torch or the emulator computes")]
Calibrate = Annotated[
    str | None,
    typer.Option(
        metavar="DATA[:N]", callback=inputs.calibration,
        help="training images that set the ranges [default: the model's own]",
    ),
]  # fmt: skip
Resume = Annotated[bool, typer.Option("--resume", help="continue the run that was to write the output")]
LogDir = Annotated[
    Path | None,
    typer.Option("--log-dir", metavar="FOLDER", help="also write TensorBoard's events there"),
]
Split = Annotated[choices.Split, typer.Option(help="fit and validation are parts of train, for tuning")]

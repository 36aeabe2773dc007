"""The command `compile`: from a checkpoint, a NIR graph or a netx network to an artifact."""

import dataclasses
from pathlib import Path

from ff2loihi import api
from ff2loihi.cli import console
from ff2loihi.cli.layer_table import show_layers
from ff2loihi.cli.shared import check_content
from ff2loihi.compilers.errors import CheckpointError, FF2LoihiError
from ff2loihi.compilers.files import is_stream
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.ir import learns
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import EventOptions, events_of


def compile_options(learning: str, inference: dict, rule: dict) -> Options | LearningOptions:
    """The options of one kind; raise where one of the other kind was given."""
    on = learning != "off"
    wanted, other = (LearningOptions, Options) if on else (Options, LearningOptions)
    values, idle = ({**rule, "library": learning == "library"}, inference) if on else (inference, rule)
    idle = [f"--{name.replace('_', '-')}" for name, value in idle.items() if value != getattr(other(), name)]
    if idle:
        raise FF2LoihiError(f"{', '.join(idle)}: no meaning with --learning {learning}")
    return wanted(**values)


def compile_model(
    model: Path, spec: Path | None, options: Options | LearningOptions, calibrate: str | None, check: int | None,
    expect: float | None, dt: float | None, output: Path, data_root: Path | None, events: EventOptions | None,
) -> dict:  # fmt: skip
    """Compile, showing what each stage did, and write the artifact."""
    api.pipeline.check_options(options)
    if dt is not None and (model.suffix != ".nir" or (spec is None and calibrate is None)):
        raise FF2LoihiError(
            "--dt: a step's length of a NIR graph (.nir) that is compiled with --spec, or --calibrate of events. Leave "
            "it out"
        )
    if model.suffix == ".nir":
        from ff2loihi.cli.commands.interchange import compile_exported, compile_spiking
        from ff2loihi.deployment import interchange

        if spec is None and (check is not None or expect is not None):
            raise CheckpointError(f"{model}: graphs without --spec have no float net: leave out --check and --expect")
        if spec is None and calibrate is not None:
            return compile_spiking(model, options, calibrate, dt, output, data_root, events)
        if spec is None:
            return compile_exported(model, options, output)
        checkpoint = interchange.load_graph(model, spec, dt)
    elif model.suffix == ".net":
        from ff2loihi.cli.commands.interchange import compile_netx

        if not isinstance(options, Options) or (spec, calibrate, check, expect) != (None, None, None, None):
            raise CheckpointError(
                f"{model}: its integers are compiled as they are: leave out --spec, --calibrate, --check, --expect and "
                "--learning"
            )
        return compile_netx(model, options, output)
    else:
        checkpoint = load_checkpoint(model, spec)
    asked, calibrate = calibrate, calibrate or checkpoint.training.get("data")
    if calibrate is None:
        raise CheckpointError(
            f"{model}: the file does not say what it was trained on. Use --calibrate DATA[:N] with that data set's name"
        )
    images = api.calibration_set(calibrate, data_root, events or events_of(checkpoint.spec.input.events))
    if not asked:
        check_content(images, checkpoint.training.get("data_sha256"), "--calibrate")
    binned = events_of(images.events)
    tested = None if check is None else load_data(images.name, "test", root=data_root, limit=check, events=binned)
    program = api.compile(
        checkpoint, images, options, progress=lambda stage, text: console.say(f"{stage:>11}  {text}"),
        check=tested, expect=expect,
    )  # fmt: skip
    digest = api.save(program, output)
    if not learns(program):
        show_layers(program)
    console.say(f"{output}  {output.stat().st_size:,} bytes  sha256 {digest[:16]}")
    if not is_stream(output):
        console.next_step("ff2loihi", "learn" if learns(program) else "run", output)
    if learns(program):
        return {"artifact": str(output), "sha256": digest, "provenance": program.provenance}
    return {
        "artifact": str(output),
        "sha256": digest,
        "layers": arithmetic_rules.usage(program.network),
        "losses": [dataclasses.asdict(loss) for loss in program.losses],
        "provenance": program.provenance,
    }

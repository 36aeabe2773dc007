"""The commands `export` and `diff-golden`, and `compile` of a NIR graph or a netx network."""

from dataclasses import replace
from pathlib import Path

from ff2loihi import api
from ff2loihi.cli import console
from ff2loihi.cli.layer_table import show_layers
from ff2loihi.cli.shared import dataset, waits_for
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CheckFailed, CheckpointError
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.ir import AnyProgram, IntNetwork, Program, learns
from ff2loihi.data.events.options import EventOptions
from ff2loihi.deployment import interchange
from ff2loihi.verification import golden
from ff2loihi.verification.equality import EqualityReport

SAMPLES, LEARNING_SAMPLES = 5, 2  # of golden vectors; those of learning hold every weight at every step


def samples_for(program: AnyProgram, samples: int | None) -> int:
    """As many as were asked for, or the default."""
    return samples or (LEARNING_SAMPLES if learns(program) else SAMPLES)


def export_model(model: Path, kind: str, file: Path, data, samples: int | None, data_root) -> dict:
    """Write the artifact in another form."""
    program, digest = artifact.read(model)
    if kind == "golden":
        images = dataset(program, data, "test", samples_for(program, samples), data_root)
        with console.progress("emulator, every state", waits=waits_for(program)) as show:
            vectors = golden.golden(program, digest, images, show)
        file.parent.mkdir(exist_ok=True)
        golden.write(vectors, file)
        files, remarks = [file], []
    else:
        files, remarks = interchange.export(program, kind, file)
    for remark in remarks:
        console.warn(remark)
    for written in files:
        console.say(f"{written}  {written.stat().st_size:,} bytes")
    return {"artifact": digest, "format": kind, "files": [str(written) for written in files], "remarks": remarks}


def compile_exported(model: Path, options, output: Path) -> dict:
    """A graph that `export --format nir` wrote becomes the artifact it was, bit for bit."""
    if options != Options():
        raise CheckpointError(f"{model}: exported integers are compiled as they are: leave out options, or give --spec")
    program = interchange.read_exported(model)
    digest = api.save(program, output)
    console.say(f"{output}  {output.stat().st_size:,} bytes  sha256 {digest[:16]}, as it was exported")
    return {"artifact": str(output), "sha256": digest, "provenance": program.provenance}


def compile_spiking(
    model: Path, options, calibrate: str, dt: float | None, output: Path, data_root, events: EventOptions | None
) -> dict:
    """A NIR graph of neurons becomes an artifact that counts its last layer's spikes of events."""
    if options != Options():
        raise CheckpointError(f"{model}: its neurons are compiled as they are: leave out options, or give --spec")
    asked = events or EventOptions()
    asked = replace(asked, parts=asked.parts or 1, rounds=asked.rounds or 1)
    data = api.calibration_set(calibrate, data_root, asked)
    program = interchange.read_spiking(model, api.calibration_of(data), dt)
    return _saved(program, output)


def compile_netx(model: Path, options: Options, output: Path) -> dict:
    """A netx network becomes an artifact of its own integers."""
    plain = Options()
    if options != replace(plain, neuron=options.neuron, steps=options.steps):
        raise CheckpointError(f"{model}: its integers are compiled as they are: leave out all options but --steps")
    program, remarks = interchange.read_netx(model, options.steps)
    net = program.network
    if options.steps not in (plain.steps, net.steps):
        raise CheckpointError(f"{model}: says that a sample has {net.steps} steps. Leave out --steps")
    for remark in remarks:
        console.warn(remark)
    return _saved(program, output) | {"remarks": remarks}


def _saved(program: Program[IntNetwork], output: Path) -> dict:
    """Write the artifact, show its layers, and say what --json holds of it."""
    digest, net = api.save(program, output), program.network
    show_layers(program)
    console.say(f"{output}  {output.stat().st_size:,} bytes  sha256 {digest[:16]}, {net.steps} steps a sample")
    return {
        "artifact": str(output),
        "sha256": digest,
        "layers": arithmetic_rules.usage(net),
        "provenance": program.provenance,
    }


def diff_golden(folder: Path, recording: Path, json: str | None) -> None:
    """Compare a recording with the golden vectors; raise CheckFailed at the first state that differs."""
    report = api.diff_golden(folder, recording)
    show_differences(report)
    console.write_json(report, json)
    if not report.equal:
        raise CheckFailed(f"{recording}: differs from the golden vectors, first at {report.first_divergence}")
    console.say("every recorded state agrees")


def show_differences(report: EqualityReport) -> None:
    """A table of the compared states."""
    rows = [(v.name, v.values, v.active, v.differing) for v in report.variables]
    console.table(f"{report.right} against golden vectors", ("state", "values", "active", "differing"), rows)

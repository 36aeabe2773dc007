"""The commands from data to an artifact's result: their options, and what is cheap to check before anything heavy."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, get_args

import typer

from ff2loihi import choices
from ff2loihi.cli import inputs, kinds, outputs
from ff2loihi.cli.options import (
    DATA_HELP,
    Alone,
    Artifact,
    BoardForm,
    BoardName,
    Calibrate,
    Chips,
    Data,
    DataRoot,
    Device,
    Events,
    Field,
    Json,
    LogDir,
    Model,
    Pictures,
    Resume,
    Spec,
    Split,
    Step,
)
from ff2loihi.cli.outputs import Output
from ff2loihi.compilers import choices as compile_choices
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import is_stream, locked
from ff2loihi.data.events import options as events

commands = typer.Typer()


@commands.command()
def train(
    recipe: Annotated[
        choices.Recipe, typer.Option(metavar="RECIPE", help=f"what to train: {', '.join(get_args(choices.Recipe))}")
    ] = "ffa-symmetric",
    data: Annotated[
        str, typer.Option(metavar="DATA", callback=inputs.data, help=f"what is learned: {DATA_HELP}")
    ] = "digits",
    output: Annotated[Path, typer.Option("-o", "--output", help="the checkpoint to write")] = Path("model.pt"),
    widths: Annotated[str | None, typer.Option(help="of the layers, as 500-500 [default: the recipe's]")] = None,
    epochs: Annotated[int | None, typer.Option(help="0 gives the untrained net [default: the recipe's]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the weights, the batches and the negatives")] = 0,
    head: Annotated[bool, typer.Option("--head", help="fit a softmax head: one pass in place of one a label")] = False,
    bias: Annotated[bool, typer.Option("--bias", help="neurons with a bias")] = False,
    field: Field = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="the recipe's short variant: under 2 minutes on 2 cores")
    ] = False,
    bins: Events = None,
    device: Device = "cpu",
    resume: Resume = False,
    log_dir: LogDir = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Train a network of the papers and write its checkpoint."""
    files = outputs.RunFiles.of(output, kinds.CHECKPOINT)
    kept = resume or not is_stream(output)
    outputs.check((), json, *(files.outputs() if kept else (files.output,)))
    outputs.check_log_folder(log_dir, resume)
    see = inputs.sizes(field)
    busy = f"{output}: another run trains into it"
    with locked(files.lock, FF2LoihiError, busy) if kept else nullcontext():
        files.check_unfinished(resume)
        from ff2loihi.cli import console
        from ff2loihi.cli.commands.train import train as command

        found = command(
            recipe, data, output, widths, epochs, seed, head, bias, see, quick, device, data_root,
            events_as=events.parse(bins), state=files.state if kept else None, resume=resume, log_dir=log_dir,
        )  # fmt: skip
        console.write_json(found, json)


@commands.command()
def compile(
    model: Model,
    spec: Spec = None,
    neuron: Annotated[
        compile_choices.NeuronKind, typer.Option(help="graded: integer payloads; lif: spikes over --steps")
    ] = "graded",
    weight_bits: Annotated[int, typer.Option(help="2 to 8")] = 8,
    steps: Annotated[int, typer.Option(help="lif: time steps of a sample")] = 16,
    reset: Annotated[
        compile_choices.Reset, typer.Option(help="lif: soft (our neuron) or hard (Lava's own LIFReset)")
    ] = "soft",
    vth: Annotated[int | None, typer.Option(help="lif: the threshold's mantissa [default: swept]")] = None,
    learning: Annotated[
        choices.Learning,
        typer.Option(help="on: compile the learning rule too; library: one of Lava's library neurons alone"),
    ] = "off",
    trace: Annotated[compile_choices.TraceKind, typer.Option(help="learning: the output trace")] = "relu",
    eligibility: Annotated[
        compile_choices.Eligibility, typer.Option(help="learning: none, or tag: an eligibility trace")
    ] = "none",
    rate_exponent: Annotated[
        int | None, typer.Option(help="learning: the first learning rate is 2^-N weight steps a trace, N to 7")
    ] = None,
    input_factor: Annotated[
        int | None, typer.Option(help="learning: pixel N >> 8 spikes in 256 steps [default: 64; small images 128]")
    ] = None,
    input_code: Annotated[
        compile_choices.InputCode, typer.Option(help="learning: pixels, or contrast: |pixel - median|")
    ] = "pixels",
    curve: Annotated[
        compile_choices.Curve | None,
        typer.Option(help="learning: of the probability P [default: linear; squared for a trained net]"),
    ] = None,
    field: Field = None,
    bins: Events = None,
    calibrate: Calibrate = None,
    check: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="also classify N test images of the calibration's data set")
    ] = None,
    expect: Annotated[
        float | None,
        typer.Option(
            callback=inputs.share, help="the float net's accuracy as you know it, as 0.91; a net below it is a warning"
        ),
    ] = None,
    dt: Step = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="[default: MODEL.ffl]")] = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Compile a checkpoint to an artifact for emulator and Lava."""
    output = output or model.with_suffix(".ffl")
    outputs.check((model, spec, inputs.rule_beside(model)), json, Output(output, kinds.ARTIFACT))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.compile import compile_model, compile_options

    options = compile_options(
        learning,
        {"neuron": neuron, "weight_bits": weight_bits, "steps": steps, "reset": reset, "vth": vth},
        {
            "trace": trace, "eligibility": eligibility, "rate_exponent": rate_exponent, "input_factor": input_factor,
            "input_code": input_code, "curve": curve, "field": inputs.sizes(field),
        },
    )  # fmt: skip
    found = compile_model(
        model, spec, options, calibrate, check, expect, dt, output, data_root, events.parse(bins)
    )  # fmt: skip
    console.write_json(found, json)


@commands.command()
def spec(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL.pt", callback=inputs.model, help="tensors, or a NIR graph, that ff2loihi did not write"
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="- for stdout [default: spec.yaml beside MODEL.pt]")
    ] = None,
    json: Json = None,
) -> None:
    """Draft a commented spec.yaml for a checkpoint or a graph. From its tensors' names and shapes, or its nodes; on
    a terminal, ask."""
    output = outputs.STDOUT if output == Path(outputs.TABLES) else output or model.with_name("spec.yaml")
    if output == outputs.STDOUT and str(json) in (outputs.TABLES, str(outputs.STDOUT)):
        raise FF2LoihiError("--output and --json: both to stdout. Give one of them a file")
    outputs.check_new(output)
    outputs.check((model,), json, Output(output, kinds.SPEC))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.spec import draft_spec

    if output == outputs.STDOUT:
        console.tables_on_stderr(True)
    console.write_json(draft_spec(model, output), json)


@commands.command()
def run(
    model: Artifact,
    data: Data = None,
    split: Split = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    backend: Annotated[choices.Backend, typer.Option(help="where it runs")] = "emulator",
    device: Device = "cpu",
    presentations: Annotated[
        int, typer.Option(help="of each image to a network that learns, its inputs' phases anew; scores are added")
    ] = 1,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="write each image's predicted class, - for stdout; the images need no labels then"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes that share Lava's samples, with the same bits")] = 1,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Classify a data set: accuracy, goodness, spikes, time."""
    predictions = outputs.STDOUT if predictions == Path(outputs.TABLES) else predictions
    if predictions == outputs.STDOUT and str(json) in (outputs.TABLES, str(outputs.STDOUT)):
        raise FF2LoihiError("--predictions and --json: both to stdout. Give one of them a file")
    outputs.check((model,), json, *outputs.predictions(predictions))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.run import run_model

    if predictions == outputs.STDOUT:
        console.tables_on_stderr(True)
    found = run_model(model, data, split, limit, backend, device, data_root, predictions, presentations, workers)
    console.write_json(found, json)


@commands.command()
def learn(
    model: Artifact,
    data: Data = None,
    split: Split = "train",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    plan: Annotated[
        choices.Plan | None, typer.Option(help="the defaults of the next five options [default: what fits]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the samples; the rate falls over the run")] = None,
    negatives: Annotated[choices.Negatives | None, typer.Option(help="wrong labels; hard: the best one")] = None,
    margin: Annotated[
        float | None, typer.Option(help="pairs of labels where the true one's score is not this much ahead")
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="present each image once, true or wrong, whatever its scores")
    ] = False,
    jitter: Annotated[int | None, typer.Option(help="move each image by up to N pixels, black coming in")] = None,
    revisit: Annotated[
        int | None,
        typer.Option(help="leave an image whose label was far ahead out of the next N epochs [default: 0]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="of order, jitter, input phases and negatives")] = 0,
    rounding: Annotated[choices.Rounding, typer.Option(help="chip: each synapse by itself, even weights")] = "lava",
    backend: Annotated[
        choices.Backend, typer.Option(help="lava: the emulator's bits; loihi: a board, for library neurons")
    ] = "emulator",
    evaluate: Annotated[
        str | None,
        typer.Option(metavar="SPLIT[:N]", callback=inputs.evaluation, help="also classify this split after each epoch"),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="[default: MODEL-learned.ffl]")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="draw accuracy and the first layer's weights as they change, on a terminal")
    ] = False,
    resume: Resume = False,
    log_dir: LogDir = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Learn a data set with an artifact's rule, sample by sample. Write the learned artifact."""
    artifact = output or model.with_name(f"{model.stem}-learned.ffl")
    files, log = outputs.RunFiles.of(artifact, kinds.ARTIFACT), outputs.learning_log(artifact)
    outputs.check((model,), json, *files.outputs(), log)
    outputs.check_log_folder(log_dir, resume)
    with locked(files.lock, FF2LoihiError, f"{artifact}: another run learns into it"):
        files.check_unfinished(resume)
        from ff2loihi.cli import console
        from ff2loihi.cli.commands.learn import learn_model

        found = learn_model(
            model, data, split, limit, data_root, plan=plan, single=single, rounding=rounding, backend=backend,
            asked={
                "epochs": epochs, "negatives": negatives, "margin": margin, "jitter": jitter, "revisit": revisit,
                "seed": seed,
            },
            evaluate=evaluate, artifact=artifact, state=files.state, log=log.path, resume=resume,
            log_dir=log_dir, live=live,
        )  # fmt: skip
        console.write_json(found, json)


@commands.command()
def verify(
    model: Artifact,
    data: Data = None,
    samples: Annotated[
        int, typer.Option(min=1, help="test samples, under every label; learning: once right, once wrong")
    ] = 5,
    form: Annotated[
        choices.Form,
        typer.Option(
            help="graph: the chip's processes, with Lava's own LearningDense; library: Lava's library processes alone; "
            "learning, too: own_plastic (our LearningDense), per_layer, one_process"
        ),
    ] = "graph",
    workers: Annotated[
        int, typer.Option(min=1, help="processes that share Lava's samples; a network that learns takes one")
    ] = 1,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Compare every state at every step, emulator against Lava. Exit 1 where a bit differs."""
    outputs.check((model,), json)
    from ff2loihi.cli.commands.run import verify_model

    verify_model(model, data, samples, form, data_root, json, workers)


@commands.command()
def inspect(
    model: Annotated[
        Path,
        typer.Argument(metavar="FILE", callback=inputs.network, help="an artifact, a checkpoint, a .nir or a .net"),
    ],
    json: Json = None,
) -> None:
    """Show what is inside an artifact, a checkpoint or a graph. Of a checkpoint its tensors, of a graph its nodes."""
    outputs.check((model,), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.run import inspect_file

    console.write_json(inspect_file(model), json)


@commands.command()
def analyze(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", callback=inputs.file, help="a checkpoint, or a .ffl artifact")
    ],
    data: Data = None,
    split: Annotated[choices.AnalysisSplit, typer.Option(help="probes are fitted on train, or fit")] = "test",
    samples: Annotated[int, typer.Option(min=1, help="the first N samples, and as many for the probes")] = 1000,
    layers: Annotated[str | None, typer.Option(help="names joined by commas [default: all of them]")] = None,
    unseen: Annotated[int | None, typer.Option(help="a class that the network was not trained on")] = None,
    spec: Spec = None,
    calibrate: Calibrate = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="folder of the pictures [default: MODEL-analysis]")
    ] = None,
    format: Pictures = "png",
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes for the layers, each of one thread [default: this process]")
    ] = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Measure the layers' latents: float, graded and LIF form. Each image is shown with its true label."""
    output = output or model.with_name(f"{model.stem}-analysis")
    outputs.check((model, spec), json, folder=output, files=f"*.{format}")
    outputs.check_folder(output)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.analyze import analyze_model

    found = analyze_model(
        model, spec, data, split, samples, layers, unseen, calibrate, output, format, data_root, workers
    )
    console.write_json(found, json)


@commands.command()
def report(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...", callback=inputs.files, help="artifacts (.ffl) and checkpoints, in any order"
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", callback=inputs.data, help=f"{DATA_HELP} [default: the models' own]"),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="the first N test samples")] = 1000,
    spec: Spec = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="the page")] = Path("report.html"),
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Put models side by side on one HTML page. It needs no network: accuracy, layers, spikes, cores, energy."""
    if output == Path(outputs.TABLES):
        raise FF2LoihiError("--output -: a page goes into a file. Name one")
    outputs.check((*models, spec), json, Output(output, kinds.REPORT))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.report import report_models

    console.write_json(report_models(models, spec, data, samples, output, data_root), json)


@commands.command()
def compare(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.pt", callback=inputs.model, help="a checkpoint, or a NIR graph (.nir)")
    ],
    compiled: Artifact,
    spec: Spec = None,
    data: Data = None,
    split: Split = "test",
    limit: Annotated[int, typer.Option(min=1, help="only the first N samples")] = 1000,
    dt: Step = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.png", help="draw it, too; .svg and .pdf for print")
    ] = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Show float beside integers, layer by layer. On the same images: where the first point is lost."""
    if output == Path("-"):
        raise FF2LoihiError("--output -: a picture goes into a file. Name one")
    outputs.check((model, compiled, spec), json, *outputs.picture(output))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.compare import compare_models

    found = compare_models(
        model, compiled, spec, data, split, limit, dt, output and (output, outputs.picture_format(output)), data_root
    )
    console.write_json(found, json)


@commands.command()
def bench(
    model: Artifact,
    data: Data = None,
    samples: Annotated[int, typer.Option(min=1, help="samples of the emulator")] = 10000,
    lava_samples: Annotated[int, typer.Option(min=1, help="samples of Lava")] = 20,
    device: Device = "cpu",
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="add a line of the ratios, and say what became slower since others"),
    ] = None,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Time the emulator beside Lava on one artifact, in one run."""
    if history is not None and is_stream(history):
        raise FF2LoihiError(f"--history {history}: no file, and earlier runs are read from one. Name another")
    outputs.check((model,), json, *([Output(history, kinds.HISTORY, "--history")] if history else []))
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.run import bench_model

    console.write_json(bench_model(model, data, samples, lava_samples, device, history, data_root), json)


@commands.command()
def reproduce(
    experiment: Annotated[
        choices.Experiment,
        typer.Argument(metavar="EXPERIMENT", help=f"a paper's table: {', '.join(get_args(choices.Experiment))}"),
    ],
    table: Annotated[
        int | None,
        typer.Option(
            help="hebbian-ffa: 1, its models, or 2, its output traces; continual: 1, all samples, or 2, few of each "
            "class [default: 1]"
        ),
    ] = None,
    data: Annotated[
        choices.DataName | None,
        typer.Option(help="in place of the paper's data set [default: the paper's; --quick: digits]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of everything that is drawn")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="of each model [default: the experiment's]")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="a look: short runs on at most 1,000 images")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes for the cells, each of one thread [default: this process]")
    ] = None,
    data_root: DataRoot = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="continual: its curves; .svg and .pdf for print")
    ] = None,
    json: Json = None,
) -> None:
    """Run a paper's experiment, or a protocol, and print its table. A paper's figures stand beside ours."""
    outputs.check((), json, *outputs.picture(picture, "--picture"))
    from ff2loihi.cli.commands.reproduce import reproduce as command
    from ff2loihi.reproduce.experiment import Request

    command(experiment, Request(table, data, epochs, seed, quick, data_root, picture, workers), json)


@commands.command()
def recipes(json: Json = None) -> None:
    """List what `train` can train: each recipe's layers and paper."""
    outputs.check((), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.lists import recipes as command

    console.write_json(command(), json)


@commands.command()
def experiments(json: Json = None) -> None:
    """List what `reproduce` can reproduce: papers and options."""
    outputs.check((), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.lists import experiments as command

    console.write_json(command(), json)


@commands.command()
def sweep(
    space: Annotated[
        Path, typer.Argument(metavar="SPACE.yaml", callback=inputs.file, help="options as values, lists and ranges")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="folder of results and pictures [default: SPACE-sweep]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine, each of one thread")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="of dask.distributed, as tcp://host:8786, in their place")
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", callback=inputs.file, help="a job queue, whose jobs are the workers"),
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="each N-th trial from the I-th on, for a job array")
    ] = None,
    device: Annotated[
        choices.Device, typer.Option(help="cuda: networks of one shape learn at once on a GPU, with the same bits")
    ] = "cpu",
    format: Pictures = "png",
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Try a space of options on the validation split. The same command goes on where it was ended."""
    output = output or space.with_name(f"{space.stem}-sweep")
    outputs.check((space,), json, folder=output)
    outputs.check_folder(output)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.sweep import sweep_space

    console.write_json(sweep_space(space, output, workers, scheduler, part, data_root, device, cluster, format), json)


@commands.command("map")
def map_(
    model: Artifact,
    board: BoardName = None,
    chips: Chips = None,
    form: BoardForm = "deployed",
    one_population_a_core: Alone = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="exit 1 for risks, too, not for broken limits alone")
    ] = False,
    json: Json = None,
) -> None:
    """Place a network on a board's cores, by the chip's rules. Exit 1 where it cannot run there."""
    outputs.check((model, chips), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands import map as map_command

    found = map_command.map_model(model, board, chips, form, share=not one_population_a_core)
    console.write_json(found, json)
    map_command.refuse_if_broken(model, found, strict)


@commands.command()
def estimate(
    model: Artifact,
    data: Data = None,
    split: Split = "test",
    limit: Annotated[int, typer.Option(min=1, help="only the first N samples")] = 100,
    board: BoardName = None,
    chips: Chips = None,
    form: BoardForm = "deployed",
    one_population_a_core: Alone = False,
    data_root: DataRoot = None,
    json: Json = None,
) -> None:
    """Estimate a sample's energy and time on a board, as bands. From counted events."""
    outputs.check((model, chips), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.estimate import estimate_model

    share = not one_population_a_core
    console.write_json(estimate_model(model, data, split, limit, board, chips, form, share, data_root), json)


@commands.command()
def doctor(json: Json = None) -> None:
    """Say what this machine can do: libraries, boards, data sets. Python, Lava and CUDA, too."""
    outputs.check((), json)
    from ff2loihi.cli import console
    from ff2loihi.cli.commands.doctor import doctor as command

    console.write_json(command(), json)

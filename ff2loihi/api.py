"""The Python form of the commands; ff2loihi.cli prints what these return.

A data set is a Dataset, or NAME[:N] where a path will do for the name, or what a program holds: arrays, a torch
Dataset or DataLoader (data.given). A back end is a Backend or its name.
"""

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np

from ff2loihi import choices
from ff2loihi.backends.base import Backend, SampleProgress, Trace
from ff2loihi.backends.classification import added
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.backends.presentations import pairs
from ff2loihi.backends.select import board_learner, emulator_learner, lava_learner
from ff2loihi.compilers import artifact, pipeline
from ff2loihi.compilers.errors import CompileError, DataError, FF2LoihiError
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.inference.quantize import Calibration, Options
from ff2loihi.compilers.ir import AnyProgram, LearningNetwork, Program, learns
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data import given
from ff2loihi.data.datasets import Dataset, check_events, check_shape, load_data
from ff2loihi.data.events.options import EventOptions, events_of, shared
from ff2loihi.data.given import Given
from ff2loihi.learning.controller import Schedule, check_schedule
from ff2loihi.learning.run import Hooks, Run, check_data, identity
from ff2loihi.measurement.limit import inference_limit
from ff2loihi.measurement.speed import LearningSpeedReport, SpeedReport, learning_speed
from ff2loihi.reports.accuracy import AccuracyReport, accuracy_report
from ff2loihi.verification.equality import EqualityReport, equality_report
from ff2loihi.verification.learning_equality import learning_equality

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ff2loihi.ff.descent import StepProgress
    from ff2loihi.ff.recipes.recipe import Trained
    from ff2loihi.page.page import Page
    from ff2loihi.sweeps.report import Report as SweepReport
    from ff2loihi.sweeps.run import Hooks as SweepHooks

    Model = Checkpoint | Path | str | nn.Module | Mapping[str, Tensor]
AnyData: TypeAlias = Dataset | str | Given


def calibration_set(text: str, data_root: Path | None = None, events: EventOptions | None = None) -> Dataset:
    """DATA or DATA:N -> the first N images of that data set's training split; events: see load_data.

    Raises DataError.
    """
    name, count = choices.data_and_count(text, "--calibrate")
    return load_data(name, "train", root=data_root, limit=count or pipeline.CALIBRATION_IMAGES, events=events)


def _data(
    data: AnyData, split: str, unlabelled: bool = False, limit: int | None = None, events: EventOptions | None = None
) -> Dataset:
    """The data set itself, or the first N samples of that split of DATA[:N].

    limit: of what a program holds; events: how those of a name become spikes.

    Raises DataError.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, str):
        found = given.dataset(data, split, limit, events)
        if not (found.classes or unlabelled):
            raise DataError(
                f"{found.name}: no labels. Give a pair of images and labels; without, use ff2loihi.classify"
            )
        return found
    name, count = choices.data_and_count(data, "data")
    return load_data(name, split, limit=count, unlabelled=unlabelled, events=events)


def train(recipe: str, data: AnyData, progress: "StepProgress | None" = None, **choices) -> "Trained":
    """Train a recipe of `ff2loihi recipes` on `data`, of a name its training split; its `save(path)` is the checkpoint.

    choices: widths, a tuple; epochs, 0 for the untrained net; seed; head; bias; field, a tuple; quick; device.
    Raises FF2LoihiError.
    """
    from ff2loihi.ff import recipes  # and with it torch

    return recipes.train(recipe, _data(data, "train"), progress, **choices)


def compile(  # the command's name
    model: "Model",
    calibration: AnyData,
    options: Options | LearningOptions | None = None,
    spec: pipeline.GivenSpec | None = None,
    progress: Callable[[str, str], None] = lambda stage, text: None,
    check: AnyData | None = None,
    expect: float | None = None,
) -> AnyProgram:
    """Compile a checkpoint, its file, or a live net; training images of `calibration` set the ranges.

    spec: what the tensors mean, a dict or the path of a spec.yaml; None where the checkpoint says so itself.
    options: Options for inference, LearningOptions for a network that learns on the chip; a checkpoint that spikes
    always becomes one. check: images, of a name its test split, which are classified as well; expect: the accuracy
    that the float net is known to have, in 0..1. Raises FF2LoihiError.
    """
    choices.check_share("--expect", expect)
    checkpoint = _checkpoint(model, spec)
    asked = events_of(checkpoint.spec.input.events)
    if isinstance(calibration, str):
        calibration = calibration_set(calibration, events=asked)
    calibration = _data(calibration, "train", limit=pipeline.CALIBRATION_IMAGES, events=asked)
    first = checkpoint.spec.layers[0]
    if calibration.channels > 1 and first.conv:
        raise CompileError(
            f"{checkpoint.source}: a convolution takes its image channel by channel, and colour images of "
            f"{calibration.name} hold the channels of a pixel beside each other: that has no compiled form yet. Use "
            "grey images, or a dense first layer with `image`"
        )
    options = pipeline.options_for(checkpoint, options or Options())
    images = calibration_of(calibration)
    if isinstance(options, LearningOptions):
        if check is not None or expect is not None:
            raise CompileError("--check and --expect have no meaning for a network that learns. See: ff2loihi run")
        return pipeline.compile_learning(checkpoint, images, options, progress)
    held_out = None if check is None else calibration_of(_data(check, "test", events=events_of(calibration.events)))
    return pipeline.compile_checkpoint(checkpoint, images, options, progress, held_out, expect)


def calibration_of(data: Dataset) -> Calibration:
    """What the compiler sees of a data set."""
    if data.name == given.GIVEN:  # rows of pixels may be among them, whose shape nobody said
        return Calibration(data.images, data.labels, sha256=data.sha256, events=data.events)
    return Calibration(data.images, data.labels, data.name, data.sha256, data.shape, data.events)


def spec(model: "Path | str | nn.Module | Mapping[str, Tensor]", ask: pipeline.Ask = pipeline.assume) -> pipeline.Draft:
    """Draft a commented spec.yaml for a file of tensors, or a live net, from their names and shapes.

    ask: answers the questions that are left; without it the likeliest answer is assumed. Raises CheckpointError.
    """
    return pipeline.draft_spec(Path(model) if isinstance(model, str) else model, ask)


def _checkpoint(model: "Model", spec: pipeline.GivenSpec | None) -> Checkpoint:
    """Raises CheckpointError."""
    if isinstance(model, Checkpoint):
        return model
    if isinstance(model, Path | str):
        return pipeline.load_checkpoint(Path(model), spec)
    return pipeline.live_checkpoint(model, spec)


def save(program: AnyProgram, path: Path | str) -> str:
    """Write an artifact, whole or not at all; returns its hash. Raises ArtifactError."""
    return artifact.write(program, Path(path))


def load(path: Path | str) -> AnyProgram:
    """Read an artifact; its hash is checked, and everything that the compiler checks. Raises ArtifactError."""
    return artifact.read(Path(path))[0]


def backend(name: str, device: str = "cpu", workers: int = 1) -> Backend:
    """The back end of that name; workers: processes that share Lava's samples.

    Raises BackendError where it is not available, FF2LoihiError for another name.
    """
    choices.check("--backend", name, choices.Backend)
    choices.check("--device", device, choices.Device)
    if name != "emulator" and device != "cpu":
        raise FF2LoihiError(f"--device {device} has no meaning with --backend {name}. Leave it out")
    if workers > 1 and name != "lava":
        raise FF2LoihiError(f"--workers {workers} is of --backend lava. Leave it out")
    if name == "emulator":
        return Emulator(device)
    if name == "lava":
        return LavaCpu(workers=workers)
    from ff2loihi.backends.loihi.board import Loihi

    return Loihi()


def run(
    program: AnyProgram, data: AnyData, on: Backend | str = "emulator", progress: SampleProgress | None = None,
    presentations: int = 1,
) -> AccuracyReport:  # fmt: skip
    """Classify `data`, of a name its test split, on a back end; presentations: see classify. Raises FF2LoihiError."""
    data, on = _data(data, "test", events=_events(program)), backend(on) if isinstance(on, str) else on
    if not data.classes:
        raise DataError(f"{data.name}: images without labels have no accuracy. Use ff2loihi.classify")
    return accuracy_report(program.network, classify(program, data, on, progress, presentations), data.labels)


def classify(
    program: AnyProgram, data: AnyData, on: Backend | str = "emulator", progress: SampleProgress | None = None,
    presentations: int = 1,
) -> Trace:  # fmt: skip
    """The predictions, and what they come from, of `data`, which needs no labels.

    presentations: how often a network that learns is shown each image under each label, its inputs starting from
    phases that are drawn anew; the scores are added. Raises FF2LoihiError.
    """
    data, on = _data(data, "test", unlabelled=True, events=_events(program)), backend(on) if isinstance(on, str) else on
    check_events(data, program)
    if data.name != given.GIVEN:
        check_shape(data, program)
    if data.classes:
        _check_labels(program, data)
    if presentations == 1:
        return on.run(program, data.images, progress=progress)
    if presentations < 1 or not learns(program) or program.network.events:
        raise FF2LoihiError(
            f"--presentations {presentations}: is 1 or more for a network that learns on the chip, whose pixels start "
            "anew each time; others, and events, give the same each time, leave it out"
        )
    return added(on.run(program, np.concatenate([data.images] * presentations), progress=progress), presentations)


def verify(
    program: AnyProgram, data: AnyData, progress: SampleProgress | None = None, form: str = "graph", workers: int = 1
) -> EqualityReport:
    """Run `data` on the emulator and on Lava and compare every state at every step; a learning network learns it.

    form: graph, the chip's processes with Lava's own LearningDense; library: library processes alone, with which a
    network that learns with our neurons classifies; further forms of learning layers, which share code with the
    emulator: see backends.lava.learner. workers: processes that share the samples of a network that classifies.
    """
    data = _data(data, "test", events=_events(program))
    check_events(data, program)
    if learns(program):
        check_data(program.network, data)
    if learns(program) and (form != "library" or program.network.library):
        if workers > 1:
            raise FF2LoihiError(
                f"--workers {workers}: what a network learns of a sample changes what it does with the next, so one "
                "process runs all of them. Leave it out"
            )
        return learning_equality(program.network, pairs(program.network, data), form, progress)
    emulated = Emulator().run(program, data.images, states=True)
    simulated = LavaCpu(library=form == "library", workers=workers).run(
        program, data.images, states=True, progress=progress
    )
    if form == "library":  # library processes show some of the states
        emulated = replace(emulated, states={name: emulated.states[name] for name in simulated.states})
    return equality_report(emulated, simulated)


def learn(
    program: AnyProgram, data: AnyData, schedule: Schedule | None = None, backend: str = "emulator",
    rounding: str = "lava", checkpoint: Path | None = None, resume: bool = False, hooks: Hooks | None = None,
    held_out: Dataset | None = None,
) -> Program[LearningNetwork]:  # fmt: skip
    """Learn `data` online, one sample at a time; the learned program.

    backend: emulator or lava, with the same bits, or loihi, a board, for library neurons. rounding: lava (one draw a
    step) or, on the emulator, chip: a draw for each synapse, weights on the even grid. checkpoint: a file for the run's
    state; resume: continue it. held_out: classified after each epoch. Raises FF2LoihiError.
    """
    data, schedule = _data(data, "train", events=_events(program)), schedule or Schedule()
    if not learns(program):
        raise CompileError("the artifact has no learning rule. Use: ff2loihi compile MODEL.pt --learning on")
    check_schedule(schedule)
    check_events(data, program)
    check_data(program.network, data)
    choices.check("--backend", backend, choices.Backend)
    if rounding not in get_args(choices.Rounding) or (backend != "emulator" and rounding != "lava"):
        raise FF2LoihiError(f"--rounding must be lava, or chip on the emulator, got {rounding!r}")
    if rounding == "chip" and program.network.library:
        raise FF2LoihiError("--rounding chip has no meaning for library neurons: their updates are never rounded")
    if rounding == "chip" and program.network.update.eligibility == "tag":
        raise FF2LoihiError("--rounding chip has no form for tags yet. Use --rounding lava, or --eligibility none")
    facts = identity(program, data, schedule, rounding, backend, held_out)
    with ExitStack() as stack:
        if backend == "emulator":
            learner = emulator_learner(program.network, on_chip=rounding == "chip")
        else:
            learner = stack.enter_context((lava_learner if backend == "lava" else board_learner)(program.network))
        run = Run(program, data, schedule, learner, hooks or Hooks(), checkpoint, facts, held_out)
        if resume:
            run.resume()
        return run.go()


def analyze(
    source: Checkpoint | AnyProgram, data: Dataset, probe_data: Dataset, calibration: Dataset | None = None,
    layers: tuple[str, ...] | None = None, unseen: int | None = None, note: Callable[[str], None] = lambda text: None,
    workers: int | None = None,
):  # fmt: skip
    """ff2loihi.analysis.analyze.analyze, whose libraries (scikit-learn, matplotlib) no other command waits for."""
    from ff2loihi.analysis import analyze

    return analyze.analyze(source, data, probe_data, calibration, layers, unseen, note, workers)


def report(
    models: Mapping[str, Checkpoint | AnyProgram], data: AnyData, command: str = "",
    note: Callable[[str], None] = lambda text: None,
) -> "Page":  # fmt: skip
    """Names -> checkpoints and programs, side by side on one HTML page; `data`, of a name its test split.

    command, note: see ff2loihi.page.page.page. Raises FF2LoihiError.
    """
    from ff2loihi.page.page import page  # and with it jinja2 and scikit-learn

    events = shared({name: source.network.events for name, source in models.items() if isinstance(source, Program)})
    return page(models, _data(data, "test", events=events), command, note)


def compare(
    model: "Model", program: AnyProgram, data: AnyData, spec: pipeline.GivenSpec | None = None,
    calibration: Dataset | None = None,
):  # fmt: skip
    """ff2loihi.analysis.comparison.compare of a checkpoint, its file or a live net, layer by layer.

    data: of a name its test split. calibration: the images that the program was compiled with, where their norm was
    folded. Raises FF2LoihiError.
    """
    from ff2loihi.analysis import comparison

    checkpoint = _checkpoint(model, spec)
    if learns(program):
        raise FF2LoihiError("compare takes a network that classifies: one that learns has no float net beside it")
    data = _data(data, "test")
    _check_labels(program, data)
    return comparison.compare(checkpoint, program, data, calibration)


def sweep(
    space: Path | str | Mapping, output: Path | str, workers: int = 1, scheduler: str | None = None,
    part: str | None = None, data_root: Path | None = None, hooks: "SweepHooks | None" = None, device: str = "cpu",
    cluster: Path | str | None = None,
) -> "SweepReport":  # fmt: skip
    """Run those trials of a space, a YAML file or a dict, that the folder `output` holds no result of; their report.

    workers: processes on this machine; in their place scheduler: the address of dask's, or cluster: a YAML file for
    dask-jobqueue, which starts one and its workers; part: I/N, each N-th trial from the I-th on; device: cuda: trials
    whose networks share a shape learn at once on a GPU. Raises FF2LoihiError.
    """
    from ff2loihi.sweeps import run

    jobs = None if cluster is None else Path(cluster)
    return run.sweep(space, Path(output), workers, scheduler, part, data_root, hooks, device, jobs)


def dry_run(
    program: AnyProgram, folder: Path | str, data: AnyData, progress: SampleProgress | None = None
) -> list[str]:
    """Write everything that a machine with a Loihi 2 board needs into a new folder; what its owner should know.

    data: of a name its test split; all of it is shown to the board, every state of it is kept: digits:5 is enough.
    Raises FF2LoihiError.
    """
    from ff2loihi.deployment import folder as deployment  # and with it h5py

    return deployment.write(Path(folder), program, _data(data, "test", events=_events(program)), progress)


def diff_golden(folder: Path | str, recording: Path | str) -> EqualityReport:
    """A board's recording beside the golden vectors of a dry run's folder, or of that file. Raises DataError."""
    from ff2loihi.verification import golden

    path = Path(folder) / golden.FILE if Path(folder).is_dir() else Path(folder)
    wanted, found = golden.read(path, golden.GOLDEN), golden.read(Path(recording), golden.RECORDING)
    return golden.compare(wanted, found, str(recording))


def bench(
    program: AnyProgram, data: AnyData, lava_samples: int, repeats: int = 5, device: str = "cpu",
    progress: SampleProgress | None = None,
) -> SpeedReport | LearningSpeedReport:  # fmt: skip
    """Time both back ends on one artifact, Lava between two halves of the emulator's repeats.

    A learning network is timed as it learns: presentations of the emulator and of two forms of Lava's layers.
    """
    data = _data(data, "test", events=_events(program))
    check_events(data, program)
    if learns(program):
        check_data(program.network, data)
        if program.network.library:
            raise FF2LoihiError("bench compares the forms of --learning on; a network of library neurons has one")
        if device != "cpu":
            raise FF2LoihiError(f"--device {device}: a network learns on the CPU. Use --device cpu")
        if len(data.labels) < 2:
            raise DataError("--samples must be at least 2: the first one starts Lava")
        return learning_speed(program.network, data, lava_samples, repeats, progress)
    import torch  # noqa: F401  (as a process that classifies much has it: the emulator multiplies bytes in it)

    emulator = Emulator(device)
    emulator.run(program, data.images[: min(len(data.images), 256)])  # warm-up
    halves = (repeats + 1) // 2, repeats // 2
    speeds = [len(data.images) / emulator.run(program, data.images).seconds for _ in range(halves[0])]
    few = data.images[:lava_samples]
    slow = LavaCpu().run(program, few, progress=progress)
    speeds += [len(data.images) / emulator.run(program, data.images).seconds for _ in range(halves[1])]
    passes = len(program.network.pass_labels)
    lava_speed, ours = len(few) / slow.seconds, emulator.run(program, few)
    return SpeedReport(
        emulator_device=device,
        emulator_samples=len(data.images),
        emulator_samples_per_second=statistics.median(speeds),
        repeats=tuple(speeds),
        lava_samples=len(few),
        lava_samples_per_second=lava_speed,
        lava_ms_per_step=1000 * slow.seconds / (len(few) * passes * program.network.steps),
        ratio=statistics.median(speeds) / lava_speed,
        limit=inference_limit(program.network, few, ours),
        equal=equality_report(ours, slow).equal,
    )


def _events(program: AnyProgram) -> EventOptions | None:
    """How its artifact says that events become spikes."""
    return events_of(program.network.events)


def _check_labels(program: AnyProgram, data: Dataset) -> None:
    if data.labels.max() >= program.network.classes:
        raise DataError(
            f"{data.name}: labels reach {data.labels.max()}, the model has {program.network.classes} classes. "
            "Use the data set that the model was trained on"
        )

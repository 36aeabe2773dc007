"""One trial: train, compile, learn where that is asked for, and classify the validation split; no test image is read.

It computes in one thread, so that its result depends neither on the machine's cores nor on how many trials run beside
it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from threadpoolctl import threadpool_limits

from ff2loihi import __version__, api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.compilers.ir import AnyProgram, learns
from ff2loihi.data.datasets import Dataset
from ff2loihi.deployment.mapping import design
from ff2loihi.ff.recipes import train
from ff2loihi.ff.recipes.recipe import Trained
from ff2loihi.ff.train import evaluate
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.plans import schedule_for
from ff2loihi.measurement.activity import (
    counts,
    inference_activity,
    over_presentations,
    presentation_activity,
    summed,
)
from ff2loihi.measurement.deployed_activity import deployed_activity
from ff2loihi.measurement.library_activity import library_presentations
from ff2loihi.reports.energy import estimate
from ff2loihi.reports.events import Activity
from ff2loihi.sweeps.settings import Learn
from ff2loihi.sweeps.trial import Measured, Refused, Trial, content, splits

COUNTED = 20  # validation images whose events are counted for the estimate
Splits = tuple[Dataset, Dataset]  # what a trial learns from, and is judged on
Text = TypeVar("Text", bound=str | None)
_ALONE = threading.Lock()  # torch has one generator and one number of threads in a process


class Compiled(NamedTuple):
    """A trial's trained net and its program."""

    network: Trained
    program: AnyProgram


def run_trial(task: str) -> str:
    """The outcome of a trial, both as JSON: a worker anywhere can be asked for it.

    Raises FF2LoihiError where the worker has other images, or another ff2loihi.
    """
    trial, parts = read(task, {})
    with one_trial():
        return attempted(trial, lambda: finished(trial, compiled(trial, parts[0]), parts))


def read(task: str, kept: dict[str, Splits]) -> tuple[Trial, Splits]:
    """The trial and its images; kept: those that were read already, by their content."""
    trial = Trial.model_validate_json(task)
    if trial.version != __version__:
        raise FF2LoihiError(f"this worker has ff2loihi {__version__}, the sweep was started by {trial.version}")
    if trial.data_sha256 not in kept:
        parts = splits(trial.options.train.data, None if trial.data_root is None else Path(trial.data_root))
        if content(parts) != trial.data_sha256:
            name = parts[0].name
            raise DataError(f"{name}: the images here are not those that the sweep was started with. Copy them")
        kept[trial.data_sha256] = parts
    return trial, kept[trial.data_sha256]


def attempted(trial: Trial, attempt: Callable[[], Text]) -> Text | str:
    """What the attempt gives, or the outcome of a trial whose options are refused."""
    try:
        return attempt()
    except DataError:
        raise
    except FF2LoihiError as failure:
        return Refused(**_facts(trial), error=str(failure)).model_dump_json(exclude_none=True)


def compiled(trial: Trial, fit: Dataset) -> Compiled:
    """Train and compile. Raises FF2LoihiError where the options allow no such net."""
    options, asked = trial.options, trial.options.train
    widths = None if asked.widths is None else tuple(map(int, asked.widths.split("-")))
    network = train(
        asked.recipe, fit, widths=widths, epochs=asked.epochs, seed=options.seed, head=asked.head, bias=asked.bias,
        quick=asked.quick,
    )  # fmt: skip
    written = network.checkpoint()
    given = pipeline.live_checkpoint(written["tensors"], written["spec"])
    ours = replace(given, training=written["training"], spec_apart=False)
    return Compiled(network, api.compile(ours, _first(fit, pipeline.CALIBRATION_IMAGES), options.compile.options))


def schedule(trial: Trial, made: Compiled, fit: Dataset) -> Schedule:
    """How a trial that learns does so. Raises FF2LoihiError."""
    learn = trial.options.learn or Learn()
    given = learn.model_dump(include={"epochs", "negatives", "margin", "jitter", "revisit"})
    asked = {**given, "seed": trial.options.seed}
    return schedule_for(made.program, len(fit.labels), learn.plan, asked, learn.single)


def finished(trial: Trial, made: Compiled, parts: Splits) -> str:
    """The outcome of a compiled trial, which learns first where that is asked for."""
    learn = trial.options.learn
    if learn:
        program = api.learn(made.program, parts[0], schedule(trial, made, parts[0]), rounding=learn.rounding)
        made = made._replace(program=program)
    return measured(trial, made, parts[1])


def measured(trial: Trial, made: Compiled, validation: Dataset) -> str:
    """The outcome of a trial that is ready to be judged."""
    report = api.run(made.program, validation)
    return Measured(
        **_facts(trial),
        accuracy=report.accuracy, float_accuracy=evaluate(made.network, validation), samples=report.samples,
        **_cost(made.program, _first(validation, COUNTED)),
    ).model_dump_json(exclude_none=True)  # fmt: skip


def _facts(trial: Trial) -> dict:
    return {"trial": trial.hash, "version": __version__, "data_sha256": trial.data_sha256, "options": trial.options}


@contextmanager
def one_trial() -> Iterator[None]:
    """No other trial computes in this process, and this one in one thread."""
    with _ALONE:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                yield
        finally:
            torch.set_num_threads(before)


def _first(data: Dataset, count: int) -> Dataset:
    return replace(data, images=data.images[:count], labels=data.labels[:count])


def _cost(program: AnyProgram, images: Dataset) -> dict:
    found = design(program)
    if found.mapping is None or found.mapping.chips > found.board.count:
        return {}
    events = counts(_classifying(program, images, found.form), found.mapping)
    one = estimate(events, found.chip.generation, found.mapping.chips, found.board.count)
    cores, board = len(found.mapping.cores), found.board.name
    return {"cores": cores, "board": board, "energy_mj": one.band("chip"), "time_ms": one.band("time")}


def _classifying(program: AnyProgram, images: Dataset, form: BoardForm) -> Activity:
    """The events of a sample that is classified."""
    if not learns(program):
        one = inference_activity(program.network, Emulator().run(program, images.images), images.images)
        return deployed_activity(program.network, one, images.images) if form == "deployed" else one
    net = program.network
    if net.library:
        quiet, _ = library_presentations(net, images)
    else:
        quiet = over_presentations(presentation_activity(net, images.images), 1, 0)
    return summed((quiet, net.classes))

"""One trial: train, compile, learn where that is asked for, and classify the validation split; no test image is read.

It computes in one thread, so that its result depends neither on the machine's cores nor on how many trials run beside
it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

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
from ff2loihi.ff.train import evaluate
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
from ff2loihi.sweeps.settings import Learn, Settings
from ff2loihi.sweeps.trial import Measured, Refused, Trial, content, splits

COUNTED = 20  # validation images whose events are counted for the estimate
_ALONE = threading.Lock()  # torch has one generator and one number of threads in a process


def run_trial(task: str) -> str:
    """The outcome of a trial, both as JSON: a worker anywhere can be asked for it.

    Raises FF2LoihiError where the worker has other images, or another ff2loihi.
    """
    trial = Trial.model_validate_json(task)
    if trial.version != __version__:
        raise FF2LoihiError(f"this worker has ff2loihi {__version__}, the sweep was started by {trial.version}")
    parts = splits(trial.options.train.data, None if trial.data_root is None else Path(trial.data_root))
    if content(parts) != trial.data_sha256:
        raise DataError(f"{parts[0].name}: the images here are not those that the sweep was started with. Copy them")
    facts = {"trial": trial.hash, "version": __version__, "data_sha256": trial.data_sha256, "options": trial.options}
    with _ALONE, _one_thread():
        try:
            found = Measured(**facts, **_measured(trial.options, *parts))
        except DataError:
            raise
        except FF2LoihiError as failure:
            found = Refused(**facts, error=str(failure))
    return found.model_dump_json(exclude_none=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _measured(options: Settings, fit: Dataset, validation: Dataset) -> dict:
    asked = options.train
    widths = None if asked.widths is None else tuple(map(int, asked.widths.split("-")))
    network = train(
        asked.recipe, fit, widths=widths, epochs=asked.epochs, seed=options.seed, head=asked.head, bias=asked.bias,
        quick=asked.quick,
    )  # fmt: skip
    written = network.checkpoint()
    read = pipeline.live_checkpoint(written["tensors"], written["spec"])
    few = _first(fit, pipeline.CALIBRATION_IMAGES)
    ours = replace(read, training=written["training"], spec_apart=False)
    program = api.compile(ours, few, options.compile.options)
    if options.learn:
        program = _learned(program, fit, options.learn, options.seed)
    report = api.run(program, validation)
    return {
        "accuracy": report.accuracy,
        "float_accuracy": evaluate(network, validation),
        "samples": report.samples,
        **_cost(program, _first(validation, COUNTED)),
    }


def _first(data: Dataset, count: int) -> Dataset:
    return replace(data, images=data.images[:count], labels=data.labels[:count])


def _learned(program: AnyProgram, fit: Dataset, learn: Learn, seed: int) -> AnyProgram:
    asked = {**learn.model_dump(include={"epochs", "negatives", "margin", "jitter"}), "seed": seed}
    schedule = schedule_for(program, len(fit.labels), learn.plan, asked, learn.single)
    return api.learn(program, fit, schedule, rounding=learn.rounding)


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

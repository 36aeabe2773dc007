"""Trials in this process, of which those whose networks share a shape learn at once on a device."""

from collections.abc import Generator, Sequence
from functools import partial

from ff2loihi.backends.gpu.device import Device
from ff2loihi.backends.gpu.group import fits, shape
from ff2loihi.compilers.ir import Program, learns
from ff2loihi.learning.controller import check_schedule
from ff2loihi.learning.together import Job, learn_together
from ff2loihi.sweeps import execution
from ff2loihi.sweeps.execution import Compiled, Splits
from ff2loihi.sweeps.trial import Trial

Lanes = dict[tuple[int, ...], list[tuple[Trial, Compiled, Job]]]  # by their networks' shape


def outcomes(tasks: Sequence[str], device: Device) -> Generator[str]:
    """The outcomes, as JSON, as they come: those that `execution.run_trial` gives. Raises FF2LoihiError."""
    kept: dict[str, Splits] = {}
    for begin in range(0, len(tasks), device.most):
        lanes: Lanes = {}
        for task in tasks[begin : begin + device.most]:
            trial, parts = execution.read(task, kept)
            with execution.one_trial():
                found = execution.attempted(trial, partial(_ready, trial, parts, lanes))
            if found is not None:
                yield found
        for group in lanes.values():
            learned = learn_together([job for _, _, job in group], device)
            for (trial, made, _), program in zip(group, learned, strict=True):
                with execution.one_trial():
                    found = execution.attempted(trial, partial(_judged, trial, made, program, kept[trial.data_sha256]))
                yield found


def _ready(trial: Trial, parts: Splits, lanes: Lanes) -> str | None:
    """Put a trial among those that learn together, or give its outcome where it cannot."""
    made, learn = execution.compiled(trial, parts[0]), trial.options.learn
    if not learn or not learns(made.program) or not fits(made.program.network, learn.rounding):
        return execution.finished(trial, made, parts)
    job = Job(made.program, parts[0], execution.schedule(trial, made, parts[0]))
    check_schedule(job.schedule)
    lanes.setdefault(shape(made.program.network), []).append((trial, made, job))
    return None


def _judged(trial: Trial, made: Compiled, program: Program, parts: Splits) -> str:
    return execution.measured(trial, made._replace(program=program), parts[1])

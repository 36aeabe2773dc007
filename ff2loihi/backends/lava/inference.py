"""Lava's fixed-point CPU simulator: one runtime for many samples, in a child process that cannot outlive us.

This module does not import Lava; the child does (lava_worker).
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ff2loihi.backends import classification, classification_states
from ff2loihi.backends.base import SampleProgress, Trace, check_pixels, host_sums, joined, make_trace
from ff2loihi.backends.lava.child import PATIENCE, Child, require_lava
from ff2loihi.backends.select import lava_learner
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference.integer_forward import Result
from ff2loihi.compilers.inference.library_form import obstacles, soft_unit
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program
from ff2loihi.processes.host_io.rows import cut
from ff2loihi.workers import spread


class LavaCpu:
    """Lava's processes with select_tag fixed_pt; see graphs.inference for the graph."""

    name = "lava"

    def __init__(self, patience: float = PATIENCE, library: bool = False, workers: int = 1) -> None:
        """library: to classify, library processes alone: see graphs.library_inference.

        workers: processes that share the samples, each with a Lava of its own.
        """
        require_lava()
        self.patience, self.library, self.workers = patience, library, workers

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: SampleProgress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8, step by step. Raises DataError, CompileError or BackendError."""
        check_pixels(program.network, pixels)
        if self.library:
            _check_library(program.network)
        job = Job(program, pixels, 0, states, self.library, self.patience)
        shares = min(self.workers, len(pixels))
        return _shared(job, shares, progress) if shares > 1 else run_job(job, progress)


class Job(NamedTuple):
    """What one Lava runs. first: the number of the first of `pixels` in the whole run; the others: see LavaCpu."""

    program: Program
    pixels: np.ndarray
    first: int
    states: bool
    library: bool
    patience: float


def _shared(job: Job, workers: int, progress: SampleProgress | None) -> Trace:
    """As many samples to each worker, one more to the first ones."""
    jobs: list[Job] = []
    for pixels in np.array_split(job.pixels, workers):
        jobs.append(job._replace(pixels=pixels, first=sum(len(one.pixels) for one in jobs)))

    def told(done: int, total: int) -> None:
        if progress:
            progress(len(job.pixels) * done // total, len(job.pixels))

    return joined(list(spread(run_job, jobs, workers, _named, told)))


def _named(job: Job) -> str:
    return f"the run of samples {job.first} to {job.first + len(job.pixels) - 1}"


def run_job(job: Job, progress: SampleProgress | None = None) -> Trace:
    """Raises CompileError or BackendError."""
    network, pixels = job.program.network, job.pixels
    if isinstance(network, LearningNetwork) and not job.library:
        with lava_learner(network, patience=job.patience) as learner:
            return classification.classify(LavaCpu.name, network, learner, pixels, progress, job.first)
    with tempfile.TemporaryDirectory(prefix="ff2loihi-lava-") as name:
        folder = Path(name)
        artifact.write(job.program, folder / "job.ffl")
        np.save(folder / "pixels.npy", pixels)
        options = {"states": job.states, "library": job.library, "first": job.first}
        (folder / "job.json").write_text(json.dumps(options), encoding="utf-8")
        with Child("ff2loihi.backends.lava.worker", folder, job.patience) as child:
            child.follow("done", lambda line: _report(line, len(pixels), progress))
            timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
            rows = list(_recorded(folder, len(pixels)))
    if isinstance(network, LearningNetwork):
        return _learned(LavaCpu.name, network, rows, len(pixels), timing["run"])
    return make_trace(LavaCpu.name, network, _result(network, rows, len(pixels), job.states), timing["run"])


@dataclass(frozen=True)
class _Rows:
    """values: a row a time step, of which each pass's first is `first` behind its first input; see host_io.rows."""

    name: str
    values: np.ndarray
    first: int
    passes: int
    period: int
    stride: int

    def window(self, steps: int) -> np.ndarray:
        """(passes, steps, n)."""
        return cut(self.values, self.passes, self.period, steps, self.first, self.stride)


def _recorded(folder: Path, samples: int) -> Iterator[_Rows]:
    facts = json.loads((folder / "recordings.json").read_text(encoding="utf-8"))
    when = samples * facts["labels"], facts["period"], facts["stride"]
    for name, file, delay in facts["recordings"]:
        yield _Rows(name, np.load(folder / file), delay, *when)


def _check_library(network: IntNetwork | LearningNetwork) -> None:
    """Raise CompileError with everything in the network that no library process computes."""
    wrong = obstacles(network)
    if wrong:
        raise CompileError(f"no library process computes this network: {'; '.join(wrong)}")


def _report(line: str, samples: int, progress: SampleProgress | None) -> None:
    if progress and line.startswith("progress "):
        progress(int(line.split()[1]), samples)


def _learned(name: str, network: LearningNetwork, recorded: list[_Rows], samples: int, seconds: float) -> Trace:
    """The recordings of a network that learns, cut into samples and labels, with r of its spikes."""
    shape = (samples, network.classes, network.steps, -1)
    states = {rows.name: rows.window(network.steps).reshape(shape).astype(np.int64) for rows in recorded}
    states = classification_states.with_traces(network, states)
    return classification.make_trace(name, network, classification_states.sums(network, states), states, seconds)


def _result(network: IntNetwork, recorded: list[_Rows], samples: int, kept: bool) -> Result:
    """The recordings, cut into samples and labels; kept: the states of neurons are wanted."""
    labels = len(network.pass_labels)
    steps = network.steps
    sums, head, spikes, states = [], {}, [], {}
    for rows in recorded:
        name = rows.name
        if name.endswith(".g"):
            totals = rows.window(1).reshape(samples, labels, -1)
            sums.append(totals[..., :-1].reshape(samples, labels, -1, network.goodness_parts))
            spikes.append(totals[..., -1])
            continue
        window = rows.window(steps)
        if name.endswith(".s"):
            if network.neuron == "lif":
                window = window != 0
            counts = window.cumsum(1).reshape(samples, labels, steps, -1)
            sums.append(host_sums(network, name.removesuffix(".s"), counts[:, :, -1]))
            spikes.append(np.count_nonzero(window, axis=(1, 2)).reshape(samples, labels))
            if kept:
                states[name[:-1] + ("h" if network.neuron == "graded" else "r")] = (
                    counts[:, :, 0] if network.neuron == "graded" else counts
                )
            continue
        if name.startswith("head."):
            head[int(name.removeprefix("head."))] = window.sum(1).astype(np.int64)
            continue
        window = window.reshape(samples, labels, steps, -1)
        states[name] = (window[:, :, 0] if network.neuron == "graded" else window).astype(np.int64)
    for layer in network.layers:
        if f"{layer.name}.x" in states:
            spikes_of = np.diff(states[f"{layer.name}.r"], axis=2, prepend=0)
            states[f"{layer.name}.v"] = soft_unit(layer).v(states.pop(f"{layer.name}.x"), spikes_of)
    return Result(
        sums=np.stack(sums, axis=2).astype(np.int64),
        head=np.stack([head[i] for i in sorted(head)], axis=1) if head else None,
        spikes=np.stack(spikes, axis=2).astype(np.int64),
        states=states,
    )

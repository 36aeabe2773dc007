"""A run: epochs over a data set, checkpoints, warnings, and the learned artifact at its end."""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ff2loihi.backends.base import SampleLearner
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning.weight_grid import held, saturated
from ff2loihi.data.datasets import Dataset
from ff2loihi.learning import snapshots
from ff2loihi.learning import state as run_state
from ff2loihi.learning.controller import FAR, Controller, Schedule

HEALTH_EVERY = 1000  # samples between two looks at silent neurons and saturated weights
UNHEALTHY = 0.9  # share of a layer's neurons, or weights, from which a warning is due; half of them silent is sparse
CHECKPOINT_SECONDS = 30.0
BLOCK_SECONDS = 0.25  # that samples are learned in one call at best: so long a signal waits
Look = Callable[[int, int, int | None, Callable[[], list[np.ndarray]]], None]
STARTS = "compiling kernels, a minute the first time"


@dataclass(frozen=True)
class Hooks:
    """What a run tells: progress(done, total, note), epoch(entry), warn(text); resumed(log lines) where it goes on.

    weights(epoch, of each layer): as the back end has them when an epoch ends. look(done, seen, right, weights): some
    times a second, the samples of the run, of this epoch, and those of its that were classified rightly, None where
    nothing asks; weights() are the layers' by then.
    """

    progress: Callable[[int, int, str], None] = lambda done, total, note: None
    epoch: Callable[[dict], None] = lambda entry: None
    resumed: Callable[[list[str]], None] = lambda lines: None
    warn: Callable[[str], None] = lambda text: None
    weights: Callable[[int, list[np.ndarray]], None] | None = None
    look: Look | None = None


def identity(
    program: Program, data: Dataset, schedule: Schedule, rounding: str, backend: str, held_out: Dataset | None
) -> dict:
    """What two runs must share for one to continue the other."""
    return {
        "artifact": artifact.to_bytes(program)[1][:16],
        "data": data.content,
        "held_out": held_out and held_out.content,
        "rounding": rounding,
        "backend": backend,
        **schedule.facts,
    }


def check_data(network: LearningNetwork, data: Dataset) -> None:
    """Raise DataError where the images or labels do not fit the network."""
    if data.images.shape[1] != network.row:
        raise DataError(
            f"{data.name}: images of {data.inputs} pixels, the model takes {network.pixels}. "
            "Use the data set that the model was made for"
        )
    if data.labels.min() < 0 or data.labels.max() >= network.classes:
        raise DataError(
            f"{data.name}: labels {data.labels.min()}..{data.labels.max()}, the model has {network.classes} classes"
        )


class Run:
    """Learns `data` with a Schedule on a back end; call `go`.

    file: where checkpoints are written, None for none. facts: the run's identity, see `identity`.
    held_out: classified after each epoch, by the emulator, with the weights that an artifact would get.
    """

    def __init__(
        self, program: Program, data: Dataset, schedule: Schedule, backend: SampleLearner, hooks: Hooks = Hooks(),
        file: Path | None = None, facts: dict | None = None, held_out: Dataset | None = None,
    ) -> None:  # fmt: skip
        for images in filter(None, (data, held_out)):
            check_data(program.network, images)
        if schedule.jitter and data.events:
            raise DataError(f"--jitter: moves images, {data.name} is events. Leave it out")
        if schedule.jitter and math.prod(data.shape) != data.images.shape[1]:
            raise DataError(f"--jitter: {data.name}: images of {data.images.shape[1]} values are not square")
        self.program, self.data, self.schedule, self.hooks = program, data, schedule, hooks
        self.backend, self.file, self.facts, self.held_out = backend, file, facts or {}, held_out
        self.controller = Controller(program.network, backend, schedule, data.shape)
        self.epoch, self.position, self.order = 0, 0, np.zeros(0, np.int64)
        self.due = np.zeros(len(data.labels), np.int64)  # the epoch from which on each image is asked for again
        self.log: list[dict] = []
        self.moments = snapshots.moments(len(data.labels) * schedule.epochs)  # at which weights are kept
        first = snapshots.taken(program.network, program.network.layers[0].weight, data.shape)
        self.snapshots = np.zeros((len(self.moments), *first.shape), np.int8)
        self.unseen = 0  # samples since the last look at neurons and weights
        self.pace = 1  # samples in a call
        self.warned: set[tuple[str, str]] = set()  # (layer, what): once a run

    def resume(self) -> None:
        """Continue from the checkpoint. Raises CheckpointMismatch."""
        if self.file is None:
            raise ValueError("a run without a file has nothing to continue")
        samples, fresh = len(self.data.labels), self._arrays()
        saved, learner = run_state.read(self.file, self.facts, samples, self.schedule.epochs, fresh)
        self.epoch, self.position, self.order, self.log = saved.epoch, saved.position, saved.order, saved.log
        self.controller.rng.bit_generator.state = saved.rng
        self.controller.seen, self.controller.learned, self.controller.right = saved.counts
        self.due = saved.due
        self.snapshots = learner.pop("snapshots")
        self.backend.restore(learner)
        self.hooks.resumed([json.dumps(entry, sort_keys=True) for entry in self.log])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.file is None:
            return
        c = self.controller
        state = run_state.RunState(
            self.epoch,
            self.position,
            self.order,
            c.rng.bit_generator.state,
            (c.seen, c.learned, c.right),
            self.log,
            self.due,
        )
        run_state.write(self.file, self.facts, state, self._arrays())

    def _arrays(self) -> dict[str, np.ndarray]:
        """What is learned, and the snapshots of it so far."""
        return {**self.backend.state(), "snapshots": self.snapshots}

    def go(self) -> Program:
        """Run to the end: the learned program, its weights rounded to the chip's even grid."""
        samples, c = len(self.data.labels), self.controller
        total = samples * self.schedule.epochs
        last, noted = time.monotonic(), ""
        self.hooks.progress(self.epoch * samples + self.position, total, STARTS)
        while self.epoch < self.schedule.epochs:
            if not self.position:
                self.order = c.rng.permutation(samples)
                c.seen = c.learned = c.right = 0
            while self.position < samples:
                done = self.epoch * samples + self.position
                self._keep(done)
                c.set_rate(done / total)
                block = self.order[self.position : self.position + self._block(done, total)]
                began = time.monotonic()
                self._learn(block)
                fitting = int(BLOCK_SECONDS * len(block) / max(time.monotonic() - began, 1e-6))
                self.pace = max(1, min(10 * self.pace, fitting))
                done, self.position = done + len(block), self.position + len(block)
                if self.unseen == HEALTH_EVERY:
                    noted = self._look(done)
                self.hooks.progress(done, total, noted)
                if self.hooks.look:
                    self.hooks.look(done, c.seen, c.right if c.scored else None, lambda: self.backend.weights)
                if time.monotonic() - last > CHECKPOINT_SECONDS and self.position < samples:
                    self.save()
                    last = time.monotonic()
            entry = self._finish_epoch()
            self.save()  # before its log: where one of the two cannot be written, the state is kept
            self.hooks.epoch(entry)
            if self.hooks.weights:
                self.hooks.weights(self.epoch, self.backend.weights)
        self._keep(total)
        return self._program()

    def _keep(self, done: int) -> None:
        """The first layer's weights, where it is one of the moments."""
        if done in self.moments:
            found = snapshots.taken(self.program.network, self.backend.weights[0], self.data.shape)
            self.snapshots[self.moments.index(done)] = found

    def _learn(self, block: np.ndarray) -> None:
        """Those images of the block that are asked for in this epoch."""
        plan, asked = self.schedule, block[self.due[block] <= self.epoch]
        if not len(asked):
            return
        leads = self.controller.learn(self.data.images[asked], self.data.labels[asked])
        self.unseen += len(asked)
        if plan.revisit and plan.margin:
            self.due[asked] = np.where(leads > FAR * plan.margin, self.epoch + 1 + plan.revisit, 0)

    def _block(self, done: int, total: int) -> int:
        """How many samples are learned in one call: at one rate, and up to the next look at the network's health or
        snapshot of its weights."""
        part = self.controller.part
        kept = next(moment for moment in self.moments if moment > done) - done
        most = min(self.pace, HEALTH_EVERY - self.unseen, kept, len(self.data.labels) - self.position)
        return next(n for n in range(most, 0, -1) if part((done + n - 1) / total) == part(done / total))

    def _finish_epoch(self) -> dict:
        c, p = self.controller, self.backend
        entry = {
            "epoch": self.epoch + 1,
            "samples": c.seen,
            "learned": c.learned / c.seen if c.seen else 0.0,
            "online_accuracy": c.right / c.seen if c.scored and c.seen else None,
            "exponent": p.exponent,
            "halve": p.trace_shift,
            "saturated": self._saturated(),
        }
        if self.schedule.revisit:
            left_out = len(self.data.labels) - c.seen
            entry |= {"left_out": left_out, "spared": left_out * self.program.network.classes}
        if self.held_out is not None:
            found = Emulator().run(self._program(), self.held_out.images).predictions
            entry["held_out_accuracy"] = float((found == self.held_out.labels).mean())
        self.log.append(entry)
        self.epoch, self.position = self.epoch + 1, 0
        return entry

    def _saturated(self) -> list[float]:
        return [saturated(weight) for weight in self.backend.weights]

    def _look(self, step: int) -> str:
        self.unseen = 0
        names = [layer.name for layer in self.program.network.layers]
        for name, silent, full in zip(names, self.backend.silent(), self._saturated(), strict=True):
            if silent > UNHEALTHY:
                self._warn(
                    (name, "silent"), step,
                    f"{name}: {silent:.0%} of the neurons were silent over the last {HEALTH_EVERY:,} samples. Compile "
                    "with a larger --rate-exponent or --input-factor",
                )  # fmt: skip
            if full > UNHEALTHY:
                self._warn(
                    (name, "saturated"), step,
                    f"{name}: {full:.0%} of the weights are saturated. Compile with a larger --rate-exponent",
                )  # fmt: skip
        c = self.controller
        return f"online {c.right / c.seen:.2%}" if c.scored else ""

    def _warn(self, what: tuple[str, str], step: int, text: str) -> None:
        if what not in self.warned:
            self.warned.add(what)
            self.hooks.warn(f"sample {step:,}: {text}")

    def _program(self) -> Program:
        layers = tuple(
            dataclasses.replace(layer, weight=held(weight, layer))
            for layer, weight in zip(self.program.network.layers, self.backend.weights, strict=True)
        )
        learned = {
            "schedule": self.schedule.facts,
            "data": f"{self.data.name} {self.data.split}",
            **({"data_sha256": self.data.sha256} if self.data.sha256 else {}),
            "samples": sum(entry["samples"] for entry in self.log),
            "log": self.log,
            "snapshots": snapshots.facts(self.program.network, self.moments, self.snapshots),
        }
        provenance = {**self.program.provenance, "learned": [*self.program.provenance.get("learned", []), learned]}
        return Program(dataclasses.replace(self.program.network, layers=layers), (), provenance)

"""The steps of a training, from where its kept state stands, and the file that keeps it.

A resumed training ends with the same bytes as an unbroken one on the same machine and number of threads.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ff2loihi import state_file
from ff2loihi.compilers.artifact.manifest import Count
from ff2loihi.compilers.errors import brief, together
from ff2loihi.compilers.files import LIMIT
from ff2loihi.state_file import CheckpointMismatch

KEEP_SECONDS = 30.0  # between two writes of the state
MOMENTS = ("exp_avg", "exp_avg_sq")  # of Adam, for each parameter
StageName = Literal["network", "head"]


class Steps:
    """Steps of Adam, over epochs of the samples, each in an order of its own.

    name: the network's, or the head's behind it; steps: of an epoch, the batches of `batch` samples that it takes;
    falling: of the rate, once in `falls_each` steps; extra: tensors that change without the optimizer.
    """

    def __init__(
        self, name: StageName, samples: int, batch: int, steps: int, epochs: int, generator: torch.Generator,
        optimizer: torch.optim.Adam, falling: torch.optim.lr_scheduler.CosineAnnealingLR | None, falls_each: int = 1,
        extra: tuple[Tensor, ...] = (),
    ) -> None:  # fmt: skip
        self.name: StageName = name
        self.samples, self.batch, self.steps, self.total = samples, batch, steps, steps * epochs
        self.generator, self.optimizer, self.falling, self.falls_each = generator, optimizer, falling, falls_each
        self.parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.tensors = {f"{name}.{index}": tensor for index, tensor in enumerate((*self.parameters, *extra))}
        self.done, self.order = 0, torch.arange(samples)

    def walk(self, kept: "Kept | None") -> Iterator[tuple[int, Tensor]]:
        """(steps done with this one, its samples' places): the caller takes the step before it asks for the next."""
        if kept:
            kept.enter(self)
        while self.done < self.total:
            first = self.done % self.steps * self.batch
            if not first:
                self.order = torch.randperm(self.samples, generator=self.generator)
            self.done += 1
            yield self.done, self.order[first : first + self.batch]
            if self.falling and self.done % self.falls_each == 0:
                self.falling.step()
            if kept:
                kept.keep(self)

    def state(self) -> dict[str, Tensor]:
        """What changes from step to step, beside `tensors` and the rates; Adam's moments start at 0."""
        moments = {
            f"{key}.{index}": self.optimizer.state[weight].get(key, torch.zeros_like(weight))
            for index, weight in enumerate(self.parameters)
            for key in MOMENTS
        }
        return {**moments, "order": self.order, "generator": self.generator.get_state()}

    def rates(self) -> list[float]:
        """Adam's, of each group of parameters."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def restore(self, done: int, rates: list[float], state: dict[str, Tensor]) -> None:
        """Stand where `state` was taken. Raises RuntimeError for what is no generator's state."""
        self.generator.set_state(state["generator"])
        self.done, self.order = done, state["order"]
        groups = self.optimizer.state_dict()["param_groups"]
        moments = {
            index: {"step": torch.tensor(float(done)), **{key: state[f"{key}.{index}"] for key in MOMENTS}}
            for index in range(len(self.parameters))
        }
        now = [{**group, "lr": rate} for group, rate in zip(groups, rates, strict=True)]
        self.optimizer.load_state_dict({"state": moments, "param_groups": now})
        if self.falling:
            falls = done // self.falls_each
            self.falling.load_state_dict({"last_epoch": falls, "_step_count": falls + 1, "_last_lr": rates})


class _Facts(state_file.Facts):
    stage: StageName
    done: Count
    rates: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]


class Kept:
    """The file that keeps a training's state. identity: what two trainings must share for one to continue the other.

    resume: the file is read, and steps that enter stand where they stood when it was written.
    Raises CheckpointMismatch.
    """

    def __init__(self, file: Path, identity: dict, resume: bool) -> None:
        self.file, self.identity = file, identity
        self.tensors: dict[str, Tensor] = {}  # of all steps so far
        self.written = time.monotonic()
        self.facts: _Facts | None = None  # of a state that no steps have gone on from yet
        self.saved: dict[str, np.ndarray] = {}
        if resume:  # a training's state is three times its network
            self.facts, _, self.saved = state_file.read(file, identity, _Facts, 4 * LIMIT)

    def enter(self, steps: Steps) -> None:
        """Take steps to where the file says they were: their end, where the file is of later ones."""
        self.tensors |= steps.tensors
        if self.facts is None:
            return
        found, here = self.facts, self.facts.stage == steps.name
        fresh = _arrays({**self.tensors, **(steps.state() if here else {})})
        wrong = [*_foreign(self.saved, fresh, here), *(_misplaced(found, self.saved, steps) if here else ())]
        if wrong:
            self.refuse(together(wrong))
        saved = {name: torch.tensor(self.saved[name]) for name in fresh}
        with torch.no_grad():
            for name, tensor in steps.tensors.items():
                tensor.copy_(saved[name])
        steps.done = steps.total
        if here:
            try:
                steps.restore(found.done, list(found.rates), saved)
            except RuntimeError:
                self.refuse("no state of a generator")
            self.facts = None

    def keep(self, steps: Steps) -> None:
        """Write the file where it is due."""
        if time.monotonic() - self.written < KEEP_SECONDS:
            return
        facts = {"stage": steps.name, "done": steps.done, "rates": steps.rates()}
        state_file.write(self.file, self.identity, facts, _arrays(self.tensors | steps.state()))
        self.written = time.monotonic()

    def finish(self) -> None:
        """Raise CheckpointMismatch where the state that was read belongs to no steps of this training."""
        if self.facts:
            self.refuse(f"{self.facts.stage} {self.facts.done} steps")

    def refuse(self, wrong: str) -> None:
        raise CheckpointMismatch(f"{self.file}: not the state of such a run: {wrong}. Remove it to start anew")


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _misplaced(facts: _Facts, saved: dict[str, np.ndarray], steps: Steps) -> Iterator[str]:
    """Where such steps never stand."""
    if not 0 < facts.done <= steps.total:
        yield f"step {facts.done} of {steps.total}"
    highest = steps.rates()
    if len(facts.rates) != len(highest) or any(rate > most for rate, most in zip(facts.rates, highest, strict=False)):
        yield f"rates {brief(str(list(facts.rates)))}, at most {highest} are possible"
    if "order" in saved and not np.array_equal(np.sort(saved["order"], axis=None), np.arange(steps.samples)):
        yield f"an order, in which each of {steps.samples} samples must be there once"


def _foreign(saved: dict[str, np.ndarray], fresh: dict[str, np.ndarray], alone: bool) -> Iterator[str]:
    """What such a training does not hold. alone: `fresh` is all of it."""
    for name in sorted(set(fresh) - set(saved)):
        yield f"{name} is not there"
    for name in sorted(set(saved) - set(fresh)) if alone else ():
        yield f"{brief(name)} belongs to nothing"
    for name in sorted(set(saved) & set(fresh)):
        found, wanted = saved[name], fresh[name]
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            yield f"{name} holds {found.dtype} {found.shape}, {wanted.dtype} {wanted.shape} is wanted"
        elif not np.isfinite(found).all():
            yield f"{name} holds values that are not finite"

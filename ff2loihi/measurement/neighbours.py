"""The presentations of `bench` as people compute them elsewhere, on one core, and whether the weights are the same."""

import subprocess
from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import rates
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement import brian2_form
from ff2loihi.measurement.presented import present, shown
from ff2loihi.processes.fixed_point import rate_code
from ff2loihi.processes.learning_rule import RATE_ONE

DENSE, EVENTS = 50, 1000  # presentations, at most, that a dense loop and one over events are timed on


@dataclass(frozen=True)
class Neighbour:
    """Presentations a second, None where it was not run; note: why. equal: whether its weights are the emulator's."""

    name: str
    presentations: int
    per_second: float | None
    equal: bool | None
    note: str | None = None


def neighbours(network: LearningNetwork, data: Dataset) -> tuple[Neighbour, ...]:
    """A dense loop in torch, and Brian2 where it is installed, on the first samples of `data`."""
    return _torch(network, data), _brian2(network, data)


def _torch(network: LearningNetwork, data: Dataset) -> Neighbour:
    name, count = "a dense loop in torch", min(DENSE, len(data.labels))
    if network.update.eligibility != "none":
        return Neighbour(name, 0, None, None, "written for no tags")
    import torch  # which takes longer than all that is timed here

    from ff2loihi.measurement.dense_torch import DenseTorch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        present(DenseTorch(network), data, 1)
        speed, weights = present(DenseTorch(network), data, count)
    finally:
        torch.set_num_threads(threads)
    return Neighbour(name, count, speed, _emulators(network, data, count, weights))


def _brian2(network: LearningNetwork, data: Dataset) -> Neighbour:
    name, count = "Brian2, C++ standalone", min(EVENTS, len(data.labels))
    if note := brian2_form.missing(network):
        return Neighbour(name, 0, None, None, note)
    from ff2loihi.backends.emulator.presentation import Draws, draw  # and with it numba

    draws, samples, drawn = Draws.of(network.period, 0, np.zeros(1, np.uint64)), [], []
    for image, phases, label in shown(network, data, count):
        q = np.concatenate([rates(network, image).astype(np.int64), network.label_codes[label]])
        starts = np.concatenate([phases, network.label_phases])
        samples.append(np.stack(list(rate_code(starts, q, RATE_ONE, network.steps))))
        draw(draws)
        drawn.append((draws.u.copy(), draws.traces.copy()))
    u, traces = (np.array(kind) for kind in zip(*drawn, strict=True))
    try:
        seconds, weights = brian2_form.present(network, np.array(samples), u, traces)
    except (OSError, RuntimeError, subprocess.SubprocessError) as failure:
        return Neighbour(name, 0, None, None, f"failed: {failure}")
    return Neighbour(name, count, count / seconds, _emulators(network, data, count, weights))


def _emulators(network: LearningNetwork, data: Dataset, count: int, weights: list[np.ndarray]) -> bool:
    """Whether the emulator ends with these weights."""
    _, ours = present(emulator_learner(network), data, count)
    return all((a == b).all() for a, b in zip(ours, weights, strict=True))

"""The presentations of `bench` as people compute them elsewhere, on one core, and whether the weights are the same."""

import subprocess
from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import input_spikes, rates
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement import bindsnet_form, brian2_form
from ff2loihi.measurement.presented import present, shown
from ff2loihi.threads import torch_threads

DENSE, EVENTS = 50, 1000  # presentations, at most, that a dense loop and one over events are timed on


@dataclass(frozen=True)
class Neighbour:
    """Presentations a second, None where it was not run; note: why. equal: whether its weights are the emulator's, None
    of another rule.
    """

    name: str
    presentations: int
    per_second: float | None
    equal: bool | None
    note: str | None = None


def neighbours(network: LearningNetwork, data: Dataset) -> tuple[Neighbour, ...]:
    """A dense loop in torch, and Brian2 and BindsNET where they are installed, on the first samples of `data`."""
    return _torch(network, data), _brian2(network, data), _bindsnet(network, data)


def _torch(network: LearningNetwork, data: Dataset) -> Neighbour:
    name, count = "a dense loop in torch", min(DENSE, len(data.labels))
    if network.update.eligibility != "none":
        return Neighbour(name, 0, None, None, "written for no tags")
    from ff2loihi.measurement.dense_torch import DenseTorch  # and with it torch, which takes longer than what is timed

    with torch_threads(1):
        present(DenseTorch(network), data, 1)
        speed, weights = present(DenseTorch(network), data, count)
    return Neighbour(name, count, speed, _emulators(network, data, count, weights))


def _brian2(network: LearningNetwork, data: Dataset) -> Neighbour:
    name, count = "Brian2, C++ standalone", min(EVENTS, len(data.labels))
    if note := brian2_form.missing(network):
        return Neighbour(name, 0, None, None, note)
    from ff2loihi.backends.emulator.presentation import Draws, draw  # and with it numba

    draws, drawn = Draws.of(network.period, 0, np.zeros(1, np.uint64)), []
    for _ in range(count):
        draw(draws)
        drawn.append((draws.u.copy(), draws.traces.copy()))
    u, traces = (np.array(kind) for kind in zip(*drawn, strict=True))
    try:
        seconds, weights = brian2_form.present(network, _spikes(network, data, count), u, traces)
    except subprocess.TimeoutExpired as failure:  # whose own words are the whole command
        return Neighbour(name, 0, None, None, f"failed: not done within {failure.timeout:,.0f} s")
    except (OSError, RuntimeError) as failure:
        return Neighbour(name, 0, None, None, f"failed: {failure}")
    return Neighbour(name, count, count / seconds, _emulators(network, data, count, weights))


def _bindsnet(network: LearningNetwork, data: Dataset) -> Neighbour:
    name, count = "BindsNET, MSTDP, which is another rule", min(DENSE, len(data.labels))
    if note := bindsnet_form.missing(network):
        return Neighbour(name, 0, None, None, note)
    spikes = _spikes(network, data, count)
    import torch  # noqa: F401  (loaded before its threads are counted)

    with torch_threads(1):
        bindsnet_form.present(network, spikes[:1])
        seconds, _ = bindsnet_form.present(network, spikes)
    return Neighbour(name, count, count / seconds, None)


def _spikes(network: LearningNetwork, data: Dataset, count: int) -> np.ndarray:
    """Of pixels and labels, (samples, steps, inputs) bool."""
    samples = shown(network, data, count)
    rows = (input_spikes(network, rates(network, image), phases, label) for image, phases, label in samples)
    return np.array(list(rows), bool)


def _emulators(network: LearningNetwork, data: Dataset, count: int, weights: list[np.ndarray]) -> bool:
    """Whether the emulator ends with these weights."""
    _, ours = present(emulator_learner(network), data, count)
    return all((a == b).all() for a, b in zip(ours, weights, strict=True))

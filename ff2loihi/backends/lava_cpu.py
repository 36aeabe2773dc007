"""Lava's fixed-point CPU simulator: one runtime for many samples, in a child process that cannot outlive us.

This module does not import Lava; the child does (lava_worker).
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from ff2loihi.backends.base import Progress, Trace, check_pixels, make_trace
from ff2loihi.backends.lava_child import PATIENCE, Child, require_lava
from ff2loihi.backends.learned import classify
from ff2loihi.backends.learners import lava_learner
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.forward import Result, powers
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program
from ff2loihi.compilers.library_processes import obstacles, soft_unit


class LavaCpu:
    """Lava's processes with select_tag fixed_pt; see lava_network for the graph."""

    name = "lava"

    def __init__(self, patience: float = PATIENCE, stock: bool = False) -> None:
        """stock: for inference, library processes alone: see lava_stock_network."""
        require_lava()
        self.patience, self.stock = patience, stock

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: Progress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8, step by step. Raises DataError or BackendError."""
        if isinstance(program.network, LearningNetwork):
            with lava_learner(program.network, patience=self.patience) as learner:
                return classify(self.name, program.network, learner, pixels, progress)
        check_pixels(program.network, pixels)
        if self.stock:
            _check_stock(program.network)
        with tempfile.TemporaryDirectory(prefix="ff2loihi-lava-") as name:
            folder = Path(name)
            artifact.write(program, folder / "job.ffl")
            np.save(folder / "pixels.npy", pixels)
            (folder / "job.json").write_text(json.dumps({"states": states, "stock": self.stock}), encoding="utf-8")
            with Child("ff2loihi.backends.lava_worker", folder, self.patience) as child:
                child.follow("done", lambda line: _report(line, len(pixels), progress))
            timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
            result = _result(program.network, folder, len(pixels), states)
        return make_trace(self.name, program.network, result, timing["run"])


def _check_stock(network: IntNetwork) -> None:
    """Raise CompileError with everything in the network that no library process computes."""
    wrong = obstacles(network)
    if wrong:
        raise CompileError(f"no library process computes this network: {'; '.join(wrong)}")


def _report(line: str, samples: int, progress: Progress | None) -> None:
    if progress and line.startswith("progress "):
        progress(int(line.split()[1]), samples)


def _host_sums(network: IntNetwork, name: str, r: np.ndarray) -> np.ndarray:
    """What Goodness sends, of counts or payloads r (samples, labels, n): (samples, labels, powers, parts)."""
    part_of = network.part_of(next(layer for layer in network.layers if layer.name == name))
    member = (part_of[:, None] == np.arange(network.parts)).astype(np.int64)
    return np.stack([(r**power) @ member for power in powers(network)], axis=-2)


def _result(network: IntNetwork, folder: Path, samples: int, kept: bool) -> Result:
    """The recordings, cut into samples and labels; kept: the states of neurons are wanted."""
    facts = json.loads((folder / "recordings.json").read_text(encoding="utf-8"))
    labels = len(network.shown)
    steps = network.steps
    starts = np.arange(samples * labels) * facts["period"]
    sums, head, spikes, states = [], {}, [], {}
    for name, file, delay in facts["recordings"]:
        values = np.load(folder / file)
        if name.endswith(".g"):
            totals = values[starts + delay].reshape(samples, labels, -1)
            sums.append(totals[..., :-1].reshape(samples, labels, -1, network.parts))
            spikes.append(totals[..., -1])
            continue
        window = values[starts[:, None] + delay + facts["stride"] * np.arange(steps)]  # (samples x labels, steps, n)
        if name.endswith(".s"):
            if network.neuron == "lif":
                window = window != 0
            counts = window.cumsum(1).reshape(samples, labels, steps, -1)
            sums.append(_host_sums(network, name.removesuffix(".s"), counts[:, :, -1]))
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

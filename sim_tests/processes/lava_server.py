"""Lava, imported once, and a fork for each job: `python lava_server.py`, pickled jobs on stdin, answers on stdout.

A job is a Process between sources and recorders that runs for some steps, see `run`. The fork ends with its Lava, so no
job meets what another left behind, and the tests' own process runs none of it.
"""

import contextlib
import importlib
import os
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np

import ff2loihi.processes  # noqa: F401  before Lava: what mends Lava for a current Python is there from here on

# isort: split
import lava.magma.compiler.compiler  # noqa: F401  Lava imports it at the first run, which here is each fork's
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import PySendModelFixed, RingBuffer

from ff2loihi.processes.host_io.record import (
    Probe,
    PyProbeModel,
    PyRecorderModel,
    Recorder,
)


class ByClass(dict):
    """Process class -> model, asked with an instance: so Lava executes no file in search of models."""

    def __contains__(self, process) -> bool:
        return super().__contains__(type(process))

    def __getitem__(self, process) -> type:
        return super().__getitem__(type(process))


def load(name: str):
    """The object of a full name, as lava.proc.lif.process.LIF."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def made(value):
    """(name, parameters) stands for an object that only Lava can make."""
    named = isinstance(value, tuple) and value and isinstance(value[0], str)
    return load(value[0])(**value[1]) if named else value


def run(
    process: str, parameters: dict, models: dict[str, str], steps: int, inputs: dict[str, np.ndarray],
    ports: tuple[str, ...], states: tuple[str, ...], sets: dict[int, dict], probes: dict[str, dict],
) -> dict[str, np.ndarray]:  # fmt: skip
    """{port or Var: (steps, ...)}: what each port sent at each step, and each Var held at its end.

    inputs: rows (steps, n) for each in-port. sets: after which step which Vars get which values.
    probes: Var -> the parameters of a Probe on it.
    """
    node = made((process, {name: made(value) for name, value in parameters.items()}))
    for name, rows in inputs.items():
        RingBuffer(data=rows.T.astype(np.int32)).s_out.connect(getattr(node, name))
    for name, options in probes.items():
        Probe(shape=getattr(node, name).shape, **options).var.connect_var(getattr(node, name))
    helpers = {RingBuffer: PySendModelFixed, Recorder: PyRecorderModel, Probe: PyProbeModel}
    chosen = ByClass(helpers | {load(name): load(model) for name, model in models.items()})
    config, one = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=chosen), RunSteps(num_steps=1)
    found: dict[str, list] = {name: [] for name in states}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"{name}.npy") for name in ports}
        for name, file in files.items():
            port = getattr(node, name)
            np.save(file, np.zeros((steps, *port.shape), np.int64))
            port.connect(Recorder(n=port.shape[0], file=str(file)).s_in)
        try:
            for step in range(1, steps + 1):
                node.run(condition=one, run_cfg=config)
                for name in states:
                    found[name].append(np.array(getattr(node, name).get()))
                for name, value in sets.get(step, {}).items():
                    getattr(node, name).set(value)
        finally:
            node.stop()
        return {name: np.array(rows) for name, rows in found.items()} | {n: np.load(file) for n, file in files.items()}


def answer(job: dict) -> bytes:
    """(True, what was found) or (False, the error), pickled."""
    try:
        return pickle.dumps((True, run(**job)))
    except Exception as error:
        return pickle.dumps((False, error))


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Lava prints is no answer
    with contextlib.suppress(EOFError):
        while job := pickle.load(sys.stdin.buffer):
            with contextlib.suppress(ImportError, AttributeError):  # the fork answers with it
                for name in (job["process"], *job["models"].values()):
                    load(name)  # here, so that what a fork imports is there for the forks that follow
            if child := os.fork():
                if status := os.waitpid(child, 0)[1]:
                    pickle.dump((False, RuntimeError(f"the job's process ended with status {status}")), answers)
                    answers.flush()
                continue
            answers.write(answer(job))
            answers.flush()
            os._exit(0)


if __name__ == "__main__":
    main()

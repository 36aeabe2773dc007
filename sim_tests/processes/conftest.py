"""Each Process between plain sources and recorders, in Lava's fixed-point simulator, in a process of its own."""

import pickle
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ff2loihi.backends.lava.session import end_session

HANG = 120.0  # s without an answer, after which a job counts as hung: none takes more than a few


class Server:
    """lava_server.py, started for the first job, and again for the next one after a job hung."""

    process: subprocess.Popen | None = None

    def ask(self, job: dict):
        if self.process is None:
            command = [sys.executable, str(Path(__file__).with_name("lava_server.py"))]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        pickle.dump(job, self.process.stdin)
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], HANG)[0]:
            self.end()
            raise TimeoutError(f"{job['process']} did not end its {job['steps']} steps in {HANG:g} s")
        done, result = pickle.load(self.process.stdout)
        if not done:
            raise result
        return result

    def end(self) -> None:
        if self.process:
            end_session(self.process.pid)
            self.process.communicate()
            self.process = None


def full(name: str) -> str:
    return name if name.startswith("lava.") else f"ff2loihi.processes.{name}"


@pytest.fixture(scope="session")
def lava_server():
    server = Server()
    yield server
    server.end()


@pytest.fixture
def run_process(lava_server):
    """run_process("inference.goodness.Goodness", parameters, ...) -> {port or Var: (steps, ...)}; see lava_server.run.

    The model is inference.goodness.PyGoodnessModel, if `models` names no other; names of Lava's own begin with "lava.".
    An error of the Process is raised here.
    """

    def run(process, parameters, *, steps=1, inputs=None, ports=(), states=(), sets=None, models=None, probes=None):
        module, _, name = process.rpartition(".")
        models = models or {process: f"{module}.Py{name}Model"}
        assert all(len(rows) == steps for rows in (inputs or {}).values())
        return lava_server.ask(
            {
                "process": full(process), "parameters": parameters, "steps": steps,
                "models": {full(name): full(model) for name, model in models.items()},
                "inputs": inputs or {}, "ports": tuple(ports), "states": tuple(states), "sets": sets or {},
                "probes": probes or {},
            }
        )  # fmt: skip

    return run


@pytest.fixture
def rng():
    return np.random.default_rng(11)

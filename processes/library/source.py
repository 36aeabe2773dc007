"""The host's part of a network of library neurons: input spikes and control rows."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.library_rule import (
    GROUPS,
    SLOTS,
    controls,
    period,
)


class LibrarySource(AbstractProcess):
    """s(t) of input i is the overflow of acc += q_i at 256, in slot A2 of each logical step; see library_rule.

    At time step 1 of every period the host's presentation is read from `file`: the phase (+1, -1, 0: no learning), the
    stride, the rates q and the accumulators' start; of events, s itself, logical step by step. Control rows:
    library_rule.controls.

    Parameters
    ----------
    file: .npy of (1, 2 + 2 n) int32, of events (1, 2 + steps n).  n: inputs.  steps, window: logical steps.
    probability: symmetric or sigmoid.  events: bool.

    Ports
    -----
    s_out: (n,) int32, 0/1.  c_out: (1 + GROUPS,) int32, 0/1: clear, then enable of each group.
    """

    def __init__(self, *, file: str, n: int, steps: int, window: int, probability: str, events: bool) -> None:
        super().__init__(file=file, n=n, steps=steps, window=window, probability=probability, events=events)
        if not 0 < window < steps:
            raise ValueError(f"window must be in 1..{steps - 1}, got {window}")
        self.s_out = OutPort(shape=(n,))
        self.c_out = OutPort(shape=(1 + GROUPS,))


@implements(proc=LibrarySource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLibrarySourceModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    c_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.p = {name: proc_params[name] for name in ("n", "steps", "window", "probability", "events")}
        self.rows = np.load(proc_params["file"], mmap_mode="r")
        self.q = self.acc = np.zeros(self.p["n"], np.int32)
        self.spikes = np.zeros((self.p["steps"], self.p["n"]), np.int32)
        self.controls = np.zeros((1, 1 + GROUPS), np.int32)

    def _read(self) -> None:
        row, p = np.array(self.rows[0]), self.p
        phase, stride = int(row[0]), int(row[1])
        if p["events"]:
            self.spikes = row[2:].reshape(p["steps"], p["n"])
        else:
            self.q, self.acc = row[2 : 2 + p["n"]], row[2 + p["n"] :]
        self.controls = controls(p["probability"], p["steps"], p["window"], stride, phase).astype(np.int32)

    def _slot(self, step: int) -> np.ndarray:
        """The spikes of a logical step."""
        if self.p["events"]:
            return self.spikes[step]
        fired, self.acc = rate_step(self.acc, self.q, RATE_ONE)
        return fired.astype(np.int32)

    def run_spk(self) -> None:
        p = self.p
        t = (self.time_step - 1) % period(p["steps"]) + 1
        if t == 1:
            self._read()
        spikes = np.zeros(p["n"], np.int32)
        if t % SLOTS == 2 and t < SLOTS * p["steps"]:
            spikes = self._slot(t // SLOTS)
        self.c_out.send(self.controls[t - 1])
        self.s_out.send(spikes)

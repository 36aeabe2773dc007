"""The input of a learning network: one presentation after the other, and the control signals of every layer."""

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
from ff2loihi.processes.learning_rule import CONTROL_STEPS, RATE_ONE


class LearningSource(AbstractProcess):
    """s(t) of input i is the overflow of acc += q_i at 256, for `steps` steps of each period; then silence.

    At local step 0 of every period the host's next presentation is read: row k of `file`, for presentation k, holds
    the phase (+1, -1, 0: no learning), the rates q and the accumulators' start; of events, s(t) itself, step by step.
    Control of layer l, l steps late: reset = 1 at local step 0; the phase at steps - window - 2 .. steps - 3.

    Parameters
    ----------
    file: .npy of (presentations, 1 + 2 n) int32, written by the host before the steps are run; of events
    (presentations, 1 + steps n).
    n: inputs.  layers, steps, window, period: ints.  events: bool.

    Ports
    -----
    s_out: (n,) int32, 0/1.  c_out: (2 layers,) int32: reset and phase of each layer.
    """

    def __init__(self, *, file: str, n: int, layers: int, steps: int, window: int, period: int, events: bool) -> None:
        super().__init__(file=file, n=n, layers=layers, steps=steps, window=window, period=period, events=events)
        if not 0 < window <= steps - CONTROL_STEPS:
            raise ValueError(f"window must be in 1..{steps - CONTROL_STEPS}, got {window}")
        if period < steps + layers:  # then no layer is still busy when the next presentation is read
            raise ValueError(f"period must be at least {steps + layers} (steps + layers), got {period}")
        self.s_out = OutPort(shape=(n,))
        self.c_out = OutPort(shape=(2 * layers,))


@implements(proc=LearningSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLearningSourceModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    c_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        names = ("file", "n", "layers", "steps", "window", "period", "events")
        self.source = InputSource(**{name: proc_params[name] for name in names})

    def run_spk(self) -> None:
        control, spikes = self.source.step(self.time_step)
        self.c_out.send(control)
        self.s_out.send(spikes)


class InputSource:
    """What LearningSource sends, without Lava around it; the parameters are its own."""

    def __init__(self, *, file: str, n: int, layers: int, steps: int, window: int, period: int, events: bool) -> None:
        self.n, self.layers, self.steps, self.window, self.period = n, layers, steps, window, period
        self.events = events
        self.rows = np.load(file, mmap_mode="r")
        self.sign = 0
        self.q = self.acc = np.zeros(n, np.int32)
        self.spikes = np.zeros((steps, n), np.int32)

    def step(self, time_step: int) -> tuple[np.ndarray, np.ndarray]:
        """(control (2 layers,) int32, spikes (n,) int32) of a time step, counted from 1."""
        presentation, i = divmod(time_step - 1, self.period)
        if i == 0:
            row = np.array(self.rows[presentation % len(self.rows)])
            self.sign = row[0]
            if self.events:
                self.spikes = row[1:].reshape(self.steps, self.n)
            else:
                self.q, self.acc = row[1 : 1 + self.n], row[1 + self.n :]
        control = np.zeros(2 * self.layers, np.int32)
        for layer in range(self.layers):
            local = (i - layer) % self.period
            control[2 * layer] = local == 0
            if self.steps - self.window - 2 <= local <= self.steps - CONTROL_STEPS:
                control[2 * layer + 1] = self.sign
        if i >= self.steps:
            return control, np.zeros(self.n, np.int32)
        if self.events:
            return control, self.spikes[i]
        spiked, self.acc = rate_step(self.acc, self.q, RATE_ONE)
        return control, spiked.astype(np.int32)

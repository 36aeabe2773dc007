"""The spiking neuron with a soft reset: what is above the threshold stays for the next spike."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from ff2loihi.processes.fixed_point import integrate
from ff2loihi.processes.limits import ALIGN


class SoftLIF(AbstractProcess):
    """u = a << 6; v' = clip(v + u + bias); spike s = [v' > vth << 6]; v = v' - s (vth << 6).

    Lava's LIF with du = 4095, dv = 0, but for the reset, which keeps the rest: over T steps the spike count is
    (v0 + sum u) / (vth << 6), rounded, for drives of 0..vth a step (Rueckauer 2017, reset by subtraction).
    v = v0 before the first step and wherever t mod reset_interval = reset_offset.

    Parameters
    ----------
    bias: (n,) int32 [v LSB].  vth: int, mantissa, 17 bit.  v0: int [v LSB].  reset_interval, reset_offset: steps.

    Ports and state
    ---------------
    a_in: (n,) int32, 16 bit.  s_out: (n,) int32, 0/1.  u, v: (n,) int32, 24 bit.
    """

    def __init__(self, *, bias, vth: int, v0: int, reset_interval: int, reset_offset: int) -> None:
        super().__init__(vth=vth, v0=v0, reset_interval=reset_interval, reset_offset=reset_offset)
        if not 0 <= reset_offset < reset_interval:
            raise ValueError(f"reset_offset must be in 0..{reset_interval - 1} (the interval), got {reset_offset}")
        self.a_in = InPort(shape=bias.shape)
        self.s_out = OutPort(shape=bias.shape)
        self.bias = Var(shape=bias.shape, init=bias)
        self.u = Var(shape=bias.shape, init=0)
        self.v = Var(shape=bias.shape, init=v0)


@implements(proc=SoftLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySoftLIFModel(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=16)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    u: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        a = self.a_in.recv().astype(np.int32)
        if self.time_step % self.proc_params["reset_interval"] == self.proc_params["reset_offset"]:
            self.v[:] = self.proc_params["v0"]
        self.u[:] = a << ALIGN
        self.v[:] = integrate(self.v, a, self.bias)
        threshold = self.proc_params["vth"] << ALIGN
        spikes = self.v > threshold
        self.v[spikes] -= threshold
        self.s_out.send(spikes.astype(np.int32))

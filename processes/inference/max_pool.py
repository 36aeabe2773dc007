"""Max pooling: of each window of neurons what the most active one adds to the sample's largest activity so far."""

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


class MaxPool(AbstractProcess):
    """r(t) = r(t - 1) + s(t), cleared first where t mod period = offset; m = the largest r of a window; sends what m
    grew by.

    Payloads, whose period is 1: the window's largest. Spikes: one where the window's largest count grows, so that the
    spikes of a sample are as many as those of its most active neuron. Loihi 2's microcode does it with one neuron a
    window: a spike carries its neuron's count so far, the synapses of a window have delays of 0, 1, 2, ... so that
    they arrive one after the other, and the neuron keeps the largest, m, and spikes where a larger one comes.

    Parameters
    ----------
    windows: (outputs, k) int64, the neurons of each window.  neurons: int.  period: steps of a sample.
    offset: t mod period of a sample's first activity.

    Ports and state
    ---------------
    s_in: (neurons,) int32, payload or 0/1.  s_out: (outputs,) int32.
    r: (neurons,) int32, m: (outputs,) int32, so far in this sample.
    """

    def __init__(self, *, windows, neurons: int, period: int, offset: int) -> None:
        super().__init__(windows=windows, period=period, offset=offset)
        if not 0 <= offset < period:
            raise ValueError(f"offset must be in 0..{period - 1} (the period), got {offset}")
        self.s_in = InPort(shape=(neurons,))
        self.s_out = OutPort(shape=(len(windows),))
        self.r = Var(shape=(neurons,), init=0)
        self.m = Var(shape=(len(windows),), init=0)


@implements(proc=MaxPool, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyMaxPoolModel(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32)
    m: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        if self.time_step % self.proc_params["period"] == self.proc_params["offset"]:
            self.r[:] = 0
            self.m[:] = 0
        self.r += self.s_in.recv().astype(np.int32)
        largest = self.r[self.proc_params["windows"]].max(axis=1)
        self.s_out.send(largest - self.m)
        self.m[:] = largest

"""The neuron that learns: LIF, output trace, and the post traces y2 and y3 that carry the third factor."""

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

from ff2loihi.processes.learning_rule import Neuron, OutputTrace, lif, output_trace, post_traces


class LearningNeuron(AbstractProcess):
    """v' = v (4096 - dv) 2^-12 + (a << 6); z = [v' > vth << 6]; r' of z; y2, y3 = min(127, (r' |m| + 32) >> 6).

    v and r are cleared before a step whose reset is 1. eq. 11 to 13 of Terres-Escudero 2024 give r, eq. 5 and 6 the
    product with M; see learning_rule for each in integers.

    Parameters
    ----------
    n: neurons.  neuron: Neuron.  trace: OutputTrace.

    Ports and state
    ---------------
    a_in: (n,) int32 [accumulator LSB].  m_in: (n,) int32, the signed modulation.  reset_in: (1,) int32, 0/1.
    z_out: (n,) int32, 0/1.  square_out: (n,) int32, r^2.  y2_out, y3_out: (n,) int32, 0..127.
    v: (n,) int32 [v LSB], 24 bit.  r: (n,) int32, 7 bit.  y2, y3: (n,) int32.  trace_shift: (1,) int32, of y2 and y3.
    """

    def __init__(self, *, n: int, neuron: Neuron, trace: OutputTrace, trace_shift: int) -> None:
        super().__init__(neuron=neuron, trace=trace)
        self.a_in, self.m_in = InPort(shape=(n,)), InPort(shape=(n,))
        self.reset_in = InPort(shape=(1,))
        self.z_out, self.square_out = OutPort(shape=(n,)), OutPort(shape=(n,))
        self.y2_out, self.y3_out = OutPort(shape=(n,)), OutPort(shape=(n,))
        for state in ("v", "r", "y2", "y3"):
            setattr(self, state, Var(shape=(n,), init=0))
        self.trace_shift = Var(shape=(1,), init=trace_shift)


@implements(proc=LearningNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLearningNeuronModel(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    m_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    reset_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    z_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    square_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y2_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y3_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    y2: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    y3: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    trace_shift: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=3)

    def run_spk(self) -> None:
        a, m = self.a_in.recv(), self.m_in.recv()
        if self.reset_in.recv()[0]:
            self.v[:] = 0
            self.r[:] = 0
        self.v[:], z = lif(self.v, a, self.proc_params["neuron"])
        self.r[:] = output_trace(self.r, z, self.proc_params["trace"])
        self.y2[:], self.y3[:] = post_traces(self.r, m, self.trace_shift[0])
        self.z_out.send(z.astype(np.int32))
        self.square_out.send(self.r**2)
        self.y2_out.send(self.y2)
        self.y3_out.send(self.y3)

"""A layer's goodness and its third factor: one number a polarity, sent back to every neuron."""

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

from ff2loihi.processes.learning_rule import ThirdFactor, third_factor


class ThirdFactorUnit(AbstractProcess):
    """(m+, m-) = M(G+, G-, phase): eq. 4 to 6 of Terres-Escudero 2024 in integers, see learning_rule.third_factor.

    Parameters
    ----------
    factor: ThirdFactor.

    Ports and state
    ---------------
    g_in: (2,) int32, G+ and G-.  phase_in: (1,) int32, +1 positive, -1 negative, 0 no learning.
    m_out: (2,) int32, signed.  g_out: (2,) int32, the goodness for the host.  g: (2,) int32.
    """

    def __init__(self, *, factor: ThirdFactor) -> None:
        super().__init__(factor=factor)
        self.g_in, self.phase_in = InPort(shape=(2,)), InPort(shape=(1,))
        self.m_out, self.g_out = OutPort(shape=(2,)), OutPort(shape=(2,))
        self.g = Var(shape=(2,), init=0)


@implements(proc=ThirdFactorUnit, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyThirdFactorUnitModel(PyLoihiProcessModel):
    g_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    phase_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    m_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    g_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    g: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.g[:] = self.g_in.recv()
        phase = int(self.phase_in.recv()[0])
        m = third_factor(int(self.g[0]), int(self.g[1]), phase, self.proc_params["factor"])
        self.m_out.send(np.array(m, np.int32))
        self.g_out.send(self.g)

"""The graded neuron: rectify, scale by a shift, saturate."""

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

from ff2loihi.processes.fixed_point import graded_relu


class GradedRelu(AbstractProcess):
    """h(t) = min(max((a(t) + bias) >> shift, 0), top).

    Lava's GradedReluVec has neither bias nor saturation: without saturation no bound on the next layer's sum holds.

    Parameters
    ----------
    bias: (n,) int32 [accumulator LSB].  shift: int, bits.  top: int, the largest payload.

    Ports and state
    ---------------
    a_in: (n,) int32, 24 bit.  s_out: (n,) int32, 0..top.  h: (n,) int32, the last payload.
    """

    def __init__(self, *, bias, shift: int, top: int) -> None:
        super().__init__(shift=shift, top=top)
        self.a_in = InPort(shape=bias.shape)
        self.s_out = OutPort(shape=bias.shape)
        self.bias = Var(shape=bias.shape, init=bias)
        self.h = Var(shape=bias.shape, init=0)


@implements(proc=GradedRelu, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGradedReluModel(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    h: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        self.h = graded_relu(self.a_in.recv(), self.bias, self.proc_params["shift"], self.proc_params["top"])
        self.s_out.send(self.h)

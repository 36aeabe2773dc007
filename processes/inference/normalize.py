"""Normalisation between layers, for networks with biases: one table look-up in place of a division."""

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

from ff2loihi.processes.fixed_point import normalize


class Normalize(AbstractProcess):
    """y = h / (sum h^power)^(1 / power) in units of 2^(shift - 15): see fixed_point.normalize.

    Parameters
    ----------
    n: neurons.  power: 1 or 2.  table: (entries,) int32.  shift: int, bits.  top: int, the largest payload.

    Ports and state
    ---------------
    s_in: (n,) int32, 0..255.  s_out: (n,) int32, 0..top.  y: (n,) int32, the last payload.
    """

    def __init__(self, *, n: int, power: int, table, shift: int, top: int) -> None:
        super().__init__(power=power, table=table, shift=shift, top=top)
        self.s_in = InPort(shape=(n,))
        self.s_out = OutPort(shape=(n,))
        self.y = Var(shape=(n,), init=0)


@implements(proc=Normalize, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyNormalizeModel(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        p = self.proc_params
        h = self.s_in.recv().astype(np.float64)
        norm = np.sum(h ** p["power"], keepdims=True)
        table = p["table"].astype(np.float64)
        self.y = normalize(h, norm, p["power"], table, p["shift"], p["top"], np).astype(np.int32)
        self.s_out.send(self.y)

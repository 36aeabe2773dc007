"""What the adapters do: DELAY steps of delay, and messages of as many bits as were asked for."""

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.c.model import CLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import LMT
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter

DELAY = 1


class Delay(CLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.before = [np.zeros(proc_params["shape"], np.int32)] * DELAY

    def run_spk(self) -> None:
        now, bits = self.inp.recv().astype(np.int32), self.proc_params["bits"]
        self.out.send(self.before[0])
        self.before = [*self.before[1:], now & ((1 << bits) - 1) if bits else (now != 0).astype(np.int32)]


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(LMT)
class CPyToNxModel(Delay):
    pass


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(LMT)
class CNxToPyModel(Delay):
    pass

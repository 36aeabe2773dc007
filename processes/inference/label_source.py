"""The label's input into a layer above the first: the payloads of each pass, the same in each of its steps."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class LabelSource(AbstractProcess):
    """s(t) = payloads[c] at the steps t = 1 + late + (m classes + c) steps + i, i = 0..steps - 1, of sample m.

    Zeros before the first pass, and behind that of the last sample. `late`: the layers below the one that it feeds,
    each of which takes what the Source sends in a step one step further.

    Parameters
    ----------
    payloads: (classes, n) int32.  samples, steps, late: int.

    Ports
    -----
    s_out: (n,) int32.
    """

    def __init__(self, *, payloads, samples: int, steps: int, late: int) -> None:
        super().__init__(payloads=payloads, samples=samples, steps=steps, late=late)
        self.s_out = OutPort(shape=payloads.shape[1:])


@implements(proc=LabelSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLabelSourceModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        payloads, t = self.proc_params["payloads"], self.time_step - 1 - self.proc_params["late"]
        sample, label = divmod(t // self.proc_params["steps"], len(payloads))
        shown = 0 <= sample < self.proc_params["samples"]
        self.s_out.send(payloads[label] if shown else np.zeros_like(payloads[0]))

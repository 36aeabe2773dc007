"""Rows of a file as spikes or payloads: an input that was computed before the run."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Playback(AbstractProcess):
    """s(t) = row t - 1 - late of the array in `file`, zeros before its first row and behind its last.

    again: behind its last row comes its first one, as the file is by then; before its first one its last.

    Parameters
    ----------
    n: inputs.  file: of a .npy, (rows, n) uint8, or if `packed` (rows, ceil(n / 8)) uint8, eight spikes a byte.

    Ports
    -----
    s_out: (n,) int32, payload or 0/1.
    """

    def __init__(self, *, n: int, file: str, packed: bool, late: int = 0, again: bool = False) -> None:
        super().__init__(n=n, file=file, packed=packed, late=late, again=again)
        self.s_out = OutPort(shape=(n,))


@implements(proc=Playback, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPlaybackModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.n, self.packed = proc_params["n"], proc_params["packed"]
        self.rows = np.load(proc_params["file"], mmap_mode="r")

    def run_spk(self) -> None:
        t = self.time_step - 1 - self.proc_params["late"]
        t = t % len(self.rows) if self.proc_params["again"] else t
        row = self.rows[t] if 0 <= t < len(self.rows) else np.zeros(self.rows.shape[1], np.uint8)
        self.s_out.send((np.unpackbits(row)[: self.n] if self.packed else row).astype(np.int32))

"""StateProbe: a Var of every step, as (neurons steps,) in `time_series`."""

import tempfile
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Reader(AbstractProcess):
    def __init__(self, shape, file) -> None:
        super().__init__(file=file)
        self.var = RefPort(shape=shape)


@implements(proc=Reader, protocol=LoihiProtocol)
@requires(CPU)
class ReaderModel(PyLoihiProcessModel):
    var: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        with open(self.proc_params["file"], "ab") as file:
            file.write(self.var.read().astype(np.int32).tobytes())


class StateProbe:
    """To be given to a run configuration in callback_fxs."""

    def __init__(self, var) -> None:
        self.n = int(np.prod(var.shape))
        self.file = Path(tempfile.mkdtemp(prefix="ff2loihi-probe-")) / "rows"
        self.reader = Reader(var.shape, str(self.file))
        self.reader.var.connect_var(var)

    @property
    def time_series(self) -> np.ndarray:
        return np.frombuffer(self.file.read_bytes(), np.int32).reshape(-1, self.n).T.ravel()

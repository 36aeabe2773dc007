"""Recorders: a port's or a Var's value at every step, as rows of a .npy file that the host made.

A Var read by message costs one message an element; a row written here costs one copy.
"""

from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Recorder(AbstractProcess):
    """Row (t - 1) mod rows of the array in `file` (rows, n) becomes what arrived at s_in at step t."""

    def __init__(self, *, n: int, file: str) -> None:
        super().__init__(file=file)
        self.s_in = InPort(shape=(n,))


class Probe(AbstractProcess):
    """Row (t - 1) mod rows of the array in `file` (rows, *shape) becomes the Var's value at the end of step t.

    every: only at steps t that it divides, and into row t / every - 1 mod rows.
    """

    def __init__(self, *, shape: tuple[int, ...], file: str, every: int = 1) -> None:
        super().__init__(file=file, every=every)
        self.var = RefPort(shape=shape)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorderModel(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["file"], mmap_mode="r+")

    def run_spk(self) -> None:
        self.rows[(self.time_step - 1) % len(self.rows)] = self.s_in.recv()


@implements(proc=Probe, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyProbeModel(PyLoihiProcessModel):
    var: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["file"], mmap_mode="r+")
        self.every = proc_params["every"]

    def post_guard(self) -> bool:
        return self.time_step % self.every == 0

    def run_post_mgmt(self) -> None:
        self.rows[(self.time_step // self.every - 1) % len(self.rows)] = self.var.read()


def record_port(port, file: Path, rows: int, dtype: type = np.int64) -> None:
    """Row (t - 1) mod rows of `file` (rows, n) becomes what the port sends at step t."""
    make_rows(file, rows, port.shape, dtype)
    recorder = Recorder(n=port.shape[0], file=str(file))
    port.connect(recorder.s_in)


def probe_var(var, file: Path, rows: int, every: int = 1, dtype: type = np.int32) -> None:
    """Row t / every - 1 mod rows of `file` becomes the Var's value at the end of every step t that it divides."""
    make_rows(file, rows, var.shape, dtype)
    Probe(shape=var.shape, file=str(file), every=every).var.connect_var(var)


def make_rows(file: Path, rows: int, shape: tuple[int, ...], dtype: type, fortran: bool = False) -> None:
    """Make the file of zeros (rows, *shape) that a recorder writes."""
    np.lib.format.open_memmap(file, "w+", dtype, (rows, *shape), fortran_order=fortran).flush()

"""A layer's goodness: sums of its activities' powers over each of its parts, over one sample."""

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


class Goodness(AbstractProcess):
    """r(t) = r(t - 1) + s(t), cleared first where t mod period = offset; g = sums of r^power over each part.

    The squared Euclidean norm of Hinton 2022 (power 2), and the l1 norm (power 1), before any constant factor.

    Parameters
    ----------
    part_of: (n,) int, the part of each neuron, 0..parts - 1: + or - neurons, or a class's channels.
    parts: int.  powers: tuple of 1 and 2.  period: steps of a sample.
    top: (k, power) of one more sum, over the k largest of each part.
    offset: t mod period of a sample's first activity.

    Ports and state
    ---------------
    s_in: (n,) int32, payload or 0/1.
    g_out: (parts sums + 1,) int64, sent each step: the parts of each sum, then the sample's spikes so far.
    r: (n,) int32, the sample's activity so far: payload, or spike count.
    """

    def __init__(
        self, *, part_of, parts: int, powers: tuple[int, ...], period: int, offset: int,
        top: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(part_of=part_of, parts=parts, powers=powers, period=period, offset=offset, top=top)
        if not 0 <= offset < period:
            raise ValueError(f"offset must be in 0..{period - 1} (the period), got {offset}")
        self.s_in = InPort(shape=part_of.shape)
        self.g_out = OutPort(shape=(parts * (len(powers) + (top is not None)) + 1,))
        self.r = Var(shape=part_of.shape, init=0)


@implements(proc=Goodness, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGoodnessModel(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    g_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.spikes = 0

    def run_spk(self) -> None:
        if self.time_step % self.proc_params["period"] == self.proc_params["offset"]:
            self.r[:] = 0
            self.spikes = 0
        s = self.s_in.recv().astype(np.int32)
        self.r += s
        self.spikes += np.count_nonzero(s)
        part_of, parts = self.proc_params["part_of"], self.proc_params["parts"]
        powers = [self.r.astype(np.float64) ** power for power in self.proc_params["powers"]]
        sums = [np.bincount(part_of, weights=p, minlength=parts) for p in powers]  # exact below 2^53
        if self.proc_params["top"]:
            k, power = self.proc_params["top"]
            raised = self.r.astype(np.float64) ** power
            sums.append(np.array([np.sort(raised[part_of == part])[-k:].sum() for part in range(parts)]))
        self.g_out.send(np.array([*np.concatenate(sums), self.spikes]).astype(np.int64))

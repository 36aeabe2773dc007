"""Dense and LearningDense on neurocores, with Lava's own arithmetic."""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyDenseModelBitAcc, PyLearningDenseModelBitApproximate
from lava.proc.dense.process import Dense, LearningDense


@implements(proc=Dense, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelDense(PyDenseModelBitAcc, AbstractNcProcessModel):
    pass


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelLearningDense(PyLearningDenseModelBitApproximate, AbstractNcProcessModel):
    pass

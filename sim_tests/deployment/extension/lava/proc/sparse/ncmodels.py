"""Sparse and LearningSparse on neurocores, with Lava's own arithmetic."""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import PyLearningSparseModelBitApproximate, PySparseModelBitAcc
from lava.proc.sparse.process import LearningSparse, Sparse


@implements(proc=Sparse, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelSparse(PySparseModelBitAcc, AbstractNcProcessModel):
    pass


@implements(proc=LearningSparse, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelLearningSparse(PyLearningSparseModelBitApproximate, AbstractNcProcessModel):
    pass

"""GradedVec and GradedReluVec on neurocores, with Lava's own arithmetic."""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
from lava.proc.graded.process import GradedReluVec, GradedVec


@implements(proc=GradedReluVec, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelGradedReluVec(PyGradedReluVecModelFixed, AbstractNcProcessModel):
    pass


@implements(proc=GradedVec, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelGradedVec(PyGradedVecModelFixed, AbstractNcProcessModel):
    pass

"""ProdNeuron on a neurocore, with Lava's own arithmetic."""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.prodneuron.models import PyProdNeuronModelFixed
from lava.proc.prodneuron.process import ProdNeuron


@implements(proc=ProdNeuron, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
@tag("fixed_pt")
class NcModelProdNeuron(PyProdNeuronModelFixed, AbstractNcProcessModel):
    pass

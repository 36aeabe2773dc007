"""Lava's own model of LearningSparse for the simulator, whose weights a RefPort can read."""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import PyLearningSparseModelBitApproximate
from lava.proc.sparse.process import LearningSparse


@implements(proc=LearningSparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyShownSparseModel(PyLearningSparseModelBitApproximate):
    """Chosen through a run configuration's exception_proc_model_map; spikes and learns by Lava's code alone.

    Lava cannot send a sparse Var to a RefPort, so while one reads, the weights are a dense array (n, inputs).
    """

    def _handle_var_port(self, var_port) -> None:
        sparse = self.weights
        self.weights = sparse.toarray()
        var_port.service()
        self.weights = sparse

"""LearningSparse for layers whose neurons see a part of the input: Lava's arithmetic, three of its faults mended."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import PyLearningSparseModelBitApproximate
from lava.proc.sparse.process import LearningSparse
from scipy.sparse import csr_matrix


class PlasticSparse(LearningSparse):
    """Lava's LearningSparse, which also keeps synapses of weight 0, learns tags, and shows both to a RefPort.

    Parameters
    ----------
    weights: (n, inputs) int32, even.  mask: (n, inputs) bool, the synapses that exist.  learning_rule: as Lava's.

    State
    -----
    shown, shown_tags: (n, inputs) int32, weights and tags at the end of the step, 0 where no synapse is.
    """

    def __init__(self, *, weights: np.ndarray, mask: np.ndarray, learning_rule) -> None:
        places = mask.nonzero()
        stored = csr_matrix((weights[places], places), mask.shape)
        super().__init__(weights=stored, tag_1=stored * 0, learning_rule=learning_rule)
        self.shown = Var(shape=mask.shape, init=weights)
        self.shown_tags = Var(shape=mask.shape, init=0)


@implements(proc=PlasticSparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPlasticSparseModel(PyLearningSparseModelBitApproximate):
    """The engine is Lava's own. What it does without us: it drops synapses whose first weight is 0 or 1 for good, stops
    at a tag in a rule, and cannot send a sparse Var to a RefPort."""

    implements_process = None  # its parent's is LearningSparse, which `implements` would keep

    shown: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    shown_tags: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.weights_set = True  # they are even as they come, and what makes them so drops zeros

    def _extract_applier_args(self, x_traces_history, y_traces_history) -> dict:
        args = super()._extract_applier_args(x_traces_history, y_traces_history)
        return args | {"tag_1": self.tag_1.toarray()}  # numpy clips no sparse matrix

    def run_lrn(self) -> None:
        super().run_lrn()
        self.shown[:] = self.weights.toarray()
        self.shown_tags[:] = self.tag_1.toarray()

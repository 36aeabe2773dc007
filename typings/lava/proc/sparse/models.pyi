# Lava starts each of these with None, in classes that say nothing of what they will hold.
import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from scipy.sparse import csr_matrix

class PyLearningSparseModelBitApproximate(PyLoihiProcessModel):
    weights: csr_matrix
    weights_set: bool
    tag_1: csr_matrix
    def run_lrn(self) -> None: ...
    def _extract_applier_args(self, x_traces_history: np.ndarray, y_traces_history: np.ndarray) -> dict: ...

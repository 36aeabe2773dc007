"""Lava's library processes as a back end that learns: see graphs.library_learning."""

import numpy as np

from ff2loihi.backends.emulator.library_learner import stride
from ff2loihi.backends.lava.child import PATIENCE, Child
from ff2loihi.backends.lava.learner import LavaLearner
from ff2loihi.compilers.errors import BackendError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.library_rule import SLOTS


class LavaLibraryLearner(LavaLearner):
    """A LavaLearner whose form is "library", see graphs.library_learning."""

    def __init__(self, network: LearningNetwork, record: int = 0, patience: float = PATIENCE) -> None:
        super().__init__(network, "library", record, patience)

    def _set_rate(self, child: Child) -> None:
        """The source reads it with each presentation."""

    def _row(self, label: int, phase: int) -> np.ndarray:
        row = super()._row(label, phase)
        return np.concatenate([row[:1], [stride(self)], row[1:]])

    def _goodness(self) -> np.ndarray:
        net, counts = self.network, np.load(self.folder / "r.0.npy", mmap_mode="r")
        row = ((self._ran - 1) * net.period + SLOTS * net.steps - 1) % len(counts)
        squares, positive = counts[row].astype(np.int64) ** 2, net.layers[0].positive
        return np.array([[squares[positive].sum(), squares[~positive].sum()]])

    def state(self) -> dict[str, np.ndarray]:
        if self._ran:
            gates = np.load(self.folder / "gates.0.now.npy")[0]
        else:
            gates = np.zeros(len(self.network.layers[0].positive), np.int32)
        return {"weights.0": self._now("weights", 0), "gates.0": gates, "passed": np.array([self._ran])}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Raises BackendError: the draws of Lava's own LearningDense start anew."""
        raise BackendError(
            "a run of library neurons cannot be resumed inside Lava, whose LearningDense would draw anew. Use "
            "--backend emulator, which gives the same bits"
        )

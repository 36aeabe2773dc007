"""Which back end learns a network: with the rule of our own neurons, or of library neurons alone.

The learners are imported when one is asked for: numba takes longer to import than a small network to run.
"""

from typing import TYPE_CHECKING

from ff2loihi.backends.lava_child import PATIENCE
from ff2loihi.compilers.ir import LearningNetwork

if TYPE_CHECKING:
    from ff2loihi.backends.lava_learner import LavaLearner
    from ff2loihi.backends.learner import Learner
    from ff2loihi.backends.stock_learner import StockLearner


def emulator_learner(network: LearningNetwork, on_chip: bool = False, record: bool = False) -> "Learner | StockLearner":
    """The emulator that learns the network."""
    from ff2loihi.backends.learner import Learner
    from ff2loihi.backends.stock_learner import StockLearner

    return StockLearner(network, record) if network.stock else Learner(network, on_chip, record)


def lava_learner(
    network: LearningNetwork, form: str = "net", record: int = 0, patience: float = PATIENCE
) -> "LavaLearner":
    """Lava as it learns the network; form: of a network that has several."""
    from ff2loihi.backends.lava_learner import LavaLearner
    from ff2loihi.backends.lava_stock import LavaStockLearner

    return (
        LavaStockLearner(network, record, patience) if network.stock else LavaLearner(network, form, record, patience)
    )

"""Which back end learns a network: with the rule of our own neurons, or of library neurons alone.

The learners are imported when one is asked for: numba takes longer to import than a small network to run.
"""

from typing import TYPE_CHECKING

from ff2loihi.backends.lava.child import PATIENCE
from ff2loihi.compilers.ir import LearningNetwork

if TYPE_CHECKING:
    from ff2loihi.backends.emulator.learner import Learner
    from ff2loihi.backends.emulator.library_learner import LibraryLearner
    from ff2loihi.backends.lava.learner import LavaLearner
    from ff2loihi.backends.loihi.learner import LoihiLearner


def emulator_learner(
    network: LearningNetwork, on_chip: bool = False, record: bool = False
) -> "Learner | LibraryLearner":
    """The emulator that learns the network."""
    from ff2loihi.backends.emulator.learner import Learner
    from ff2loihi.backends.emulator.library_learner import LibraryLearner

    return LibraryLearner(network, record) if network.library else Learner(network, on_chip, record)


def lava_learner(
    network: LearningNetwork, form: str = "one_process", record: int = 0, patience: float = PATIENCE
) -> "LavaLearner":
    """Lava as it learns the network; form: of a network that has several."""
    from ff2loihi.backends.lava.learner import LavaLearner
    from ff2loihi.backends.lava.library_learner import LavaLibraryLearner

    return (
        LavaLibraryLearner(network, record, patience)
        if network.library
        else LavaLearner(network, form, record, patience)
    )


def board_learner(network: LearningNetwork) -> "LoihiLearner":
    """A board as it learns the network. Raises CompileError where that takes our neurons, BackendError without one."""
    from ff2loihi.backends.loihi.learner import LoihiLearner

    return LoihiLearner(network)

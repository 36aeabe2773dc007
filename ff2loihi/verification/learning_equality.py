"""Whether the emulator and Lava learn the same bits: every state, weight and tag, at every step."""

from typing import TYPE_CHECKING

import numpy as np

from ff2loihi.backends.base import SampleProgress
from ff2loihi.backends.presentations import Presentation
from ff2loihi.backends.select import emulator_learner, lava_learner
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.library_rule import SLOTS
from ff2loihi.verification.equality import EqualityReport, Variable

if TYPE_CHECKING:
    from ff2loihi.backends.emulator.learner import Learner
    from ff2loihi.backends.emulator.library_learner import LibraryLearner
    from ff2loihi.backends.lava.learner import LavaLearner

# name, column of Learner.states, rows by which it is later than the input
VECTORS = (("v", 0, 1), ("z", 1, 1), ("r", 2, 1), ("y2", 3, 1), ("y3", 4, 1), ("a", 5, 0))
LIBRARY_VECTORS = ("v", "z", "r", "gate", "a")  # the columns of LibraryLearner.states


def learning_equality(
    network: LearningNetwork, presentations: list[Presentation], form: str = "graph",
    progress: SampleProgress | None = None,
) -> EqualityReport:  # fmt: skip
    """Show everything to both back ends, and compare every state, weight and tag at every step.

    form: of Lava's layers, see backends.lava.learner. Raises BackendError.
    """
    from ff2loihi.backends.emulator.library_learner import LibraryLearner

    found: dict[str, Variable] = {}
    emulated = emulator_learner(network, record=True)
    with lava_learner(network, form, record=len(presentations)) as simulated:
        for number, one in enumerate(presentations):
            ours, theirs = (_presented(learner, one) for learner in (emulated, simulated))
            _compare(found, "goodness", ours, theirs, f"presentation {number}")
            if isinstance(emulated, LibraryLearner):
                _library_presentation(found, emulated, simulated, number)
            else:
                _presentation(found, emulated, simulated, number)
            if progress:
                progress(number + 1, len(presentations))
    return EqualityReport(
        left="emulator",
        right=f"lava, {simulated.form}",
        samples=sum(one.phase >= 0 for one in presentations),  # a negative one shows a sample again
        equal=not any(v.differing for v in found.values()),
        variables=tuple(found.values()),
        presentations=len(presentations),
    )


def _presented(learner: "Learner | LibraryLearner | LavaLearner", one: Presentation) -> np.ndarray:
    learner.exponent, learner.trace_shift = one.exponent, one.trace_shift
    learner.show(one.q, one.starts)
    return learner.present(one.label, one.phase)


def _presentation(found: dict[str, Variable], emulated: "Learner", simulated: "LavaLearner", number: int) -> None:
    net = emulated.network
    for index, layer in enumerate(net.layers):
        start = number * net.period
        first = start + index
        states, matrices = emulated.states[index], emulated.matrices[index]
        for name, column, late in VECTORS:
            ours = states[late : late + net.steps, column]
            theirs = simulated.states(index, name)[first + late : first + late + net.steps]
            _compare(found, f"{layer.name}.{name}", ours, theirs, f"presentation {number}")
        for place, name in enumerate(("weights", "tags")[: 2 if emulated.tags else 1]):
            theirs = simulated.states(index, f"{name}.all")[start : start + net.period]
            ours = matrices[place].transpose(0, 2, 1)
            rest = layer.weight if name == "weights" else 0
            _compare(found, f"{layer.name}.{name}", ours, theirs, f"presentation {number}", rest)


def _library_presentation(
    found: dict[str, Variable], emulated: "LibraryLearner", simulated: "LavaLearner", number: int
) -> None:
    """Every time step of the neurons, gates and thermometers, and the weights after every logical step."""
    net, name = emulated.network, emulated.network.layers[0].name
    start, steps = number * net.period, SLOTS * net.steps
    where = f"presentation {number}"
    for column, variable in enumerate(LIBRARY_VECTORS):
        theirs = simulated.states(0, variable)[start : start + steps]
        _compare(found, f"{name}.{variable}", emulated.states[:, column], theirs, where)
    theirs = simulated.states(0, "units")[start : start + steps].reshape(emulated.units.shape)
    _compare(found, f"{name}.units", emulated.units, theirs, where)
    first = start // SLOTS
    theirs = simulated.states(0, "weights.all")[first : first + net.steps]
    _compare(found, f"{name}.weights", emulated.matrices.transpose(0, 2, 1), theirs, where, net.layers[0].weight)


def _compare(
    found: dict[str, Variable], name: str, ours: np.ndarray, theirs: np.ndarray, where: str, rest: np.ndarray | int = 0
) -> None:
    """Add a presentation's values to what was found; rest: what they are while nothing happens."""
    before = found.get(name, Variable(name, 0, 0, 0, None))
    different = ours != theirs
    first = before.first
    if first is None and different.any():
        at = tuple(int(i) for i in np.argwhere(different)[0])
        first = f"[{where}, {', '.join(map(str, at))}]: {ours[at]} and {theirs[at]}"
    found[name] = Variable(
        name, before.values + ours.size, before.active + int(np.count_nonzero(ours != rest)),
        before.differing + int(different.sum()), first,
    )  # fmt: skip

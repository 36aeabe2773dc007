"""Whether two runs gave the same bits, where they first did not, and whether there was anything to compare."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.base import Trace


@dataclass(frozen=True)
class Variable:
    """One compared array: how many values, how many differ, and the first place where they do.

    active: how many say that something happened: values that are not 0; of weights and tags, values that changed.
    """

    name: str
    values: int
    active: int
    differing: int
    first: str | None


@dataclass(frozen=True)
class EqualityReport:
    """equal: every value of every variable agrees. presentations: of the samples, to a network that learns."""

    left: str
    right: str
    samples: int
    equal: bool
    variables: tuple[Variable, ...]
    presentations: int | None = None

    @property
    def first_divergence(self) -> str | None:
        """The first differing variable in the order of the network, with its place and both values."""
        return next((f"{v.name}{v.first}" for v in self.variables if v.first), None)

    @property
    def idle(self) -> tuple[str, ...]:
        """The states in which nothing happened: their equality says nothing."""
        return tuple(v.name for v in self.variables if not v.active and v.name != "predictions")


def equality_report(left: Trace, right: Trace) -> EqualityReport:
    """Compare every state at every step, every goodness sum, every spike count, the head and the predictions."""
    pairs = {name: (left.states.get(name), value) for name, value in right.states.items()}
    pairs |= {name: (value, None) for name, value in left.states.items() if name not in pairs}
    for name in ("sums", "spikes", "head", "predictions"):
        pairs[name] = (getattr(left, name), getattr(right, name))
    variables = tuple(_compare(name, a, b) for name, (a, b) in pairs.items() if a is not None or b is not None)
    return EqualityReport(
        left=left.backend,
        right=right.backend,
        samples=len(right.predictions),
        equal=all(v.differing == 0 for v in variables),
        variables=variables,
    )


def _compare(name: str, a: np.ndarray | None, b: np.ndarray | None) -> Variable:
    if a is None or b is None or a.shape != b.shape:
        shapes = [None if x is None else x.shape for x in (a, b)]
        size = max(x.size for x in (a, b) if x is not None)
        return Variable(name, size, 0, size, f": shapes {shapes[0]} and {shapes[1]}")
    different = a != b
    first = None
    if different.any():
        where = tuple(int(i) for i in np.argwhere(different)[0])
        first = f"[{', '.join(f'{axis} {i}' for axis, i in zip(_axes(name, a), where, strict=True))}]: "
        first += f"{a[where]} and {b[where]}"
    return Variable(name, a.size, int(np.count_nonzero(a)), int(different.sum()), first)


def _axes(name: str, array: np.ndarray) -> tuple[str, ...]:
    named = {
        "sums": ("sample", "label", "layer", "power", "part"),
        "spikes": ("sample", "label", "layer"),
        "head": ("sample", "layer", "class"),
        "predictions": ("sample",),
    }
    by_steps = {3: ("sample", "label", "neuron"), 4: ("sample", "label", "step", "neuron")}
    return named.get(name) or by_steps[array.ndim]

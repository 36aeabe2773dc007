"""Neurocore models: to a run configuration they are what they are, to the compiler they are Python's."""

import sys

from lava.magma.core.model.py.model import PyLoihiProcessModel


class OnCpu(type(PyLoihiProcessModel)):
    """Lava's compiler would look for a board behind such a model; here there is none, so it is not told."""

    def __subclasscheck__(cls, other) -> bool:
        if sys._getframe(1).f_globals["__name__"].startswith("lava.magma.compiler"):
            return False
        return super().__subclasscheck__(other)


class AbstractNcProcessModel(PyLoihiProcessModel, metaclass=OnCpu):
    pass

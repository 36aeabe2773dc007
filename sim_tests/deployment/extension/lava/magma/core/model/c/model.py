"""Models for the embedded processors, on the CPU: see nc.model."""

from lava.magma.core.model.nc.model import OnCpu
from lava.magma.core.model.py.model import PyLoihiProcessModel


class AbstractCProcessModel(PyLoihiProcessModel, metaclass=OnCpu):
    pass


class CLoihiProcessModel(AbstractCProcessModel):
    pass

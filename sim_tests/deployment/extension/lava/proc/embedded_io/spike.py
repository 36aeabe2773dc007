"""The adapters between host and cores, with the ports and parameters of Intel's."""

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess


class PyToNxAdapter(AbstractProcess):
    """out(t) = inp(t - 1)."""

    def __init__(self, shape, num_message_bits=0) -> None:
        super().__init__(shape=shape, bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class NxToPyAdapter(AbstractProcess):
    """out(t) = inp(t - 1)."""

    def __init__(self, shape, num_message_bits=0) -> None:
        super().__init__(shape=shape, bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)

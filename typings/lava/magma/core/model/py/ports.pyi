import numpy as np

# In Lava a kind's base class has abstract methods that return None, and VEC_DENSE is the subclass for whole arrays.
class PyInPort:
    VEC_DENSE: type[PyInPort]
    def recv(self) -> np.ndarray: ...

class PyOutPort:
    VEC_DENSE: type[PyOutPort]
    def send(self, data: np.ndarray) -> None: ...

class PyRefPort:
    VEC_DENSE: type[PyRefPort]
    def read(self) -> np.ndarray: ...

# Lava starts each of these with None, in classes that say nothing of what they will hold.
import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort

class PyLearningDenseModelBitApproximate(PyLoihiProcessModel):
    s_in: PyInPort
    s_in_bap: PyInPort
    s_in_y1: PyInPort
    s_in_y2: PyInPort
    s_in_y3: PyInPort
    a_out: PyOutPort
    a_buff: np.ndarray
    weights: np.ndarray
    weights_set: bool
    tag_1: np.ndarray
    y1: np.ndarray
    y2: np.ndarray
    y3: np.ndarray
    dw: str
    dt: str | None

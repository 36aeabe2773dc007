"""A whole learning network in one process, source and recorders included: the fastest form that Lava runs."""

from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from ff2loihi.processes.fused_layer import FusedLayer
from ff2loihi.processes.learning_source import RateSource


class FFNetwork(AbstractProcess):
    """LearningSource -> FFLayer -> FFLayer ..., the same states at the same steps, without a message between them.

    Parameters
    ----------
    layers: a dict each: weights, tags (n, inputs); positive, neuron, trace, factor, tag: see FusedLayer.
    source: the parameters of LearningSource.  passed: steps that lie behind.  exponent, halve: the learning rate.
    folder: where what the host reads is written: g.L.npy, weights.L.now.npy, tags.L.now.npy, and the rows of every
    state where steps > 0; see backends.lava_learning_graph.

    State
    -----
    exponent, halve: (1,) int32.
    """

    def __init__(
        self, *, layers, source: dict, passed: int, exponent: int, halve: int, folder: str, steps: int
    ) -> None:
        super().__init__(layers=layers, source=source, passed=passed, folder=folder, steps=steps)
        self.exponent, self.halve = Var(shape=(1,), init=exponent), Var(shape=(1,), init=halve)


@implements(proc=FFNetwork, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFFNetworkModel(PyLoihiProcessModel):
    exponent: np.ndarray = LavaPyType(np.ndarray, np.int32)
    halve: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.source, self.period = RateSource(**proc_params["source"]), proc_params["source"]["period"]
        self.recording = proc_params["steps"] > 0
        self.layers, self.files = [], []
        for index, plan in enumerate(proc_params["layers"]):
            parts = dict(plan)
            n = len(parts["positive"])
            w, t = (np.ascontiguousarray(parts.pop(name).T, np.int32) for name in ("weights", "tags"))
            vectors = {name: np.zeros(n, np.int32) for name in ("a", "v", "r", "y2", "y3")}
            g = np.zeros(2, np.int32)
            self.layers.append(FusedLayer(w=w, t=t, g=g, passed=proc_params["passed"], **vectors, **parts))
            files = Path(proc_params["folder"]).glob(f"*.{index}.npy")
            now = Path(proc_params["folder"]).glob(f"*.{index}.now.npy")
            self.files.append({f.name.partition(f".{index}.")[0]: np.load(f, mmap_mode="r+") for f in (*files, *now)})

    def run_spk(self) -> None:
        control, spikes = self.source.step(self.time_step)
        sent = [layer.fire(self.halve[0]) for layer in self.layers]  # every layer sends before it receives
        below = spikes
        for index, (layer, z) in enumerate(zip(self.layers, sent, strict=True)):
            layer.take(np.flatnonzero(below), control[2 * index : 2 * index + 2], int(self.exponent[0]))
            below = z
        self._write(sent)

    def _write(self, sent: list[np.ndarray]) -> None:
        row = self.time_step - 1
        for layer, z, files in zip(self.layers, sent, self.files, strict=True):
            files["g"][row % self.period] = layer.g
            if self.time_step % self.period == 0:
                files["weights"][0] = layer.w.T
                if layer.tag is not None:
                    files["tags"][0] = layer.t.T
            if self.recording:
                files["z"][row] = z
                for name in ("a", "v", "r", "y2", "y3"):
                    files[name][row] = getattr(layer, name)
                files["weights.all"][row] = layer.w.T
                if layer.tag is not None:
                    files["tags.all"][row] = layer.t.T

"""A whole learning network in one process, source and recorders included: the fastest form that Lava runs."""

from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyAsyncProcessModel
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol

from ff2loihi.processes.learning.fused_layer import FusedLayer
from ff2loihi.processes.learning.source import InputSource


class FusedNetwork(AbstractProcess):
    """LearningSource -> FFLayer -> FFLayer ..., the same states at the same steps, without a message between them.

    Parameters
    ----------
    layers: a dict each: weights, tags (n, inputs); mask, positive, neuron, trace, factor, tag: see FusedLayer.
    source: the parameters of LearningSource.  passed: steps that lie behind.
    folder: rate.npy (rows, 2), read at each step: the learning rate's exponent and trace_shift, of one presentation
    after the other, over and over; and where what the host reads is written: g.L.npy, weights.L.now.npy,
    tags.L.now.npy, and the rows of every state where steps > 0; see backends.lava.graphs.learning.
    """

    def __init__(self, *, layers, source: dict, passed: int, folder: str, steps: int) -> None:
        super().__init__(layers=layers, source=source, passed=passed, folder=folder, steps=steps)


@implements(proc=FusedNetwork, protocol=AsyncProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFusedNetworkModel(PyAsyncProcessModel):
    """Of a run of so many steps: no other process waits for one of them, so that Lava's runtime need not count them.

    A message of its runtime for each step, as LoihiProtocol has it, takes several times as long as the step itself.
    """

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.source, self.period = InputSource(**proc_params["source"]), proc_params["source"]["period"]
        self.recording = proc_params["steps"] > 0
        self.rate = np.asarray(np.load(Path(proc_params["folder"], "rate.npy"), mmap_mode="r"))
        self.time_step = 0
        self.layers, self.files = [], []
        for index, plan in enumerate(proc_params["layers"]):
            files = Path(proc_params["folder"]).glob(f"*.{index}.npy")
            now = Path(proc_params["folder"]).glob(f"*.{index}.now.npy")
            names = {f: f.name.partition(f".{index}.")[0] for f in (*files, *now)}
            self.files.append({name: np.asarray(np.load(f, mmap_mode="r+")) for f, name in names.items()})
            self.layers.append(_layer(plan, self.files[-1], proc_params["passed"]))

    def run_async(self) -> None:
        for _ in range(self.num_steps):
            self.time_step += 1
            self._step()

    def _step(self) -> None:
        control, spikes = self.source.step(self.time_step)
        exponent, trace_shift = self.rate[(self.time_step - 1) // self.period % len(self.rate)].tolist()
        sent = [layer.send_spikes(trace_shift) for layer in self.layers]  # every layer sends before it receives
        control = control.tolist()
        for index, (layer, below) in enumerate(zip(self.layers, [spikes, *sent[:-1]], strict=True)):
            layer.receive_spikes(below, tuple(control[2 * index : 2 * index + 2]), exponent)
        row = self.time_step - 1
        for layer, z, files in zip(self.layers, sent, self.files, strict=True):
            files["g"][row % self.period] = layer.g
            if self.recording:
                self._record(row, layer, z, files)

    def _record(self, row: int, layer: FusedLayer, z: np.ndarray, files: dict[str, np.ndarray]) -> None:
        files["z"][row] = z
        for name in ("a", "v", "r", "y2", "y3"):
            files[name][row] = getattr(layer, name)
        files["weights.all"][row] = layer.w.T
        if layer.tag is not None:
            files["tags.all"][row] = layer.t.T


def _layer(plan: dict, files: dict[str, np.ndarray], passed: int) -> FusedLayer:
    """The layer of `plan`; its weights, and tags where it has some, live in their file, which so needs no writing."""
    constants = dict(plan)
    weights, tags = constants.pop("weights"), constants.pop("tags")
    w = files["weights"][0].T
    w[:] = weights.T
    t = files["tags"][0].T if plan["tag"] else np.zeros((1, 1), np.int16)
    t[:] = tags.T if plan["tag"] else 0
    n = len(plan["positive"])
    vectors = {name: np.zeros(n, np.int32) for name in ("a", "v", "r", "y2", "y3")}
    return FusedLayer(w=w, t=t, g=np.zeros(2, np.int32), passed=passed, **vectors, **constants)

"""The input of a network: every sample under every label, one time step after the other."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from ff2loihi.processes.fixed_point import rate_step


class Source(AbstractProcess):
    """Sends x(t): graded payloads (steps = 1), or evenly spaced spikes whose rate is x / full.

    At time step t = 1 + (m classes + c) steps + i it sends sample m with label c, local step i = 0..steps - 1;
    behind the last sample it sends zeros. For spikes, the accumulators start at `phases` when i = 0.

    Parameters
    ----------
    samples: (n_samples, n_inputs) int32 [0..full], the label inputs' columns are overwritten.
    codes: (classes, n_label) int32 [0..full], written into the columns `label_columns`.
    phases: (n_inputs,) int32 [0..full - 1].  steps, full: int.
    graded: payloads rather than spikes.

    Ports
    -----
    s_out: (n_inputs,) int32, payload or 0/1.
    """

    def __init__(self, *, samples, codes, label_columns: slice, phases, steps: int, full: int, graded: bool) -> None:
        super().__init__(
            samples=samples,
            codes=codes,
            label_columns=label_columns,
            phases=phases,
            steps=steps,
            full=full,
            graded=graded,
        )
        if graded and steps != 1:
            raise ValueError(f"a graded source shows each sample for 1 step, got steps={steps}")
        self.s_out = OutPort(shape=(samples.shape[1],))


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySourceModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.p = {name: proc_params[name] for name in ("samples", "codes", "label_columns", "phases", "steps", "full")}
        self.graded = proc_params["graded"]
        self.x = np.zeros(self.p["samples"].shape[1], np.int32)
        self.acc = np.zeros_like(self.x)

    def run_spk(self) -> None:
        row, i = divmod(self.time_step - 1, self.p["steps"])
        sample, label = divmod(row, len(self.p["codes"]))
        if sample >= len(self.p["samples"]):
            self.s_out.send(np.zeros_like(self.x))
            return
        if i == 0:
            self.x = self.p["samples"][sample].copy()
            self.x[self.p["label_columns"]] = self.p["codes"][label]
            self.acc = self.p["phases"].copy()
        if self.graded:
            self.s_out.send(self.x)
            return
        spikes, self.acc = rate_step(self.acc, self.x, self.p["full"])
        self.s_out.send(spikes.astype(np.int32))

"""The network of payload.library_neurons inside the simulator, with the host's source and what reads its states."""

from pathlib import Path

import numpy as np

from ff2loihi.backends.lava.graphs.learning import LearningGraph
from ff2loihi.backends.loihi.library_plan import constants
from ff2loihi.backends.loihi.payload.library_neurons import connect
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.host_io.record import probe_var, record_port
from ff2loihi.processes.library.source import LibrarySource
from ff2loihi.processes.library_rule import SLOTS


def build(network: LearningNetwork, folder: Path, start: dict) -> LearningGraph:
    """The processes; files in `folder`: input.npy and weights.0.npy are read, the rest is written.

    start["steps"]: record every state of so many time steps, 0: none. Files r.0.npy (rows, n): the counts of the last
    presentation, or of all; weights.0.now.npy (1, n, inputs) and gates.0.now.npy (1, n) at its end.
    """
    rows = start["steps"] or network.period
    source = LibrarySource(
        file=str(folder / "input.npy"),
        n=network.inputs,
        steps=network.steps,
        window=network.window,
        probability=network.probability,
        events=network.events is not None,
    )
    weights = np.load(folder / "weights.0.npy").astype(np.int32)
    found = connect(constants(network), weights, source.s_out, source.c_out, offset=1)

    record_port(found.count.s_out, folder / "r.0.npy", rows)
    probe_var(found.plastic.weights, folder / "weights.0.now.npy", 1, network.period)
    probe_var(found.gates.v, folder / "gates.0.now.npy", 1, network.period)
    if start["steps"]:
        record_port(found.neuron.s_out, folder / "z.0.npy", rows)
        states = (("v", found.neuron.v), ("gate", found.gates.v), ("units", found.units.v), ("a", found.plastic.a_buff))
        for name, var in states:
            probe_var(var, folder / f"{name}.0.npy", rows)
        probe_var(found.plastic.weights, folder / "weights.all.0.npy", rows // SLOTS, SLOTS, dtype=np.int16)
    return LearningGraph(source, (), network)

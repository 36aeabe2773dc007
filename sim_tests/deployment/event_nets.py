"""Events of a sensor of 4 x 3 with two polarities in three classes, and a NIR graph of neurons that takes them."""

from itertools import pairwise
from pathlib import Path

import nir
import numpy as np

STEPS, CLASSES = 8, 3
SIDES = (2, 4, 3)  # polarities, rows, columns
DT = 1e-3


def frames(samples: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """(samples, STEPS, 2, 4, 3) bool and labels: a class is the row in which the first polarity is often seen."""
    rng, labels = np.random.default_rng(seed), np.arange(samples) % CLASSES
    found = rng.random((samples, STEPS, *SIDES)) < 0.1
    found[np.arange(samples), :, 0, labels] |= rng.random((samples, STEPS, SIDES[2])) < 0.5
    return found, labels


def event_file(folder: Path) -> Path:
    """An .npz of 150 of them, in the data set's order."""
    shown, labels = frames(150)
    np.savez(folder / "e.npz", events=shown, labels=labels)
    return folder / "e.npz"


def lif(n: int, tau: float = 4, kind: str = "LIF", synapse: float = 2, **changes) -> nir.NIRNode:
    """Neurons with thresholds from 1 to 2; tau, synapse: in steps; changes: fields of the node."""
    full = {"r": np.full(n, 3.0), "v_threshold": np.linspace(1, 2, n), "v_reset": np.zeros(n)}
    if kind == "IF":
        return nir.IF(**full | changes)
    times = {"tau": np.full(n, tau * DT)}
    if kind == "CubaLIF":
        times = {"tau_mem": np.full(n, tau * DT), "tau_syn": np.full(n, synapse * DT), "w_in": np.full(n, 1.5)}
    return getattr(nir, kind)(**full | times | {"v_leak": np.zeros(n)} | changes)


def graph(first: nir.NIRNode, *, hidden: int = 10, seed: int = 6, bias: bool = True, dt: float | None = DT, **nodes):
    """Flatten, 24 - hidden - 3, `first` behind the hidden ones; nodes: others in place of those of that name."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0.2, 0.5, (hidden, 24)), rng.normal(0.1, 0.5, (CLASSES, hidden))
    chain = {
        "input": nir.Input({"input": np.array(SIDES)}),
        "flat": nir.Flatten({"input": np.array(SIDES)}, start_dim=0),
        "fc1": nir.Linear(weights[0]),
        "neurons": first,
        "fc2": nir.Affine(weights[1], np.array([0.1, -0.05, 0.2]) * bias),
        "last": lif(CLASSES),
        "output": nir.Output({"output": np.array([CLASSES])}),
    } | nodes
    chain = {name: node for name, node in chain.items() if node is not None}
    return nir.NIRGraph(chain, list(pairwise(chain)), metadata={"dt": dt} if dt else {}, type_check=False)


def reference(made: nir.NIRGraph, events: np.ndarray) -> list[np.ndarray]:
    """NIR's equations in Euler steps of DT, on events (samples, steps, ...): each layer's spike counts."""
    spikes = events.reshape(*events.shape[:2], -1).astype(np.float64)
    counts = []
    for weights, neurons in (("fc1", "neurons"), ("fc2", "last")):
        node, cell = made.nodes[weights], made.nodes[neurons]
        drive = spikes @ node.weight.T + getattr(node, "bias", 0.0)
        u = v = np.zeros(drive[:, 0].shape)
        spikes = np.zeros_like(drive)
        for step in range(drive.shape[1]):
            current = drive[:, step]
            if isinstance(cell, nir.CubaLIF):
                u = u + DT / cell.tau_syn * (cell.w_in * current - u)
                current = u
            tau = getattr(cell, "tau", getattr(cell, "tau_mem", None))
            v = v + DT * cell.r * current if tau is None else v + DT / tau * (cell.r * current - v)
            spikes[:, step] = v > cell.v_threshold
            v = np.where(v > cell.v_threshold, 0, v)
        counts.append(spikes.sum(1))
    return counts

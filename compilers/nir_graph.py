"""A network as a graph of the Neuromorphic Intermediate Representation (NIR), and a graph as what can be compiled.

One time step is NIR's unit of time, one unit of v is 2^6 v LSB, so that a threshold is its mantissa:

    Affine, Linear   W 2^-shift, b 2^-6 (graded: b 2^-shift); the chip's floor after the shift is left out
    IF               v' = v + I, spike where v > vth, then v = 0
    LIF              tau v' = R I - v with tau = R = 4096 / dv: v' = v (1 - dv / 4096) + I
    nothing          a graded layer: NIR has no rectifier

What NIR has no words for, labels, read-out, soft reset, first v, stands in the graph's metadata under `ff2loihi`: an
artifact's manifest and its small arrays. The weights are the nodes' alone.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import h5py
import nir
import numpy as np

from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningLayer, LearningNetwork
from ff2loihi.processes.limits import ALIGN

WEIGHTS, NEURONS = ("Affine", "Linear"), ("IF", "LIF", "CubaLIF")
SUPPORTED = ("Input", "Output", *WEIGHTS, *NEURONS)
DECAY_ONE = 4096


@dataclass(frozen=True)
class Stage:
    """A layer of a graph: the name of its Affine or Linear node, the node, and the neuron behind it or None."""

    name: str
    synapse: object
    neuron: object | None


@dataclass(frozen=True)
class Graph:
    """A feed-forward chain. manifest, tensors: an artifact's, weights and biases left out; None in a foreign graph."""

    stages: tuple[Stage, ...]
    dt: float | None  # of the graph's metadata, in its unit of time
    manifest: dict | None
    tensors: dict[str, np.ndarray]


def to_bytes(network: IntNetwork | LearningNetwork, manifest: dict | None, tensors: dict[str, np.ndarray]) -> bytes:
    """The file. manifest, tensors: the artifact's; manifest None: it stands in the rule's file beside the graph."""
    nodes, edges, below = {"input": nir.Input({"input": np.array([network.inputs])})}, [], "input"
    for layer in network.layers:
        if layer.weight.ndim != 2:
            raise CompileError(f"{layer.name}: a convolution, and only dense layers are exported")
        for name, node in _nodes(network, layer).items():
            nodes[name] = node
            edges.append((below, name))
            below = name
    nodes["output"] = nir.Output({"output": np.array([network.layers[-1].weight.shape[0]])})
    edges.append((below, "output"))
    ours = {name: array for name, array in tensors.items() if not _is_a_layers(name)}
    metadata = {"dt": 1.0, "ff2loihi": {"manifest": json.dumps(manifest, sort_keys=True), "tensors": ours}}
    target = io.BytesIO()
    nir.write(target, nir.NIRGraph(nodes, edges, metadata=metadata))
    return target.getvalue()


def _is_a_layers(name: str) -> bool:
    return name.startswith("layers.") and name.endswith((".weight", ".bias"))


def _nodes(network, layer: IntLayer | LearningLayer) -> dict:
    """The nodes of a layer, by name."""
    n, learns = layer.weight.shape[0], isinstance(layer, LearningLayer)
    weight = layer.weight * np.float32(1 if learns else 2.0**-layer.shift)
    if learns or not layer.bias.any():
        found = {f"{layer.name}.weights": nir.Linear(weight)}
    else:
        unit = layer.shift if network.neuron == "graded" else ALIGN
        found = {f"{layer.name}.weights": nir.Affine(weight, layer.bias * 2.0**-unit)}
    if not learns and network.neuron == "graded":
        return found
    dv, vth = (layer.neuron.dv, layer.neuron.vth) if learns else (0, layer.vth)
    threshold, zeros = np.full(n, float(vth)), np.zeros(n)
    if dv:
        tau = np.full(n, DECAY_ONE / dv)
        return found | {layer.name: nir.LIF(tau, tau, zeros, threshold, zeros)}
    return found | {layer.name: nir.IF(np.ones(n), threshold, zeros)}


def remarks(network: IntNetwork | LearningNetwork) -> Iterator[str]:
    """What another NIR reader would take for something else, a line each."""
    if isinstance(network, LearningNetwork):
        return
    if network.neuron == "graded":
        yield "NIR has no rectifier: other readers take the layers for linear. Use --neuron lif"
    elif network.reset == "soft":
        yield "NIR's neurons reset to a value: other readers lose what is above the threshold. Use --reset hard"
    if network.norms:
        yield "the normalisation between layers stands in the metadata alone: other readers leave it out"
    shifted = [layer.name for layer in network.layers if layer.shift and network.neuron == "lif"]
    if shifted:
        yield f"{', '.join(shifted)}: the chip floors the shifted sums, other readers do not"


def read(path: Path) -> Graph:
    """A graph's layers in order. Raises CheckpointError for a damaged file, or a graph that is no such chain."""
    try:
        with h5py.File(path, "r") as file:
            kinds = {name: _text(node["type"][()]) for name, node in file["node/nodes"].items()}
        wrong = [f"{name!r} is a {kind}" for name, kind in sorted(kinds.items()) if kind not in SUPPORTED]
        if not wrong:
            graph = nir.read(path, type_check=False)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or 'not an HDF5 file, or a truncated one'}") from None
    except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise CheckpointError(f"{path}: not a NIR graph, or a damaged one ({' '.join(str(error).split())})") from None
    if wrong:
        raise CheckpointError(
            f"{path}: {', '.join(wrong)}: only a chain of {', '.join(WEIGHTS)} with {', '.join(NEURONS)} compiles"
        )
    chain = _chain(path, graph)
    ours = graph.metadata.get("ff2loihi", {})
    try:
        manifest = json.loads(_text(ours.get("manifest", "null")))
    except ValueError:
        raise CheckpointError(f"{path}: its metadata's manifest is not JSON. Export the artifact again") from None
    dt = graph.metadata.get("dt")
    known = bool(ours)
    return Graph(
        _stages(path, chain, known), None if dt is None else float(dt), manifest, dict(ours.get("tensors", {}))
    )


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _chain(path: Path, graph) -> list[tuple[str, object]]:
    """The nodes from input to output, by their edges."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        if source not in after or target not in after:
            raise CheckpointError(f"{path}: an edge {source!r} -> {target!r} to a node that is not there")
        after[source].append(target)
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        loop = " -> ".join(map(repr, reversed(error.args[1])))
        raise CheckpointError(f"{path}: recurrent, {loop}: only a feed-forward chain compiles") from None
    name = next((name for name, node in graph.nodes.items() if isinstance(node, nir.Input)), None)
    if name is None:
        raise CheckpointError(f"{path}: no Input node. Add one: its edge says where the network begins")
    chain = [(name, graph.nodes[name])]
    while not isinstance(graph.nodes[name], nir.Output):
        if len(after[name]) != 1:
            raise CheckpointError(f"{path}: {name!r} feeds {len(after[name])} nodes: only a chain compiles")
        [name] = after[name]
        chain.append((name, graph.nodes[name]))
    seen = {name for name, _ in chain}
    if len(seen) < len(graph.nodes):
        raise CheckpointError(f"{path}: {sorted(set(graph.nodes) - seen)[0]!r} is not between input and output")
    return chain[1:-1]


def _stages(path: Path, chain: list, ours: bool) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for name, node in chain:
        if isinstance(node, nir.Affine | nir.Linear):
            if node.weight.ndim != 2:
                raise CheckpointError(
                    f"{path}: {name!r} has weights {node.weight.shape}, a dense layer's are (out, in)"
                )
            stages.append(Stage(name, node, None))
        elif not stages or stages[-1].neuron is not None:
            raise CheckpointError(f"{path}: {name!r} has no Affine or Linear node before it")
        else:
            stages[-1] = Stage(stages[-1].name, stages[-1].synapse, node)
    if not stages:
        raise CheckpointError(f"{path}: no Affine or Linear node")
    spiking = [stage.name for stage in stages if stage.neuron is not None]
    if spiking and len(spiking) < len(stages):
        bare = next(stage.name for stage in stages if stage.neuron is None)
        raise CheckpointError(
            f"{path}: no neuron behind {bare!r}, but behind {spiking[0]!r}: all layers spike, or none"
        )
    return tuple(stages)


def tensors_of(path: Path, graph: Graph, manifest: dict) -> dict[str, np.ndarray]:
    """An artifact's arrays, weights and biases from the nodes. Raises CheckpointError where the graph is another."""
    layers, found = manifest["layers"], dict(graph.tensors)
    if len(layers) != len(graph.stages):
        raise CheckpointError(f"{path}: {len(graph.stages)} layers, its metadata describe {len(layers)}")
    for index, (layer, stage) in enumerate(zip(layers, graph.stages, strict=True)):
        shift = layer.get("shift", 0)
        found[f"layers.{index}.weight"] = _whole(path, stage.name, stage.synapse.weight * 2.0**shift, np.int16)
        if manifest["kind"] == "inference":
            unit = shift if manifest["neuron"] == "graded" else ALIGN
            bias = getattr(stage.synapse, "bias", np.zeros(len(stage.synapse.weight)))
            found[f"layers.{index}.bias"] = _whole(path, stage.name, bias * 2.0**unit, np.int32)
    return found


def _whole(path: Path, name: str, values: np.ndarray, dtype: type) -> np.ndarray:
    whole = np.rint(values)
    if not np.array_equal(whole, values):
        raise CheckpointError(
            f"{path}: {name!r} holds {int((whole != values).sum()):,} values off the chip's grid: the graph was "
            "changed or trained on. Use --spec, which quantizes it anew"
        )
    return whole.astype(dtype)


def check_same(path: Path, graph: Graph, network: IntNetwork | LearningNetwork) -> None:
    """Raise CheckpointError where a node's parameters are not what the network's would be."""
    for layer, stage in zip(network.layers, graph.stages, strict=True):
        for name, wanted in _nodes(network, layer).items():
            node = stage.synapse if name.endswith(".weights") else stage.neuron
            if type(node) is not type(wanted):
                kinds = type(node).__name__, type(wanted).__name__
                raise CheckpointError(f"{path}: {name!r} is a {kinds[0]}, its metadata describe a {kinds[1]}")
            for key in wanted.to_dict():
                if key not in ("type", "metadata") and not np.array_equal(getattr(node, key), getattr(wanted, key)):
                    raise CheckpointError(
                        f"{path}: {name!r}: {key} is not what its metadata describe: the graph was changed. "
                        "Use --spec, which quantizes it anew"
                    )


def float_layers(path: Path, graph: Graph) -> tuple[dict[str, np.ndarray], float | None]:
    """A foreign graph as tensors NODE.weight, NODE.bias, and its neurons' decay a step (None: no neurons).

    Rows are scaled by R dt / tau and divided by the threshold, so that v' = decay v + W s spikes where v' > 1.
    Raises CheckpointError for neurons whose equation the chip's does not hold.
    """
    tensors, decays = {}, set()
    for stage in graph.stages:
        weight = stage.synapse.weight.astype(np.float64)
        bias = getattr(stage.synapse, "bias", None)
        gain = np.ones(len(weight))
        if stage.neuron is not None:
            gain, decay = _neuron(path, stage, graph.dt)
            decays.add(decay)
            if bias is not None and np.any(bias):
                raise CheckpointError(f"{path}: {stage.name!r} has biases before neurons that spike: they have no form")
        tensors[f"{stage.name}.weight"] = (weight * gain[:, None]).astype(np.float32)
        if bias is not None:
            tensors[f"{stage.name}.bias"] = np.asarray(bias, np.float32)
    if len(decays) > 1:
        raise CheckpointError(f"{path}: neurons leak by {sorted(decays)} a step: one decay for all of them compiles")
    return tensors, decays.pop() if decays else None


def _neuron(path: Path, stage: Stage, dt: float | None) -> tuple[np.ndarray, float]:
    """What a row of weights is worth in thresholds, (n,), and the decay of v in a step."""
    neuron, where = stage.neuron, f"{path}: the neurons behind {stage.name!r}"
    zero = {"v_leak": getattr(neuron, "v_leak", 0), "v_reset": neuron.v_reset}
    for name, value in zero.items():
        if np.any(value):
            raise CheckpointError(f"{where}: {name} must be 0, got up to {np.abs(value).max():g}")
    if np.any(neuron.v_threshold <= 0):
        raise CheckpointError(f"{where}: thresholds must be above 0, got {np.min(neuron.v_threshold):g}")
    gain = np.broadcast_to(neuron.r / neuron.v_threshold, (len(stage.synapse.weight),)).astype(np.float64)
    tau = getattr(neuron, "tau", getattr(neuron, "tau_mem", None))
    if dt is None:
        raise CheckpointError(f"{where}: the graph's metadata hold no dt, a step's length. Write graph.metadata['dt']")
    if tau is None:
        return gain * dt, 1.0
    if isinstance(neuron, nir.CubaLIF):
        if np.any(neuron.tau_syn > dt):
            raise CheckpointError(f"{where}: tau_syn {np.max(neuron.tau_syn):g} is above dt {dt:g}: the chip's current "
                                  "keeps nothing here")  # fmt: skip
        gain = gain * neuron.w_in
    decay = 1 - dt / np.asarray(tau, np.float64)
    if np.ptp(decay) or not 0 <= decay.flat[0] <= 1:
        raise CheckpointError(
            f"{where}: tau must be one value of at least dt {dt:g}, got {np.min(tau):g}..{np.max(tau):g}"
        )
    return gain * (dt / np.asarray(tau, np.float64)), float(decay.flat[0])

"""A network as a graph of the Neuromorphic Intermediate Representation (NIR), and a graph as what can be compiled.

One time step is NIR's unit of time, one unit of v is 2^6 v LSB, so that a threshold is its mantissa:

    Affine, Linear   W 2^-shift, b 2^-6 (graded: b 2^-shift); the chip's floor after the shift is left out
    Conv2d           the same, of kernels (channels, channels below / groups, rows, columns), as torch numbers them
    IF               v' = v + I, spike where v > vth, then v = 0
    LIF              tau v' = R I - v with tau = R = 4096 / dv: v' = v (1 - dv / 4096) + I
    nothing          a graded layer: NIR has no rectifier

The neurons of a convolution are (channels, rows, columns), in the order of the chip's; a Flatten stands between them
and a dense layer. What NIR has no words for, labels, read-out, soft reset, first v, stands in the graph's metadata
under `ff2loihi`: an artifact's manifest and its small arrays. The weights are the nodes' alone.
"""

import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np

from ff2loihi.compilers.errors import CheckpointError, CompileError, FF2LoihiError, brief, shortened, together
from ff2loihi.compilers.formats import strict_json
from ff2loihi.compilers.formats.hdf5_file import check_contents, check_readable
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningLayer, LearningNetwork, names
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.limits import ALIGN, DECAY_ONE, DU_NO_MEMORY

WEIGHTS, NEURONS, POOLS = ("Affine", "Linear", "Conv2d"), ("IF", "LIF", "CubaLIF"), ("AvgPool2d", "SumPool2d")
SUPPORTED = ("Input", "Output", "Flatten", *WEIGHTS, *NEURONS, *POOLS)
FIELDS = ("tau", "tau_mem", "tau_syn", "r", "v_leak", "v_threshold", "v_reset")  # of neurons, an array each
ARRAYS = {"weight", "bias", "w_in", *FIELDS}


@dataclass(frozen=True)
class Stage:
    """A layer of a graph: the name of its Affine, Linear or Conv2d node, the node, the neuron and pool behind it."""

    name: str
    synapse: nir.Affine | nir.Linear | nir.Conv2d
    neuron: nir.IF | nir.LIF | nir.CubaLIF | None
    pool: nir.AvgPool2d | nir.SumPool2d | None = None


@dataclass(frozen=True)
class Graph:
    """A feed-forward chain. manifest, tensors: an artifact's, weights and biases left out; None in a foreign graph."""

    shape: tuple[int, ...]  # of the input
    stages: tuple[Stage, ...]
    dt: float | None  # of the graph's metadata, in its unit of time
    manifest: dict | None
    tensors: dict[str, np.ndarray]


def to_bytes(network: IntNetwork | LearningNetwork, manifest: dict | None, tensors: dict[str, np.ndarray]) -> bytes:
    """The file. manifest, tensors: the artifact's; manifest None: it stands in the rule's file beside the graph."""
    pooled = [layer.name for layer in network.layers if layer.pool]
    if pooled:
        raise CompileError(
            f"{', '.join(pooled)}: NIR has no max pooling. Export to netx, or train with average pooling or strides"
        )
    seeing = [layer.name for layer in network.layers if isinstance(layer, IntLayer) and layer.label]
    if seeing:
        raise CompileError(
            f"{', '.join(seeing)}: a chain of NIR nodes has no place for the label's inputs into a layer above the "
            "first. Export golden vectors, or train with the label in the first layer"
        )
    first = network.layers[0].conv
    shape = first.shape if first else (network.inputs,)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(shape)})}
    for layer in network.layers:
        if len(shape) > 1 and not layer.conv:
            nodes[f"{layer.name}.flatten"] = nir.Flatten({"input": np.array(shape)}, start_dim=0)
        nodes |= _nodes(network, layer)
        shape = _shape(layer)
    nodes["output"] = nir.Output({"output": np.array(shape)})
    edges = list(pairwise(nodes))
    ours = {name: array for name, array in tensors.items() if not _is_a_layers(name)}
    metadata = {"dt": 1.0, "ff2loihi": {"manifest": json.dumps(manifest, sort_keys=True), "tensors": ours}}
    target = _Memory()
    nir.write(target, nir.NIRGraph(nodes, edges, metadata=metadata))
    return target.getvalue()


class _Memory(io.BytesIO, io.RawIOBase):
    """nir asks for a raw file, and takes any."""


def _is_a_layers(name: str) -> bool:
    return name.startswith("layers.") and name.endswith((".weight", ".bias"))


def _shape(layer: IntLayer | LearningLayer) -> tuple[int, ...]:
    return layer.conv.out_shape if layer.conv else (layer.neurons,)


def _nodes(network, layer: IntLayer | LearningLayer) -> dict[str, nir.NIRNode]:
    """The nodes of a layer, by name."""
    shape, name = _shape(layer), f"{layer.name}.weights"
    if isinstance(layer, LearningLayer):
        node, dv, vth = nir.Linear(layer.weight * np.float32(1)), layer.neuron.dv, layer.neuron.vth
    else:
        if layer.leak and layer.leak.du != DU_NO_MEMORY:
            raise CompileError(f"{layer.name}: its current decays, and no NIR node here says that. Export to netx")
        node, vth = _synapse(layer, layer.shift if network.neuron == "graded" else ALIGN), layer.vth
        dv = layer.leak.dv if layer.leak else 0
        if network.neuron == "graded":
            return {name: node}
    threshold, zeros = np.full(shape, float(vth)), np.zeros(shape)
    if dv:
        tau = np.full(shape, DECAY_ONE / dv)
        return {name: node, layer.name: nir.LIF(tau, tau, zeros, threshold, zeros)}
    return {name: node, layer.name: nir.IF(np.ones(shape), threshold, zeros)}


def _synapse(layer: IntLayer, bias_bits: int) -> nir.NIRNode:
    weight, bias = layer.weight * np.float32(2.0**-layer.shift), layer.bias * 2.0**-bias_bits
    if layer.conv:
        of_channels = layer.conv.per_channel(bias)
        if of_channels is None:
            raise CompileError(
                f"{layer.name}: its biases differ within a channel, as an offset of the input is missing at zero "
                "padding: NIR's Conv2d has one bias a channel. Export to netx"
            )
        return _conv2d(layer.conv, weight, of_channels)
    return nir.Affine(weight, bias) if bias.any() else nir.Linear(weight)


def _conv2d(conv: Conv, weight: np.ndarray, bias: np.ndarray) -> nir.Conv2d:
    stride, padding, dilation = ((side, side) for side in (conv.stride, conv.padding, conv.dilation))
    node = nir.Conv2d(conv.shape[1:], weight, stride, padding, dilation, groups=conv.groups, bias=bias)
    # nir 1.0 infers them as if there were one group and a square kernel
    node.input_type, node.output_type = {"input": np.array(conv.shape)}, {"output": np.array(conv.out_shape)}
    return node


def remarks(network: IntNetwork | LearningNetwork) -> Iterator[str]:
    """What another NIR reader would take for something else, a line each."""
    if isinstance(network, LearningNetwork):
        return
    for layer in network.layers:
        if layer.conv and (layer.conv.groups > 1 or len(set(layer.conv.kernel)) > 1):
            yield f"{layer.name}: nir 1.0 infers wrong shapes for its groups or kernel: readers need type_check=False"
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
        check_readable(path)
        return _read(path)
    except FF2LoihiError:
        raise
    except OSError:
        raise CheckpointError(f"{path}: not an HDF5 file, or a truncated or damaged one. Export it again") from None
    except Exception as error:  # h5py and nir raise many kinds on damaged bytes, and each means the same
        raise CheckpointError(f"{path}: not a NIR graph, or a damaged one ({brief(error, 150)})") from None


def _read(path: Path) -> Graph:
    with h5py.File(path, "r") as file:
        check_contents(file)
        nodes = file["node/nodes"]
        if not isinstance(nodes, h5py.Group):
            raise ValueError("its nodes are no group")
        kinds = {name: _text(node["type"][()]) for name, node in nodes.items()}
        sizes = {name: _sizes(node) for name, node in nodes.items() if kinds[name] in NEURONS}
        for name, node in nodes.items():
            for field in ARRAYS & set(node):
                if node[field].dtype.kind not in "biuf":
                    raise ValueError(f"{shortened(name)}: {field} holds {brief(node[field].dtype)}, no numbers")
    unreadable = together(names.unreadable(kinds))
    if unreadable:
        raise CheckpointError(f"{path}: its nodes: {unreadable}. Rename them")
    wrong = [f"{name!r} is a {brief(kind)}" for name, kind in sorted(kinds.items()) if kind not in SUPPORTED]
    if wrong:
        raise CheckpointError(
            f"{path}: {together(wrong, 200)}: only a chain of {', '.join(WEIGHTS)} with {', '.join(NEURONS)} or "
            f"{', '.join(POOLS)} compiles"
        )
    for name, fields in sizes.items():
        if len(set(fields.values())) > 1:
            found = ", ".join(f"{field} {shape}" for field, shape in fields.items())
            raise CheckpointError(f"{path}: {shortened(name)} has arrays of different sizes: {found}. Write them alike")
    graph = nir.read(path, type_check=False)
    chain = _chain(path, graph)
    ours = graph.metadata.get("ff2loihi", {})
    try:
        manifest = strict_json.loads(_text(ours.get("manifest", "null")))
    except ValueError as error:
        text = f"{path}: its metadata's manifest is not JSON ({brief(error)}). Export the artifact again"
        raise CheckpointError(text) from None
    if not isinstance(manifest, dict | None):
        raise CheckpointError(f"{path}: its metadata's manifest is no object. Export the artifact again")
    dt = graph.metadata.get("dt")
    if dt is not None and not (np.ndim(dt) == 0 and isinstance(dt, int | float | np.number) and 0 < dt < math.inf):
        raise CheckpointError(f"{path}: dt, a step's length, must be above 0, got {brief(dt)}")
    shape = _input_shape(path, chain[0][1].input_type["input"])
    stages = _stages(path, chain[1:-1])
    return Graph(shape, stages, None if dt is None else float(dt), manifest, dict(ours.get("tensors", {})))


def _input_shape(path: Path, found: object) -> tuple[int, ...]:
    sides = np.ravel(np.asarray(found))
    numbers = sides.size and sides.dtype.kind in "iuf" and np.all(np.isfinite(sides))
    if not numbers or np.any((sides < 1) | (sides != np.floor(sides))):
        text = f"{path}: the shape of its input must be of whole numbers above 0, got {brief(found)}"
        raise CheckpointError(f"{text}. Export it again")
    return tuple(int(side) for side in sides)


def _sizes(node: h5py.Group) -> dict[str, tuple[int, ...]]:
    """The shapes of a neuron's arrays."""
    found = {field: node[field] for field in FIELDS if field in node}
    return {field: item.shape for field, item in found.items() if isinstance(item, h5py.Dataset)}


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _chain(path: Path, graph: nir.NIRGraph) -> list[tuple[str, nir.NIRNode]]:
    """The nodes from input to output, by their edges."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        if source not in after or target not in after:
            raise CheckpointError(
                f"{path}: an edge {shortened(source)} -> {shortened(target)} to a node that is not there"
            )
        if target not in after[source]:  # some writers list an edge twice
            after[source].append(target)
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        loop = " -> ".join(map(shortened, reversed(error.args[1])))
        raise CheckpointError(f"{path}: recurrent, {loop}: only a feed-forward chain compiles") from None
    name = next((name for name, node in graph.nodes.items() if isinstance(node, nir.Input)), None)
    if name is None:
        raise CheckpointError(f"{path}: no Input node. Add one: its edge says where the network begins")
    chain = [(name, graph.nodes[name])]
    while not isinstance(graph.nodes[name], nir.Output):
        if len(after[name]) != 1:
            raise CheckpointError(f"{path}: {shortened(name)} feeds {len(after[name])} nodes: only a chain compiles")
        [name] = after[name]
        chain.append((name, graph.nodes[name]))
    seen = {name for name, _ in chain}
    if len(seen) < len(graph.nodes):
        raise CheckpointError(f"{path}: {shortened(min(set(graph.nodes) - seen))} is not between input and output")
    return chain


def _stages(path: Path, chain: list[tuple[str, nir.NIRNode]]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    flat = None  # name of what made a vector of the image, where something did
    for name, node in chain:
        if isinstance(node, nir.Flatten):
            flat = name
        elif isinstance(node, nir.Conv2d):
            if flat:
                raise CheckpointError(
                    f"{path}: {shortened(name)} is a convolution behind {shortened(flat)}, which left no image"
                )
            convolution(path, name, node)
            stages.append(Stage(name, node, None))
        elif isinstance(node, nir.Affine | nir.Linear):
            if node.weight.ndim != 2:
                raise CheckpointError(
                    f"{path}: {shortened(name)} has weights {node.weight.shape}, a dense layer's are (out, in)"
                )
            if stages and not flat:
                raise CheckpointError(
                    f"{path}: {shortened(name)} is a dense layer behind a convolution: put a Flatten between"
                )
            flat = name
            stages.append(Stage(name, node, None))
        elif isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            if flat or not stages or stages[-1].pool is not None:
                raise CheckpointError(f"{path}: {shortened(name)} is a pool that stands behind no Conv2d")
            window(path, name, node)
            stages[-1] = replace(stages[-1], pool=node)
        elif not stages or stages[-1].neuron is not None:
            raise CheckpointError(f"{path}: {shortened(name)} has no Affine, Linear or Conv2d node before it")
        elif isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
            stages[-1] = Stage(stages[-1].name, stages[-1].synapse, node)
        else:
            raise CheckpointError(f"{path}: {shortened(name)} is an {type(node).__name__} between input and output")
    if not stages:
        raise CheckpointError(f"{path}: no Affine, Linear or Conv2d node")
    spiking = [stage.name for stage in stages if stage.neuron is not None]
    if spiking and len(spiking) < len(stages):
        bare = next(stage.name for stage in stages if stage.neuron is None)
        raise CheckpointError(
            f"{path}: no neuron behind {shortened(bare)}, but behind {shortened(spiking[0])}: all layers spike, or none"
        )
    return tuple(stages)


def convolution(path: Path, name: str, node: nir.Conv2d) -> dict[str, int]:
    """A node's stride, padding, dilation and groups, as a spec names them. Raises CheckpointError where one is two."""
    if node.weight.ndim != 4:
        raise CheckpointError(
            f"{path}: {shortened(name)} has weights {node.weight.shape}, a convolution's have 4 dimensions"
        )
    found = {"groups": int(node.groups)}
    for what, value in (("stride", node.stride), ("padding", node.padding), ("dilation", node.dilation)):
        sides = {0} if str(value) == "valid" else set(np.ravel(value).tolist())
        if len(sides) > 1 or sides == {"same"}:
            raise CheckpointError(
                f"{path}: {shortened(name)} has {what} {value}: one number for rows and columns compiles"
            )
        found[what] = sides.pop()
    return found


def window(path: Path, name: str, node: nir.AvgPool2d | nir.SumPool2d) -> tuple[int, int]:
    """Size and stride of a pool. Raises CheckpointError where one is two, or it pads."""
    found = []
    for what, value in (("kernel_size", node.kernel_size), ("stride", node.stride), ("padding", node.padding)):
        sides = set(np.ravel(value).tolist())
        if len(sides) > 1 or (what == "padding" and sides != {0}) or any(side != int(side) for side in sides):
            raise CheckpointError(
                f"{path}: {shortened(name)} has {what} {value}: a whole number for both sides compiles, no padding"
            )
        if what != "padding" and min(sides) < 1:
            raise CheckpointError(f"{path}: {shortened(name)} has {what} {value}: a pool's is 1 or more")
        found.append(int(sides.pop()))
    return found[0], found[1]


def tensors_of(path: Path, graph: Graph, manifest: dict) -> dict[str, np.ndarray]:
    """An artifact's arrays, weights and biases from the nodes. Raises CheckpointError where the graph is another."""
    try:
        layers, found = manifest["layers"], dict(graph.tensors)
        if len(layers) != len(graph.stages):
            raise CheckpointError(f"{path}: {len(graph.stages)} layers, its metadata describe {len(layers)}")
        for index, (layer, stage) in enumerate(zip(layers, graph.stages, strict=True)):
            shift = layer.get("shift", 0)
            found[f"layers.{index}.weight"] = _whole(path, stage.name, stage.synapse.weight * 2.0**shift, np.int16)
            if manifest["kind"] == "inference":
                unit = shift if manifest["neuron"] == "graded" else ALIGN
                bias = getattr(stage.synapse, "bias", np.zeros(len(stage.synapse.weight)))
                places = found[f"layers.{index}.positive"].size // len(bias)  # of a channel; 1 where dense
                found[f"layers.{index}.bias"] = np.repeat(_whole(path, stage.name, bias * 2.0**unit, np.int32), places)
    except (KeyError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        raise CheckpointError(f"{path}: its metadata are damaged ({brief(error)}). Export the artifact again") from None
    other = [
        name for name, array in found.items() if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf"
    ]
    if other:
        raise CheckpointError(f"{path}: its metadata's {brief(other[0])} is no array. Export the artifact again")
    return found


def _whole(path: Path, name: str, values: np.ndarray, dtype: type) -> np.ndarray:
    whole = np.rint(values)
    if not np.array_equal(whole, values):
        raise CheckpointError(
            f"{path}: {shortened(name)} holds {int((whole != values).sum()):,} values off the chip's grid: the graph "
            "was changed or trained on. Use --spec, which quantizes it anew"
        )
    return whole.astype(dtype)


def check_same(path: Path, graph: Graph, network: IntNetwork | LearningNetwork) -> None:
    """Raise CheckpointError where a node's parameters are not what the network's would be."""
    for layer, stage in zip(network.layers, graph.stages, strict=True):
        if stage.pool is not None:
            raise CheckpointError(f"{path}: a pool behind {shortened(stage.name)}, its metadata describe none")
        for name, wanted in _nodes(network, layer).items():
            node = stage.synapse if name.endswith(".weights") else stage.neuron
            if type(node) is not type(wanted):
                kinds = type(node).__name__, type(wanted).__name__
                raise CheckpointError(f"{path}: {shortened(name)} is a {kinds[0]}, its metadata describe a {kinds[1]}")
            for key in wanted.to_dict():
                if key not in ("type", "metadata") and not np.array_equal(getattr(node, key), getattr(wanted, key)):
                    raise CheckpointError(
                        f"{path}: {shortened(name)}: {key} is not what its metadata describe: the graph was changed. "
                        "Use --spec, which quantizes it anew"
                    )

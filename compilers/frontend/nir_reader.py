"""NIR graphs that others wrote: their arrays and neurons in the form of a checkpoint and its spec."""

import math
from pathlib import Path

import nir
import numpy as np
from pydantic import ValidationError

from ff2loihi.compilers.errors import CheckpointError, brief, shortened
from ff2loihi.compilers.frontend.draft import Nodes
from ff2loihi.compilers.frontend.spec import ConvSpec, PoolSpec, Spec
from ff2loihi.compilers.interchange.nir import FIELDS, NEURONS, Graph, Stage, convolution, read, window
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.counting import SpikingLayer
from ff2loihi.compilers.ir.pooling import MaxPool

SAME = 1e-6  # of decays a step: what float32 makes of one value
SHOWN = 3  # neurons that an error names


def with_geometry(path: Path, graph: Graph, spec: Spec) -> Spec:
    """The spec with the image and the convolutions of the graph. Raises CheckpointError where it says others."""
    found = _geometry(path, graph)
    if not found:
        return spec
    if spec.image not in (None, graph.shape):
        raise CheckpointError(
            f"{path}: its input is {_sides(graph.shape)}, the spec's image {_sides(spec.image)}: leave image out"
        )
    layers = []
    for layer in spec.layers:
        conv, pool = found.get(layer.weight, (layer.conv, layer.pool))
        for what, said, has in (("conv", layer.conv, conv), ("pool", layer.pool, pool)):
            if said not in (None, has):
                raise CheckpointError(f"{path}: {layer.weight} has {has}, the spec's {what} says {said}: leave it out")
        layers.append(layer.model_copy(update={"conv": conv, "pool": pool}))
    return spec.model_copy(update={"layers": tuple(layers), "image": graph.shape})


def nodes(path: Path) -> Nodes:
    """What a spec is drafted from. Raises CheckpointError, for a graph of ours, too, which needs none."""
    graph = read(path)
    if graph.manifest is not None or graph.tensors:
        raise CheckpointError(f"{path}: exported by ff2loihi, so it needs no spec. Use: ff2loihi compile {path}")
    shapes = {}
    for stage in graph.stages:
        shapes[f"{stage.name}.weight"] = stage.synapse.weight.shape
        bias = np.asarray(getattr(stage.synapse, "bias", 0))
        if bias.any():
            shapes[f"{stage.name}.bias"] = bias.shape
    return Nodes(shapes, graph.shape, graph.stages[0].neuron is not None, graph.dt is not None)


def _geometry(path: Path, graph: Graph) -> dict[str, tuple[ConvSpec, PoolSpec | None]]:
    """A graph's convolutions and their pools, by their weights' names, each above the shape that its node says."""
    found, shape = {}, graph.shape
    for stage in graph.stages:
        node = stage.synapse
        if not isinstance(node, nir.Conv2d):
            break  # and only dense layers above it
        if len(shape) != 3:
            raise CheckpointError(f"{path}: its input is {_sides(shape)}, a convolution's is channels x rows x columns")
        below = (node.weight.shape[1] * int(node.groups), *np.ravel(node.input_shape).tolist())
        if below != shape:
            raise CheckpointError(f"{path}: {shortened(stage.name)} takes {_sides(below)}, and gets {_sides(shape)}")
        pool = None
        try:
            spec = ConvSpec(**convolution(path, stage.name, node))
            if stage.pool is not None:
                size, stride = window(path, stage.name, stage.pool)
                pool = PoolSpec(kind="average", size=size, stride=None if stride == size else stride)
        except ValidationError as error:
            where = error.errors()[0]
            raise CheckpointError(f"{path}: {shortened(stage.name)}: {where['loc'][0]}: {where['msg']}") from None
        found[f"{stage.name}.weight"] = spec, pool
        shape = Conv(shape, len(node.weight), node.weight.shape[2:], **spec.model_dump()).out_shape
        if stage.pool is not None:
            size, stride = window(path, stage.name, stage.pool)
            shape = MaxPool(shape, (size, size), stride).out_shape
    return found


def check_biases(path: Path, tensors: dict[str, np.ndarray], spec: Spec) -> None:
    """Raise CheckpointError where a node's biases are not 0 and the spec's layer names none."""
    for layer in spec.layers:
        key = f"{layer.weight.removesuffix('.weight')}.bias"
        if layer.bias is None and key in tensors and tensors[key].any():
            raise CheckpointError(f"{path}: {layer.weight} comes with biases. Give the spec's layer bias: {key}")


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def step(path: Path, graph: Graph, spec: Spec, asked: float | None) -> float | None:
    """The length of a step: what was asked for, or what the spec says, or the graph. Raises CheckpointError where the
    last two differ."""
    if asked is None and None not in (spec.dt, graph.dt) and spec.dt != graph.dt:
        raise CheckpointError(
            f"{path}: its metadata say dt {graph.dt:g}, the spec {spec.dt:g}. Leave dt out of the spec"
        )
    return asked or spec.dt or graph.dt


def _check_size(path: Path, stage: Stage, below: tuple[int, ...], before: str) -> None:
    """Raise CheckpointError where a dense node takes more or fewer values than it gets, of that shape."""
    shape, width = stage.synapse.weight.shape, math.prod(below)
    fitting = {width, *below[-1:]}  # an input's shape may have steps or samples before its own
    if shape[1] not in fitting:
        text = f"{path}: {shortened(stage.name)} has weights {shape}, (out, in), and gets {width} values from {before}"
        raise CheckpointError(f"{text}: they are transposed, write {shape[::-1]}" if shape[0] in fitting else text)


def float_layers(path: Path, graph: Graph, dt: float | None) -> tuple[dict[str, np.ndarray], float | None]:
    """A foreign graph as tensors NODE.weight, NODE.bias, and its neurons' decay a step (None: no neurons).

    Rows are scaled by R dt / tau and divided by the threshold, so that v' = decay v + W s spikes where v' > 1.
    Raises CheckpointError for neurons whose equation the chip's does not hold.
    """
    tensors, decays = {}, []
    below, before = graph.shape, "the input"
    for stage in graph.stages:
        weight = stage.synapse.weight.astype(np.float64)
        bias = getattr(stage.synapse, "bias", None)
        gain = np.ones(len(weight))
        if isinstance(stage.pool, nir.SumPool2d):  # the sum of relu(a) is the mean of relu(n a)
            gain *= window(path, stage.name, stage.pool)[0] ** 2
            bias = None if bias is None else np.asarray(bias) * gain
        if stage.neuron is not None:
            if weight.ndim == 4:
                raise CheckpointError(
                    f"{path}: neurons behind the convolution {shortened(stage.name)}: a net that spikes becomes one "
                    "that learns, and convolutions do not learn here. Leave the neurons out"
                )
            _check_size(path, stage, below, before)
            below, before = weight.shape[:1], shortened(stage.name)
            gain, decay, current = _neuron(path, stage.name, stage.neuron, len(weight), dt)
            decays.append(decay)
            if current and dt:
                raise CheckpointError(
                    f"{path}: the neurons behind {shortened(stage.name)}: tau_syn {dt / (1 - current):g} is above dt "
                    f"{dt:g}: the current of a neuron that learns keeps nothing here"
                )
            if bias is not None and np.any(bias):
                raise CheckpointError(
                    f"{path}: {shortened(stage.name)} has biases before neurons that spike: they have no form"
                )
        tensors[f"{stage.name}.weight"] = (weight.T * gain).T.astype(np.float32)
        if bias is not None:
            tensors[f"{stage.name}.bias"] = np.asarray(bias, np.float32)
    if decays and max(decays) - min(decays) > SAME:
        found = sorted(set(decays))
        raise CheckpointError(f"{path}: neurons leak by {brief(found)} a step: one decay for all of them compiles")
    return tensors, decays[0] if decays else None


def spiking_layers(path: Path, graph: Graph, dt: float | None) -> tuple[SpikingLayer, ...]:
    """A graph of dense layers, each with its neurons. Raises CheckpointError for what the chip's do not hold."""
    found, below, before = [], graph.shape, "the input"
    for stage in graph.stages:
        where = f"{path}: {shortened(stage.name)}"
        weight = stage.synapse.weight.astype(np.float64)
        if stage.neuron is None or weight.ndim != 2:
            raise CheckpointError(
                f"{where}: a graph that takes events is a chain of Linear or Affine nodes, each with "
                f"{', '.join(NEURONS)} behind it. For one of rates give --spec"
            )
        _check_size(path, stage, below, before)
        if weight.shape[1] != math.prod(below):
            raise CheckpointError(f"{where}: takes the last side of its input alone: put a Flatten before it")
        below, before = weight.shape[:1], shortened(stage.name)
        gain, decay, current = _neuron(path, stage.name, stage.neuron, len(weight), dt)
        bias = np.ravel(np.asarray(getattr(stage.synapse, "bias", 0.0), np.float64))
        if bias.size not in (1, len(weight)):
            raise CheckpointError(f"{where}: {bias.size:,} biases of {len(weight):,} neurons. Write (n,)")
        with np.errstate(over="ignore"):
            weight, bias = (weight.T * gain).T, bias * gain
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise CheckpointError(f"{where}: its weights or biases, in thresholds, are not all finite")
        if current and bias.any():
            raise CheckpointError(
                f"{where}: has biases before a current that keeps some of itself: the chip adds them behind it. Train "
                "without"
            )
        found.append(SpikingLayer(stage.name, weight, bias, decay, current))
    return tuple(found)


def _neuron(
    path: Path, name: str, neuron: nir.IF | nir.LIF | nir.CubaLIF, rows: int, dt: float | None
) -> tuple[np.ndarray, float, float]:
    """What a row of weights is worth in thresholds, (n,), and what v and the current keep of themselves in a step."""
    where = f"{path}: the neurons behind {shortened(name)}"
    found = {
        field: np.asarray(getattr(neuron, field), np.float64) for field in (*FIELDS, "w_in") if hasattr(neuron, field)
    }
    for field, values in found.items():
        if values.size not in (1, rows):
            raise CheckpointError(
                f"{where}: {field} has shape {values.shape}, the weights have {rows} rows. Write (n,)"
            )
        if not np.isfinite(values).all():
            mend = ". A neuron that forgets nothing is an IF" if field in ("tau", "tau_mem") else ""
            raise CheckpointError(f"{where}: {field} must be finite, got {values[~np.isfinite(values)][0]:g}{mend}")
        if field in ("v_leak", "v_reset") and values.any():
            raise CheckpointError(f"{where}: {field} must be 0, got up to {np.abs(values).max():g}")
        if field == "v_threshold" and (values <= 0).any():
            raise CheckpointError(f"{where}: thresholds must be above 0, got {values.min():g}")
        if field in ("r", "w_in") and (values <= 0).any():
            raise CheckpointError(f"{where}: {field} must be above 0, got {values.min():g}: it scales the input")
    if dt is None:
        raise CheckpointError(
            f"{where}: the graph's metadata hold no dt, a step's length. Write graph.metadata['dt'], or say dt in the "
            "spec or with --dt"
        )
    with np.errstate(over="ignore"):
        gain = np.broadcast_to((found["r"] / found["v_threshold"] * found.get("w_in", 1)).ravel(), (rows,))
    if not np.isfinite(gain).all():
        raise CheckpointError(f"{where}: r / v_threshold is beyond a float. Write them in other units")
    tau = found.get("tau", found.get("tau_mem"))
    if tau is None:
        return gain * dt, 1.0, 0.0
    if tau.min() * (1 + SAME) < dt:
        raise CheckpointError(f"{where}: tau must be at least dt {dt:g}, a step, got {tau.min():g}")
    _check_shared(where, "tau" if "tau" in found else "tau_mem", tau, dt)
    gain, decay = gain * (dt / tau.ravel()), max(0.0, float(1 - dt / tau.flat[0]))
    synapse = found.get("tau_syn", np.zeros(1))
    if synapse.max() <= dt * (1 + SAME):  # dt itself, as float32 writes it
        return gain, decay, 0.0
    _check_shared(where, "tau_syn", np.maximum(synapse, dt), dt)
    return gain * (dt / synapse.ravel()), decay, float(1 - dt / synapse.flat[0])


def _check_shared(where: str, field: str, times: np.ndarray, dt: float) -> None:
    """Raise CheckpointError where neurons of one layer decay by more than one time; the chip's share du and dv."""
    times = times.ravel()
    kinds, counts = np.unique(times, return_counts=True)
    usual = kinds[counts.argmax()]
    others = np.flatnonzero(np.abs(dt / times - dt / usual) > SAME)
    if others.size:
        found = ", ".join(f"{times[at]:g} of neuron {at}" for at in others[:SHOWN])
        more = f" and of {others.size - SHOWN:,} more" if others.size > SHOWN else ""
        raise CheckpointError(
            f"{where}: {field} must be one value, got {usual:g} and others, {found}{more}: neurons of a layer share "
            "their decays, on the chip as in Lava's LIF. Train a layer with one tau for all of its neurons"
        )

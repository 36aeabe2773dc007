"""What a network does for one sample, in events: spikes, synaptic operations, neuron updates, weight updates."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ff2loihi.backends.base import Trace
from ff2loihi.backends.classification import PHASE_SEED
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.compilers.board.placement import Mapping
from ff2loihi.compilers.board.populations import (
    CONTROL,
    INPUT,
    MODULATION,
    Fields,
    Inputs,
    Kernels,
    OneToOne,
    Population,
)
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels, quantized
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, split_input
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.learning.readout import draws_phases, rates
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.reports.events import Activity, Counts

STATES = 1 << 21  # states of a layer's neurons that are kept at a time, over steps and samples


def inference_activity(network: IntNetwork, trace: Trace, pixels: np.ndarray) -> Activity:
    """Of a run's Trace and its pixels (samples, pixels) uint8: every sample under every label that it was run with."""
    if trace.spikes is None:
        raise ValueError(f"{trace.backend} did not count spikes")
    passes = trace.spikes.shape[1]
    spikes = {INPUT: float(input_spikes(network, pixels).mean()), CONTROL: 0.0}
    fan_out, unpooled = _of_convolutions(network, pixels)
    for index, layer in enumerate(network.layers):
        fired = float(trace.spikes[:, :, index].sum(1).mean())
        spikes |= {f"{layer.name}{part}": fired for part in ("", ".pool", ".norm")} | {f"{layer.name}.head": 0.0}
        spikes[f"{layer.name}.goodness"] = float(passes) if index < len(network.norms) else 0.0
        if layer.label:
            payloads = layer.label.payloads(network.pass_labels, network.full)
            spikes[f"{layer.name}.label"] = float(network.steps * np.count_nonzero(payloads))
    turns = max((math.prod(layer.pool.size) for layer in network.layers if layer.pool), default=1)
    steps = passes * network.steps * turns + len(network.layers)  # a window's neurons arrive one after the other
    nonzero = {layer.name: _nonzero(layer.existing) for layer in network.layers}
    return Activity(steps, spikes | unpooled, nonzero, {}, fan_out)


def _of_convolutions(network: IntNetwork, pixels: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """(fan-outs, spikes of a sample before a pool).

    Of each convolution and pool: the inputs' own fan-outs, fewer at the borders, weighted by how often each spikes.
    """
    if not any(layer.conv for layer in network.layers):
        return {}, {}
    below = [_input_counts(network, pixels), *(np.zeros(layer.outputs) for layer in network.layers)]
    unpooled = {layer.name: np.zeros(layer.neurons) for layer in network.layers if layer.pool}
    graded = network.neuron == "graded"
    for states in states_in_batches(network, pixels):
        for total, layer in zip(below[1:], network.layers, strict=False):
            fired = states[f"{layer.name}.h"] > 0 if graded else states[f"{layer.name}.r"][:, :, -1]
            total += fired.sum((0, 1))
        for name, total in unpooled.items():
            before = states[f"{name}.unpooled"] > 0
            total += before.reshape(-1, before.shape[-1]).sum(0)
    fan_out = {}
    for layer, fired in zip(network.layers, below, strict=False):
        if layer.conv:
            fan_out[layer.name] = _mean_fan_out(layer.conv, fired)
        if layer.pool:
            fan_out[f"{layer.name}.pool"] = _mean_fan_out(layer.pool.kernels, unpooled[layer.name])
    return fan_out, {name: float(total.sum() / len(pixels)) for name, total in unpooled.items()}


def states_in_batches(network: IntNetwork, pixels: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """The emulator's states of a few samples after the other, under every label."""
    forward = Forward(network)
    size = max(1, STATES // (network.steps * sum(layer.neurons for layer in network.layers)))
    for start in range(0, len(pixels), size):
        yield forward.run(quantized(network, pixels[start : start + size]), states=True).states


def _mean_fan_out(conv: Conv, fired: np.ndarray) -> float:
    """Of the inputs of a convolution that spiked so often each."""
    return float(conv.fan_out @ fired / max(1.0, fired.sum()))


def input_spikes(network: IntNetwork, pixels: np.ndarray) -> np.ndarray:
    """Spikes of the input under all labels together, (samples,) int64; graded: payloads that are not 0.

    lif: floor((phase + q steps) / full) of each input, what fixed_point.rate_step gives in all its steps.
    """
    image, codes = _source_spikes(network, pixels)
    return len(codes) * image.sum(1) + int(codes.sum())


def _source_spikes(network: IntNetwork, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the image's inputs in a pass (samples, n), and of the label's in each pass (passes, n)."""
    if network.events:
        return network.events.spikes(pixels).sum(0, np.int64), np.zeros((1, 0), np.int64)
    image, label = split_input(network.pixels, network.label_codes.shape[1], network.label_kind)
    q = quantize_pixels(pixels, network.input_bits).astype(np.int64)[:, image]
    codes = network.pass_labels.astype(np.int64)
    if network.neuron == "graded":
        return (q > 0).astype(np.int64), (codes > 0).astype(np.int64)
    full, phases = (1 << network.input_bits) - 1, network.phases.astype(np.int64)
    return (phases[image] + q * network.steps) // full, (phases[label] + codes * network.steps) // full


def _input_counts(network: IntNetwork, pixels: np.ndarray) -> np.ndarray:
    """Spikes of each input, over all samples and passes: (inputs,)."""
    image, codes = _source_spikes(network, pixels)
    columns = split_input(network.pixels, codes.shape[1], network.label_kind)
    found = np.zeros(network.inputs)
    found[columns[0]], found[columns[1]] = len(codes) * image.sum(0), len(image) * codes.sum(0)
    return found


def presentation_activity(network: LearningNetwork, pixels: np.ndarray) -> Activity:
    """Of one presentation, the mean over pixels (samples, pixels) uint8 under every label, nothing learned."""
    learner, rng = Learner(network), np.random.default_rng(PHASE_SEED)
    counts, reached = np.zeros((len(network.layers) + 1, network.steps)), np.zeros(network.steps)
    for image in pixels:
        learner.show(rates(network, image), rng.integers(0, RATE_ONE, draws_phases(network)))
        for label in range(network.classes):
            learner.present(label, 0)
            counts += learner.spikes
            reached += learner.reached
    counts /= len(pixels) * network.classes
    reached /= len(pixels) * network.classes
    names = [INPUT, *(layer.name for layer in network.layers)]
    spikes = dict(zip(names, counts.sum(1).tolist(), strict=True)) | {CONTROL: 2.0 * len(network.layers)}
    updates, fan_out = {}, {}
    for index, layer in enumerate(network.layers):
        n = len(layer.positive)
        spikes[f"{layer.name}.goodness"] = float(MODULATION * network.window)
        window = float(counts[index, -network.window :].sum()) * n
        visited = float(counts[index].sum()) * n
        if layer.mask is not None:
            window, visited = float(reached[-network.window :].sum()), float(reached.sum())
            fan_out[layer.name] = visited / max(1.0, float(counts[index].sum()))
        if network.update.eligibility == "tag":
            window = visited = float(layer.synapses * network.steps)
        updates[layer.name] = (window, visited)
    nonzero = {layer.name: _nonzero(layer.existing) for layer in network.layers}
    return Activity(network.period, spikes, nonzero, updates, fan_out)


def over_presentations(one: Activity, times: float, learning: float) -> Activity:
    """`times` presentations, of which `learning` may change weights; the engine can be off in the others."""
    return replace(
        one,
        steps=one.steps * times,
        spikes={name: count * times for name, count in one.spikes.items()},
        updates={name: (least * learning, most * times) for name, (least, most) in one.updates.items()},
    )


def summed(*parts: tuple[Activity, float]) -> Activity:
    """Activities of one network, each as often as it says."""
    first, _ = parts[0]
    return replace(
        first,
        steps=sum(one.steps * times for one, times in parts),
        spikes={name: sum(one.spikes[name] * times for one, times in parts) for name in first.spikes},
        updates={
            name: tuple(sum(one.updates[name][end] * times for one, times in parts) for end in range(2))
            for name in first.updates
        },
    )


def _reached(rows: Inputs, population: Population, neurons: int, activity: Activity) -> float:
    """Synapses that a spike of the rows' source reaches on a core with so many of the population's neurons."""
    if isinstance(rows, OneToOne):
        return neurons / population.neurons
    if isinstance(rows, Kernels | Fields):
        return activity.fan_out[population.name] * neurons / population.neurons
    return min(neurons, rows.fan or neurons)


def counts(activity: Activity, mapping: Mapping) -> Counts:
    """The sums over a mapping's populations, and the core that has most to do in a step."""
    ops, least_ops, neurons = 0.0, 0.0, 0
    targets: dict[str, float] = {}
    chips: dict[str, set[int]] = {}
    core_ops, core_updates = [], []
    for core in mapping.cores:
        load, work = 0.0, [0.0, 0.0]
        for part in core.parts:
            for rows in part.population.rows:
                load += activity.spikes[rows.source] * _reached(rows, part.population, part.neurons, activity)
                cores = part.neurons / part.population.neurons if isinstance(rows, OneToOne) else 1
                targets[rows.source] = targets.get(rows.source, 0) + cores
                chips.setdefault(rows.source, set()).add(core.chip)
            share = part.neurons / part.population.neurons
            for end, updates in enumerate(activity.updates.get(part.population.name, (0, 0))):
                work[end] += share * updates
        core_ops.append(load)
        core_updates.append(work)
    for population in mapping.populations:
        neurons += population.neurons
        for rows in population.rows:
            these = activity.spikes[rows.source] * _reached(rows, population, population.neurons, activity)
            ops += these
            least_ops += these * activity.nonzero.get(population.name, 1.0)
    senders = {population.name for population in mapping.populations} | set(targets)
    fired = {name: count for name, count in activity.spikes.items() if name in senders}
    return Counts(
        steps=activity.steps,
        cores=len(mapping.cores),
        spikes=sum(fired.values()),
        copies=sum(count * max(1, targets.get(name, 0)) for name, count in fired.items()),
        crossings=sum(count * max(0, len(chips.get(name, ())) - 1) for name, count in fired.items()),
        synaptic_ops=(least_ops, ops),
        neuron_updates=neurons * activity.steps,
        synaptic_updates=(
            sum(least for least, _ in activity.updates.values()),
            sum(most for _, most in activity.updates.values()),
        ),
        core_neurons=max(core.fill.neurons for core in mapping.cores),
        core_ops=max(core_ops) / activity.steps,
        core_updates=tuple(max(end) / activity.steps for end in zip(*core_updates, strict=True)),
    )


def _nonzero(weight: np.ndarray) -> float:
    return float((weight != 0).mean())

"""What one core of this machine could reach: operations and memory traffic counted, both speeds measured."""

import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ff2loihi.backends.base import Trace
from ff2loihi.compilers.inference.integer_forward import quantize_pixels
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, split_input
from ff2loihi.compilers.learning.readout import rates
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement.presented import shown
from ff2loihi.processes.fixed_point import rate_code

FEW, SIDE, SECONDS = 100, 512, 0.05  # samples whose events are counted; of the matrices; of a measurement


@dataclass(frozen=True)
class Limit:
    """operations: additions or multiply-adds of a sample, bytes of weights that these read and write, on the average.

    operations_per_second: multiply-adds of a product of float matrices; bytes_per_second: that an addition of as many
    bytes as the weights have reads and writes. per_second: samples, whichever ends first; black images alone may read
    no weight.
    """

    operations: float
    bytes: float
    operations_per_second: float
    bytes_per_second: float

    @property
    def per_second(self) -> float:
        return 1 / max(self.operations / self.operations_per_second, self.bytes / self.bytes_per_second)


def inference_limit(network: IntNetwork, pixels: np.ndarray, trace: Trace) -> Limit | None:
    """The rows of inputs that are not 0, an image's once for all its labels; None with convolutions, which share them.

    Graded layers above the first one multiply many samples at once, whose weights stay in the core's cache meanwhile.
    trace: of these pixels, (samples, pixels) uint8.
    """
    if any(layer.conv for layer in network.layers):
        return None
    passes, steps = len(network.pass_labels), network.steps
    columns, _ = split_input(network.pixels, network.label_codes.shape[1], network.label_kind)
    q = network.events.spikes(pixels) if network.events else quantize_pixels(pixels[:, columns], network.input_bits)
    if network.neuron == "lif" and not network.events:
        q = np.stack(list(rate_code(network.phases[columns], q, network.full, steps)))
    first, *above = network.layers
    rows = read = np.count_nonzero(q) / len(pixels) * first.neurons
    assert trace.spikes is not None
    for index, layer in enumerate(above):
        rows += trace.spikes[..., index].sum(1).mean() * layer.neurons
    neurons = passes * steps * sum(layer.neurons for layer in network.layers)
    size = 4 if network.neuron == "graded" else 2  # a weight's bytes: floats or integers
    read = read if network.neuron == "graded" else rows
    return _limit(rows + neurons, read * size, sum(layer.synapses for layer in network.layers) * size)


def learning_limit(network: LearningNetwork, data: Dataset) -> Limit:
    """Of a presentation that learns: the rows of inputs that spike are read in each step, and written in the window."""
    from ff2loihi.backends.emulator.learner import Learner  # and with it numba

    learner, samples, rows, updates = Learner(network), shown(network, data, min(FEW, len(data.labels))), 0, 0
    for image, phases, label in samples:
        learner.show(rates(network, image), phases)
        learner.present(label, 1)
        first, *spikes = learner.reached, *learner.spikes[1:-1]
        reached = first + sum(s * layer.neurons for s, layer in zip(spikes, network.layers[1:], strict=True))
        rows += int(reached.sum()) / len(samples)
        updates += int(reached[network.steps - network.window :].sum()) / len(samples)
    neurons = network.steps * sum(layer.neurons for layer in network.layers)
    weights = sum(layer.weight.size for layer in network.layers)
    return _limit(rows + updates + neurons, 2 * rows + 4 * updates, 2 * weights)


def _limit(operations: float, moved: float, size: int) -> Limit:
    a = np.ones((SIDE, SIDE), np.float32)
    x, y = np.ones(size // 2, np.int16), np.zeros(size // 2, np.int16)
    with threadpool_limits(1):
        products = _rate(lambda: a @ a)
    return Limit(operations, moved, products * SIDE**3, _rate(lambda: np.add(x, y, out=y)) * 3 * y.nbytes)


def _rate(once) -> float:
    """How often in a second, the best of some runs."""
    best, ends = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        started = time.perf_counter()
        once()
        best = max(best, 1 / (time.perf_counter() - started))
    return best

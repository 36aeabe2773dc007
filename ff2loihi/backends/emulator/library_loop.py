"""What a network of library neurons does in the learning loop, in numba: see sample_loop."""

from typing import NamedTuple

import numpy as np

from ff2loihi.backends.emulator import library_kernels, sample_loop
from ff2loihi.backends.emulator.candidates import Labels, refresh
from ff2loihi.backends.emulator.events import drives, take
from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_kernels import sums
from ff2loihi.processes.library_rule import SLOTS, T_EPOCH
from ff2loihi.processes.limits import UPDATE_BITS
from ff2loihi.processes.pcg64 import Stream, leap, leap_of, uniform
from ff2loihi.processes.rate_kernel import Events

NOTHING = np.int64(0)  # as numpy's: numba compiles a function anew for each literal that it is called with


class Network(NamedTuple):
    """Everything that a presentation changes.

    pixels: the events of the image that is shown; base (steps, n): what they drive, known (1,) in so many of the first
    steps. labels: of every label. sent, record: see library_kernels.present.
    """

    layer: library_kernels.Layer
    pixels: Events
    labels: Labels
    base: np.ndarray
    known: np.ndarray
    sent: np.ndarray | None
    record: library_kernels.Record


class Rule(NamedTuple):
    """enabled (3, steps, 2, GROUPS) uint8: see library_kernels.present, of phases 0, +1 and -1 (the last one).

    quiet (3,): the first steps of each in which none is enabled.
    """

    enabled: np.ndarray
    quiet: np.ndarray


class Draws(NamedTuple):
    """The rounding draws: Lava draws once an epoch. u (steps,) int64: floor(128 draw) of a presentation's A1, A2.

    stream: where Lava's stands; epochs: of a presentation; over: the leap over them; passed (1,) int64: presentations.
    """

    u: np.ndarray
    stream: Stream
    epochs: int
    over: np.ndarray
    passed: np.ndarray

    @classmethod
    def of(cls, steps: int, period: int, passed: int) -> "Draws":
        """Where so many presentations are passed."""
        epochs = period // T_EPOCH
        bits = np.random.PCG64(ENGINE_SEED).advance(1 + passed * epochs)
        over = leap_of(bits.state["state"]["inc"], epochs)
        return cls(np.zeros(steps, np.int64), Stream.of(bits), epochs, over, np.array([passed]))


@in_place
def draw(draws):
    """The draws of the next presentation."""
    for epoch in range(draws.epochs):
        x = uniform(draws.stream)
        step = epoch * T_EPOCH // SLOTS
        if epoch * T_EPOCH % SLOTS == 0 and step < draws.u.shape[0]:
            draws.u[step] = np.int64((1 << UPDATE_BITS) * x)
    draws.passed[0] += 1


@in_place
def draw_nothing(draws, presentations):
    """Pass the draws of presentations that need none."""
    for _ in range(presentations):
        leap(draws.stream.state, draws.over)
    draws.passed[0] += presentations


@in_place
def show(net, q, phases):
    """Take a sample."""
    take(q, phases, net.pixels)
    net.known[0] = 0


@in_place
def know(net, steps):
    """Form the pixels' drives of the first steps."""
    if net.known[0] < steps:
        drives(net.layer.w, net.pixels, steps, net.base)
        net.known[0] = steps


@in_place
def ask(net, rule, draws, goodness):
    """The image under every label, nothing learned: goodness (classes, 1, 2). Passes a presentation for each label."""
    layer, labels = net.layer, net.labels
    know(net, net.base.shape[0])
    refresh(layer.w, labels)
    r = layer.space.neurons[1]
    for label in range(goodness.shape[0]):
        library_kernels.counts(net.base, labels.drive[label], layer, r)
        goodness[label, 0, 0], goodness[label, 0, 1] = sums(r, layer.signs)
        for j in range(r.shape[0]):
            layer.fired[j] |= r[j]
    draw_nothing(draws, goodness.shape[0])


@in_place
def show_label(net, label, phase, rule, draws):
    """The image with a label, with the draws that were drawn: (G+, G-)."""
    quiet = NOTHING if net.sent is not None or net.record.on else rule.quiet[phase]
    know(net, quiet)
    with_label = Events(net.labels.events.idx[label], net.labels.events.counts[label])
    if phase:
        net.known[0] = 0
        if net.labels.apart:
            net.labels.stale[label] = 1
        else:
            net.labels.stale[:] = 1
    return library_kernels.present(
        net.layer, net.pixels, with_label, net.base, quiet, rule.enabled[phase], draws.u, net.sent, net.record
    )


@in_place
def teach(net, label, phase, rule, draws, goodness):
    """The next presentation: goodness (layers, 2)."""
    draw(draws)
    goodness[0, 0], goodness[0, 1] = show_label(net, label, phase, rule, draws)


sample_loop.serve(Network, show, ask, teach)

"""What a network of our own neurons does in the learning loop, in numba: see sample_loop."""

from typing import NamedTuple

import numpy as np

from ff2loihi.backends.emulator import sample_loop
from ff2loihi.backends.emulator.candidates import Labels, first_layer
from ff2loihi.backends.emulator.events import drives, list_spikes, take
from ff2loihi.backends.emulator.presentation import DIRECT, TAG, Draws, draw, draw_nothing, present
from ff2loihi.processes.compiled import in_place
from ff2loihi.processes.rate_kernel import Events

NOTHING = np.int64(0)  # as numpy's: numba compiles a function anew for each literal that it is called with


class Network(NamedTuple):
    """Everything that a presentation changes. layers: a tuple of Layer, all of one type.

    pixels: the events of the image that is shown; base (steps, n): what they drive in the first layer, known (1,) in
    so many of the first steps. spikes: of the first layer under each label, of no steps where there is no second one.
    """

    layers: tuple
    pixels: Events
    labels: Labels
    nobody: Events
    base: np.ndarray
    known: np.ndarray
    spikes: Events
    record: tuple  # a Record for each layer


@in_place
def show(net, q, phases):
    """Take a sample."""
    take(q, phases, net.pixels)
    net.known[0] = 0


@in_place
def show_label(net, label, phase, rule, draws, goodness):
    """The image with a label, all layers, with the draws that were drawn: goodness (layers, 2)."""
    steps, first = net.pixels.counts.shape[0], net.layers[0]
    known = NOTHING
    if rule.kind == DIRECT:
        known = steps - rule.window + 1 if phase else steps  # the window's first step is driven before it is learned
        if net.known[0] < known:
            drives(first.w, net.pixels, known, net.base)
            net.known[0] = known
    with_label = Events(net.labels.events.idx[label], net.labels.events.counts[label])
    goodness[0, 0], goodness[0, 1] = present(
        first, NOTHING, net.pixels, with_label, net.base, known, rule, phase, draws, net.record[0]
    )
    below = first
    for index in range(1, len(net.layers)):
        layer = net.layers[index]
        list_spikes(below.spikes, below.listed)
        goodness[index, 0], goodness[index, 1] = present(
            layer, np.int64(index), below.listed, net.nobody, net.base, NOTHING, rule, phase, draws, net.record[index]
        )
        below = layer
    if phase or rule.kind == TAG:
        net.known[0] = 0
        if net.labels.apart and rule.kind == DIRECT:
            net.labels.stale[label] = 1
        else:
            net.labels.stale[:] = 1


@in_place
def _tagged(layers):
    found = False
    for index in range(len(layers)):
        found |= layers[index].active.any()
    return found


@in_place
def ask(net, rule, draws, goodness):
    """The image under every label, nothing learned: goodness (classes, layers, 2). Passes a period for each label."""
    classes, begin, steps = goodness.shape[0], 0, net.pixels.counts.shape[0]
    while rule.kind == TAG and begin < classes and _tagged(net.layers):
        draw(draws)
        show_label(net, begin, NOTHING, rule, draws, goodness[begin])
        begin += 1  # tags still move weights
    draw_nothing(draws, classes - begin)
    if begin == classes:
        return
    if net.known[0] < steps:
        drives(net.layers[0].w, net.pixels, steps, net.base)
        net.known[0] = steps
    first_layer(net.layers[0], net.base, net.labels, begin, goodness[:, 0], net.spikes)
    if len(net.layers) == 1:
        return
    nothing = Draws(
        draws.u[:0], draws.traces[:0], draws.weights, draws.decays, draws.weights_leap, draws.decays_leap,
        draws.passed, draws.chip,
    )  # fmt: skip
    for label in range(begin, classes):
        below = Events(net.spikes.idx[label], net.spikes.counts[label])
        for index in range(1, len(net.layers)):
            layer = net.layers[index]
            goodness[label, index, 0], goodness[label, index, 1] = present(
                layer, NOTHING, below, net.nobody, net.base, NOTHING, rule, NOTHING, nothing, net.record[index]
            )
            list_spikes(layer.spikes, layer.listed)
            below = layer.listed


@in_place
def teach(net, label, phase, rule, draws, goodness):
    """The next presentation: goodness (layers, 2)."""
    draw(draws)
    show_label(net, label, phase, rule, draws, goodness)


sample_loop.serve(Network, show, ask, teach)

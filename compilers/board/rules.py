"""What a network asks of a chip and a board, one small function a rule. Every violation is reported, not the first.

A rule yields Broken for each layer that breaks it; its name is the rule's id. What overflows the arithmetic itself is
refused when a network is compiled, by resources.py and learning_fit.py.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ff2loihi.compilers.board.chips import Board, Chip, ChipTable
from ff2loihi.compilers.board.placement import Fill, Mapping, targets
from ff2loihi.compilers.board.populations import Population
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningLayer, LearningNetwork
from ff2loihi.processes.library_rule import FORCE, FORCE_EXP, GateFactor
from ff2loihi.processes.limits import ALIGN, DECAY_ONE, MODULATION_BITS, STATE_BITS, TAG_MAX, WEIGHT_BITS

LOIHI2 = "a --board of Loihi 2"


@dataclass(frozen=True)
class Broken:
    """kind: limit: it cannot run there; risk: it runs, and may give other states than the emulator."""

    layer: str
    value: float
    limit: float
    text: str
    mend: str
    kind: Literal["limit", "risk"] = "limit"


@dataclass(frozen=True)
class Violation:
    """A broken rule of one layer, for a report."""

    rule: str
    kind: str
    layer: str
    value: float
    limit: float
    text: str
    mend: str


@dataclass(frozen=True)
class Design:
    """What is checked. mapping: None where no core can hold a neuron; boards: to name one that is large enough.

    form: deployed: the neurons of the script that `deploy` writes; microcode: one neuron for one of the network, and
    goodness and read-out beside them. reason: why it is not the form that was asked for.
    """

    network: IntNetwork | LearningNetwork
    populations: tuple[Population, ...]
    board: Board
    mapping: Mapping | None
    boards: ChipTable
    form: BoardForm = "microcode"
    reason: str = ""

    @property
    def chip(self) -> Chip:
        return self.board.chip

    @property
    def graded(self) -> bool:
        return isinstance(self.network, IntNetwork) and self.network.neuron == "graded"

    @property
    def payloads(self) -> bool:
        """Whether the neurons of a deployment send states as payloads."""
        return isinstance(self.network, IntNetwork) and (self.graded or self.network.reset == "soft")


def axons_in(d: Design) -> Iterator[Broken]:
    """Inputs of a layer's neurons: a core has so many input axons."""
    for p in d.populations:
        if p.axons > d.chip.axons_in:
            text = f"{p.name}: {p.axons:,} input axons, a core has {d.chip.axons_in:,}"
            yield Broken(p.layer, p.axons, d.chip.axons_in, text, "--widths: a narrower layer below, or smaller images")


def synaptic_words(d: Design) -> Iterator[Broken]:
    """The rows of one neuron's synapses fit the synaptic memory of a core."""
    for p in d.populations:
        words = p.words(1, d.chip)
        if words > d.chip.synaptic_words:
            text = f"{p.name}: one neuron's rows take {words:,} words, a core has {d.chip.synaptic_words:,}"
            yield Broken(p.layer, words, d.chip.synaptic_words, text, "--widths: a narrower layer below")


def core_memory(d: Design) -> Iterator[Broken]:
    """Axons, groups and synaptic words of one neuron fit what a core's tables hold together."""
    total = d.chip.table.total
    for p in d.populations:
        entries = Fill(p.axons, p.groups, 1, p.words(1, d.chip), 1).entries
        if total is not None and entries > total:
            text = f"{p.name}: one neuron takes {entries:,} entries of all kinds, a core has {total:,}"
            yield Broken(p.layer, entries, total, text, "--widths: a narrower layer below")


def axons_out(d: Design) -> Iterator[Broken]:
    """Cores that a spike goes to: a core has so many output axons."""
    if d.mapping is None:
        return
    reached = targets(d.populations, (core.parts for core in d.mapping.cores))
    for p in d.populations:
        if reached[p.name] > d.chip.axons_out:
            text = f"{p.name}: a spike goes to {reached[p.name]:,} cores, a core has {d.chip.axons_out:,} output axons"
            yield Broken(p.layer, reached[p.name], d.chip.axons_out, text, "--widths: a narrower layer above")


def neuron_groups(d: Design) -> Iterator[Broken]:
    """Thresholds, decays and bias exponents that differ within a layer: a core has so many neuron groups."""
    for p in d.populations:
        if p.groups > d.chip.neuron_groups:
            text = f"{p.name}: {p.groups} neuron configurations, a core has {d.chip.neuron_groups}"
            yield Broken(
                p.layer, p.groups, d.chip.neuron_groups, text, "one threshold, decay and bias exponent a layer"
            )


def board_cores(d: Design) -> Iterator[Broken]:
    """The cores that the network takes are on the board."""
    if d.mapping and d.mapping.chips > d.board.count:
        larger = d.boards.smallest(d.board.chip_name, d.mapping.chips)
        mend = f"--board {larger.name}" if larger else f"--widths: no board of {d.board.chip_name} is large enough"
        text = (
            f"{len(d.mapping.cores):,} cores on {d.mapping.chips:,} chips, {d.board.name} has {d.board.cores:,} cores"
        )
        yield Broken("network", len(d.mapping.cores), d.board.cores, text, mend)


def neuron_model(d: Design) -> Iterator[Broken]:
    """Neurons and read-out exist on the chip: Loihi 1 has no microcode."""
    net, mend = d.network, LOIHI2
    if d.chip.microcode:
        return
    if isinstance(net, LearningNetwork):
        what = "graded counters and products" if net.library else "neurons of our own"
    elif d.form == "deployed" and not d.payloads:
        return
    elif d.form == "deployed":
        what, mend = "graded vectors and products", f"--neuron lif --reset hard, or {LOIHI2}"
    elif net.neuron == "lif" and net.reset == "hard" and not net.head:
        return
    else:
        what = f"{net.neuron} neurons, goodness and read-out of our own"
        mend = f"--neuron lif --reset hard, or {LOIHI2}"
    yield Broken("network", 1, 0, f"{what}, {d.board.chip_name} has no microcode for them", mend)


def weight_bits(d: Design) -> Iterator[Broken]:
    """Bits of a weight, the sign included."""
    for layer in d.network.layers:
        bits = layer.weight_bits if isinstance(layer, IntLayer) else WEIGHT_BITS
        if bits > d.chip.weight_bits:
            text = f"weights of {bits} bits, a synapse has {d.chip.weight_bits}"
            yield Broken(layer.name, bits, d.chip.weight_bits, text, f"--weight-bits {d.chip.weight_bits}")


def thresholds(d: Design) -> Iterator[Broken]:
    """The mantissa of a threshold."""
    for layer in () if d.graded else d.network.layers:
        vth = layer.vth if isinstance(layer, IntLayer) else layer.neuron.vth
        if vth > d.chip.vth_max:
            text = f"threshold {vth:,}, the mantissa holds {d.chip.vth_max:,}"
            yield Broken(layer.name, vth, d.chip.vth_max, text, f"--vth {d.chip.vth_max}, or fewer --weight-bits")


def decays(d: Design) -> Iterator[Broken]:
    """The decay of a membrane, of 4096."""
    for layer in d.network.layers:
        if isinstance(layer, LearningLayer) and layer.neuron.dv > d.chip.decay_max:
            text = f"decay {layer.neuron.dv:,}, {d.chip.decay_max:,} is the largest"
            yield Broken(layer.name, layer.neuron.dv, d.chip.decay_max, text, "neuron.decay of the spec in 0..1")


def biases(d: Design) -> Iterator[Broken]:
    """The mantissa of a bias."""
    for layer in () if d.graded else d.network.layers:
        mantissa = int(np.abs(layer.bias >> layer.bias_exp).max()) if isinstance(layer, IntLayer) else 0
        if mantissa > d.chip.bias_mantissa_max:
            text = f"bias mantissa {mantissa:,}, {d.chip.bias_mantissa_max:,} is the largest"
            yield Broken(layer.name, mantissa, d.chip.bias_mantissa_max, text, "train without --bias")


def graded_payload(d: Design) -> Iterator[Broken]:
    """Bits of the widest spike: an activity's, the goodness sums', or the third factor's."""
    net = d.network
    for layer in net.layers:
        n, mend = len(layer.positive), "--neuron lif, or a narrower layer"
        if isinstance(layer, LearningLayer):
            bits, mend = max(MODULATION_BITS, (layer.trace.top**2 * n).bit_length()), LOIHI2
        elif d.form == "deployed":
            bits = STATE_BITS if d.payloads else 0
        elif isinstance(net, IntNetwork) and net.neuron == "graded":
            bits = max(net.input_bits, layer.top.bit_length(), (layer.top**2 * n).bit_length())
        else:
            label = layer.label.payload.bit_length() if isinstance(layer, IntLayer) and layer.label else 0
            bits = max((net.steps**2 * n).bit_length() if d.chip.microcode else 0, label)
        if bits > d.chip.payload_bits:
            text = f"spikes of {bits} bits, {d.board.chip_name} carries {d.chip.payload_bits}"
            yield Broken(layer.name, bits, d.chip.payload_bits, text, mend)


def third_factor(d: Design) -> Iterator[Broken]:
    """A third factor for each neuron, which a neuron of Loihi 2 writes into its post trace."""
    if isinstance(d.network, LearningNetwork) and not d.network.library and not d.chip.third_factor:
        text = f"a third factor for each neuron, {d.board.chip_name}'s post traces are its own spikes alone"
        yield Broken("network", 1, 0, text, LOIHI2)


def trace_widths(d: Design) -> Iterator[Broken]:
    """The largest value of an output trace."""
    top = (1 << d.chip.trace_bits) - 1
    for layer in d.network.layers:
        if isinstance(layer, LearningLayer) and layer.trace.top > top:
            text = f"output trace up to {layer.trace.top}, {d.chip.trace_bits} bits hold {top}"
            yield Broken(layer.name, layer.trace.top, top, text, "--trace relu with fewer steps")


def tag_widths(d: Design) -> Iterator[Broken]:
    """The largest tag, where eligibility is kept in one."""
    top = (1 << d.chip.tag_bits) - 1
    net = d.network
    if isinstance(net, LearningNetwork) and net.update.eligibility == "tag" and top < TAG_MAX:
        text = f"tags up to {TAG_MAX}, {d.chip.tag_bits} bits and a sign hold {top}"
        yield Broken("network", TAG_MAX, top, text, "--eligibility none")


def reset_interval(d: Design) -> Iterator[Broken]:
    """Of neurons that reset themselves by the time step; a learning network's control sends its resets, and a
    deployment's steps fill the interval."""
    if isinstance(d.network, LearningNetwork) or d.graded or d.form == "deployed" or not d.chip.power_of_two_reset:
        return
    steps = d.network.steps
    power = 1 << (steps - 1).bit_length()
    if steps != power:
        text = f"a reset each {steps} steps, the interval must be a power of two"
        yield Broken("network", steps, power, text, f"--steps {power}")


def states_may_saturate(d: Design) -> Iterator[Broken]:
    """|v| of the most driven neuron if the right inputs fire in every step; the emulator clips v as the chip does."""
    top = (1 << (d.chip.state_bits - 1)) - 1
    net = d.network
    for layer in () if d.graded else net.layers:
        w = layer.weight.astype(np.int64).reshape(len(layer.weight), -1)
        up, down = (int(np.maximum(sign * w, 0).sum(1).max()) for sign in (1, -1))
        steps = net.steps
        if isinstance(layer, LearningLayer):
            memory = min(steps, DECAY_ONE // layer.neuron.dv + 1) if layer.neuron.dv else steps
            forced = FORCE << FORCE_EXP if isinstance(layer.factor, GateFactor) else 0
            reach = max(layer.neuron.vth + up + forced, memory * down) << ALIGN
        else:
            bias, up, down = int(np.abs(layer.bias).max()), up >> layer.shift, (down >> layer.shift) + 1
            rises = 1 if isinstance(net, IntNetwork) and net.reset == "hard" else steps
            if layer.leak:
                current = min(steps, DECAY_ONE / (layer.leak.du + 1))  # sums that one current holds, at most
                up, down = math.ceil(up * current), math.ceil(down * current)
                steps = min(steps, DECAY_ONE // layer.leak.dv + 1) if layer.leak.dv else steps
            reach = max((layer.vth << ALIGN) + rises * ((up << ALIGN) + bias), steps * ((down << ALIGN) + bias))
        if reach > top:
            text = f"v may reach {reach:,}, {d.chip.state_bits} signed bits hold {top:,}"
            yield Broken(layer.name, reach, top, text, "fewer --steps or fewer --weight-bits", "risk")


RULES = (
    axons_in, synaptic_words, core_memory, axons_out, neuron_groups, board_cores, neuron_model, weight_bits, thresholds,
    decays, biases, graded_payload, third_factor, trace_widths, tag_widths, reset_interval, states_may_saturate,
)  # fmt: skip


def violations(design: Design) -> list[Violation]:
    """Every broken rule of every layer."""
    return [
        Violation(rule.__name__, b.kind, b.layer, b.value, b.limit, b.text, b.mend)
        for rule in RULES
        for b in rule(design)
    ]

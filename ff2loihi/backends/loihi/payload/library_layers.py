"""A network that classifies, of Lava's library processes alone, as plain data: neurons, and what connects them.

`library_neurons.classifying` builds Lava's processes from it; `ff2loihi map` counts it. Needs numpy, nothing of
ff2loihi: a deployment's scripts have a copy of this file.

A layer is LIFReset (hard reset), those of `_soft`, or those of `_graded`. A soft reset, in steps of two time steps,
with k bits below a sum's unit:

    X  ProdNeuron      x = (a 2^k + b + y - s th) in_pass        at even time steps; 0 at odd ones
    Y  GradedVec       y = x                                     one time step later, and back to X
    C  GradedReluVec   spikes, with payload x, where x > th      the same time step, and back to X and up

x is SoftLIF's v before its spike, in 2^(6 - k) v LSB, as long as v does not saturate; th = vth 2^k. in_pass is 1, and
0 in the step behind a pass, which ends the loop. b: the bias and, in a pass's first step, v0: constants that a host's
payloads carry. C's receivers take its payload for a spike.

Graded: h = min(max((a + bias) >> shift, 0), top) = relu(a') - relu(a' - top), one time step behind the sums, two with
a bias; a' is formed by the sums' connection, which shifts, where the bias is 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Sign = Literal["MIXED", "EXCITATORY", "INHIBITORY"]
STRIDE = 2  # time steps of a step of a soft reset, and of the rest behind a pass
DIGITS = (1, 1 << 8, 1 << 16)  # payloads whose weights of 8 bits make a constant of 24
PAYLOAD_BITS = 24
ALIGN = 6  # bits of v below a sum's unit
WEIGHT_TOP, EXP_TOP = 255, 7  # of a connection of one sign


@dataclass(frozen=True)
class Neurons:
    """`count` neurons of one library process; parameters: what it takes beside its shape."""

    name: str
    process: Literal["LIFReset", "ProdNeuron", "GradedVec", "GradedReluVec"]
    count: int
    parameters: dict[str, int | np.ndarray]


@dataclass(frozen=True)
class Connection:
    """What `source` sends, times weights, into ports of neurons: (name, port) each.

    weights: (out, in), an array (Dense) or a sparse matrix (Sparse); or a number, the weight of the one synapse that
    each neuron has from that of its number (Sparse). bits: of the payloads, 0: spikes.
    """

    source: str
    weights: "np.ndarray | csr_matrix | int"
    targets: tuple[tuple[str, str], ...]
    sign: Sign
    exponent: int = 0
    bits: int = 0


@dataclass(frozen=True)
class HostRows:
    """What the host sends beside the input: (columns, period), one a time step, again and again; graded: payloads."""

    name: str
    rows: np.ndarray
    graded: bool


@dataclass(frozen=True)
class LibraryLayer:
    """A layer; its first connection has its weights. out: the neurons whose spikes or payloads leave it; state: those
    whose state is the layer's, None where the payloads are all.
    """

    out: str
    state: str | None
    neurons: tuple[Neurons, ...]
    connections: tuple[Connection, ...]
    host: tuple[HostRows, ...] = field(default=())


def library_layers(plan: dict, layers: list[dict], below: str) -> Iterator[LibraryLayer]:
    """The layers of a network whose input is named `below`.

    plan: what runs when. layers: weight (out, in), an array or a sparse matrix; bias (out,) mantissas; and the numbers
    of the neurons by their names in netx.
    """
    for index, (name, layer) in enumerate(zip(plan["layers"], layers, strict=True)):
        yield _KINDS[plan["kind"]](plan, layer, index, below, name)
        below = name


def _hard(plan: dict, layer: dict, index: int, below: str, name: str) -> LibraryLayer:
    n = len(layer["bias"])
    neurons = Neurons(name, "LIFReset", n, {
        "du": layer["iDecay"] - 1, "dv": layer["vDecay"], "vth": layer["vThMant"], "bias_mant": layer["bias"],
        "bias_exp": np.full(n, layer.get("biasExp", ALIGN), np.int32),
        "reset_interval": plan["interval"], "reset_offset": index + 2 + plan["steps_in"],
    })  # fmt: skip
    sums = Connection(below, layer["weight"], ((name, "a_in"),), "MIXED", -layer["shift"])
    return LibraryLayer(name, name, (neurons,), (sums,))


def _soft(plan: dict, layer: dict, index: int, below: str, name: str) -> LibraryLayer:
    """Spikes where x > fires_above, after which it falls by the threshold, both in x's unit."""
    (bits, threshold, fires_above), late, interval = plan["units"][index], plan["stride"] * index, plan["interval"]
    n, state, held = len(layer["bias"]), f"{name}.state", f"{name}.held"
    neurons = (
        Neurons(state, "ProdNeuron", n, {"vth": 0}),
        Neurons(held, "GradedVec", n, {"vth": 0}),
        Neurons(name, "GradedReluVec", n, {"vth": fires_above}),
    )
    bias = (layer["bias"] << layer["biasExp"]) >> (ALIGN - bits)
    columns = np.stack([bias, np.full(n, layer["v0"] >> (ALIGN - bits))], axis=1)
    in_pass = HostRows(f"{name}.in_pass", in_pass_payloads(interval, late), False)
    constant = HostRows(f"{name}.constants", bias_payloads(interval, late), True)
    x = ((state, "a_in1"),)
    connections = (
        Connection(below, layer["weight"], x, "MIXED", bits - layer["shift"]),
        Connection(in_pass.name, np.ones((n, 1), int), ((state, "a_in2"),), "EXCITATORY"),
        *_constants(columns, constant.name, *x),
        _identity(state, 1, (held, "a_in"), (name, "a_in")),
        _identity(held, 1, *x),
        *(_identity(name, -weight, *x, exponent=exponent, bits=0) for weight, exponent in pieces(threshold)),
    )
    return LibraryLayer(name, state, neurons, connections, (in_pass, constant))


def _graded(plan: dict, layer: dict, index: int, below: str, name: str) -> LibraryLayer:
    n, shift = len(layer["bias"]), layer["shift"]
    whole, above, plain = f"{name}.whole", f"{name}.above", f"{name}.plain"
    one = HostRows(f"{name}.constants", np.array(DIGITS, np.int32)[:, None], True)
    names, both = [whole, above, name], ((whole, "a_in"), (above, "a_in"))
    if layer["bias"].any():
        names = [plain, *names]
        formed = (
            Connection(below, layer["weight"], ((plain, "a_in"),), "MIXED", 0, bits=8),
            *_constants(layer["bias"][:, None], one.name, (plain, "a_in")),
            _identity(plain, 1, *both, exponent=-shift),
        )
    else:
        formed = (Connection(below, layer["weight"], both, "MIXED", -shift, bits=8),)
    connections = (
        *formed,
        *_constants(np.full((n, 1), -layer["top"]), one.name, (above, "a_in")),
        _identity(whole, 1, (name, "a_in")),
        _identity(above, -1, (name, "a_in")),
    )
    neurons = tuple(Neurons(each, "GradedReluVec", n, {"vth": 0}) for each in names)
    return LibraryLayer(name, None, neurons, connections, (one,))


_KINDS = {"hard": _hard, "soft": _soft, "graded": _graded}


def _identity(source: str, weight: int, *targets: tuple[str, str], exponent: int = 0, bits: int = PAYLOAD_BITS):
    return Connection(source, weight, targets, "EXCITATORY" if weight > 0 else "INHIBITORY", exponent, bits)


def _constants(columns: np.ndarray, source: str, target: tuple[str, str]) -> list[Connection]:
    """Connections that add columns (n, k), |c| < 2^24: payloads 3 i..3 i + 2 are DIGITS where column i counts."""
    digits = np.abs(columns)[:, :, None] >> np.array([0, 8, 16]) & 0xFF
    found = []
    signs: tuple[tuple[int, Sign], ...] = ((1, "EXCITATORY"), (-1, "INHIBITORY"))
    for sign, mode in signs:
        weights = sign * np.where(np.sign(columns)[:, :, None] == sign, digits, 0).reshape(len(columns), -1)
        if weights.any():
            found.append(Connection(source, weights, (target,), mode, bits=PAYLOAD_BITS))
    return found


def in_pass_payloads(period: int, late: int) -> np.ndarray:
    """What multiplies X, (1, period) of 0/1 a time step; late: time steps that the layer is behind the first."""
    found = np.ones((1, period), np.int32)
    found[0, period - STRIDE] = 0
    return np.roll(found, late, axis=1)


def bias_payloads(period: int, late: int) -> np.ndarray:
    """The payloads of `_constants` of the columns (bias, v0): each step, and the first; (6, period)."""
    found = np.zeros((2 * len(DIGITS), period), np.int32)
    found[: len(DIGITS), : period - STRIDE : STRIDE] = np.array(DIGITS)[:, None]
    found[len(DIGITS) :, 0] = DIGITS
    return np.roll(found, late, axis=1)


def pieces(value: int) -> list[tuple[int, int]]:
    """Weights and exponents whose sum is value, > 0: as few of the largest as it takes, and the rest."""
    high, low = divmod(value, 1 << EXP_TOP)
    found = [(WEIGHT_TOP, EXP_TOP)] * (high // WEIGHT_TOP)
    found += [(rest, exponent) for rest, exponent in ((high % WEIGHT_TOP, EXP_TOP), (low, 0)) if rest]
    return found

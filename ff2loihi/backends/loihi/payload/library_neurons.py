"""Networks of Lava's library processes alone, as the simulator and a board's machine build them.

One that classifies, `classifying`: [Dense or Sparse -> neurons] a layer, which are LIFReset (hard reset), those of
`soft_neuron`, or those of `saturating` (graded).

One that learns, `connect`:

    spikes -> LearningDense = Z (LIFReset) = the LearningDense's s_in_bap: a spike that a gate forces, or its own
    Z -> count (GradedReluVec, an identity on itself) -> squares (ProdNeuron) -> thermometers (LIFReset)
    count, thermometers -> product (ProdNeuron) -> gates (LIF) -> Z, and off the count
    control rows -> count (clear), thermometers (enable)

A soft reset, `soft_neuron`, in steps of two time steps, with k bits below a sum's unit:

    X  ProdNeuron      x = (a 2^k + b + y - s th) in_pass        at even time steps; 0 at odd ones
    Y  GradedVec       y = x                                     one time step later, and back to X
    C  GradedReluVec   spikes, with payload x, where x > th      the same time step, and back to X and up

x is SoftLIF's v before its spike, in 2^(6 - k) v LSB, as long as v does not saturate; th = vth 2^k. in_pass is 1, and
0 in the step behind a pass, which ends the loop. b: the bias and, in a pass's first step, v0: constants that a host's
payloads carry. C's receivers take its payload for a spike.

The plans are those of board.json, see backends.loihi.plan and library_plan. Needs lava-nc, numpy and scipy, nothing of
ff2loihi: a deployment's scripts have a copy of this file.
"""

from dataclasses import dataclass

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from lava.magma.core.process.ports.ports import OutPort
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import eye

PROCESSES = (Dense, Sparse, LIF, LIFReset, GradedReluVec, GradedVec, ProdNeuron)  # a LearningDense is a Dense
STRIDE = 2  # time steps of a step of a soft reset, and of the rest behind a pass
DIGITS = (1, 1 << 8, 1 << 16)  # payloads whose weights of 8 bits make a constant of 24
PAYLOAD_BITS = 24
ALIGN = 6  # bits of v below a sum's unit
WEIGHT_TOP, EXP_TOP = 255, 7  # of a connection of one sign


@dataclass(frozen=True)
class LibraryNeurons:
    """What is read of a built network."""

    plastic: LearningDense
    neuron: LIFReset
    count: GradedReluVec
    units: LIFReset
    gates: LIF


def connect(plan: dict, weights: np.ndarray, spikes, control, offset: int) -> LibraryNeurons:
    """Build the network behind two OutPorts: input spikes (inputs,) and control rows (1 + groups,): clear, enables.

    plan: see backends.loihi.library_plan.constants; "gates": their v at the start, where it is not 0. weights (n,
    inputs). offset: the time step in which the first presentation begins; it must be odd, for epochs of the learning
    rule are of two and begin with odd ones.
    """
    positive, n = np.array(plan["positive"], bool), len(plan["positive"])
    bits, timing = plan["graded_bits"], {"reset_interval": plan["period"], "reset_offset": offset}
    rule = Loihi2FLearningRule(
        dw=plan["dw"], x1_impulse=plan["x1_impulse"], x1_tau=0, t_epoch=plan["t_epoch"], rng_seed=plan["rng_seed"]
    )
    plastic = LearningDense(weights=weights, learning_rule=rule)
    neuron = LIFReset(shape=(n,), du=plan["du"], dv=plan["dv"], vth=plan["vth"], **timing)
    count, square, product = (
        GradedReluVec(shape=(n,), vth=0),
        ProdNeuron(shape=(n,), vth=0),
        ProdNeuron(shape=(n,), vth=0),
    )
    gates = LIF(shape=(n,), du=plan["du"], dv=0, vth=plan["gate_vth"], v=np.array(plan.get("gates", [0] * n)))
    thresholds = np.array(plan["thresholds"], np.int32)
    groups, units_each = thresholds.shape
    enable, enable_exp = plan["enable"]
    units = LIFReset(
        shape=(thresholds.size,),
        du=plan["du"],
        dv=plan["unit_dv"],
        vth=enable << enable_exp,
        bias_mant=-thresholds.ravel(),
        bias_exp=np.full(thresholds.size, plan["bias_exp"], np.int32),
        **timing,
    )
    group = np.repeat(np.arange(groups), units_each)
    plus = group % 2 == 0

    spikes.connect(plastic.s_in)
    plastic.a_out.connect(neuron.a_in)
    neuron.s_out.connect(plastic.s_in_bap)
    link(neuron.s_out, identity(n, 1, bits=0), count.a_in)
    own = link(count.s_out, identity(n, 1, bits=bits), count.a_in)
    own.a_out.connect(square.a_in1)
    own.a_out.connect(square.a_in2)
    own.a_out.connect(product.a_in1)
    pairs = np.array(plan["pairs"])[group]
    sums = Dense(
        weights=np.where(positive, pairs[:, :1], pairs[:, 1:]),
        weight_exp=-plan["shift"],
        num_message_bits=bits,
        sign_mode=SignMode.MIXED,
    )
    link(square.s_out, sums, units.a_in)
    link(units.s_out, _positive(plan["gain"] * (positive[:, None] == plus)), product.a_in2)
    link(product.s_out, identity(n, 1, bits=bits), gates.a_in)
    force, force_exp = plan["force"]
    link(gates.s_out, identity(n, force, exponent=force_exp, bits=0), neuron.a_in)
    link(gates.s_out, identity(n, -1, bits=0), count.a_in)
    controls = np.eye(1 + groups, dtype=int)
    link(control, _negative(-plan["clear"] * np.tile(controls[0], (n, 1))), count.a_in)
    link(control, _positive(enable * controls[1 + group], enable_exp), units.a_in)
    return LibraryNeurons(plastic, neuron, count, units, gates)


def _positive(weights: np.ndarray, exponent: int = 0) -> Dense:
    return Dense(weights=weights, weight_exp=exponent, sign_mode=SignMode.EXCITATORY)


def _negative(weights: np.ndarray) -> Dense:
    return Dense(weights=weights, sign_mode=SignMode.INHIBITORY)


def identity(n: int, weight: int = 1, exponent: int = 0, bits: int = PAYLOAD_BITS) -> Sparse:
    """n synapses, one a neuron. bits: of the payload, 0: a spike."""
    sign = SignMode.EXCITATORY if weight > 0 else SignMode.INHIBITORY
    return Sparse(weights=weight * eye(n, dtype=int), weight_exp=exponent, num_message_bits=bits, sign_mode=sign)


def link(source, connection, *targets):
    """source -> connection -> each target; returns the connection."""
    source.connect(connection.s_in)
    for target in targets:
        connection.a_out.connect(target)
    return connection


def constants(columns: np.ndarray) -> list[Dense]:
    """Connections that add columns (n, k), |c| < 2^24: payloads 3 i..3 i + 2 are DIGITS where column i counts."""
    digits = np.abs(columns)[:, :, None] >> np.array([0, 8, 16]) & 0xFF
    found = []
    for sign, mode in ((1, SignMode.EXCITATORY), (-1, SignMode.INHIBITORY)):
        weights = sign * np.where(np.sign(columns)[:, :, None] == sign, digits, 0).reshape(len(columns), -1)
        if weights.any():
            found.append(Dense(weights=weights, sign_mode=mode, num_message_bits=PAYLOAD_BITS))
    return found


def in_pass_payloads(period: int, late: int) -> np.ndarray:
    """What multiplies X, (1, period) of 0/1 a time step; late: time steps that the layer is behind the first."""
    found = np.ones((1, period), np.int32)
    found[0, period - STRIDE] = 0
    return np.roll(found, late, axis=1)


def bias_payloads(period: int, late: int) -> np.ndarray:
    """The payloads of `constants` of the columns (bias, v0): each step, and the first; (6, period)."""
    found = np.zeros((2 * len(DIGITS), period), np.int32)
    found[: len(DIGITS), : period - STRIDE : STRIDE] = np.array(DIGITS)[:, None]
    found[len(DIGITS) :, 0] = DIGITS
    return np.roll(found, late, axis=1)


@dataclass(frozen=True)
class SoftNeuron:
    """The processes of a layer's neurons: sums arrive at `state.a_in1`, spikes leave from `spikes.s_out`."""

    state: ProdNeuron
    spikes: GradedReluVec


def soft_neuron(threshold: int, fires_above: int, columns: np.ndarray, in_pass_out, bias_out) -> SoftNeuron:
    """th = threshold, spikes where x > fires_above; columns (n, 2): bias and v0; all in x's unit.

    in_pass_out, bias_out: ports with the payloads of `in_pass_payloads` and `bias_payloads`.
    """
    n = len(columns)
    state, held = ProdNeuron(shape=(n,), vth=0), GradedVec(shape=(n,), vth=0)
    spikes = GradedReluVec(shape=(n,), vth=fires_above)
    link(in_pass_out, Dense(weights=np.ones((n, 1), int), sign_mode=SignMode.EXCITATORY), state.a_in2)
    for dense in constants(columns):
        link(bias_out, dense, state.a_in1)
    link(state.s_out, identity(n), held.a_in, spikes.a_in)
    link(held.s_out, identity(n), state.a_in1)
    for weight, exponent in pieces(threshold):
        link(spikes.s_out, identity(n, -weight, exponent, bits=0), state.a_in1)
    return SoftNeuron(state, spikes)


def pieces(value: int) -> list[tuple[int, int]]:
    """Weights and exponents whose sum is value, > 0: as few of the largest as it takes, and the rest."""
    high, low = divmod(value, 1 << EXP_TOP)
    found = [(WEIGHT_TOP, EXP_TOP)] * (high // WEIGHT_TOP)
    found += [(rest, exponent) for rest, exponent in ((high % WEIGHT_TOP, EXP_TOP), (low, 0)) if rest]
    return found


def saturating(sums, n: int, shift: int, top: int, one_out, bias: np.ndarray) -> GradedReluVec:
    """h = min(max((a + bias) >> shift, 0), top) = relu(a') - relu(a' - top); a' is formed by `sums` where bias is 0.

    sums: the connection of the weights, which shifts where bias is 0, and does not elsewhere. one_out: a port whose
    payloads are DIGITS at every time step. One time step behind sums, two with a bias.
    """
    whole, above, h = (GradedReluVec(shape=(n,), vth=0) for _ in range(3))
    if bias.any():
        plain = GradedReluVec(shape=(n,), vth=0)
        sums.a_out.connect(plain.a_in)
        for dense in constants(bias[:, None]):
            link(one_out, dense, plain.a_in)
        link(plain.s_out, identity(n, exponent=-shift), whole.a_in, above.a_in)
    else:
        sums.a_out.connect(whole.a_in)
        sums.a_out.connect(above.a_in)
    for dense in constants(np.full((n, 1), -top)):
        link(one_out, dense, above.a_in)
    link(whole.s_out, identity(n), h.a_in)
    link(above.s_out, identity(n, -1), h.a_in)
    return h


@dataclass(frozen=True)
class ClassifyingLayer:
    """A built layer: out: the port of its spikes or payloads; its connection, and its neuron where that has states."""

    out: OutPort
    sums: Dense | Sparse
    neuron: LIFReset | SoftNeuron | None


def classifying(plan: dict, layers: list[dict], below, rows) -> list[ClassifyingLayer]:
    """Build the layers behind the port `below`.

    plan: what runs when. layers: weight (out, in), an array or a sparse matrix; bias (out,) mantissas; and the numbers
    of the neurons by their names in netx. rows(columns, graded): a port with columns (n, period), one a time step,
    again and again; graded: payloads of more than a bit.
    """
    found = []
    for index, layer in enumerate(layers):
        found.append(_KINDS[plan["kind"]](plan, layer, index, below, rows))
        below = found[-1].out
    return found


def _sums(layer: dict, below, exponent: int, bits: int = 0) -> Dense | Sparse:
    """The connection of the weights; bits: of the payloads below, 0: spikes.

    A convolution comes as a sparse matrix: Lava's Conv has no weight_exp, and takes 54 times as long.
    """
    kind = Dense if isinstance(layer["weight"], np.ndarray) else Sparse
    sums = kind(
        weights=layer["weight"], weight_exp=exponent, num_weight_bits=8, sign_mode=SignMode.MIXED, num_message_bits=bits
    )
    below.connect(sums.s_in)
    return sums


def _hard(plan: dict, layer: dict, index: int, below, rows) -> ClassifyingLayer:
    n = len(layer["bias"])
    neuron = LIFReset(
        shape=(n,), du=layer["iDecay"] - 1, dv=layer["vDecay"], vth=layer["vThMant"], bias_mant=layer["bias"],
        bias_exp=np.full(n, layer.get("biasExp", ALIGN), np.int32),
        reset_interval=plan["interval"], reset_offset=index + 2 + plan["steps_in"],
    )  # fmt: skip
    sums = _sums(layer, below, -layer["shift"])
    sums.a_out.connect(neuron.a_in)
    return ClassifyingLayer(neuron.s_out, sums, neuron)


def _soft(plan: dict, layer: dict, index: int, below, rows) -> ClassifyingLayer:
    (bits, threshold, fires_above), late, interval = plan["units"][index], plan["stride"] * index, plan["interval"]
    bias = (layer["bias"] << layer["biasExp"]) >> (ALIGN - bits)
    columns = np.stack([bias, np.full(len(bias), layer["v0"] >> (ALIGN - bits))], axis=1)
    in_pass, constant = rows(in_pass_payloads(interval, late), False), rows(bias_payloads(interval, late), True)
    neuron = soft_neuron(threshold, fires_above, columns, in_pass, constant)
    sums = _sums(layer, below, bits - layer["shift"])
    sums.a_out.connect(neuron.state.a_in1)
    return ClassifyingLayer(neuron.spikes.s_out, sums, neuron)


def _graded(plan: dict, layer: dict, index: int, below, rows) -> ClassifyingLayer:
    sums = _sums(layer, below, 0 if layer["bias"].any() else -layer["shift"], bits=8)
    one = rows(np.array(DIGITS, np.int32)[:, None], True)
    h = saturating(sums, len(layer["bias"]), layer["shift"], layer["top"], one, layer["bias"])
    return ClassifyingLayer(h.s_out, sums, None)


_KINDS = {"hard": _hard, "soft": _soft, "graded": _graded}

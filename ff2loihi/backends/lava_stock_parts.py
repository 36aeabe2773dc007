"""Neurons of ours made of library processes. A board's script imports this file too: it needs nothing of ff2loihi.

A neuron that keeps what is above its threshold (SoftLIF), in steps of two time steps, with k bits below a sum's unit:

    X  ProdNeuron      x = (a 2^k + b + y - s th) hold           at even time steps; 0 at odd ones
    Y  GradedVec       y = x                                     one time step later, and back to X
    C  GradedReluVec   spikes, with payload x, where x > th      the same time step, and back to X and up

x is SoftLIF's v before its spike, in 2^(6 - k) v LSB; th = vth 2^k. hold is 1, and 0 in the step behind a pass, which
ends the loop. b: the bias and, in a pass's first step, v0: constants that a host's payloads carry. C's receivers take
its payload for a spike.
"""

from dataclasses import dataclass

import numpy as np
from lava.proc.dense.process import Dense
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

STRIDE = 2  # time steps of a step of the soft reset
DIGITS = (1, 1 << 8, 1 << 16)  # payloads whose weights of 8 bits make a constant of 24
PAYLOAD_BITS = 24
WEIGHT_TOP, EXP_TOP = 255, 7  # of a connection of one sign


def identity(n: int, weight: int = 1, exponent: int = 0, bits: int = PAYLOAD_BITS) -> Sparse:
    """n synapses, one a neuron. bits: of the payload, 0: a spike."""
    sign = SignMode.EXCITATORY if weight > 0 else SignMode.INHIBITORY
    return Sparse(weights=weight * np.eye(n, dtype=int), weight_exp=exponent, num_message_bits=bits, sign_mode=sign)


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


def pass_steps(steps: int) -> int:
    """Time steps of a pass with soft resets: its steps and the one that ends it."""
    return STRIDE * (steps + 1)


def hold(steps: int, late: int) -> np.ndarray:
    """What multiplies X, (1, time steps of a pass) of 0/1; late: time steps that the layer is behind the first."""
    found = np.ones((1, pass_steps(steps)), np.int32)
    found[0, STRIDE * steps] = 0
    return np.roll(found, late, axis=1)


def bias_payloads(steps: int, late: int) -> np.ndarray:
    """The payloads of `constants` of the columns (bias, v0): each step, and the first; (6, time steps of a pass)."""
    found = np.zeros((2 * len(DIGITS), pass_steps(steps)), np.int32)
    found[: len(DIGITS), : STRIDE * steps : STRIDE] = np.array(DIGITS)[:, None]
    found[len(DIGITS) :, 0] = DIGITS
    return np.roll(found, late, axis=1)


@dataclass(frozen=True)
class SoftNeuron:
    """The processes of a layer's neurons: sums arrive at `state.a_in1`, spikes leave from `spikes.s_out`."""

    state: ProdNeuron
    spikes: GradedReluVec


def soft_neuron(threshold: int, fires_above: int, columns: np.ndarray, hold_out, bias_out) -> SoftNeuron:
    """th = threshold, spikes where x > fires_above; columns (n, 2): bias and v0; all in x's unit.

    hold_out, bias_out: ports with the payloads of `hold` and `bias_payloads`.
    """
    n = len(columns)
    state, held = ProdNeuron(shape=(n,), vth=0), GradedVec(shape=(n,), vth=0)
    spikes = GradedReluVec(shape=(n,), vth=fires_above)
    link(hold_out, Dense(weights=np.ones((n, 1), int), sign_mode=SignMode.EXCITATORY), state.a_in2)
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

"""A network that learns with Lava's library processes alone: every arrow a Dense or Sparse, none of them replaced.

    spikes -> LearningDense = Z (LIFReset) = the LearningDense's s_in_bap: a spike that a gate forces, or its own
    Z -> count (GradedReluVec, an identity on itself) -> squares (ProdNeuron) -> thermometers (LIFReset)
    count, thermometers -> product (ProdNeuron) -> gates (LIF) -> Z, and off the count
    control rows -> count (clear), thermometers (enable)

Needs lava-nc and numpy, nothing of ff2loihi: a deployment's script builds the same network with a copy of this file.
"""

from dataclasses import dataclass

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.graded.process import GradedReluVec
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

PROCESSES = (Dense, Sparse, LIF, LIFReset, GradedReluVec, ProdNeuron)  # a LearningDense is a Dense


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

    plan: see backends.stock_plan.constants. weights (n, inputs). offset: the time step in which the first
    presentation begins; it must be odd, for epochs of the learning rule are of two and begin with odd ones.
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
    gates = LIF(shape=(n,), du=plan["du"], dv=0, vth=plan["gate_vth"])
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
    _link(neuron.s_out, _identity(n, 1), count.a_in)
    own = _link(count.s_out, _identity(n, 1, bits=bits), count.a_in)
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
    _link(square.s_out, sums, units.a_in)
    _link(units.s_out, _positive(plan["gain"] * (positive[:, None] == plus)), product.a_in2)
    _link(product.s_out, _identity(n, 1, bits=bits), gates.a_in)
    force, force_exp = plan["force"]
    _link(gates.s_out, _identity(n, force, exponent=force_exp), neuron.a_in)
    _link(gates.s_out, _identity(n, -1), count.a_in)
    controls = np.eye(1 + groups, dtype=int)
    _link(control, _negative(-plan["clear"] * np.tile(controls[0], (n, 1))), count.a_in)
    _link(control, _positive(enable * controls[1 + group], enable_exp), units.a_in)
    return LibraryNeurons(plastic, neuron, count, units, gates)


def _identity(n: int, weight: int, exponent: int = 0, bits: int = 0) -> Sparse:
    sign = SignMode.EXCITATORY if weight > 0 else SignMode.INHIBITORY
    return Sparse(weights=weight * np.eye(n, dtype=int), weight_exp=exponent, num_message_bits=bits, sign_mode=sign)


def _positive(weights: np.ndarray, exponent: int = 0) -> Dense:
    return Dense(weights=weights, weight_exp=exponent, sign_mode=SignMode.EXCITATORY)


def _negative(weights: np.ndarray) -> Dense:
    return Dense(weights=weights, sign_mode=SignMode.INHIBITORY)


def _link(source, connection, target):
    source.connect(connection.s_in)
    connection.a_out.connect(target)
    return connection

"""A network that learns with Lava's library processes alone: every arrow a Dense or Sparse, none of them replaced.

    source -> LearningDense = Z (LIFReset) = the LearningDense's s_in_bap: a spike that a gate forces, or its own
    Z -> count (GradedReluVec, an identity on itself) -> squares (ProdNeuron) -> thermometers (LIFReset)
    count, thermometers -> product (ProdNeuron) -> gates (LIF) -> Z, and off the count
    control rows -> count (clear), thermometers (enable)

Only the source, and what reads for the host, are ours: they run on the host's side of a board.
"""

from pathlib import Path

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.graded.process import GradedReluVec
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

from ff2loihi.backends.lava_learning_graph import Graph, probe_var, record_port
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.fused_layer import TRACE_SEED
from ff2loihi.processes.limits import DU_NO_MEMORY
from ff2loihi.processes.stock_rule import (
    BIAS_EXP,
    CLEAR,
    DW,
    ENABLE,
    ENABLE_EXP,
    FORCE,
    FORCE_EXP,
    GROUPS,
    SLOTS,
    T_EPOCH,
    X1_IMPULSE,
)
from ff2loihi.processes.stock_source import StockSource

GRADED = 24  # message bits of a count, a square and a product
NO_MEMORY = 4095  # dv of a thermometer, which keeps 1/4096


def build(network: LearningNetwork, folder: Path, start: dict) -> Graph:
    """The processes; files in `folder`: input.npy and weights.0.npy are read, the rest is written.

    start["steps"]: record every state of so many time steps, 0: none. Files r.0.npy (rows, n): the counts of the last
    presentation, or of all; weights.0.now.npy (1, n, inputs) and gates.0.now.npy (1, n) at its end.
    """
    layer, rows = network.layers[0], start["steps"] or network.period
    n, factor = len(layer.positive), layer.factor
    source = StockSource(
        file=str(folder / "input.npy"),
        n=network.inputs,
        steps=network.steps,
        window=network.window,
        probability=network.probability,
    )
    rule = Loihi2FLearningRule(dw=DW, x1_impulse=X1_IMPULSE, x1_tau=0, t_epoch=T_EPOCH, rng_seed=TRACE_SEED)
    plastic = LearningDense(weights=np.load(folder / "weights.0.npy").astype(np.int32), learning_rule=rule)
    timing = {"reset_interval": network.period, "reset_offset": 1}
    neuron = LIFReset(shape=(n,), du=DU_NO_MEMORY, dv=layer.neuron.dv, vth=layer.neuron.vth, **timing)
    count, square, product = (
        GradedReluVec(shape=(n,), vth=0),
        ProdNeuron(shape=(n,), vth=0),
        ProdNeuron(shape=(n,), vth=0),
    )
    gates = LIF(shape=(n,), du=DU_NO_MEMORY, dv=0, vth=factor.vth)
    thresholds = np.array(factor.thresholds, np.int32).ravel()
    units = LIFReset(
        shape=thresholds.shape,
        du=DU_NO_MEMORY,
        dv=NO_MEMORY,
        vth=ENABLE << ENABLE_EXP,
        bias_mant=-thresholds,
        bias_exp=np.full(thresholds.shape, BIAS_EXP, np.int32),
        **timing,
    )
    group = np.repeat(np.arange(GROUPS), len(factor.thresholds[0]))
    plus = group % 2 == 0

    source.s_out.connect(plastic.s_in)
    plastic.a_out.connect(neuron.a_in)
    neuron.s_out.connect(plastic.s_in_bap)
    _link(neuron.s_out, _identity(n, 1), count.a_in)
    own = _link(count.s_out, _identity(n, 1, bits=GRADED), count.a_in)
    own.a_out.connect(square.a_in1)
    own.a_out.connect(square.a_in2)
    own.a_out.connect(product.a_in1)
    pairs = np.array(factor.weights)[group]
    sums = Dense(
        weights=np.where(layer.positive, pairs[:, :1], pairs[:, 1:]),
        weight_exp=-factor.shift,
        num_message_bits=GRADED,
        sign_mode=SignMode.MIXED,
    )
    _link(square.s_out, sums, units.a_in)
    _link(units.s_out, _positive(factor.gain * (layer.positive[:, None] == plus)), product.a_in2)
    _link(product.s_out, _identity(n, 1, bits=GRADED), gates.a_in)
    _link(gates.s_out, _identity(n, FORCE, exponent=FORCE_EXP), neuron.a_in)
    _link(gates.s_out, _identity(n, -1), count.a_in)
    controls = np.eye(1 + GROUPS, dtype=int)
    _link(source.c_out, _negative(-CLEAR * np.tile(controls[0], (n, 1))), count.a_in)
    _link(source.c_out, _positive(ENABLE * controls[1 + group], ENABLE_EXP), units.a_in)

    record_port(count.s_out, folder / "r.0.npy", rows)
    probe_var(plastic.weights, folder / "weights.0.now.npy", 1, network.period)
    probe_var(gates.v, folder / "gates.0.now.npy", 1, network.period)
    if start["steps"]:
        record_port(neuron.s_out, folder / "z.0.npy", rows)
        for name, var in (("v", neuron.v), ("gate", gates.v), ("units", units.v), ("a", plastic.a_buff)):
            probe_var(var, folder / f"{name}.0.npy", rows)
        probe_var(plastic.weights, folder / "weights.all.0.npy", rows // SLOTS, SLOTS, dtype=np.int16)
    return Graph(source, (), network)


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

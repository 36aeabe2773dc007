"""Networks of Lava's library processes alone, as the simulator and a board's machine build them.

One that classifies, `classifying`: what library_layers.py describes.

One that learns, `connect`:

    spikes -> LearningDense = Z (LIFReset) = the LearningDense's s_in_bap: a spike that a gate forces, or its own;
        a LearningSparse where the neurons have fields
    Z -> count (GradedReluVec, an identity on itself) -> squares (ProdNeuron) -> thermometers (LIFReset)
    count, thermometers -> product (ProdNeuron) -> gates (LIF) -> Z, and off the count
    control rows -> count (clear), thermometers (enable)

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
from lava.proc.sparse.process import LearningSparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix, eye

INPUT = "input"  # of the lowest layer
PROCESSES = (Dense, Sparse, LIF, LIFReset, GradedReluVec, GradedVec, ProdNeuron)  # LearningDense is a Dense


@dataclass(frozen=True)
class LibraryNeurons:
    """What is read of a built network."""

    plastic: LearningDense | LearningSparse
    neuron: LIFReset
    count: GradedReluVec
    units: LIFReset
    gates: LIF

    def learned(self) -> np.ndarray:
        """The weights as they are now, (n, inputs) int16, read one by one; 0 where no synapse is."""
        found = self.plastic.weights.get()
        return (found.toarray() if isinstance(found, csr_matrix) else np.asarray(found)).astype(np.int16)


def connect(plan: dict, weights: np.ndarray, spikes, control, offset: int) -> LibraryNeurons:
    """Build the network behind two OutPorts: input spikes (inputs,) and control rows (1 + groups,): clear, enables.

    plan: see backends.loihi.library_plan.constants; "gates": their v at the start, where it is not 0. weights (n,
    inputs); of a network with fields those of 0 are no synapses. offset: the time step in which the first presentation
    begins; it must be odd, for epochs of the learning rule are of two and begin with odd ones.
    """
    positive, n = np.array(plan["positive"], bool), len(plan["positive"])
    bits, timing = plan["graded_bits"], {"reset_interval": plan["period"], "reset_offset": offset}
    rule = Loihi2FLearningRule(
        dw=plan["dw"], x1_impulse=plan["x1_impulse"], x1_tau=0, t_epoch=plan["t_epoch"], rng_seed=plan["rng_seed"]
    )
    if plan["fields"]:
        plastic = LearningSparse(weights=csr_matrix(weights), learning_rule=rule)
    else:
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


def identity(n: int, weight: int = 1, exponent: int = 0, bits: int = 0) -> Sparse:
    """n synapses, one a neuron. bits: of the payload, 0: a spike."""
    sign = SignMode.EXCITATORY if weight > 0 else SignMode.INHIBITORY
    return Sparse(weights=weight * eye(n, dtype=int), weight_exp=exponent, num_message_bits=bits, sign_mode=sign)


def link(source, connection, *targets):
    """source -> connection -> each target; returns the connection."""
    source.connect(connection.s_in)
    for target in targets:
        connection.a_out.connect(target)
    return connection


@dataclass(frozen=True)
class ClassifyingLayer:
    """A built layer: out: the port of its spikes or payloads; its connection, and its neuron where that has states."""

    out: OutPort
    sums: Dense | Sparse
    neuron: LIFReset | ProdNeuron | GradedReluVec | GradedVec | None


def classifying(layers, below: OutPort, rows) -> list[ClassifyingLayer]:
    """Build the network behind the port `below`.

    layers: those of library_layers.py; they name what is behind that port INPUT. rows(columns, graded): a port with
    columns (n, period), one a time step, again and again; graded: payloads of more than a bit.
    """
    ports, found = {INPUT: below}, []
    for layer in layers:
        ports |= {one.name: rows(one.rows, one.graded) for one in layer.host}
        built = {one.name: _CLASSES[one.process](shape=(one.count,), **one.parameters) for one in layer.neurons}
        ports |= {name: process.s_out for name, process in built.items()}
        made = []
        for one in layer.connections:
            targets = (getattr(built[name], port) for name, port in one.targets)
            made.append(link(ports[one.source], _connection(one, built), *targets))
        found.append(ClassifyingLayer(ports[layer.out], made[0], built[layer.state] if layer.state else None))
    return found


_CLASSES = {one.__name__: one for one in (LIFReset, GradedReluVec, GradedVec, ProdNeuron)}


def _connection(one, built: dict) -> Dense | Sparse:
    """A convolution comes as a sparse matrix: Lava's Conv has no weight_exp, and takes 54 times as long."""
    if isinstance(one.weights, int):
        [(n,)] = {built[name].shape for name, _ in one.targets}
        return identity(n, one.weights, one.exponent, one.bits)
    kind = Dense if isinstance(one.weights, np.ndarray) else Sparse
    return kind(
        weights=one.weights, weight_exp=one.exponent, num_weight_bits=8, sign_mode=SignMode[one.sign],
        num_message_bits=one.bits,
    )  # fmt: skip

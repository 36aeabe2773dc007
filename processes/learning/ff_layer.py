"""A Forward-Forward layer that learns: the chip's graph of processes, and one fused model of the same bits."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.learning_rule import Loihi3FLearningRule
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import Dense, LearningDense
from lava.utils.weightutils import SignMode

from ff2loihi.processes.learning.fused_layer import TRACE_SEED, FusedLayer
from ff2loihi.processes.learning.neuron import LearningNeuron
from ff2loihi.processes.learning.plastic_dense import exponents, rule_strings
from ff2loihi.processes.learning.plastic_sparse import PlasticSparse
from ff2loihi.processes.learning.third_factor import ThirdFactorUnit
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor
from ff2loihi.processes.limits import PAYLOAD_BITS


class FFLayer(AbstractProcess):
    """Learns dw = 2^-e x0 (y2 - y3) from its own goodness (Terres-Escudero 2024, eq. 2 to 6), see learning_rule.

    Timing, t in steps: a(t) = W(t) s(t) reaches the neuron at t + 1, as do c(t) and m(t); the goodness at t is that
    of r(t - 1); W(t + 1) holds what was learned from s(t), y2(t), y3(t).

    Parameters
    ----------
    weights: (n, inputs) int32, even.  positive: (n,) bool, the + neurons.  neuron, trace, factor: see learning_rule.
    mask: (n, inputs) bool, the synapses that exist, or None: all of them.
    exponent, trace_shift: the learning rate.  tag: (exponent, decay) of the eligibility tag, or None.
    index: the layer's place, which picks its two control signals.  layers: how many there are.
    tag_start: (n, inputs) int32 or 0.  passed: steps that lie behind: the rounding draws continue there (fused model).

    Ports and state
    ---------------
    s_in: (inputs,) int32, 0/1.  c_in: (2 layers,) int32, reset and phase of each layer.  s_out: (n,) int32, 0/1.
    g_out: (2,) int32, G+ and G-.
    weights: (n, inputs) int32 [weight LSB].  tag_1: (n, inputs) int32.  a: (n,) int32, W(t) s(t).
    v, r, y2, y3: (n,) int32.  g: (2,) int32.  dw: the rule's string.  trace_shift: (1,) int32.
    """

    def __init__(
        self, *, weights, positive, neuron: Neuron, trace: OutputTrace, factor: ThirdFactor, exponent: int,
        trace_shift: int, tag: tuple[int, int] | None, index: int, layers: int, tag_start=0, passed: int = 0,
        mask: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            weights=weights, mask=mask, positive=positive, neuron=neuron, trace=trace, factor=factor, exponent=exponent,
            trace_shift=trace_shift, tag=tag, index=index, layers=layers, passed=passed,
        )  # fmt: skip
        n, inputs = weights.shape
        self.s_in, self.c_in = InPort(shape=(inputs,)), InPort(shape=(2 * layers,))
        self.s_out, self.g_out = OutPort(shape=(n,)), OutPort(shape=(2,))
        self.weights = Var(shape=(n, inputs), init=weights)
        self.tag_1 = Var(shape=(n, inputs), init=tag_start)
        for state in ("a", "v", "r", "y2", "y3"):
            setattr(self, state, Var(shape=(n,), init=0))
        self.g = Var(shape=(2,), init=0)
        self.trace_shift = Var(shape=(1,), init=trace_shift)
        self.dw = Var(shape=(256,), init=rule_strings(exponent, tag)[0])


def _rows(matrix: np.ndarray, graded: bool) -> Dense:
    """A static Dense of 0 and 1; excitatory, because mixed signs would floor 1 to 0."""
    return Dense(
        weights=matrix.astype(np.int32),
        sign_mode=SignMode.EXCITATORY,
        num_message_bits=PAYLOAD_BITS - 1 if graded else 0,
    )


@implements(proc=FFLayer, protocol=LoihiProtocol)
class FFLayerGraph(AbstractSubProcessModel):
    """Plastic connection -> neuron -> squares -> 0/1 rows -> third factor -> 0/1 rows -> neuron: as on the chip."""

    def __init__(self, proc) -> None:
        p = proc.proc_params
        n, signs = len(p["positive"]), np.stack([p["positive"], ~p["positive"]])
        dw, dt = rule_strings(p["exponent"], p["tag"])
        rule = Loihi3FLearningRule(dw=dw, dt=dt, t_epoch=1, rng_seed=TRACE_SEED)
        if p["mask"] is None:
            self.plastic = LearningDense(weights=p["weights"], learning_rule=rule)
            weights, tags = self.plastic.weights, self.plastic.tag_1
        else:
            self.plastic = PlasticSparse(weights=p["weights"], mask=p["mask"], learning_rule=rule)
            weights, tags = self.plastic.shown, self.plastic.shown_tags
        self.neuron = LearningNeuron(n=n, neuron=p["neuron"], trace=p["trace"], trace_shift=p["trace_shift"])
        self.unit = ThirdFactorUnit(factor=p["factor"])
        self.sums, self.back = _rows(signs, graded=True), _rows(signs.T, graded=True)
        picks = np.zeros((2, 1, 2 * p["layers"]))
        picks[0, 0, 2 * p["index"]] = picks[1, 0, 2 * p["index"] + 1] = 1
        self.reset, self.phase = _rows(picks[0], graded=True), _rows(picks[1], graded=True)
        proc.s_in.connect(self.plastic.s_in)
        for gate, target in ((self.reset, self.neuron.reset_in), (self.phase, self.unit.phase_in)):
            proc.c_in.connect(gate.s_in)
            gate.a_out.connect(target)
        self.plastic.a_out.connect(self.neuron.a_in)
        self.neuron.z_out.connect(proc.s_out)
        self.neuron.y2_out.connect(self.plastic.s_in_y2)
        self.neuron.y3_out.connect(self.plastic.s_in_y3)
        self.neuron.square_out.connect(self.sums.s_in)
        self.sums.a_out.connect(self.unit.g_in)
        self.unit.m_out.connect(self.back.s_in)
        self.back.a_out.connect(self.neuron.m_in)
        self.unit.g_out.connect(proc.g_out)
        proc.weights.alias(weights)
        proc.tag_1.alias(tags)
        proc.a.alias(self.plastic.a_buff)
        for state in ("v", "r", "y2", "y3", "trace_shift"):
            getattr(proc, state).alias(getattr(self.neuron, state))
        proc.g.alias(self.unit.g)
        proc.dw.alias(self.plastic.dw)


@implements(proc=FFLayer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFFLayerModel(PyLoihiProcessModel):
    """The graph in one process: fewer messages, the same states at the same steps. Sends before it receives."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    g_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    weights: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    tag_1: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    a: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    y2: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    y3: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=7)
    g: np.ndarray = LavaPyType(np.ndarray, np.int32)
    trace_shift: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=3)
    dw: str = LavaPyType(str, str)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        names = ("mask", "positive", "neuron", "trace", "factor", "tag", "passed")
        self.constants = {name: proc_params[name] for name in names}
        self.place, self.exponent = proc_params["index"], proc_params["exponent"]
        self.layer: FusedLayer | None = None

    def on_var_update(self) -> None:
        self.exponent = exponents(self.dw, rule_strings(0, self.constants["tag"])[1])[0]

    def run_spk(self) -> None:
        if self.layer is None:  # Lava sets the Vars' arrays after __init__; from here on they are the layer's
            vectors = {name: getattr(self, name) for name in ("a", "v", "r", "y2", "y3", "g")}
            self.layer = FusedLayer(w=self.weights.T, t=self.tag_1.T, **vectors, **self.constants)
        self.s_out.send(self.layer.send_spikes(int(self.trace_shift[0])))
        self.g_out.send(self.g)
        spikes = self.s_in.recv()
        reset, phase = self.c_in.recv()[2 * self.place : 2 * self.place + 2]
        self.layer.receive_spikes(spikes, (int(reset), int(phase)), self.exponent)

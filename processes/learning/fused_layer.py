"""A learning layer without Lava around it: what the fused process models compute in a step."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.processes import learning_kernels
from ff2loihi.processes.learning_rule import Neuron, OutputTrace, ThirdFactor

ENGINE_SEED = 2  # of dw and dt (Lava: ConnVarRandom)
TRACE_SEED = 0  # rng_seed of every learning rule; the post traces' draws come from rng_seed + 2


@dataclass
class FusedLayer:
    """States are changed in place. w, t: (inputs, n) weights and tags; a, v, r, y2, y3: (n,); g: (2,).

    mask (n, inputs) bool: the synapses that exist, None: all of them.
    tag: (exponent, decay) of dt, or None. passed: steps that lie behind: the rounding draws continue there.
    """

    w: np.ndarray
    t: np.ndarray
    a: np.ndarray
    v: np.ndarray
    r: np.ndarray
    y2: np.ndarray
    y3: np.ndarray
    g: np.ndarray
    positive: np.ndarray
    neuron: Neuron
    trace: OutputTrace
    factor: ThirdFactor
    tag: tuple[int, int] | None
    passed: int
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.engine = np.random.Generator(np.random.PCG64(ENGINE_SEED).advance(1 + self.passed))
        self.trace_engine = np.random.Generator(np.random.PCG64(TRACE_SEED + 2).advance(1 + 2 * self.passed))
        self.control = (0, 0)  # of the step before, as m and r
        self.m = (0, 0)
        self.constants = (
            self.positive.astype(np.int64),
            learning_kernels.neuron_constants(self.neuron, self.trace),
            learning_kernels.factor_constants(self.factor),
            np.array(self.factor.table, np.int64),
        )
        (inputs, n), (exponent, decay) = self.w.shape, self.tag or (0, 0)
        self.rule = (int(self.tag is not None), exponent, decay)
        self.active = self.t.any(axis=1).astype(np.uint8)  # inputs that hold a tag
        self.exists = learning_kernels.synapse_mask(self.mask)
        self.z = np.zeros(n, np.int32)
        self.space = np.zeros(inputs, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int16)

    def send_spikes(self, trace_shift: int) -> np.ndarray:
        """The step's spikes (n,) int32, from a, m and control of the step before; r, y2, y3 and g with them.

        The array is the same in every step.
        """
        self.m = learning_kernels.send_spikes(
            self.a, self.v, self.r, self.y2, self.y3, self.g, self.z,
            *self.constants, *self.control, *self.m, trace_shift,
        )  # fmt: skip
        return self.z

    def receive_spikes(self, spikes: np.ndarray, control: tuple[int, int], exponent: int) -> None:
        """a of the input spikes (inputs,) int32 0/1, and what they teach; control (reset, phase) for the next step."""
        self.control = control
        u, (_, draw) = self.engine.random(), self.trace_engine.random(2)
        idx, y, shared = self.space
        learning_kernels.receive_spikes(
            self.w, self.exists, self.t, self.active, spikes, idx, self.a, self.y2, self.y3, y, shared, exponent,
            *self.rule, int(128 * u), draw,
        )  # fmt: skip

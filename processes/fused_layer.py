"""A learning layer without Lava around it: what the fused process models compute in a step."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.processes.learning_rule import (
    Neuron,
    OutputTrace,
    ThirdFactor,
    decayed,
    goodness,
    learn_tags,
    lif,
    output_trace,
    post_traces,
    third_factor,
    update,
)

ENGINE_SEED = 2  # of dw and dt (Lava: ConnVarRandom)
TRACE_SEED = 0  # rng_seed of every learning rule; the post traces' draws come from rng_seed + 2


@dataclass
class FusedLayer:
    """States are changed in place. w, t: (inputs, n) weights and tags; a, v, r, y2, y3: (n,); g: (2,).

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

    def __post_init__(self) -> None:
        self.engine = np.random.default_rng(ENGINE_SEED)
        self.trace_engine = np.random.default_rng(TRACE_SEED + 2)
        self.engine.bit_generator.advance(1 + self.passed)
        self.trace_engine.bit_generator.advance(1 + 2 * self.passed)
        self.control = (0, 0)  # of the step before, as m and r
        self.m = (0, 0)
        self.before = np.zeros(len(self.positive), np.int64)

    def fire(self, halve: int) -> np.ndarray:
        """The step's spikes (n,) bool, from a, m and control of the step before; r, y2, y3 and g with them."""
        reset, phase = self.control
        self.g[:] = goodness(self.before, self.positive)
        modulation = np.where(self.positive, *self.m) if any(self.m) else None
        self.m = third_factor(int(self.g[0]), int(self.g[1]), int(phase), self.factor)
        if reset:
            self.v[:] = 0
            self.r[:] = 0
        self.v[:], z = lif(self.v, self.a, self.neuron)
        self.r[:] = output_trace(self.r, z, self.trace)
        self.before = self.r.copy()
        if modulation is None:
            self.y2[:] = 0
            self.y3[:] = 0
        else:
            self.y2[:], self.y3[:] = post_traces(self.r, modulation, halve)
        return z

    def take(self, spiked: np.ndarray, control, exponent: int) -> None:
        """a of the inputs `spiked`, and what they teach; control (reset, phase) for the next step."""
        self.control = control
        rows = self.w[spiked]
        self.a[:] = rows.sum(axis=0)
        u, (_, draw) = self.engine.random(), self.trace_engine.random(2)
        active = self.y2.any() or self.y3.any()
        y2, y3 = (decayed(self.y2, draw), decayed(self.y3, draw)) if active else (self.y2, self.y3)
        if self.tag is not None:
            learn_tags(self.w.T, self.t.T, spiked, y2, y3, exponent, self.tag, u)
        elif active:
            self.w[spiked] = update(rows, y2, y3, exponent, u)

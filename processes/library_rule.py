"""The learning rule that library neurons carry alone: when each part spikes, and the constants of its third factor.

A logical step is four time steps, t = 1..4 mod 4, and an epoch of the learning engine two of them:

    A1  t = 1   a gate's spike forces the neuron to spike here: its weights of this step's inputs grow by 2
    A2  t = 2   the input spikes; a neuron that is forced to spike here: those weights fall by 2
    B1  t = 3   the neuron's own spike, from the drive of A2: x0 = 0 in this epoch, so it teaches nothing
    B2  t = 4   it is counted

dw = 2^1 x0 y0 - 2^-2 y0 x1 with x1 = 16 in the time step of the input's spike and 0 in any other, t_epoch = 2: a forced
spike gives 2 in A1 and 2 - 4 in A2. Every step is even, so a weight stays on the chip's 8-bit grid and no rounding is
drawn; but for a weight that grows beyond 254, which Lava clips to 255 and, when it falls, rounds.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ff2loihi.processes.limits import Int

DW = "2^1*x0*y0 - 2^-2*y0*x1"  # Loihi2FLearningRule, x1_impulse = 16, x1_tau = 0
X1_IMPULSE = 16
T_EPOCH = 2  # time steps
SLOTS = 4  # time steps of a logical step
TAIL = 4  # time steps behind a presentation's last logical step: counters are cleared, pipelines run empty
GROUPS = 4  # thermometers: + and - neurons in a positive presentation, then in a negative one
CLEAR = 100  # what clears a counter: more than any count
FORCE, FORCE_EXP = 255, 7  # weight and exponent of a gate on its neuron: 32,640 of a sum of 16 bits
ENABLE, ENABLE_EXP = 191, 7  # of a control row on its thermometer: E = 24,448, and the thermometer's threshold
THERMOMETER_TOP = 8190  # largest sum of a thermometer's inputs: below E it spikes only where it is enabled
GRADED_BITS = 24  # of a message: a count, a square, a product
NO_MEMORY = 4095  # dv of a thermometer, which keeps 1/4096
BIAS_EXP = 6  # of a thermometer: its bias is its threshold, in the sum's unit


@dataclass(frozen=True)
class GateFactor:
    """The constants of the third factor as spikes: a thermometer a group, K units each, and a gate a neuron.

    A unit spikes where it is enabled and (plus G+ + minus G-) >> shift > its threshold. The m units of a neuron's
    polarity that spike give its gate gain r m, r the neuron's spike count; a gate spikes where it has gathered more
    than vth, forces its neuron to spike, and starts anew at 0.

    probability: symmetric: a sum falls with G+ - G- in a positive presentation, rises in a negative one; sigmoid: the
    same of G+ + G-. target: the goodness that balance holds, which is part of the weights and thresholds.
    """

    probability: Literal["symmetric", "sigmoid"]
    target: Int
    weights: tuple[tuple[Int, Int], ...]  # (plus, minus) of each group, even
    shift: Int
    thresholds: tuple[tuple[Int, ...], ...]  # (GROUPS, K)
    gain: Int
    vth: Int


def period(steps: int) -> int:
    """Time steps from one presentation to the next: the power of two that LIFReset needs on the chip."""
    return 1 << int(np.ceil(np.log2(SLOTS * steps + TAIL)))


def learning_steps(steps: int, window: int, stride: int) -> np.ndarray:
    """The logical steps whose thermometers are enabled, ascending: their gates teach the inputs of the step after.

    stride: one step in so many; the learning rate is its inverse.
    """
    return np.arange(steps - 2, steps - 2 - window, -stride)[::-1]


def controls(probability: str, steps: int, window: int, stride: int, phase: int) -> np.ndarray:
    """(period, 1 + GROUPS) uint8: what the host sends in time step t of a presentation, row t - 1: clear, then enables.

    A time step before it acts: enables of the phase's two groups (0: none) in A1 for groups that potentiate and in A2
    for those that depress; what clears the counters, behind the last step.
    """
    rows = np.zeros((period(steps), 1 + GROUPS), np.uint8)
    rows[SLOTS * steps, 0] = 1
    for group in () if phase == 0 else (0, 1) if phase > 0 else (2, 3):
        rows[SLOTS * learning_steps(steps, window, stride) + (not potentiates(probability, group)), 1 + group] = 1
    return rows


def potentiates(probability: str, group: int) -> bool:
    """Whether a group's neurons learn in slot A1 or in A2."""
    positive, plus = group < 2, group % 2 == 0
    return positive if probability == "sigmoid" else positive == plus

"""The Process ThirdFactorUnit against equations 4 to 6 as learning_rule.third_factor states them."""

import numpy as np
import pytest

from ff2loihi.processes.learning_rule import ThirdFactor

pytestmark = pytest.mark.needs_lava
SYMMETRIC = tuple(min(256, i * i // 256 + 3) for i in range(257))
SIGMOID = tuple(int(255 / (1 + np.exp(-(i - 128) / 32)) + 0.5) for i in range(256))
FACTORS = {
    "symmetric": ThirdFactor("symmetric", 26000, 50, 3000, 2, SYMMETRIC),
    "symmetric, a small gain": ThirdFactor("symmetric", 1, 1, 0, 0, SYMMETRIC),
    "sigmoid": ThirdFactor("sigmoid", 3000, 2500, 3000, 3, SIGMOID),
}


def modulation(plus: int, minus: int, phase: int, factor: ThirdFactor) -> list[int]:
    if phase == 0:
        return [0, 0]
    total = plus + minus
    d = max(-64, min(64, (factor.target - total) // 2**factor.balance_shift))
    if factor.probability == "symmetric":
        p = factor.table[256 * plus // (total + 1)]
        e = 256 - p if phase > 0 else p
        sizes, signs = [factor.gain * e // (own + factor.theta) for own in (plus, minus)], [phase, -phase]
    else:
        p = factor.table[max(0, min(255, (total - factor.theta) // 2**factor.balance_shift + 128))]
        e = 255 - p if phase > 0 else p
        sizes, signs = [factor.gain * e // 256] * 2, [phase, phase]
    return [sign * (size * (256 + sign * d) // 256) for sign, size in zip(signs, sizes, strict=True)]


@pytest.mark.parametrize("name", FACTORS)
def test_both_polarities_get_the_modulation_of_the_goodness_and_the_phase(run_process, rng, name):
    factor, largest = FACTORS[name], 127**2 * 40
    g = rng.integers(0, 3000, (45, 2))
    g[:6] = [0, 0], [1, 0], [0, 1], [largest, 0], [0, largest], [largest, largest]
    g[6:9] = g[3:6]
    phases = np.resize([1, -1, 0], (45, 1))
    phases[:9, 0] = [1, 1, -1, 1, 1, 1, -1, -1, -1]
    found = run_process(
        "learning.third_factor.ThirdFactorUnit", {"factor": factor}, steps=45, inputs={"g_in": g, "phase_in": phases},
        ports=["m_out", "g_out"], states=["g"],
    )  # fmt: skip
    wanted = [modulation(*pair, phase, factor) for pair, (phase,) in zip(g.tolist(), phases.tolist(), strict=True)]
    assert found["m_out"].tolist() == wanted
    assert (found["g_out"] == g).all()
    assert (found["g"] == g).all()
    learns = factor.gain > 1
    assert all((np.sign(wanted) == sign).any(axis=0).all() for sign in (1, -1)) or not learns
    assert any(map(any, wanted))

"""The Process LearningNeuron against the equations of its docstring in Python's own integers."""

import numpy as np
import pytest

from ff2loihi.processes.learning_rule import Neuron, OutputTrace
from ff2loihi.processes.limits import POST_TRACE_MAX

pytestmark = pytest.mark.needs_lava
LIMIT, N, STEPS = (1 << 23) - 1, 6, 40
CASES = {  # neuron, trace, trace_shift at first
    "relu, a leak": (Neuron(64, 614), OutputTrace("relu", 1, 256, POST_TRACE_MAX), 0),
    "li, no leak": (Neuron(1, 0), OutputTrace("li", 40, 200, POST_TRACE_MAX), 1),
    "hard-li, no memory": (Neuron(256, 4096), OutputTrace("hard-li", 1, 230, POST_TRACE_MAX), 0),
    "the largest threshold": (Neuron((1 << 17) - 1, 1), OutputTrace("li", 127, 128, POST_TRACE_MAX), 2),
}


def expected(a, m, reset, shifts, neuron: Neuron, trace: OutputTrace) -> dict[str, np.ndarray]:
    v, r, rows = [0] * N, [0] * N, []
    for drive, modulation, (clear,), trace_shift in zip(a.tolist(), m.tolist(), reset.tolist(), shifts, strict=True):
        if clear:
            v, r = [0] * N, [0] * N
        kept = [x * (4096 - neuron.dv) for x in v]
        v = [(abs(k) // 4096 * (1 if k > 0 else -1)) + 64 * d for k, d in zip(kept, drive, strict=True)]
        v = [max(-LIMIT, min(LIMIT, x)) for x in v]
        z = [int(x > 64 * neuron.vth) for x in v]
        v = [0 if spike else x for x, spike in zip(v, z, strict=True)]
        low = [x * trace.keep // 256 for x in r]
        if trace.kind == "hard-li":
            r = [127 if spike else x for x, spike in zip(low, z, strict=True)]
        else:
            r = [min(127, x + trace.impulse * spike) for x, spike in zip(low, z, strict=True)]
        y = [min(127, (x * abs(k) + 32) // 64) // 2**trace_shift for x, k in zip(r, modulation, strict=True)]
        y2 = [x if k > 0 else 0 for x, k in zip(y, modulation, strict=True)]
        y3 = [x if k < 0 else 0 for x, k in zip(y, modulation, strict=True)]
        rows.append({"v": v, "r": r, "y2": y2, "y3": y3, "z_out": z, "square_out": [x * x for x in r]})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("case", CASES)
def test_every_state_is_the_equations_at_every_step(run_process, rng, case):
    neuron, trace, trace_shift = CASES[case]
    a = rng.integers(-neuron.vth // 2, 2 * neuron.vth + 2, (STEPS, N))
    a[:, 0], a[:, 1] = neuron.vth, -(1 << 15)  # at the threshold, and down to the lowest voltage
    m = rng.integers(-600, 600, (STEPS, N)) * (rng.random((STEPS, N)) < 0.8)
    m[:3, 2:] = [[1], [-1], [(1 << 23) - 1]]
    reset = np.zeros((STEPS, 1), int)
    reset[[0, 17, 31]] = 1
    found = run_process(
        "learning.neuron.LearningNeuron", {"n": N, "neuron": neuron, "trace": trace, "trace_shift": trace_shift},
        steps=STEPS, inputs={"a_in": a, "m_in": m, "reset_in": reset},
        ports=["z_out", "square_out", "y2_out", "y3_out"], states=["v", "r", "y2", "y3"],
        sets={20: {"trace_shift": np.array([3])}},
    )  # fmt: skip
    wanted = expected(a, m, reset, [trace_shift] * 20 + [3] * (STEPS - 20), neuron, trace)
    wanted |= {"y2_out": wanted["y2"], "y3_out": wanted["y3"]}
    assert set(found) == set(wanted)
    for name, rows in wanted.items():
        assert (found[name] == rows).all(), name
    assert not found["z_out"][0, 0]  # a voltage at the threshold is not above it
    assert found["z_out"].any(axis=1).sum() > 10
    assert found["v"].min() < 0
    assert found["v"].min() == -LIMIT or neuron.dv > 100
    assert found["y2"].any()
    assert found["y3"].any()
    assert max(found["y2"][:20].max(), found["y3"][:20].max()) == 127 >> trace_shift
    assert (found["r"][16] > 0).any(), "the reset cleared nothing"

"""The Process MaxPool against plain loops: payloads, and spikes over the steps of samples."""

import numpy as np
import pytest

from ff2loihi.compilers.ir.pooling import MaxPool

pytestmark = pytest.mark.needs_lava
POOL = MaxPool((2, 5, 4), (2, 3), 2)


def expected(s: np.ndarray, period: int, offset: int) -> tuple[list, list]:
    """(what is sent, the largest so far) of each step; t counts from 1."""
    r, sent, kept = [0] * POOL.inputs, [], []
    m = [0] * POOL.outputs
    for t, row in enumerate(s.tolist(), 1):
        if t % period == offset:
            r, m = [0] * POOL.inputs, [0] * POOL.outputs
        r = [before + now for before, now in zip(r, row, strict=True)]
        largest = [max(r[neuron] for neuron in window) for window in POOL.windows.tolist()]
        sent.append([after - before for after, before in zip(largest, m, strict=True)])
        kept.append(largest)
        m = largest
    return sent, kept


@pytest.mark.parametrize(("period", "offset", "top"), [(1, 0, 256), (5, 2, 2), (4, 0, 2)])
def test_a_window_sends_what_its_most_active_neuron_adds(run_process, rng, period, offset, top):
    s = rng.integers(0, top, (23, POOL.inputs)) * (rng.random((23, POOL.inputs)) < 0.4)
    found = run_process(
        "inference.max_pool.MaxPool",
        {"windows": POOL.windows, "neurons": POOL.inputs, "period": period, "offset": offset},
        steps=23, inputs={"s_in": s}, ports=["s_out"], states=["m"],
    )  # fmt: skip
    sent, kept = expected(s, period, offset)
    assert found["s_out"].tolist() == sent
    assert found["m"].tolist() == kept
    assert len(np.unique(sent)) == 2 if top == 2 else len(np.unique(sent)) > 20


def test_an_offset_beyond_the_period_is_refused(run_process):
    with pytest.raises(ValueError, match=r"offset must be in 0\.\.3"):
        run_process(
            "inference.max_pool.MaxPool", {"windows": POOL.windows, "neurons": POOL.inputs, "period": 4, "offset": 4}
        )

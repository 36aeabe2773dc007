"""The chip's arithmetic against Python's own integers, at the edges and on generated values."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ff2loihi.processes import fixed_point
from ff2loihi.processes.limits import V_LIMIT

ACC = st.integers(-(1 << 23) + 1, (1 << 23) - 1)


@given(a=ACC, bias=st.integers(-1000, 1000), shift=st.integers(0, 20), bits=st.integers(1, 8))
def test_a_graded_neuron_floors_rectifies_and_saturates(a, bias, shift, bits):
    top = 2**bits - 1
    expected = min(max(math.floor((a + bias) / 2**shift), 0), top)
    assert fixed_point.graded_relu(np.array([a]), np.array([bias]), shift, top)[0] == expected


@given(a=st.lists(ACC, min_size=1, max_size=20), shift=st.integers(0, 20))
def test_floats_that_hold_integers_floor_like_a_right_shift(a, shift):
    scaled = np.array(a, np.float32) * np.float32(2.0**-shift)
    expected = [min(max(x >> shift, 0), 255) for x in a]
    assert fixed_point.floor_clip(scaled.copy(), 255).tolist() == expected
    assert fixed_point.floor_clip(torch.from_numpy(scaled), 255).tolist() == expected


@given(v=st.integers(-V_LIMIT, V_LIMIT), a=st.integers(-(1 << 15), (1 << 15) - 1), bias=st.integers(-524160, 524160))
def test_a_voltage_saturates_at_24_bits(v, a, bias):
    expected = max(-8388607, min(8388607, v + 64 * a + bias))
    assert fixed_point.integrate(np.array([v]), np.array([a]), np.array([bias]))[0] == expected
    as_float = torch.tensor([float(v)]), torch.tensor([float(a)]), torch.tensor([float(bias)])
    assert fixed_point.integrate(*as_float)[0].item() == expected


@given(q=st.integers(0, 255), phase=st.integers(0, 254))
def test_a_rate_coded_input_spikes_q_times_in_a_full_period_and_evenly(q, phase):
    acc, spikes = np.array([phase]), []
    for _ in range(255):
        fired, acc = fixed_point.rate_step(acc, np.array([q]), 255)
        spikes.append(int(fired[0]))
        assert 0 <= acc[0] < 255
    assert sum(spikes) == q
    assert spikes == [(phase + q * (i + 1)) // 255 - (phase + q * i) // 255 for i in range(255)]


@pytest.mark.parametrize("full", [1, 15, 255])
def test_start_phases_are_spread_evenly(full):
    phases = fixed_point.start_phases(1000, full)
    assert phases.min() >= 0
    assert phases.max() <= full - 1
    share = np.bincount(phases, minlength=full) / 1000
    assert abs(share - 1 / full).max() < 0.004
    golden = (1 + math.sqrt(5)) / 2
    assert phases[:50].tolist() == [math.floor(full * ((i / golden) % 1)) for i in range(50)]


@given(
    h=st.lists(st.integers(0, 255), min_size=1, max_size=30),
    power=st.sampled_from([1, 2]),
    shift=st.integers(0, 15),
)
def test_normalisation_by_table_is_within_two_percent_and_one_unit_of_the_division(h, power, shift):
    entries = 32
    middle = (np.arange((2**power - 1) * entries) + entries + 0.5) / entries
    table = np.rint(2**15 / middle ** (1 / power))
    norm = float(sum(x**power for x in h))
    exact = [x / norm ** (1 / power) * 2 ** (15 - shift) if norm else 0.0 for x in h]
    for array in (np.array(h, np.float64), torch.tensor(h, dtype=torch.float64)):
        xp = np if isinstance(array, np.ndarray) else torch
        as_xp = (lambda x: x) if xp is np else torch.from_numpy
        y = fixed_point.normalize(array, as_xp(np.array([norm])), power, as_xp(table), shift, 1 << 20, xp)
        assert all(abs(a - b) <= 0.02 * b + 1 for a, b in zip(y.tolist(), exact, strict=True))

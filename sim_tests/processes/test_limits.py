"""The chip's constants against each other, and against those that Lava's own models carry."""

import numpy as np
import pytest

from ff2loihi.processes import limits


def test_widths_and_extremes_belong_together():
    assert -limits.WEIGHT_MIN == 1 << limits.WEIGHT_BITS
    assert limits.WEIGHT_MAX == -limits.WEIGHT_MIN - 2  # even
    assert limits.V_LIMIT == (1 << 23) - 1
    assert limits.VTH_MAX << limits.ALIGN <= limits.V_LIMIT < limits.VTH_MAX + 2 << limits.ALIGN
    assert (1 << limits.CHIP_TRACE_BITS.value) - 1 == limits.POST_TRACE_MAX
    assert limits.MODULATION_BITS + limits.CHIP_TRACE_BITS.value < limits.PAYLOAD_BITS
    assert np.float32(limits.FLOAT32_EXACT + 1) == limits.FLOAT32_EXACT  # the first integer that float32 lacks


def test_every_limit_says_its_unit_its_certainty_and_its_source():
    found = {name: value for name, value in vars(limits).items() if isinstance(value, limits.Limit)}
    assert len(found) > 30
    for name, limit in found.items():
        assert limit.value >= 0, name
        assert limit.unit, name
        assert limit.certainty in ("published", "derived", "assumed"), name
        assert len(limit.source) > 5, name


@pytest.mark.needs_lava
def test_the_widths_are_those_of_lavas_models():
    from lava.proc.lif.models import PyLifModelBitAcc

    declared = {name: getattr(PyLifModelBitAcc, name).precision for name in ("vth", "bias_mant", "bias_exp", "dv")}
    assert declared == {"vth": 17, "bias_mant": 13, "bias_exp": 3, "dv": 12}
    assert 2 ** declared["vth"] - 1 == limits.VTH_MAX
    assert 2 ** (declared["bias_mant"] - 1) - 1 == limits.BIAS_MANT_MAX
    assert 2 ** declared["bias_exp"] - 1 == limits.BIAS_EXP_MAX
    assert 2 ** declared["dv"] == limits.CHIP_DECAY_MAX.value


@pytest.mark.needs_lava
def test_the_weights_range_is_what_lava_leaves_of_any_weight():
    from lava.utils.weightutils import SignMode, clip_weights, truncate_weights

    for value, kept in ((-1000, -256), (-256, -256), (-255, -256), (1, 0), (254, 254), (255, 254), (1000, 254)):
        clipped = clip_weights(np.array([value]), SignMode.MIXED, limits.WEIGHT_BITS)
        assert truncate_weights(clipped, SignMode.MIXED, limits.WEIGHT_BITS).tolist() == [kept]
    assert (limits.WEIGHT_MIN, limits.WEIGHT_MAX) == (-256, 254)

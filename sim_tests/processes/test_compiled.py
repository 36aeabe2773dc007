"""Functions that work in the arrays they are given count no references to them."""

import numpy as np
import pytest
from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.core.errors import TypingError

from ff2loihi.backends.emulator import (
    candidates,
    events,
    library_kernels,
    library_loop,
    loop,
    presentation,
    sample_loop,
)
from ff2loihi.processes import learning_kernels
from ff2loihi.processes.compiled import IN_PLACE, in_place

LOOP = (candidates, events, library_kernels, library_loop, loop, presentation, sample_loop, learning_kernels)


def test_nothing_is_counted():
    """By the machine's code: numba's own form calls what counts."""
    w, idx, machine_code = np.arange(12, dtype=np.int16).reshape(3, 4), np.array([0, 2], np.int32), []
    for options in ({}, IN_PLACE):
        compiled, out = njit(**options)(learning_kernels.add_rows.py_func), np.zeros(4, np.int32)
        compiled(w, idx, 2, out)
        assert out.tolist() == [8, 10, 12, 14]
        machine_code.append(*compiled.inspect_asm().values())
    assert ["NRT_incref" in one for one in machine_code] == [True, False]


def test_to_make_an_array_is_refused():
    @in_place
    def makes(w):
        return np.zeros(w.shape[0])[0]

    with pytest.raises(TypingError):
        makes(np.zeros(3))


@pytest.mark.parametrize("module", LOOP, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_function_of_the_learning_loop_counts(module):
    own = {name: one for name, one in vars(module).items() if isinstance(one, Dispatcher)}
    assert own
    for name, one in own.items():
        assert one.targetoptions.get("_nrt") is False or one.targetoptions.get("inline") == "always", name

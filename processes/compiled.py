"""How numba compiles what works in the arrays that it is given."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.core.dispatcher import Dispatcher

# numba counts who refers to an array, at each call that takes one and for each row that is looked at: atomic
# operations, which took a third of a presentation's time. Without its runtime for arrays nothing is counted: the caller
# holds what it gives. A function that makes an array is refused when it is compiled, and none here calls one that does.
IN_PLACE: Any = {"_nrt": False}

Function = TypeVar("Function", bound=Callable[..., Any])


def in_place(function: Function) -> "Dispatcher[Function]":
    """njit of a function that makes no array."""
    return njit(function, cache=True, nogil=True, **IN_PLACE)

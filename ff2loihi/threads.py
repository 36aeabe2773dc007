"""How many threads torch computes with, for a while."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads(most: int) -> Iterator[None]:
    """torch takes no more than so many threads; where it is not loaded there is nothing to do."""
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, most))
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""How many of torch's threads a training is worth: on a busy machine they wait for each other longer than they work."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

THREAD_WORK = 2 * 10**8  # weights x samples of a batch from which another thread is worth its waiting


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """torch takes 1 + work // THREAD_WORK threads, or as many as it may; work: weights x samples of a batch."""
    most = torch.get_num_threads()
    torch.set_num_threads(min(most, 1 + work // THREAD_WORK))
    try:
        yield
    finally:
        torch.set_num_threads(most)

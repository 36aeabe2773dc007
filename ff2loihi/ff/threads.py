"""How many of torch's threads a training is worth: on a busy machine they wait for each other longer than they work."""

from contextlib import AbstractContextManager

from ff2loihi.threads import torch_threads

THREAD_WORK = 2 * 10**8  # weights x samples of a batch from which another thread is worth its waiting


def threads_for(work: int) -> AbstractContextManager[None]:
    """torch takes 1 + work // THREAD_WORK threads, or as many as it may; work: weights x samples of a batch."""
    return torch_threads(1 + work // THREAD_WORK)

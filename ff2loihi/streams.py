"""Random streams, one for each use, all spawned from one seed: what one of them draws says nothing about another."""

from typing import Literal, get_args

import numpy as np

# Its place in this list is a use's key: a new one goes to the end, or every figure changes.
Use = Literal["weights", "label codes", "training", "head", "presentations", "evaluation", "sweep", "stored samples"]


def seed_of(seed: int, use: Use) -> np.random.SeedSequence:
    """The seed (>= 0) of one use."""
    return np.random.SeedSequence(seed, spawn_key=(get_args(Use).index(use),))


def stream(seed: int, use: Use) -> np.random.Generator:
    """numpy's generator of one use."""
    return np.random.Generator(np.random.PCG64(seed_of(seed, use)))


def torch_seed(seed: int, use: Use) -> int:
    """The same for torch.manual_seed, whose Mersenne twister takes 32 bits."""
    return int(seed_of(seed, use).generate_state(1, np.uint32)[0])

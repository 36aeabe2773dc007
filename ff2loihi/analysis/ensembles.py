"""Which neurons answer to a class: ensembles by the leave-one-out rule, their test, their overlap.

Tosato 2025, section 3.5 and appendix D. With the mean activity m_jc of neuron j over the samples of class c:

    LOO_jc = 1 / (n - 1) sum_(i != j) m_ic        delta_jc = m_jc - 2 LOO_jc        j is in ensemble c where delta > 0

and p_jc is the share of shuffles whose delta is above it; a shuffle permutes the activities within each sample.
"""

from dataclasses import dataclass

import numpy as np

NOT_SPARSE = 0.5  # a layer whose sparsity is below it has no ensembles (Tosato 2025, section 3.5)
SHUFFLES = 200
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Ensembles:
    """classes (c,): the classes with samples; means (c, n): m_jc; members (c, n) bool; p (c, n), nan outside members.

    sizes (c,): members of each; insignificant: share of all members whose p is above 0.05, nan without members.
    """

    classes: np.ndarray
    means: np.ndarray
    members: np.ndarray
    p: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return self.members.sum(1)

    @property
    def insignificant(self) -> float:
        found = self.p[self.members]
        return float((found > SIGNIFICANT).mean()) if len(found) else float("nan")


@dataclass(frozen=True)
class Unseen:
    """The ensemble of a class that a network was not trained on, next to those of classes that it knows.

    members (n,) bool; jaccard, shared (c,): its overlap with each known ensemble; strength: mean activity of its
    members over that of the known ensembles' members, nan where either is empty.
    """

    members: np.ndarray
    jaccard: np.ndarray
    shared: np.ndarray
    strength: float


def ensembles(latents: np.ndarray, labels: np.ndarray, shuffles: int = SHUFFLES, seed: int = 0) -> Ensembles:
    """The ensemble of each class in labels (samples,) of latents (samples, n >= 2), activities of at least 0.

    Give the samples that the network classifies correctly, as the paper does. shuffles 0: no test, p is nan.
    """
    latents, labels = np.asarray(latents, np.float32), np.asarray(labels)
    classes = np.unique(labels)
    parts = [latents[labels == one] for one in classes]
    means = np.stack([part.mean(0, dtype=np.float64) for part in parts])
    members = means > 2 * _others(means)
    rng, p = np.random.default_rng(seed), np.full(means.shape, np.nan)
    for index, part in enumerate(parts):
        if shuffles and members[index].any():
            p[index, members[index]] = _above(part, means[index], shuffles, rng)[members[index]]
    return Ensembles(classes, means, members, p)


def _others(means: np.ndarray) -> np.ndarray:
    """LOO: each neuron's mean of the others, of means (..., n)."""
    return (means.sum(-1, keepdims=True) - means) / (means.shape[-1] - 1)


def _above(latents: np.ndarray, means: np.ndarray, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """The share of shuffles with a larger mean, (n,): a shuffle keeps the sum, so delta grows with the mean alone."""
    above = np.zeros(len(means))
    for _ in range(shuffles):
        above += rng.permuted(latents, axis=1).mean(0, dtype=np.float64) > means
    return above / shuffles


def shared(members: np.ndarray) -> np.ndarray:
    """|E_a and E_b| of each pair of ensembles, (c, c) int; members (c, n) bool."""
    found = np.asarray(members, np.int64)
    return found @ found.T


def jaccard(members: np.ndarray) -> np.ndarray:
    """J = |E_a and E_b| / |E_a or E_b| of each pair, (c, c), nan for two empty ones (Tosato 2025, section 3.5)."""
    both = shared(members)
    sizes = np.diag(both)
    either = sizes[:, None] + sizes - both
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)


def unseen(known: Ensembles, latents: np.ndarray) -> Unseen:
    """How a class that the network does not know overlaps with known ones (Tosato 2025, section 4.4, appendix G).

    latents (samples, n): of that class alone, from the network and layer of `known`.
    """
    found = ensembles(latents, np.zeros(len(latents), int), shuffles=0)
    stacked = np.concatenate([found.members, known.members])
    strong = known.means[known.members].mean() if known.members.any() else np.nan
    own = found.means[found.members].mean() if found.members.any() else np.nan
    return Unseen(found.members[0], jaccard(stacked)[0, 1:], shared(stacked)[0, 1:], float(own / strong))

"""How alike two layers, or two forms of one network, represent the same samples.

Each measure is prepared once a representation and then compared in pairs: `matrix` does that for a list of them.
Latents (samples, n) of one measure share their samples; their n may differ. Tosato 2025, appendix J uses all three.
"""

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

KEPT_VARIANCE = 0.99  # of the SVD before the CCA (Raghu 2017)


def _directions(latents: np.ndarray, kept: float = KEPT_VARIANCE) -> np.ndarray:
    """Orthonormal sample patterns (samples, k) of the strongest directions, those that hold `kept` of the variance."""
    u, s, _ = np.linalg.svd(_centred(latents), full_matrices=False)
    total = (s**2).sum()
    if not total:
        return u[:, :0]
    return u[:, : int(np.searchsorted(np.cumsum(s**2) / total, kept - 1e-12)) + 1]


def _mean_correlation(u: np.ndarray, v: np.ndarray) -> float:
    if not u.shape[1] or not v.shape[1]:
        return float("nan")
    return float(np.linalg.svd(u.T @ v, compute_uv=False).clip(0, 1).mean())


def svcca(x: np.ndarray, y: np.ndarray) -> float:
    """The mean canonical correlation of the directions that hold 99 % of each one's variance (Raghu 2017).

    1 for rotated or scaled copies; for independent ones it falls to 0 as the samples outnumber the directions; nan
    for a constant representation.
    """
    return _mean_correlation(_directions(x), _directions(y))


def _centred(latents: np.ndarray) -> np.ndarray:
    latents = np.asarray(latents, np.float64)
    return latents - latents.mean(0)


def _alignment(x: np.ndarray, y: np.ndarray) -> float:
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norm) if norm else float("nan")


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear CKA = |Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F), columns centred (Kornblith 2019); nan for a constant one."""
    return _alignment(_centred(x), _centred(y))


def _centred_distances(latents: np.ndarray) -> np.ndarray:
    """A_ij = d_ij - mean_i d - mean_j d + mean d of the Euclidean distances d."""
    d = euclidean_distances(np.asarray(latents, np.float64))
    return d - d.mean(0) - d.mean(1, keepdims=True) + d.mean()


def _distance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    norm = np.sqrt((a * a).mean() * (b * b).mean())
    return float(np.sqrt(max(0.0, (a * b).mean()) / norm)) if norm else float("nan")


def dcor(x: np.ndarray, y: np.ndarray) -> float:
    """Distance correlation R = sqrt(V2(X, Y) / sqrt(V2(X, X) V2(Y, Y))), V2 = mean_ij A_ij B_ij (Szekely 2007).

    A, B are the doubly centred distances, samples^2 numbers each. The plain estimate: independent ones tend to 0 with
    more samples, the slower the more dimensions they have. nan for a constant representation.
    """
    return _distance_correlation(_centred_distances(x), _centred_distances(y))


MEASURES = {
    "SVCCA": (_directions, _mean_correlation),
    "CKA": (_centred, _alignment),
    "dCor": (_centred_distances, _distance_correlation),
}


def matrix(representations: list[np.ndarray], measure: str) -> np.ndarray:
    """The measure, a name in MEASURES, of each pair: (r, r), symmetric; representations: (samples, n_i) each."""
    prepare, compare = MEASURES[measure]
    ready = [prepare(latents) for latents in representations]
    found = np.empty((len(ready), len(ready)))
    for i, x in enumerate(ready):
        for j in range(i + 1):
            found[i, j] = found[j, i] = compare(x, ready[j])
    return found

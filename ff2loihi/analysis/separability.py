"""Whether samples of a class lie together."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5  # K_nn of Terres-Escudero 2024


def separability(latents: np.ndarray, labels: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """SI = 1 / (Q K) sum_q sum_k [c_q = class of q's k-th Euclidean nearest neighbour], q itself left out.

    Terres-Escudero 2024, eq. 10, after Thornton 1998; K = 5. (The paper's text gives its delta as 0 for equal classes
    and 1 otherwise; its index is a share of neighbours of the same class, which is what stands here.)
    latents (samples, n), labels (samples,). Raises ValueError for fewer than neighbours + 1 samples.
    """
    latents, labels = np.asarray(latents, np.float64), np.asarray(labels)
    if len(latents) <= neighbours:
        raise ValueError(f"{neighbours} neighbours need at least {neighbours + 1} samples, got {len(latents)}")
    nearest = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(latents).kneighbors(return_distance=False)
    return float((labels[nearest] == labels[:, None]).mean())

"""How few neurons carry a latent vector."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sparsity:
    """mean, std: of the Hoyer index over the vectors that are not silent (nan where all are).

    silent: share of vectors without any activity, for which the index has no value; active: neurons above 0, a mean
    over all vectors.
    """

    mean: float
    std: float
    silent: float
    active: float


def hoyer(latents: np.ndarray) -> np.ndarray:
    """HI(l) = (sqrt(n) - |l|_1 / |l|_2) / (sqrt(n) - 1): 0 for equal activities, 1 for one active neuron.

    Terres-Escudero 2024, eq. 9; Tosato 2025, section 3.5, after Hoyer 2004. latents (samples, n), n at least 2;
    returns (samples,) float64, nan for a silent vector. Raises ValueError for n < 2.
    """
    latents = np.asarray(latents, np.float64)
    if latents.ndim != 2 or latents.shape[1] < 2:
        raise ValueError(f"latents must be (samples, n) with n at least 2, got {latents.shape}")
    root = np.sqrt(latents.shape[1])
    largest = np.abs(latents).max(1, keepdims=True)
    unit = np.divide(latents, largest, out=np.full_like(latents, np.nan), where=largest > 0)  # squares stay finite
    return (root - np.abs(unit).sum(1) / np.sqrt((unit**2).sum(1))) / (root - 1)


def sparsity(latents: np.ndarray) -> Sparsity:
    """A layer's sparsity, S = mean_i S(x_i) with S the Hoyer index (Tosato 2025, section 3.5). latents (samples, n)."""
    index = hoyer(latents)
    heard = index[~np.isnan(index)]
    mean, std = (float(heard.mean()), float(heard.std())) if len(heard) else (float("nan"), float("nan"))
    return Sparsity(mean, std, 1 - len(heard) / len(index), float((np.asarray(latents) > 0).sum(1).mean()))

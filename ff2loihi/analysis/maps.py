"""Latents made for the eye: mean activity of each class, neurons in the order of their ensembles, and t-SNE."""

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

PERPLEXITY = 30  # scikit-learn's default, less where there are few samples


def activation_map(latents: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean activity (classes, n) and the order (n,) of neurons: by strongest class, strongest first, silent ones last.

    latents (samples, n), labels (samples,): the rows are the classes of np.unique(labels). After Tosato 2025, fig. 1.
    """
    latents, labels = np.asarray(latents, np.float64), np.asarray(labels)
    means = np.stack([latents[labels == one].mean(0) for one in np.unique(labels)])
    return means, np.lexsort((-means.max(0), means.argmax(0), means.max(0) == 0))


def tsne(latents: np.ndarray, seed: int = 0) -> np.ndarray:
    """The samples' places in the plane (samples, 2) (van der Maaten 2008). Raises ValueError for fewer than 4."""
    latents = np.asarray(latents, np.float32)
    if len(latents) < 4:
        raise ValueError(f"t-SNE needs at least 4 samples, got {len(latents)}")
    scale = float(latents.max()) or 1.0
    perplexity = min(PERPLEXITY, (len(latents) - 1) / 3)
    start = "pca" if latents.std() > 0 and min(latents.shape) >= 2 else "random"
    with threadpool_limits(1):  # beside another program its threads wait for each other, nine times as long
        return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(latents / scale)

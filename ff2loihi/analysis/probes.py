"""What a linear read-out finds in latents."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MaxAbsScaler

PROBE_ITERATIONS = 1000  # of L-BFGS; where they end, the best weights so far are the probe


@dataclass(frozen=True)
class ProbeResult:
    """accuracy of a linear classifier on held-out latents; by_class: recall of each class, nan where it has none."""

    accuracy: float
    by_class: tuple[float, ...]


def linear_probe(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, strength: float = 1.0
) -> ProbeResult:
    """argmax_c (W x + b)_c, a softmax regression with penalty |W|^2 / (2 strength), each latent over its maximum.

    Tosato 2025, appendix H: fitted on training latents, judged on test latents. train, test (samples, n); labels
    (samples,) int. The penalty and scale are ours, the paper gives none. Raises ValueError for one class.
    """
    train_labels, test_labels = np.asarray(train_labels), np.asarray(test_labels)
    if len(np.unique(train_labels)) < 2:
        raise ValueError("a probe needs training latents of at least 2 classes")
    scaler = MaxAbsScaler().fit(np.asarray(train, np.float64))
    probe = LogisticRegression(C=strength, max_iter=PROBE_ITERATIONS)
    probe.fit(scaler.transform(np.asarray(train, np.float64)), train_labels)
    right = np.equal(probe.predict(scaler.transform(np.asarray(test, np.float64))), test_labels)
    classes = range(int(max(train_labels.max(), test_labels.max())) + 1)
    members = [right[test_labels == one] for one in classes]
    return ProbeResult(float(right.mean()), tuple(float(m.mean()) if len(m) else float("nan") for m in members))

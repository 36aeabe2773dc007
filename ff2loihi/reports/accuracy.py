"""How well a run classified, and how much it spiked."""

from dataclasses import dataclass

import numpy as np

from ff2loihi.backends.base import Trace
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Network


@dataclass(frozen=True)
class AccuracyReport:
    """accuracy: share of right arg-max; standard_error: sqrt(p (1 - p) / n), binomial.

    confusion[i][j]: samples of class i that were called j. goodness: mean of each layer's goodness (or probability)
    under the true label and under the others, one pair a layer; None for a head, which sees no label.
    spikes: non-zero payloads (graded) or spikes (lif) a sample and label pass, one number a layer; None: not counted.
    """

    backend: str
    samples: int
    accuracy: float
    standard_error: float
    seconds: float
    samples_per_second: float
    layers: tuple[str, ...]
    goodness_true: tuple[float, ...] | None
    goodness_wrong: tuple[float, ...] | None
    spikes: tuple[float, ...] | None
    confusion: tuple[tuple[int, ...], ...]


def accuracy_report(
    network: IntNetwork | LearningNetwork | Network, trace: Trace, labels: np.ndarray
) -> AccuracyReport:
    """The report of a Trace and its samples' labels (samples,)."""
    n = len(labels)
    accuracy = float((trace.predictions == labels).mean())
    confusion = np.zeros((network.classes, network.classes), int)
    np.add.at(confusion, (labels, trace.predictions), 1)
    true = wrong = None
    if trace.goodness.shape[1] == network.classes:  # one for each label, or each class's own
        is_true = np.arange(network.classes)[None] == labels[:, None]
        true = tuple(float(x) for x in trace.goodness[is_true].mean(0))
        wrong = tuple(float(x) for x in trace.goodness[~is_true].mean(0))
    return AccuracyReport(
        backend=trace.backend,
        samples=n,
        accuracy=accuracy,
        standard_error=float(np.sqrt(accuracy * (1 - accuracy) / n)),
        seconds=trace.seconds,
        samples_per_second=n / trace.seconds,
        layers=tuple(layer.name for layer in network.layers),
        goodness_true=true,
        goodness_wrong=wrong,
        spikes=None if trace.spikes is None else tuple(float(x) for x in trace.spikes.mean((0, 1))),
        confusion=tuple(tuple(int(x) for x in row) for row in confusion),
    )

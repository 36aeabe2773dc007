"""All measures of a network's latents, its forms side by side."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ff2loihi.analysis.ensembles import (
    NOT_SPARSE,
    Ensembles,
    ensembles,
    jaccard,
    unseen,
)
from ff2loihi.analysis.excitation import excitation
from ff2loihi.analysis.latents import Latents
from ff2loihi.analysis.probes import linear_probe
from ff2loihi.analysis.separability import NEIGHBOURS, separability
from ff2loihi.analysis.similarity import MEASURES, matrix
from ff2loihi.analysis.sparsity import Sparsity, sparsity
from ff2loihi.compilers.errors import DataError

SIMILARITY_SAMPLES = 2000  # the first ones: distance correlation takes samples^2 numbers a representation

Note = Callable[[str], None]


@dataclass(frozen=True)
class UnseenReport:
    """What a class that the network was not trained on drives: see ensembles.Unseen; probe: its recall there."""

    size: int
    jaccard: tuple[float | None, ...]
    shared: tuple[int, ...]
    strength: float | None
    probe: float | None


@dataclass(frozen=True)
class LayerReport:
    """One layer of one form. sparsity, separability: under the true label; neutral_*, probe: under the neutral one.

    classes: those of the ensembles, of correctly classified samples; ensembles: members of each class, None where
    the layer is not sparse (below 0.5); jaccard: their overlap; insignificant: share of members with p > 0.05;
    excitatory, bias: mean and standard deviation over neurons of the share of positive weights and of the bias.
    """

    layer: str
    neurons: int
    sparsity: Sparsity
    separability: float
    neutral_sparsity: Sparsity
    neutral_separability: float
    probe: float
    classes: tuple[int, ...]
    ensembles: tuple[tuple[int, ...], ...] | None
    jaccard: tuple[tuple[float | None, ...], ...] | None
    insignificant: float | None
    excitatory: tuple[float, float]
    bias: tuple[float, float]
    unseen: UnseenReport | None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        return None if self.ensembles is None else tuple(len(members) for members in self.ensembles)


@dataclass(frozen=True)
class FormReport:
    """name: float, graded, LIF or learning; accuracy: of its predictions, over all samples."""

    name: str
    accuracy: float
    layers: tuple[LayerReport, ...]


@dataclass(frozen=True)
class Analysis:
    """samples; forms; representations: (form, layer) of each row of similarity, a measure's name -> (r, r)."""

    samples: int
    forms: tuple[FormReport, ...]
    representations: tuple[tuple[str, str], ...]
    similarity: dict[str, tuple[tuple[float | None, ...], ...]]


def check_samples(name: str, labels: np.ndarray) -> None:
    """Raise DataError where a class is too small for the separability index's neighbours."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2 or counts.min() <= NEIGHBOURS:
        least = f"class {classes[counts.argmin()]} has {counts.min()}" if len(classes) > 1 else "there is one class"
        raise DataError(
            f"{name}: {least} of the first {len(labels)} samples; the {NEIGHBOURS} neighbours of the separability "
            f"index need more than {NEIGHBOURS} of each class. Use a larger --samples"
        )


def report(
    forms: list[Latents], labels: np.ndarray, training: list[Latents], training_labels: np.ndarray,
    unseen_class: int | None = None, note: Note = lambda text: None,
) -> Analysis:  # fmt: skip
    """Measure each layer of each form on labels (samples,); training: the same forms of the probe's training images.

    unseen_class: the one that the network was not trained on. note: told of each step before it starts.
    """
    found = []
    for form, fitted in zip(forms, training, strict=True):
        layers = []
        for index, name in enumerate(form.names):
            note(f"{form.name}, {name}")
            layers.append(_layer(form, fitted, index, labels, training_labels, unseen_class))
        found.append(FormReport(form.name, float((form.predictions == labels).mean()), tuple(layers)))
    shown = [latents[:SIMILARITY_SAMPLES] for form in forms for latents in form.true]
    similarity = {}
    for measure in MEASURES:
        note(f"{measure} of {len(shown)} representations")
        similarity[measure] = _rows(matrix(shown, measure))
    pairs = tuple((form.name, name) for form in forms for name in form.names)
    return Analysis(len(labels), tuple(found), pairs, similarity)


def _layer(
    form: Latents, fitted: Latents, index: int, labels: np.ndarray, training_labels: np.ndarray, unseen_class
) -> LayerReport:
    true, neutral = form.true[index], form.neutral[index]
    sparse = sparsity(true)
    probe = linear_probe(fitted.neutral[index], training_labels, neutral, labels)
    known = None
    right = form.predictions == labels
    if unseen_class is not None:
        right &= labels != unseen_class
    if sparse.mean >= NOT_SPARSE and right.any():
        known = ensembles(true[right], labels[right])
    weights = excitation(form.weights[index], form.biases[index])
    return LayerReport(
        layer=form.names[index],
        neurons=true.shape[1],
        sparsity=sparse,
        separability=separability(true, labels),
        neutral_sparsity=sparsity(neutral),
        neutral_separability=separability(neutral, labels),
        probe=probe.accuracy,
        classes=() if known is None else tuple(known.classes.tolist()),
        ensembles=None if known is None else tuple(tuple(np.flatnonzero(row).tolist()) for row in known.members),
        jaccard=None if known is None else _rows(jaccard(known.members)),
        insignificant=None if known is None else _number(known.insignificant),
        excitatory=(float(weights.share.mean()), float(weights.share.std())),
        bias=(float(weights.bias.mean()), float(weights.bias.std())),
        unseen=_unseen(known, true[labels == unseen_class], probe.by_class, unseen_class),
    )


def _unseen(known: Ensembles | None, latents: np.ndarray, recalls: tuple, unseen_class) -> UnseenReport | None:
    if known is None or not len(latents):
        return None
    found = unseen(known, latents)
    return UnseenReport(
        size=int(found.members.sum()),
        jaccard=tuple(map(_number, found.jaccard)),
        shared=tuple(found.shared.tolist()),
        strength=_number(found.strength),
        probe=_number(recalls[unseen_class]),
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _rows(values: np.ndarray) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(map(_number, row)) for row in values)

"""All measures of a network's latents, its forms side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

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
from ff2loihi.workers import spread

SIMILARITY_SAMPLES = 2000  # the first ones: distance correlation takes samples^2 numbers a representation

Note = Callable[[str], None]


class OfLayer(Protocol):
    """A part of an analysis: form, of one layer."""

    @property
    def form(self) -> Latents:
        """Its latents."""
        ...


Part = TypeVar("Part", bound=OfLayer)
Found = TypeVar("Found")


def layer_by_layer(
    function: Callable[[Part], Found], parts: Sequence[Part], workers: int | None, note: Note
) -> Iterator[Found]:
    """What a module's function makes of each part, in their order, here or in so many workers.

    note: told of each part before it starts, or when it is done by a worker. Raises FF2LoihiError.
    """
    if workers is None:
        for part in parts:
            note(_named(part))
            yield function(part)
        return
    note(f"{len(parts)} layers, {workers} workers")
    yield from spread(function, parts, workers, _named, lambda done, total: note(f"layer {done} of {total}"))


def _named(part: OfLayer) -> str:
    return f"{part.form.name}, {part.form.names[0]}"


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
    unseen_class: int | None = None, note: Note = lambda text: None, workers: int | None = None,
) -> Analysis:  # fmt: skip
    """Measure each layer of each form on labels (samples,); training: the same forms of the probe's training images.

    unseen_class: the one that the network was not trained on. note: told of each step before it starts. workers:
    processes for the layers, None is this one.
    """
    parts = [
        Measured(form.only([index]), fitted.only([index]), labels, training_labels, unseen_class)
        for form, fitted in zip(forms, training, strict=True)
        for index in range(len(form.names))
    ]
    layers = iter(list(layer_by_layer(layer_report, parts, workers, note)))
    found = [
        FormReport(form.name, float((form.predictions == labels).mean()), tuple(islice(layers, len(form.names))))
        for form in forms
    ]
    shown = [latents[:SIMILARITY_SAMPLES] for form in forms for latents in form.true]
    similarity = {}
    for measure in MEASURES:
        note(f"{measure} of {len(shown)} representations")
        similarity[measure] = _rows(matrix(shown, measure))
    pairs = tuple((form.name, name) for form in forms for name in form.names)
    return Analysis(len(labels), tuple(found), pairs, similarity)


class Measured(NamedTuple):
    """One layer of one form: its latents, those that its probe is fitted on, and the labels of both (samples,)."""

    form: Latents
    fitted: Latents
    labels: np.ndarray
    training_labels: np.ndarray
    unseen_class: int | None


def layer_report(part: Measured) -> LayerReport:
    """Every measure of a layer."""
    form, fitted, labels, training_labels, unseen_class = part
    [true], [neutral] = form.true, form.neutral
    sparse = sparsity(true)
    probe = linear_probe(fitted.neutral[0], training_labels, neutral, labels)
    known = None
    right = form.predictions == labels
    if unseen_class is not None:
        right &= labels != unseen_class
    if sparse.mean >= NOT_SPARSE and right.any():
        known = ensembles(true[right], labels[right])
    weights = excitation(form.weights[0], form.biases[0])
    return LayerReport(
        layer=form.names[0],
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

"""The pictures of an analysis and of a comparison, as a file's bytes; drawn without a display."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ff2loihi.analysis.canvas import canvas, image
from ff2loihi.analysis.comparison import Comparison
from ff2loihi.analysis.latents import Latents
from ff2loihi.analysis.maps import activation_map, tsne
from ff2loihi.analysis.report import Analysis, LayerReport, Note, layer_by_layer
from ff2loihi.choices import PictureFormat

TSNE_SAMPLES = 1000  # the first ones: about 2 s a picture


def pictures(
    analysis: Analysis, forms: list[Latents], labels: np.ndarray, note: Note = lambda text: None,
    workers: int | None = None, file: PictureFormat = "png",
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """(file name, content): of each form and layer t-SNE, activation map and overlap; sizes and similarity over all.

    forms, labels (samples,): what the analysis was made of. note: told of each layer before it is drawn. workers:
    processes for the layers, None is this one.
    """
    parts = [
        Drawn(form.only([index]), labels, layer, file)
        for form, measured in zip(forms, analysis.forms, strict=True)
        for index, layer in enumerate(measured.layers)
    ]
    for drawn in layer_by_layer(layer_pictures, parts, workers, lambda text: note(f"pictures of {text}")):
        yield from drawn
    note("sizes and similarity")
    yield f"ensemble-sizes.{file}", image(_sizes(analysis), file)
    yield f"similarity.{file}", image(_similarity(analysis), file)


class Drawn(NamedTuple):
    """One layer of one form: its latents, the labels (samples,), what was measured, and the kind of file."""

    form: Latents
    labels: np.ndarray
    layer: LayerReport
    file: PictureFormat


def layer_pictures(part: Drawn) -> list[tuple[str, bytes]]:
    """t-SNE, activation map and overlap of a layer."""
    [latents], labels, layer = part.form.true, part.labels, part.layer
    name, title = f"{part.form.name.lower()}-{layer.layer}", f"{part.form.name}, {layer.layer}"
    drawn = [
        (f"tsne-{name}", _tsne(title, latents[:TSNE_SAMPLES], labels[:TSNE_SAMPLES], layer)),
        (f"activation-{name}", _activation(title, latents, labels, layer)),
    ]
    if layer.jaccard is not None:
        drawn.append((f"overlap-{name}", _overlap(title, layer.classes, layer.jaccard)))
    return [(f"{name}.{part.file}", image(figure, part.file)) for name, figure in drawn]


def _tsne(title: str, latents: np.ndarray, labels: np.ndarray, layer: LayerReport) -> Figure:
    figure = canvas(5, 5)
    axes = figure.add_subplot()
    x, y = tsne(latents).T
    points = axes.scatter(x, y, c=labels, s=6, cmap="tab10", vmin=-0.5, vmax=max(9, labels.max()) + 0.5)
    handles = points.legend_elements(num=sorted(set(labels.tolist())))
    axes.legend(*handles, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.set(title=f"t-SNE, {title}\nseparability index {layer.separability:.3f}", xticks=[], yticks=[])
    return figure


def _activation(title: str, latents: np.ndarray, labels: np.ndarray, layer: LayerReport) -> Figure:
    means, order = activation_map(latents, labels)
    figure = canvas(9, 3)
    axes = figure.add_subplot()
    shown = axes.imshow(means[:, order], aspect="auto", cmap="Blues", vmin=0, interpolation="nearest")
    place = np.argsort(order)
    classes = np.unique(labels).tolist()
    for c, members in zip(layer.classes, layer.ensembles or (), strict=False):
        axes.plot(place[list(members)], [classes.index(c) + 0.4] * len(members), "|", color="tab:red", markersize=3)
    axes.set(
        title=f"mean activity, {title}, Hoyer index {layer.sparsity.mean:.3f}; red: in the ensemble",
        xlabel="neuron, by its strongest class", ylabel="class", yticks=range(len(classes)), yticklabels=classes,
    )  # fmt: skip
    figure.colorbar(shown)
    return figure


def _heat(axes, values: tuple, ticks: list, title: str) -> None:
    """A matrix of values in 0..1, None left white."""
    axes.imshow(np.array(values, float), cmap="viridis", vmin=0, vmax=1)
    axes.set(title=title, xticks=range(len(ticks)), yticks=range(len(ticks)), yticklabels=ticks)
    axes.set_xticks(range(len(ticks)), ticks, rotation=90)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if value is not None and len(ticks) <= 12:
                colour = "white" if value < 0.6 else "black"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)


def _overlap(title: str, classes: tuple[int, ...], jaccard: tuple) -> Figure:
    figure = canvas(5, 5)
    _heat(figure.add_subplot(), jaccard, list(classes), f"Jaccard overlap of ensembles, {title}")
    return figure


def _sizes(analysis: Analysis) -> Figure:
    measured = [(form.name, layer) for form in analysis.forms for layer in form.layers if layer.sizes is not None]
    figure = canvas(8, 3.5)
    axes = figure.add_subplot()
    for index, (form, layer) in enumerate(measured):
        places = np.array(layer.classes) + (index + 0.5) / len(measured) * 0.8 - 0.4
        axes.bar(places, layer.sizes, 0.8 / len(measured), label=f"{form}, {layer.layer} of {layer.neurons}")
    axes.set(title="ensemble sizes", xlabel="class", ylabel="neurons")
    axes.set_xticks(sorted({c for _, layer in measured for c in layer.classes}))
    if measured:
        axes.legend(fontsize=7)
    return figure


def _similarity(analysis: Analysis) -> Figure:
    ticks = [f"{form}, {layer}" for form, layer in analysis.representations]
    figure = canvas(4 * len(analysis.similarity), 4)
    places = figure.subplots(1, len(analysis.similarity), sharey=True)
    for axes, (measure, values) in zip(places, analysis.similarity.items(), strict=True):
        _heat(axes, values, ticks, measure)
    return figure


def comparison(found: Comparison, form: PictureFormat) -> bytes:
    """The accuracy of each stage, and what each layer lost."""
    figure = canvas(9, 3.5)
    left, right = figure.subplots(1, 2)
    names = [stage.name for stage in found.stages]
    left.plot(names, [100 * stage.accuracy for stage in found.stages], "o-", label="classified rightly")
    left.plot(names, [100 * stage.same for stage in found.stages], "s:", label="as the float net does")
    left.set(title=f"integers up to here: {found.data}, {found.samples:,} samples", ylabel="%")
    left.legend(fontsize=8)
    layers = [(stage.name, stage.layer) for stage in found.stages if stage.layer]
    right.bar([name for name, _ in layers], [layer.weight_db for _, layer in layers], 0.5, color="tab:grey")
    for place, (_, layer) in enumerate(layers):
        right.text(place, layer.weight_db, f"r = {layer.correlation:.4f}", ha="center", va="bottom", fontsize=8)
    right.set(title="SQNR of the weights, r of the activities", ylabel="dB")
    right.margins(y=0.1)
    for axes in (left, right):
        axes.tick_params("x", rotation=30)
    return image(figure, form)

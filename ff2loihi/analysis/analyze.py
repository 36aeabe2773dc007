"""From a checkpoint or an artifact to its forms, their latents, and what they look like."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ff2loihi.analysis.latents import Latents, latents
from ff2loihi.analysis.pictures import pictures
from ff2loihi.analysis.report import Analysis, check_samples, report
from ff2loihi.choices import PictureFormat
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CompileError, DataError, FF2LoihiError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.inference.quantize import Calibration, Options
from ff2loihi.compilers.inference.thresholds import CANDIDATES, SWEEP_IMAGES
from ff2loihi.compilers.ir import Network, Program
from ff2loihi.compilers.learning.rule import LearningOptions, options_for
from ff2loihi.data.datasets import Dataset, check_shape
from ff2loihi.data.given import GIVEN

Note = Callable[[str], None]
LIF_WORK = 1e10  # multiply-adds of a threshold sweep over convolutions, beyond which analyze leaves the LIF form out
PROBE_SPLITS = {"test": "train", "validation": "fit"}  # analysed -> what the probes are fitted on


@dataclass(frozen=True)
class Analysed:
    """An analysis with the latents (one a form) and labels that it was made of; refused: forms that do not compile.

    workers: processes that draw, None is this one.
    """

    analysis: Analysis
    latents: tuple[Latents, ...]
    labels: np.ndarray
    refused: tuple[str, ...]
    workers: int | None = None

    def pictures(
        self, note: Note = lambda text: None, form: PictureFormat = "png"
    ) -> Iterator[tuple[str, bytes]]:  # fmt: skip
        """(file name, its content) of each picture."""
        return pictures(self.analysis, list(self.latents), self.labels, note, self.workers, form)


def forms(checkpoint: Checkpoint, calibration: Dataset) -> tuple[Sequence[Network | Program], list[str]]:
    """The float net, its graded and its LIF form, with `compile`'s defaults; and why one is missing.

    A checkpoint that was trained as it spikes has one form, the network that learns. Raises FF2LoihiError.
    """
    images = Calibration(calibration.images, calibration.labels, events=calibration.events)
    if checkpoint.spec.input.events and checkpoint.spec.neuron is None:
        raise CompileError(
            f"{checkpoint.source}: an untrained net of events, which has no float form. Compile it, learn, and analyze "
            "the artifact"
        )
    if checkpoint.spec.neuron is not None:
        options = options_for(checkpoint.spec.neuron, LearningOptions())
        return [pipeline.compile_learning(checkpoint, images, options)], []
    net = network.build(checkpoint)
    made: list[Network | Program] = [net]
    refused = []
    for neuron in ("graded", "lif"):
        try:
            if neuron == "lif":
                _check_sweep(net)
            made.append(pipeline.compile_checkpoint(checkpoint, images, Options(neuron=neuron)))
        except CompileError as error:
            refused.append(f"no {neuron} form: {error}")
    return made, refused


def _check_sweep(net: Network) -> None:
    """Raise CompileError for convolutions whose thresholds are too long to sweep beside an analysis."""
    convolutions = [layer.conv for layer in net.layers if layer.conv]
    macs = sum(conv.synapses for conv in convolutions) * Options().steps * len(net.pass_labels)
    work = macs * len(CANDIDATES) * len(net.layers) * SWEEP_IMAGES
    if work > LIF_WORK:
        raise CompileError(
            f"its threshold sweep takes {work:.0e} multiply-adds, {LIF_WORK:.0e} are made here. Compile with --neuron "
            "lif, and analyze the artifact"
        )


def analyze(
    source: Checkpoint | Program, data: Dataset, probe_data: Dataset, calibration: Dataset | None = None,
    layers: tuple[str, ...] | None = None, unseen: int | None = None, note: Note = lambda text: None,
    workers: int | None = None,
) -> Analysed:  # fmt: skip
    """Every measure of reports.representation on `data`: latents under the true label, and under the neutral one
    where a report's field says so (the probes among them: there the label tells them nothing).

    source: a checkpoint (float, graded and LIF side by side; calibration sets their ranges) or a program (its own
    form). probe_data: images that the linear probes are fitted on. layers: names, all by default. unseen: a class
    that the network was not trained on. note: told of each step before it starts. workers: processes that measure
    and draw the layers, each of one thread; None is this one. Raises FF2LoihiError.
    """
    check_samples(f"{data.name} {data.split}", data.labels)
    if unseen is not None and unseen not in data.labels:
        raise DataError(f"--unseen must be one of the classes of {data.name}, {_span(data.labels)}, got {unseen}")
    note("compile")
    if isinstance(source, Program):
        made, refused = [source], []
    elif calibration is None:
        raise DataError("a checkpoint is compiled to be analyzed: give the calibration images that set its ranges")
    else:
        made, refused = forms(source, calibration)
    found, fitted = [], []
    for form in made:
        if isinstance(form, Program) and data.name != GIVEN:
            check_shape(data, form)
        classes = (form.network if isinstance(form, Program) else form).classes
        if data.labels.max() >= classes:
            raise DataError(
                f"{data.name}: labels reach {data.labels.max()}, the model has {classes} classes. "
                "Use the data set that the model was trained on"
            )
        names = [layer.name for layer in (form.network if isinstance(form, Program) else form).layers]
        chosen = _chosen(names, layers)
        note(f"latents, {len(found) + 1} of {len(made)} forms")
        found.append(latents(form, data.images, data.labels).only(chosen))
        fitted.append(latents(form, probe_data.images, probe_data.labels).only(chosen))
    analysis = report(found, data.labels, fitted, probe_data.labels, unseen, note, workers)
    return Analysed(analysis, tuple(found), data.labels, tuple(refused), workers)


def _span(labels: np.ndarray) -> str:
    return ", ".join(map(str, np.unique(labels).tolist()))


def _chosen(names: list[str], layers: tuple[str, ...] | None) -> list[int]:
    wrong = [name for name in layers or () if name not in names]
    if wrong:
        raise FF2LoihiError(f"--layers must be some of {', '.join(names)}, got {', '.join(wrong)}")
    return [index for index, name in enumerate(names) if layers is None or name in layers]

"""Float beside integers, layer by layer, on the same images: where a compiled network loses its accuracy.

A network is computed in integers up to a layer and in float above it: what is lost from one layer to the next is lost
by that layer's integers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ff2loihi.choices import PictureFormat
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.frontend import network as frontend
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.inference import float_forward, quantization_error, readout
from ff2loihi.compilers.inference.integer_forward import Forward, Result, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.inference.rewritten import rewritten
from ff2loihi.compilers.ir import IntNetwork, Network, Program
from ff2loihi.data.datasets import Dataset

BATCH_VALUES = 1 << 24  # states of one batch
POINT = 0.01


@dataclass(frozen=True)
class LayerError:
    """The SQNR of a layer's weights, and r of its activity with the float net's, everything below it in integers."""

    weight_db: float
    correlation: float


@dataclass(frozen=True)
class Stage:
    """What the network does in integers up to here, and in float above: shares of samples; same: as the float net."""

    name: str
    accuracy: float
    same: float
    layer: LayerError | None = None


@dataclass(frozen=True)
class Comparison:
    """Stages from the float net to the integers that a back end computes; of so many samples of a data set."""

    data: str
    samples: int
    stages: tuple[Stage, ...]

    @property
    def first_loss(self) -> str | None:
        """The first stage that is a point less accurate than the float net."""
        best = self.stages[0].accuracy
        return next((stage.name for stage in self.stages if best - stage.accuracy >= POINT), None)

    def picture(self, form: PictureFormat = "png") -> bytes:
        """The stages' accuracies, and what the layers lost, as a file's bytes."""
        from ff2loihi.analysis.pictures import comparison  # and with it matplotlib and scikit-learn

        return comparison(self, form)


def compare(
    checkpoint: Checkpoint, program: Program[IntNetwork], data: Dataset, calibration: Dataset | None
) -> Comparison:
    """Each layer of the artifact beside the checkpoint's on `data`.

    calibration: the images whose norm was folded; those of `data` where it is not known. Raises CheckpointError, and
    CompileError where the artifact was not made of such a checkpoint.
    """
    own, integers = frontend.build(checkpoint), program.network
    shown = calibration or data
    net = own
    if own.pixels == integers.pixels:  # or the images do not fit it, either
        net, _ = rewritten(own, Calibration(shown.images, shown.labels), integers.neuron)
    _check_same(checkpoint, net, integers)
    predictions: dict[str, list[np.ndarray]] = {}
    moments = np.zeros((len(net.layers), 6))
    for pixels in _batches(integers, data.images):
        for name, scores in _stages(own, net, integers, pixels, moments):
            predictions.setdefault(name, []).append(scores.argmax(1))
    found = {name: np.concatenate(parts) for name, parts in predictions.items()}
    target = next(iter(found.values()))
    layers = {layer.name: index for index, layer in enumerate(net.layers)}
    stages = []
    for name, predicted in found.items():
        lost = None
        if name in layers:
            index = layers[name]
            decibels, _ = quantization_error.weight_loss(net.layers[index], integers.layers[index])
            lost = LayerError(decibels, _correlation(*moments[index]))
        right = float((predicted == data.labels).mean())
        stages.append(Stage(name, right, float((predicted == target).mean()), lost))
    return Comparison(f"{data.name} {data.split}", len(data.labels), tuple(stages))


def _check_same(checkpoint: Checkpoint, net: Network, integers: IntNetwork) -> None:
    ours, theirs = (
        "-".join(map(str, (one.layers[0].inputs, *(layer.neurons for layer in one.layers)))) for one in (net, integers)
    )
    if (ours, net.readout, net.readout_layers) != (theirs, integers.readout, integers.readout_layers):
        raise CompileError(
            f"{checkpoint.source}: a network {ours} with read-out {net.readout}, the artifact holds {theirs} with "
            f"{integers.readout}. Name the checkpoint and the spec that it was compiled from"
        )


def _batches(integers: IntNetwork, images: np.ndarray) -> Iterator[np.ndarray]:
    neurons = sum(layer.neurons for layer in integers.layers)
    size = max(1, BATCH_VALUES // (4 * neurons * integers.steps * len(integers.pass_labels)))
    yield from (images[start : start + size] for start in range(0, len(images), size))


def _stages(
    own: Network, net: Network, integers: IntNetwork, pixels: np.ndarray, moments: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """(stage, scores) of some images; what _correlation takes of each layer's activities is added to `moments`."""
    yield "float", readout.float_scores(own, float_forward.all_labels(own, pixels))
    floats = float_forward.all_labels(net, pixels)
    if own.input is not None:
        yield "input folded", readout.float_scores(net, floats)
    result = Forward(integers).run(quantize_pixels(pixels, integers.input_bits), states=True)
    below: list[np.ndarray] = []
    for index, activity in enumerate(_activities(integers, result)):
        moments[index] += _moments(activity.ravel(), floats[index].ravel().astype(np.float64))
        below.append(activity)
        above = float_forward.activities(net, activity, start=index + 1, codes=net.pass_labels)
        yield integers.layers[index].name, readout.float_scores(net, [*below, *above])
    yield "read-out", readout.scores(integers, result.sums, result.head)


def _activities(integers: IntNetwork, result: Result) -> Iterator[np.ndarray]:
    """Each layer's activity in the float net's units, (samples, labels, n); a deferred normalisation is made up for."""
    before: np.ndarray | None = None
    for layer in integers.layers:
        graded = integers.neuron == "graded"
        counts = result.states[f"{layer.name}.h"] if graded else result.states[f"{layer.name}.r"][:, :, -1]
        activity = counts * layer.scale
        if integers.deferred and before is not None:
            norm = float_forward.norm(before, integers.normalization)
            yield np.divide(activity, norm, out=np.zeros_like(activity), where=norm > 0)
        else:
            yield activity
        before = activity


def _moments(x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    return len(x), float(x.sum()), float(y.sum()), float(x @ x), float(y @ y), float(x @ y)


def _correlation(n: float, x: float, y: float, xx: float, yy: float, xy: float) -> float:
    """Pearson's r from the number of pairs and the sums of x, y, x^2, y^2 and x y; 0 where one is constant."""
    spread = (n * xx - x * x) * (n * yy - y * y)
    return float((n * xy - x * y) / spread**0.5) if spread > 0 else 0.0

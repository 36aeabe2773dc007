"""Whether the spec says what the net is: the float net and its integers classify the calibration images.

Both see the images as `compile` was told they enter. A float net that does no better than chance, or better when its
input is read in another way, has a spec that is wrong.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.ir import Input, IntNetwork, Network, split_input

IMAGES, BATCH = 500, 50
WORK = 5 * 10**10  # weights x passes that the other readings of the input may take together
LITTLE = 1 / 9  # of the way from chance to all: twice chance where there are ten classes
GAIN = 0.03  # by how much another reading of the input has to be better before it is told


@dataclass(frozen=True)
class Agreement:
    """Of `images` calibration images: shares that the float net and the integers classify rightly, and alike."""

    images: int
    float_accuracy: float
    accuracy: float
    same: float
    chance: float

    @property
    def facts(self) -> dict:
        """What an artifact says of it."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"of {self.images} calibration images the float net classifies {self.float_accuracy:.1%} rightly, its "
            f"integers {self.accuracy:.1%}, {self.same:.1%} alike; chance is {self.chance:.0%}"
        )


def agreement(network: Network, integers: IntNetwork, calibration: Calibration) -> Agreement:
    """Classify up to IMAGES of the calibration images with both; network: as the spec says it, nothing folded."""
    pixels, labels = calibration.pixels[:IMAGES], calibration.labels[:IMAGES]
    ours, forward = [], Forward(integers)
    for start in range(0, len(pixels), BATCH):
        found = forward.run(quantize_pixels(pixels[start : start + BATCH], integers.input_bits))
        ours.append(readout.scores(integers, found.sums, found.head).argmax(1))
    predicted, target = np.concatenate(ours), _classified(network, pixels)
    return Agreement(
        images=len(pixels),
        float_accuracy=float((target == labels).mean()),
        accuracy=float((predicted == labels).mean()),
        same=float((predicted == target).mean()),
        chance=1 / network.classes,
    )


def _classified(network: Network, pixels: np.ndarray) -> np.ndarray:
    parts = (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))
    return np.concatenate(
        [readout.float_scores(network, float_forward.all_labels(network, part)).argmax(1) for part in parts]
    )


def remarks(network: Network, found: Agreement, calibration: Calibration) -> list[str]:
    """Other readings of the input under which the float net does better, and that it does no better than chance."""
    pixels, labels = calibration.pixels[:IMAGES], calibration.labels[:IMAGES]
    work = sum(layer.synapses for layer in network.layers) * len(pixels) * len(network.pass_labels)
    better, most = [], found.float_accuracy
    for text, other in list(_readings(network, calibration))[: WORK // max(1, work)]:
        accuracy = float((_classified(other, pixels) == labels).mean())
        most = max(most, accuracy)
        if accuracy > found.float_accuracy + GAIN:
            better.append((accuracy, f"with {text} the float net would classify {accuracy:.1%} of them rightly"))
    said = [text for _, text in sorted(better, reverse=True)[:3]]
    if most < found.chance + (1 - found.chance) * LITTLE:
        said.append(
            "the float net itself does little better than chance. Look at input (mean, std, norm), label (where it "
            "stands, its codes and their value) and each layer's orientation"
        )
    return said


def _readings(network: Network, calibration: Calibration) -> Iterator[tuple[str, Network]]:
    """What people often leave out of a spec: (its line, the network with it)."""
    inputs = network.layers[0].inputs
    mean, std = (float(value) for value in (calibration.pixels.mean() / 255, calibration.pixels.std() / 255))
    now = network.input or Input(np.ones(inputs, np.float32), np.zeros(inputs, np.float32))
    label = split_input(network.pixels, len(network.label.codes[0]), network.label.kind)[1]
    image = np.ones(inputs, bool)
    image[label] = False
    scale, offset = now.scale.copy(), now.offset.copy()
    plain = bool((scale[image] == 1).all() and not offset[image].any())
    if plain and std > 0:
        scale[image], offset[image] = 1 / std, -mean / std
        line = f"input: {{mean: {mean:.4f}, std: {std:.4f}}}"
        yield line, replace(network, input=replace(now, scale=scale, offset=offset))
        codes_as_they_are = bool((scale[label] == 1).all() and not offset[label].any())
        if network.label.kind != "none" and network.layers[0].conv is None and codes_as_they_are:
            scale = scale.copy()
            scale[label] *= (1 - mean) / std
            both = replace(now, scale=scale, offset=offset)
            yield f"{line} and label.value: max", replace(network, input=both)
            yield f"{line}, norm: l2, and label.value: max", replace(network, input=replace(both, length=1.0))
    if now.length is None:
        yield "input.norm: l2", replace(network, input=replace(now, length=1.0))
    else:
        yield "input.norm: none", replace(network, input=replace(now, length=None))
    if not plain:
        scale, offset = now.scale.copy(), now.offset.copy()
        scale[image], offset[image] = scale[image] > 0, 0  # 0 where a label lies over the pixel
        yield "no input.mean and std", replace(network, input=replace(now, scale=scale, offset=offset))

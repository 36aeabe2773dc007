"""Whether the spec says what the net is: the float net and its integers classify images.

Both see the images as `compile` was told they enter. A float net that does no better than chance, worse than its owner
says, or better when its spec is read in another way, has a spec that is wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.ir import IntNetwork, Network

IMAGES, BATCH = 500, 50
FEW = 100  # images on which the readings are tried at least
WORK = 5 * 10**10  # weights x passes x images that all other readings of the spec may take together
LITTLE = 1 / 9  # of the way from chance to all: twice chance where there are ten classes
GAIN = 0.03  # by how much another reading has to be better before it is told, or the integers worse
SURE = 3.0  # standard errors beyond which a figure is missed, whatever the images
PAIRED = 2.0  # the same of two readings of the same images, which differ by GAIN, too
CAUSES = 3  # readings that a warning names


@dataclass(frozen=True)
class Agreement:
    """Of so many images: shares that the float net and the integers classify rightly, and alike."""

    images: int
    float_accuracy: float
    accuracy: float
    same: float
    chance: float

    @property
    def facts(self) -> dict:
        """What an artifact says of it."""
        return asdict(self)

    def told(self, images: str) -> str:
        """In words; images: what they are called."""
        return (
            f"of {self.images} {images} the float net classifies {self.float_accuracy:.1%} rightly, its "
            f"integers {self.accuracy:.1%}, {self.same:.1%} alike; chance is {self.chance:.0%}"
        )

    def __str__(self) -> str:
        return self.told("calibration images")


class Reading(NamedTuple):
    """Another spec: what it says, how well the float net does with it, and whether that is surely better."""

    text: str
    accuracy: float
    better: bool

    def __str__(self) -> str:
        return f"with {self.text} {self.accuracy:.1%}"


def agreement(network: Network, integers: IntNetwork, images: Calibration) -> Agreement:
    """Classify the images with both; network: as the spec says it, nothing folded."""
    ours, forward = [], Forward(integers)
    for start in range(0, len(images.pixels), BATCH):
        found = forward.run(quantize_pixels(images.pixels[start : start + BATCH], integers.input_bits))
        ours.append(readout.scores(integers, found.sums, found.head).argmax(1))
    predicted, target = np.concatenate(ours), _classified(network, images.pixels)
    return Agreement(
        images=len(images.pixels),
        float_accuracy=float((target == images.labels).mean()),
        accuracy=float((predicted == images.labels).mean()),
        same=float((predicted == target).mean()),
        chance=1 / network.classes,
    )


def _classified(network: Network, pixels: np.ndarray) -> np.ndarray:
    parts = (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))
    return np.concatenate(
        [readout.float_scores(network, float_forward.all_labels(network, part)).argmax(1) for part in parts]
    )


def loss(found: Agreement) -> Iterator[str]:
    """That the integers do clearly worse than the float net, if they do."""
    lost = found.float_accuracy - found.accuracy
    if lost > GAIN and lost > SURE * ((1 - found.same) / found.images) ** 0.5:
        yield f"the integers classify {lost:.1%} fewer images rightly than the float net"


def misses(expected: float, found: Agreement) -> bool:
    """Whether the float net is below the expected share by more than the number of images explains."""
    share = (expected * found.images + 1) / (found.images + 2)  # never 1, which no net could miss by chance
    return expected - found.float_accuracy > SURE * (share * (1 - share) / found.images) ** 0.5


def remarks(
    network: Network, others: Iterable[tuple[str, Network]], found: Agreement, images: Calibration,
    expected: float | None,
) -> list[str]:  # fmt: skip
    """Other readings of the spec with which the float net does better, that it does no better than chance, and that it
    misses what was expected of it, with what the likeliest causes would give. others: see frontend.readings."""
    tried = sorted(_tried(network, list(others), images), key=lambda reading: -reading.accuracy)
    causes = "; ".join(map(str, tried[:CAUSES]))
    causes = f". Tried: {causes}" if causes else ""
    if expected is not None and misses(expected, found):
        said = [
            f"the float net classifies {found.float_accuracy:.1%} of these {found.images} images rightly, and "
            f"{expected:.1%} were expected: the spec, or the images, are not those of its training{causes}"
        ]
        causes = ""
    else:
        better = [reading for reading in tried if reading.better][:CAUSES]
        said = [
            f"with {reading.text} the float net would classify {reading.accuracy:.1%} of them rightly"
            for reading in better
        ]
    if max([found.float_accuracy, *(reading.accuracy for reading in tried)]) < _little(found):
        said.append(
            "the float net itself does little better than chance. Look at input (mean, std, norm), label (where it "
            f"stands, its codes and their value) and each layer's orientation{causes}"
        )
    return said


def _little(found: Agreement) -> float:
    return found.chance + (1 - found.chance) * LITTLE


def _tried(network: Network, others: list[tuple[str, Network]], images: Calibration) -> Iterator[Reading]:
    """As many other readings as WORK allows, the first ones, on as many images."""
    each = sum(layer.synapses for layer in network.layers) * len(network.pass_labels)
    others = others[: WORK // (each * FEW)]
    few = max(FEW, min(IMAGES, WORK // (each * (len(others) + 1))))
    pixels, labels = images.pixels[:few], images.labels[:few]
    ours = _classified(network, pixels) == labels
    for text, other in others:
        theirs = _classified(other, pixels) == labels
        won, lost = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
        better = won - lost > max(GAIN * len(labels), PAIRED * (won + lost) ** 0.5)
        yield Reading(text, float(theirs.mean()), better)

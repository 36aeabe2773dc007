"""Images that a Python program holds: arrays, a torch Dataset or a DataLoader, as a Dataset of ours.

torch is not imported: its tensors are arrays, its data sets hold pairs of an image and a label.
"""

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Protocol, TypeAlias

import numpy as np

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.data import own
from ff2loihi.data.datasets import UNKNOWN, Dataset
from ff2loihi.data.events.options import EventOptions

GIVEN = "the images given"  # in place of a name
GIVEN_EVENTS = "the events given"
WANTED = "Give an array of images, a pair of images and labels, or a torch Dataset or DataLoader of such pairs"
NORMALIZED = "Of a torch Dataset leave Normalize out: the spec's input says mean and std"


class Samples(Protocol):
    """What a torch Dataset is: samples by their number."""

    def __getitem__(self, index: int, /) -> object: ...


Given: TypeAlias = np.ndarray | Iterable[object] | Samples


def dataset(data: Given, split: str, limit: int | None = None, events: EventOptions | None = None) -> Dataset:
    """The first images of `data`, in the order in which they come. Raises DataError.

    A data set of tonic has events, which become spikes as `events` says.

    Images are (samples, height, width), with 1 or 3 channels behind that or before height, or rows of pixels; bytes,
    or floats in 0..1. Without labels the classes are 0.
    """
    if hasattr(data, "sensor_size"):
        return _events(data, split, limit, events or EventOptions())
    pixels, labels = _arrays(data, limit)
    if not pixels.size:
        raise DataError(f"{GIVEN}: none. {WANTED}")
    if pixels.ndim == 2:  # rows of square images, or of what has no other shape
        side = round(pixels.shape[1] ** 0.5)
        pixels = pixels.reshape(-1, *((side, side) if side * side == pixels.shape[1] else (1, pixels.shape[1])))
    try:
        images = own.images(GIVEN, pixels)
    except DataError as error:
        raise DataError(f"{error}. {NORMALIZED}" if "0..1. Divide" in str(error) else str(error)) from None
    samples, height, width, channels = images.shape
    rows, sides = images.reshape(samples, -1), (height, width)
    if labels is None:
        return Dataset(GIVEN, split, rows, np.full(samples, UNKNOWN), 0, channels, sides)
    numbers = own.class_labels(f"{GIVEN}: labels", labels)
    if len(numbers) != samples:
        raise DataError(f"{GIVEN}: {samples:,} images and {len(numbers):,} labels. Give each image one label")
    return Dataset(GIVEN, split, rows, numbers, _classes(GIVEN, numbers), channels, sides)


def _events(data, split: str, limit: int | None, asked: EventOptions) -> Dataset:
    from ff2loihi.data.events import binned, tonic_sets

    source = tonic_sets.Tonic(GIVEN_EVENTS, data, limit)
    binning = binned.binning_for(GIVEN_EVENTS, source, asked)
    rows = binned.rows(GIVEN_EVENTS, source, np.arange(source.samples), binning)
    return Dataset(GIVEN, split, rows, source.labels, _classes(GIVEN_EVENTS, source.labels), events=binning)


def _classes(where: str, labels: np.ndarray) -> int:
    if labels.min() < 0:
        raise DataError(f"{where}: a label is {labels.min()}. Number the classes from 0")
    return max(2, int(labels.max()) + 1)


def _arrays(data: Given, limit: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    if _is_array(data):
        return _array(data)[:limit], None
    if isinstance(data, tuple | list) and len(data) == 2 and all(map(_is_array, data)):
        return _array(data[0])[:limit], _array(data[1])[:limit]
    batches = getattr(data, "batch_sampler", None) is not None  # of a DataLoader
    images, labels = [], []
    for image, label in islice(_pairs(data), limit):  # a batch holds one at least
        images.append(_array(image) if batches else _array(image)[None])
        labels.append(_array(label).reshape(-1))
    if not images:
        raise DataError(f"{GIVEN}: none. {WANTED}")
    if len({image.shape[1:] for image in images}) > 1:
        raise DataError(f"{GIVEN}: images of different sizes. Make them of one size")
    return np.concatenate(images)[:limit], np.concatenate(labels)[:limit]


def _is_array(data: object) -> bool:
    return hasattr(data, "__array__")  # numpy's arrays, and torch's tensors


def _pairs(data: Given) -> Iterator[tuple[object, object]]:
    """Image and label of each sample, or of each batch."""
    if isinstance(data, Iterable):
        samples = iter(data)
    elif isinstance(data, Sized) and hasattr(data, "__getitem__"):
        samples = (data[index] for index in range(len(data)))
    else:
        raise DataError(f"{GIVEN}: a {type(data).__name__}. {WANTED}")
    for sample in samples:
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise DataError(f"{GIVEN}: a sample is {brief(type(sample).__name__)}, no pair of an image and a label")
        yield sample[0], sample[1]


def _array(values) -> np.ndarray:
    """values: an array, a tensor on any device, a picture of pillow, a number."""
    try:
        return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{GIVEN}: {type(values).__name__} is no array of numbers ({brief(error)}). {WANTED}") from None

"""What a net sees of an image and a label becomes one form: u in [0, 1], label inputs behind the pixels or over the
first ones, and x = scale u + offset before the first layer. Layers above see the label's own u, too."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ff2loihi.compilers.frontend.spec import Spec, Values
from ff2loihi.compilers.ir import Input, Label, Layer

MAX_VALUE = 1e6  # of a label input, a mean, a standard deviation and its reciprocal


class _Values(NamedTuple):
    """Of the label inputs, in the net's own units: codes (classes, n), neutral (n,)."""

    codes: np.ndarray
    neutral: np.ndarray


def violations(spec: Spec, codes: np.ndarray) -> Iterator[str]:
    """What is wrong in spec.input and spec.label for label codes (classes, n)."""
    wrong = list(_impossible_values(spec))
    yield from wrong or _impossible_labels(spec, codes)


def _impossible_values(spec: Spec) -> Iterator[str]:
    for name, values in (("mean", spec.input.mean), ("std", spec.input.std)):
        channels = spec.image[0] if spec.image else 1
        if isinstance(values, tuple) and len(values) != channels:
            said = "channels of `image`" if spec.image else "channel, `image` is not given"
            yield f"input.{name}: {len(values)} values for {channels} {said}"
        if np.abs(values).max(initial=0) > MAX_VALUE:
            yield f"input.{name}: values up to {np.abs(values).max():g}, at most {MAX_VALUE:g} are taken"
    if np.min(spec.input.std, initial=1) < 1 / MAX_VALUE:
        yield f"input.std: {np.min(spec.input.std):g}, at least {1 / MAX_VALUE:g} is taken: pixels are divided by it"


def _impossible_labels(spec: Spec, codes: np.ndarray) -> Iterator[str]:
    n, label = codes.shape[1], spec.label
    if label.kind == "overwrite" and n >= spec.pixels:
        yield f"label: {n} label inputs cannot overwrite {spec.pixels} pixels"
    if label.pixels is not None:
        yield from _misplaced(spec, n)
    if label.value == "max" and any(np.size(values) > 1 for values in (spec.input.mean, spec.input.std)):
        yield "label.value: max is not one number where input has a mean or std for each channel. Give the number"
    elif label.kind != "none" and np.abs(_label_values(spec, codes).codes).max(initial=0) > MAX_VALUE:
        most = np.abs(_label_values(spec, codes).codes).max()
        yield f"label: values up to {most:g}, at most {MAX_VALUE:g} are taken"
    elif label.kind == "overwrite" and spec.layers[0].conv and n < spec.pixels:
        yield from _beyond_pixels(spec, codes)


def _misplaced(spec: Spec, n: int) -> Iterator[str]:
    places = spec.label.pixels or ()
    if spec.label.kind != "overwrite":
        yield f"label.pixels: label.kind {spec.label.kind} overwrites none, drop them"
    elif len(set(places)) != len(places) or not all(0 <= place < spec.pixels for place in places):
        yield f"label.pixels: must be different numbers in 0..{spec.pixels - 1}"
    elif len(places) != n:
        yield f"label.pixels: {len(places)} pixels for {n} label inputs"


def _beyond_pixels(spec: Spec, codes: np.ndarray) -> Iterator[str]:
    """A convolution sees label inputs as it sees pixels, with the same mean and std: as one a pixel has a place for."""
    values = _label_values(spec, codes).codes
    scale, offset = (part[: codes.shape[1]] for part in _of_pixels(spec))
    u = (values - offset) / scale
    if u.min() < -1e-6 or u.max() > 1 + 1e-6:
        low, high = float(offset.min()), float((offset + scale).max())
        yield (
            f"label: values {values.min():g}..{values.max():g} over the pixels of a convolution, whose own are "
            f"{low:g}..{high:g} after mean and std: a pixel of 8 bits cannot stand for them"
        )


def _one(spec: Spec) -> float:
    """The value of a code of 1."""
    if spec.label.value != "max":
        return spec.label.value
    mean, std = (float(np.ravel(values)[0]) for values in (spec.input.mean, spec.input.std))
    return (1 - mean) / std


def _label_values(spec: Spec, codes: np.ndarray) -> _Values:
    low, high = spec.label.background, _one(spec)
    neutral = codes.mean(axis=0) if spec.label.neutral == "mean" else np.zeros(codes.shape[1])
    return _Values(*(low + np.asarray(part, np.float64) * (high - low) for part in (codes, neutral)))


def _of_pixels(spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """scale and offset (pixels,) of x = (u - mean) / std."""
    mean, std = (_each_pixel(values, spec) for values in (spec.input.mean, spec.input.std))
    return 1 / std, 0 - mean / std


def _each_pixel(values: Values, spec: Spec) -> np.ndarray:
    """(pixels,) float64; the pixels of an image stand channel by channel."""
    of_channels = np.atleast_1d(np.asarray(values, np.float64))
    return np.repeat(of_channels, spec.pixels // len(of_channels))


def _rows(spec: Spec) -> np.ndarray | None:
    """Of a dense layer on colour images: which of its pixels, channel by channel, stands where in an image's row,
    which holds the channels of a pixel beside each other. None where both are the same."""
    if not spec.image or spec.image[0] == 1:
        return None
    return np.arange(spec.pixels).reshape(spec.image).transpose(1, 2, 0).ravel()


def form(spec: Spec, codes: np.ndarray, layers: Sequence[Layer]) -> tuple[Label, Input | None, tuple[Layer, ...]]:
    """The label in u, what x is of u (None: x = u), and the layers: the first with its inputs in the order of u."""
    first, *above = layers
    kind, n, values = spec.label.kind, codes.shape[1], _label_values(spec, codes)
    scale, offset = _of_pixels(spec)
    if kind == "overwrite" and first.conv:  # one kernel sees both: a label input is a pixel of the same scale
        low, width = offset[:n], scale[:n]
    else:
        low, high = min(0.0, values.codes.min(initial=0)), values.codes.max(initial=0)
        plain = low == 0 and high <= 1
        low, width = np.full(n, low), np.full(n, 1.0 if plain else high - low)
    u, neutral = ((part - low) / width for part in values)
    above = [_above(layer, low, width) for layer in above]
    places = spec.label.pixels
    if kind == "prepend":
        kind, first = "append", replace(first, weight=np.roll(first.weight, -n, axis=1))
    order = _rows(spec) if first.conv is None else None
    if order is not None:  # of the net's pixels, in the order in which images hold them
        if kind == "overwrite" and places is None:
            places = tuple(range(n))
        columns = np.concatenate([order, np.arange(spec.pixels, first.weight.shape[1])])
        first = replace(first, weight=np.ascontiguousarray(first.weight[:, columns]))
        scale, offset = scale[order], offset[order]
        places = None if places is None else tuple(int(place) for place in np.argsort(order)[list(places)])
    if places is not None and places != tuple(range(n)):  # their columns go behind, and no pixel reaches them
        kind, weight = "append", first.weight.copy()
        weight[:, list(places)] = 0
        first = replace(first, weight=np.concatenate([weight, first.weight[:, list(places)]], axis=1))
    if kind == "overwrite":
        scale[:n], offset[:n] = width, low
    elif kind == "append":
        scale[list(places or ())] = offset[list(places or ())] = 0  # no pixel reaches the norm there
        scale, offset = np.concatenate([scale, width]), np.concatenate([offset, low])
    label = Label(kind, u.clip(0, 1).astype(np.float32), neutral.clip(0, 1).astype(np.float32))
    own = spec.pixels + (n if spec.label.kind in ("append", "prepend") else 0)  # inputs that its norm sees
    length = {"none": None, "l2": 1.0, "rms": own**0.5}[spec.input.norm]
    if length is None and (scale == 1).all() and not offset.any():
        return label, None, (first, *above)
    return label, Input(scale.astype(np.float32), offset.astype(np.float32), length), (first, *above)


def _above(layer: Layer, low: np.ndarray, width: np.ndarray) -> Layer:
    """A layer above the first, whose label inputs are low + width u: U (low + width u) = (U width) u + U low."""
    if layer.label is None:
        return layer
    bias = layer.label @ low + (0 if layer.bias is None else layer.bias)
    label = (layer.label * width).astype(np.float32)
    return replace(layer, bias=bias.astype(np.float32) if bias.any() else None, label=label if label.any() else None)

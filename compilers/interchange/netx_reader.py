"""A netx network as one that classifies: its integers as they are, the spikes of its last layer counted.

See netx for the fields. A class is a neuron of the last layer, or those that an `average` behind it joins, or, where
that layer has no neurons, one of its sums over the steps. Pixels come in as spikes at their rate: netx says nothing of
them. What has no form here is refused with the layer's number, its type and the reason.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np

from ff2loihi.compilers.choices import Reset
from ff2loihi.compilers.errors import CheckpointError, brief
from ff2loihi.compilers.formats.hdf5_file import opened
from ff2loihi.compilers.interchange.netx_fields import BIAS_EXP
from ff2loihi.compilers.ir import IntHead, IntLayer, IntNetwork, Leak
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.counting import counting_network
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes.limits import (
    BIAS_EXP_MAX,
    BIAS_MANT_MAX,
    DECAY_ONE,
    VTH_MAX,
    WEIGHT_BITS,
)

MOST = 1 << 24  # neurons of a layer, or inputs: what 16 chips hold
KIND = "a netx network (.net)"
RESETS: dict[str, Reset] = {"CUBA": "hard", "LOIHI": "hard", "CUBA-SOFT": "soft"}  # by the neuron's type
LAYERS = "input, flatten, dense, conv, and an average at the end"
CHAIN = "only a chain of layers compiles"
REFUSED = {  # types of layers -> why
    "pool": "its neurons see sums of windows. Train with strides, as a conv layer's",
    "unpool": "it repeats spikes over windows, which no connection here does. Train without it",
    "convT": "transposed convolutions have no form here. Train with dense layers",
    "dense_rec": f"it is recurrent, {CHAIN}",
    "dense_comp": "its weights are complex, and so are its neurons' states. Train with CUBA neurons",
    "concat": f"it joins the outputs of several layers, {CHAIN}",
}
NEURON_REFUSED = {  # neurons -> why
    "GRADED-RELU": "graded payloads, whose normalisation stands in the artifact alone. Use export --format nir",
    "SDNN": "sigma-delta neurons send what changed, graded. Train with CUBA neurons",
}
READ = {  # fields of a layer or its neurons -> the values that have a form, and why the others have none
    "refDelay": ((0, 1), "a neuron here may spike in each step, without a refractory time"),
    "gradedSpike": ((0,), "a spike here has no payload"),
    "messageBits": ((0,), "a spike here has no payload"),
    "wgtExp": ((0,), "weights have no exponent here. Write them as they count"),
    "weight_exp": ((0,), "weights have no exponent here. Write them as they count"),
}


@dataclass
class _Layer:
    """A layer of the file, from which numbers are taken. below: the shape of what comes in, None where nobody says."""

    path: Path
    number: int
    group: h5py.Group
    below: tuple[int, ...] | None
    kind: str = ""

    def __post_init__(self) -> None:
        self.kind = self.text("type")

    def refuse(self, text: str) -> NoReturn:
        kind = f" ({brief(self.kind, 30)})" if self.kind else ""
        raise CheckpointError(f"{self.path}: layer {self.number}{kind}: {text}")

    def text(self, name: str) -> str:
        item = self.group.get(name)
        if not isinstance(item, h5py.Dataset) or item.size != 1:
            self.refuse(f"no {name}, a word. Export it again")
        value = np.ravel(item[()])[0]
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)

    def whole(self, name: str, most: int = 1 << 30) -> np.ndarray:
        """Whole numbers of at most that magnitude."""
        item = self.group.get(name)
        if item is None:
            self.refuse(f"no {name}. Export it again")
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biuf" or not item.size:
            parts = isinstance(item, h5py.Group) and "real" in item
            what = "real and imaginary parts: complex weights have no form here" if parts else "no numbers"
            self.refuse(f"{name} holds {what}")
        values = np.asarray(item[()], np.float64)
        bad = values[~(np.abs(values) <= most) | (values != np.rint(values))]
        if bad.size:
            self.refuse(f"{name} holds {bad[0]:g}: whole numbers up to {most:,} are read")
        return values.astype(np.int64)

    def one(self, name: str, absent: int) -> int:
        """A number that is the same for all neurons, or for rows and columns."""
        if name not in self.group:
            return absent
        found = np.unique(self.whole(name))
        if found.size > 1:
            self.refuse(f"{name} holds {brief(found.tolist())}: one number for all compiles")
        return int(found[0])

    def shape(self) -> tuple[int, ...]:
        sides = self.whole("shape").ravel()
        if sides.min() < 1 or sides.size > 3 or math.prod(sides.tolist()) > MOST:
            self.refuse(f"its shape is {brief(sides.tolist())}: up to three sides of 1 or more, {MOST:,} values")
        return tuple(sides.tolist())


@dataclass
class _Chain:
    """What was read so far. classes: of an average."""

    layers: list[IntLayer] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)
    image: tuple[int, ...] | None = None  # what comes in, or what leaves the last layer
    head: tuple[np.ndarray, np.ndarray] | None = None  # weights and biases
    classes: int | None = None
    ends: str | None = None  # the type of what nothing may follow
    rates: bool = False  # whether the input has neurons of its own, in whose place pixels spike at their rate


def read(path: Path, steps: int) -> tuple[IntNetwork, list[str]]:
    """The network, and what is to be known of it, a line each. steps: of a sample, where the file does not say.

    What its numbers may be is for arithmetic_rules to say. Raises CheckpointError.
    """
    with opened(path, CheckpointError, KIND, "no netx network, or a damaged one", ". Export it again") as file:
        chain = _Chain()
        for layer in _layers(path, file):
            layer.below = chain.image
            _append(layer, chain)
        if not chain.layers:
            raise CheckpointError(f"{path}: no layer with neurons that spike, dense or conv. Export it again")
        sample = file.get("simulation/tSample")
        if isinstance(sample, h5py.Dataset) and sample.size == 1 and sample.dtype.kind in "iu":
            steps = int(np.ravel(sample[()])[0])
        ours = file.attrs.get("generator") == "ff2loihi"
    return _network(path, chain, steps), list(_remarks(chain, ours))


def _remarks(chain: _Chain, ours: bool) -> Iterator[str]:
    """What is read in one of several ways, a line each; ours: a file that ff2loihi exported."""
    last = chain.layers[-1]
    if chain.rates:
        yield (
            "layer 0 (input): its neurons, which make spikes of pixels, are left out: here a pixel spikes in pixel / "
            "255 of the steps"
        )
    if chain.ends is None and last.out_shape and last.out_shape[1:] != (1, 1):
        sides = " x ".join(map(str, last.out_shape))
        yield f"its last layer is an image of {sides}: the spikes of each channel are counted, a class a channel"
    if ours:
        yield (
            "the label and the read-out of the artifact it comes from are no part of a .net: here its last layer's "
            "spikes are counted, and every input is a pixel. Use export --format nir, which keeps both"
        )


def _layers(path: Path, file: h5py.File) -> Iterator[_Layer]:
    layers = file.get("layer")
    if not isinstance(layers, h5py.Group) or not len(layers):
        raise CheckpointError(f"{path}: an HDF5 file with no netx network in it, no group `layer`. Export it again")
    for number in range(len(layers)):
        group = layers.get(str(number))
        if not isinstance(group, h5py.Group):
            raise CheckpointError(
                f"{path}: its layers are {brief(', '.join(layers))}: 0, 1, 2 and so on are wanted. Export it again"
            )
        yield _Layer(path, number, group, None)


def _append(layer: _Layer, chain: _Chain) -> None:
    if chain.ends:
        layer.refuse(f"stands behind {chain.ends}, which is read out. {CHAIN[0].upper()}{CHAIN[1:]}")
    if layer.kind == "input":
        _read_input(layer, chain)
    elif layer.kind == "flatten":
        chain.image = (math.prod(layer.below if layer.below else layer.shape()),)
    elif layer.kind == "average":
        if not chain.layers:
            layer.refuse("averages no layer of neurons before it")
        chain.classes, chain.ends = math.prod(layer.shape()), "an average"
    elif layer.kind == "maxpool":
        _read_pool(layer, chain)
    elif layer.kind == "dense" and "neuron" not in layer.group:
        if not chain.layers:
            layer.refuse("no neurons, and no layer before it")
        _check_delays(layer)
        weight = _dense(layer)
        chain.head, chain.ends = (weight, _biases(layer, len(weight))), "a layer without neurons"
    elif layer.kind in ("dense", "conv"):
        _read_neurons(layer, chain)
    else:
        layer.refuse(REFUSED.get(layer.kind, f"a type that is not known: {LAYERS} compile"))


def _read_input(layer: _Layer, chain: _Chain) -> None:
    if layer.number:
        layer.refuse("an input stands before all other layers")
    chain.rates = "neuron" in layer.group
    chain.image = layer.shape()


def _read_pool(layer: _Layer, chain: _Chain) -> None:
    below = chain.layers[-1] if chain.layers else None
    if below is None or below.conv is None or below.pool is not None:
        layer.refuse("stands behind no conv layer")
    size, stride = tuple(layer.whole("kernelSize").ravel().tolist()), layer.one("stride", 1)
    if len(size) != 2 or min(*size, stride) < 1:
        layer.refuse(f"of windows {brief(size)}, stride {stride}")
    pool = MaxPool(below.conv.out_shape, size, stride)
    if min(pool.out_shape) < 1:
        layer.refuse(f"windows {size} over an image {below.conv.out_shape[1:]}")
    chain.layers[-1] = replace(below, pool=pool, positive=np.ones(pool.outputs, bool))
    chain.image = pool.out_shape


def _dense(layer: _Layer) -> np.ndarray:
    """The weights (out, in); a row of them alone may stand without axes."""
    weight, n = layer.whole("weight", np.iinfo(np.int16).max), math.prod(layer.shape())
    if weight.size % n or (weight.ndim > 1 and (len(weight) != n or math.prod(weight.shape[2:]) > 1)):
        layer.refuse(f"weights of shape {weight.shape}, its {n} neurons want ({n}, inputs)")
    inputs = weight.size // n
    if layer.below is not None and math.prod(layer.below) != inputs:
        layer.refuse(f"weights of shape {weight.shape}, and {math.prod(layer.below)} values come in")
    return weight.reshape(n, inputs).astype(np.int16)


def _conv(layer: _Layer) -> tuple[np.ndarray, Conv]:
    weight, below = layer.whole("weight", np.iinfo(np.int16).max), layer.below
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4:
        layer.refuse(f"weights of shape {weight.shape}, (channels, channels below / groups, rows, columns) are wanted")
    if below is None or len(below) != 3:
        layer.refuse("no image comes in. Write an input layer before it, its shape (channels, rows, columns)")
    sides = {name: layer.one(name, absent) for name, absent in (("stride", 1), ("padding", 0), ("dilation", 1))}
    groups = layer.one("groups", 1)
    conv = Conv((below[0], below[1], below[2]), len(weight), (weight.shape[2], weight.shape[3]), groups=groups, **sides)
    if min(conv.stride, conv.dilation, groups) < 1 or not 0 <= conv.padding < min(conv.extent):
        layer.refuse(f"a convolution of {conv.kernel}, {brief(sides)}, {groups} groups")
    if below[0] % groups or len(weight) % groups or conv.weight_shape != weight.shape:
        layer.refuse(f"weights of shape {weight.shape}, {groups} groups over {below[0]} channels want other ones")
    if min(conv.out_shape) < 1 or conv.out_shape != layer.shape():
        layer.refuse(f"its shape is {layer.shape()}, its kernels make {conv.out_shape} of {below}")
    return weight.astype(np.int16), conv


def _biases(layer: _Layer, n: int, each: int = 1) -> np.ndarray:
    """(n,): one for each neuron, or for each channel, or for all."""
    if "bias" not in layer.group:
        return np.zeros(n, np.int64)
    found = layer.whole("bias", 1 << 23).ravel()
    if found.size not in (1, n // each, n):
        layer.refuse(f"{found.size} biases for {n} neurons")
    return np.repeat(found, n // found.size)


def _check_delays(layer: _Layer) -> None:
    if "delay" in layer.group and layer.whole("delay").any():
        layer.refuse(f"delays of up to {layer.whole('delay').max()} steps: a spike here arrives in the next one")


def _read_neurons(layer: _Layer, chain: _Chain) -> None:
    weight, conv = _conv(layer) if layer.kind == "conv" else (_dense(layer), None)
    _check_delays(layer)
    group = layer.group.get("neuron")
    if not isinstance(group, h5py.Group):
        layer.refuse("no group `neuron`. Export it again")
    neuron = _Layer(layer.path, layer.number, group, None)
    kind, neuron.kind = neuron.kind, layer.kind
    if kind not in RESETS:
        reason = NEURON_REFUSED.get(kind, f"{' and '.join(RESETS)} compile")
        layer.refuse(f"neurons of type {brief(kind)}: {reason}")
    for place, (name, (known, reason)) in product((layer, neuron), READ.items()):
        if place.one(name, 0) not in known:
            layer.refuse(f"{name} {place.one(name, 0)}: {reason}")
    for name in ("iDecay", "vDecay", "vThMant"):
        if name not in group:
            layer.refuse(f"no {name}. Export it again")
    current, voltage = neuron.one("iDecay", DECAY_ONE), neuron.one("vDecay", 0)
    if not (1 <= current <= DECAY_ONE and 0 <= voltage <= DECAY_ONE):
        layer.refuse(f"iDecay {current}, vDecay {voltage}: 1..{DECAY_ONE} and 0..{DECAY_ONE} are possible")
    exponent = neuron.one("biasExp", BIAS_EXP)
    if not 0 <= exponent <= BIAS_EXP_MAX:
        layer.refuse(f"biasExp {exponent}, 0..{BIAS_EXP_MAX} are possible")
    n = conv.neurons if conv else len(weight)
    bias = _biases(layer, n, n // len(weight)) << exponent
    if np.abs(bias).max() > np.iinfo(np.int32).max:
        layer.refuse(f"biases up to {np.abs(bias).max():,} v LSB, {np.iinfo(np.int32).max:,} are possible")
    while exponent < BIAS_EXP_MAX and (np.abs(bias) >> exponent).max() > BIAS_MANT_MAX:
        exponent += 1
    vth = neuron.one("vThMant", 0)
    if vth >= VTH_MAX:
        layer.refuse(f"a threshold of {vth:,} that no neuron reaches: it is read by its v, and here by spikes")
    leak = None if (current, voltage) == (DECAY_ONE, 0) else Leak(current - 1, voltage)
    chain.layers.append(
        IntLayer(
            f"layer{layer.number}", weight, WEIGHT_BITS, bias.astype(np.int32), exponent, neuron.one("shift", 0),
            top=1, vth=vth, v0=neuron.one("v0", 0), positive=np.ones(n, bool), scale=1.0, conv=conv, leak=leak,
        )
    )  # fmt: skip
    chain.resets.append(RESETS[kind])
    chain.image = conv.out_shape if conv else (n,)


def _network(path: Path, chain: _Chain, steps: int) -> IntNetwork:
    last, resets = chain.layers[-1], sorted(set(chain.resets))
    if len(resets) > 1:
        raise CheckpointError(f"{path}: neurons of types CUBA and CUBA-SOFT: one reset for all of them compiles")
    channels = last.out_shape[0] if last.out_shape else last.outputs
    classes = len(chain.head[0]) if chain.head else chain.classes or channels
    if chain.head is None and channels % classes:
        raise CheckpointError(f"{path}: an average of {channels} channels for {classes} classes: as many each are read")
    head = None
    if chain.head:
        weight, bias = chain.head  # a bias counts in each step
        head = IntHead((weight,), (1.0,), (steps * bias).astype(np.float32), "raw")
    return counting_network(tuple(chain.layers), resets[0], steps, classes, head)

"""The integer network on arrays: what the chip computes, batched, ten labels at the cost of one image product.

One definition for the compiler's calibration (numpy) and the emulator (torch, on any device): every value is an
integer, held in float32 where a bound proves that exact, in float64 elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ff2loihi.compilers.ir import IntLayer, IntNetwork, split_input
from ff2loihi.processes.fixed_point import graded_relu, integrate, normalize, rate_step, shift_right
from ff2loihi.processes.limits import ALIGN, FLOAT32_EXACT, V_LIMIT


def powers(network: IntNetwork) -> tuple[int, ...]:
    """The powers of the activities that the read-out sums: 1 for l1 goodness or normalisation, else 2."""
    goodness = 1 if network.goodness == "l1" else 2
    return tuple(sorted({goodness, norm_power(network.normalization)} if network.deferred else {goodness}))


def numpy_array(array: np.ndarray, dtype: str) -> np.ndarray:
    """A contiguous numpy array of that dtype."""
    return np.ascontiguousarray(array, dtype=dtype)


def quantize_pixels(pixels: np.ndarray, bits: int) -> np.ndarray:
    """round(pixel / 255 (2^bits - 1)), half up: (samples, pixels) uint8 -> int32 in 0..2^bits - 1."""
    return (pixels.astype(np.int32) * ((1 << bits) - 1) * 2 + 255) // 510


def norm_power(normalization: str) -> int:
    """The power whose sum normalises: 1 for l1, 2 for l2 and rms."""
    return 1 if normalization == "l1" else 2


@dataclass
class Result:
    """sums (samples, labels, layers, powers, 2: + and -) int64; head (samples, layers, classes) int64 or None.

    spikes (samples, labels, layers) int64, graded: non-zero payloads; states: name -> array, where asked for.
    """

    sums: np.ndarray
    head: np.ndarray | None
    spikes: np.ndarray
    states: dict[str, np.ndarray] = field(default_factory=dict)


class Forward:
    """An IntNetwork, its arrays made once; `run` takes a batch.

    xp: numpy or torch; to_array: (numpy array, dtype name) -> array of that library, device and dtype.
    """

    def __init__(self, network: IntNetwork, xp=np, to_array: Callable[[np.ndarray, str], object] = numpy_array) -> None:
        self.network, self.xp, self._to = network, xp, to_array
        self.full = (1 << network.input_bits) - 1
        self.powers = powers(network)
        label_count = network.label_codes.shape[1]
        self.image_columns, self.label_columns = split_input(network.pixels, label_count, network.label_kind)
        self.one_pass = network.readout == "head"
        self.codes = network.neutral[None] if self.one_pass else network.label_codes
        self.layers = [self._prepare(layer, index) for index, layer in enumerate(network.layers)]
        self.norm_tables = [self._to(norm.table, "float32") for norm in network.norms]
        self.head = [self._to(weight.T, "float64") for weight in network.head.weights] if network.head else []
        first = self.layers[0]
        self.image_weights = first["weights"][self.image_columns]
        self.label_drive = self._label_drive(first)

    def _prepare(self, layer: IntLayer, index: int) -> dict:
        unit = 1 << (9 - layer.weight_bits)
        x_top = self._input_top(index)
        largest = np.abs(layer.weight.astype(np.int64)).sum(axis=1) * x_top + np.abs(layer.bias.astype(np.int64))
        dtype = "float32" if largest.max() < FLOAT32_EXACT else "float64"
        sum_top = (layer.top if self.network.neuron == "graded" else self.network.steps) ** max(self.powers)
        sum_dtype = "float32" if layer.weight.shape[0] * sum_top < FLOAT32_EXACT else "float64"
        parts = np.stack([layer.positive, ~layer.positive], axis=1)
        drive_top = (largest.max() >> layer.shift) + 1
        swing = abs(layer.v0) + self.network.steps * ((int(drive_top) << ALIGN) + int(np.abs(layer.bias).max()))
        return {
            "layer": layer,
            "dtype": dtype,
            "unit": unit,
            "weights": self._to(layer.weight.T // unit, dtype),
            "bias": self._to(layer.bias, dtype),
            "parts": self._to(parts, sum_dtype),
            "sum_dtype": sum_dtype,
            "saturates": swing > V_LIMIT,
        }

    def _input_top(self, index: int) -> int:
        if self.network.neuron == "lif":
            return 1
        if index == 0:
            return self.full
        return self.network.norms[index - 1].top if self.network.norms else self.network.layers[index - 1].top

    def _label_drive(self, first: dict):
        """The labels' part of layer 1's sum: (classes, n) graded, (classes, steps, n) for spikes."""
        weights = first["weights"][self.label_columns]
        codes = self.codes.astype(np.int64)
        if self.network.neuron == "lif":
            phases = self.network.phases[self.label_columns]
            codes = np.stack(list(self._spike_rows(codes, phases)), axis=1)
        return self._to(codes, first["dtype"]) @ weights

    def _spike_rows(self, q, phases):
        acc = np.broadcast_to(phases, q.shape).astype(q.dtype) if isinstance(q, np.ndarray) else phases + 0 * q
        for _ in range(self.network.steps):
            spikes, acc = rate_step(acc, q, self.full)
            yield spikes

    def _sums(self, h, prepared: dict):
        """Sums of h^power over + and -: (..., powers, 2) in float64, exact."""
        h = self._cast(h, prepared["sum_dtype"])
        return self.xp.stack(
            [self._cast((h if p == 1 else h * h) @ prepared["parts"], "float64") for p in self.powers], -2
        )

    def _cast(self, array, dtype: str):
        kind = getattr(self.xp, dtype)
        return array.astype(kind, copy=False) if self.xp is np else array.to(kind)

    def run(self, pixels, states: bool = False) -> Result:
        """pixels: (samples, pixels) array of 0..2^input_bits - 1, of the library and device. Returns numpy."""
        keep: dict[str, object] = {}
        if self.network.neuron == "graded":
            sums, logits, spikes = self._graded(pixels, keep if states else None)
        else:
            sums, logits, spikes = self._lif(pixels, keep if states else None)
        head = np.stack([self._integers(z) for z in logits], axis=1) if logits else None
        return Result(
            sums=np.stack([self._integers(s) for s in sums], axis=2),
            head=head,
            spikes=np.stack([self._integers(s) for s in spikes], axis=2),
            states={name: self._integers(value) for name, value in keep.items()},
        )

    def _integers(self, array) -> np.ndarray:
        array = array if isinstance(array, np.ndarray) else array.cpu().numpy()
        return array.astype(np.int64)

    def _graded(self, pixels, keep):
        first = self.layers[0]
        x = self._cast(pixels[:, self.image_columns], first["dtype"])
        a = (x @ self.image_weights)[:, None] + self.label_drive
        sums, logits, spikes, h = [], [], [], None
        for index, prepared in enumerate(self.layers):
            layer = prepared["layer"]
            if index:
                a = self._cast(h, prepared["dtype"]) @ prepared["weights"]
            a = a * prepared["unit"] if prepared["unit"] > 1 else a
            h = graded_relu(a, prepared["bias"], layer.shift, layer.top)
            sums.append(self._sums(h, prepared))
            spikes.append((h > 0).sum(-1))
            if keep is not None:
                keep |= {f"{layer.name}.a": a, f"{layer.name}.h": h}
            if self.head and index in self.network.readout_layers:
                logits.append(self._cast(h, "float64")[:, 0] @ self.head[len(logits)])
            if self.network.norms and index < len(self.network.norms):
                norm = self.network.norms[index]
                total = self._cast(h, "float64") ** norm.power
                h = normalize(
                    self._cast(h, "float32"),
                    total.sum(-1)[..., None],
                    norm.power,
                    self.norm_tables[index],
                    norm.shift,
                    norm.top,
                    self.xp,
                )
                if keep is not None:
                    keep[f"{layer.name}.y"] = h
        return sums, logits, spikes

    def _lif(self, pixels, keep):
        first = self.layers[0]
        phases = self._to(self.network.phases[self.image_columns], "float32")
        q = self._cast(pixels[:, self.image_columns], "float32")
        image = self.xp.stack(list(self._spike_rows(q, phases)), 1)  # (samples, steps, pixels)
        drive = (self._cast(image, first["dtype"]) @ self.image_weights)[:, None] + self.label_drive
        sums, logits, counts, spikes = [], [], [], None
        for index, prepared in enumerate(self.layers):
            if index:
                drive = self._cast(spikes, prepared["dtype"]) @ prepared["weights"]
            spikes, r = self._integrate(drive, prepared, keep)
            sums.append(self._sums(r, prepared))
            counts.append(r.sum(-1))
            if self.head and index in self.network.readout_layers:
                logits.append(self._cast(r, "float64")[:, 0] @ self.head[len(logits)])
        return sums, logits, counts

    def _integrate(self, drive, prepared: dict, keep):
        """All steps of one layer: spikes (samples, labels, steps, n) and their counts (samples, labels, n)."""
        layer, xp = prepared["layer"], self.xp
        threshold = layer.vth << ALIGN
        a = shift_right(drive * prepared["unit"], layer.shift)
        v = xp.zeros_like(a[:, :, 0]) + layer.v0
        trains, history = [], []
        u = a * (1 << ALIGN) + prepared["bias"]  # the bias is zero in most nets, and this is one pass for all steps
        for step in range(self.network.steps):
            v = integrate(v, a[:, :, step], prepared["bias"]) if prepared["saturates"] else v + u[:, :, step]
            fired = v > threshold
            v = v - fired * threshold if self.network.reset == "soft" else v * ~fired
            trains.append(fired)
            if keep is not None:
                history.append(v)
        spikes = xp.stack(trains, 2)
        if keep is not None:
            keep |= {
                f"{layer.name}.a": a,
                f"{layer.name}.u": a * (1 << ALIGN),
                f"{layer.name}.v": xp.stack(history, 2),
                f"{layer.name}.r": self._cast(spikes, "float64").cumsum(2),
            }
        return spikes, spikes.sum(2)

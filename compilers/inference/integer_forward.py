"""The integer network on arrays: what the chip computes, batched, ten labels at the cost of one image product.

One definition for numpy (the compiler's calibration, the emulator) and torch (the emulator on CUDA): every value is an
integer, held in float32 where a bound proves that exact, in float64 elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ff2loihi.compilers.ir import IntLayer, IntNetwork, Network, split_input
from ff2loihi.compilers.ir.convolution import convolve
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.processes.fixed_point import floor, floor_clip, integrate, leaked, normalize, rate_code
from ff2loihi.processes.limits import ALIGN, FLOAT32_EXACT, V_LIMIT


def powers(network: IntNetwork) -> tuple[int, ...]:
    """The powers of the activities that the read-out sums: 1 for l1 goodness or normalisation, else 2.

    Of the k largest activities alone there is another sum, behind these: see `top_sums`.
    """
    wanted = set() if network.top_k else {goodness_power(network)}
    if network.deferred:
        wanted.add(norm_power(network.normalization))
    if network.head and network.head.activities != "raw":
        wanted.add(2)
    return tuple(sorted(wanted))


def goodness_power(network: IntNetwork | Network) -> int:
    """The power of the activities that goodness sums."""
    return 1 if network.goodness == "l1" else 2


def top_sums(network: IntNetwork, layer: IntLayer, h, xp):
    """Of the k largest of h (..., n) in each part, the sum of h^goodness_power: (..., parts)."""
    part_of, found = network.goodness_part_of(layer), []
    for part in range(network.goodness_parts):
        members = h[..., np.flatnonzero(part_of == part)]
        most = largest(members, min(network.top_k or 0, members.shape[-1]), xp)
        found.append((most ** goodness_power(network)).sum(-1))
    return xp.stack(found, -1)


def largest(h, k: int, xp):
    """The k largest of h (..., n), in any order: (..., k)."""
    if k == h.shape[-1]:
        return h
    return np.partition(h, -k, -1)[..., -k:] if xp is np else h.topk(k, -1).values


def piece_sums(network: IntNetwork, layer: IntLayer, raised, xp):
    """Sums of `raised` (..., n) over the pieces of the layer's cells, 0 for parts that it has not: (..., parts)."""
    assert network.pooled is not None
    found = layer.cells(network.pooled.grid).sums(raised, xp)
    missing = network.goodness_parts - found.shape[-1]
    return xp.concatenate([found, *[found[..., :1] * 0] * missing], -1)


def numpy_array(array: np.ndarray, dtype: str) -> np.ndarray:
    """A contiguous numpy array of that dtype."""
    return np.ascontiguousarray(array, dtype=dtype)


def quantize_pixels(pixels: np.ndarray, bits: int) -> np.ndarray:
    """round(pixel / 255 (2^bits - 1)), half up: (samples, pixels) uint8 -> int32 in 0..2^bits - 1."""
    if bits == 8:
        return pixels.astype(np.int32)
    wide = pixels.astype(np.uint16)  # 255 * 2 * 127 + 255 fits
    return ((wide * np.uint16(2 * ((1 << bits) - 1)) + np.uint16(255)) // np.uint16(510)).astype(np.int32)


def quantized(network: IntNetwork, pixels: np.ndarray) -> np.ndarray:
    """What Forward takes of samples (samples, row) uint8: pixels as levels; events are as they come."""
    return pixels if network.events else quantize_pixels(pixels, network.input_bits)


def norm_power(normalization: str) -> int:
    """The power whose sum normalises: 1 for l1, 2 for l2 and rms."""
    return 1 if normalization == "l1" else 2


@dataclass
class Result:
    """sums (samples, labels, layers, powers, parts) int64, see ir.IntNetwork.goodness_parts; head (samples, layers,
    classes) int64 or None.

    spikes (samples, labels, layers) int64, graded: non-zero payloads; states: name -> array, where asked for.
    """

    sums: np.ndarray
    head: np.ndarray | None
    spikes: np.ndarray
    states: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Layer:
    """A layer's arrays: weights (in, out) and bias hold W 2^-shift and bias 2^-shift (lif: W 2^-shift and the bias).

    label (1, passes, out): what the labels add to a layer above the first, as the bias; 0 where it sees none.

    dtype: float32 where every partial sum, in units of its last bit, stays below 2^24 and is exact; else float64.
    patches: of a convolution, whose weights are convolution.Conv.grouped; else None. rows (in, out) int16: W, of a
    dense layer of spikes in numpy, which adds up the rows that spike; else None. membership (out, parts): 1
    where a neuron belongs to a part, None for the pieces of cells; sum_dtype: as dtype, for sums of powers.
    """

    layer: IntLayer
    dtype: str
    weights: object
    patches: object
    rows: np.ndarray | None
    bias: object
    label: object
    membership: object
    sum_dtype: str


class Forward:
    """An IntNetwork, its arrays made once; `run` takes a batch.

    xp: numpy or torch; to_array: (numpy array, dtype name) -> array of that library, device and dtype.
    """

    def __init__(self, network: IntNetwork, xp=np, to_array: Callable[[np.ndarray, str], object] = numpy_array) -> None:
        self.network, self.xp, self._to = network, xp, to_array
        self.full = network.full
        self.powers = powers(network)
        label_count = network.label_codes.shape[1]
        self.image_columns, self.label_columns = split_input(network.pixels, label_count, network.label_kind)
        self.layers = [self._prepare(layer, index) for index, layer in enumerate(network.layers)]
        self.norm_tables = [self._to(norm.table, "float32") for norm in network.norms]
        self.head = [self._to(weight.T, "float64") for weight in network.head.weights] if network.head else []
        self.label_drive = self._label_drive()

    def _prepare(self, layer: IntLayer, index: int) -> _Layer:
        graded = self.network.neuron == "graded"
        rows = np.abs(layer.weight.astype(np.int64)).reshape(len(layer.weight), -1)
        largest = int(rows.sum(1).max()) * self._input_top(index)
        largest_bias = int(np.abs(layer.bias.astype(np.int64)).max())
        label = np.zeros((1, 1, layer.neurons), np.int64)
        if layer.label:
            label = layer.label.drive(self.network.pass_labels, self.full)[None]
        largest_label = int(np.abs(label).max()) << (0 if graded else layer.shift)
        narrow = largest + largest_bias + largest_label < FLOAT32_EXACT and layer.leak is None
        dtype = "float32" if narrow else "float64"
        activity = layer.top if graded else self.network.steps
        sum_top = layer.outputs * activity ** max((*self.powers, goodness_power(self.network)))
        sum_dtype = "float32" if sum_top < FLOAT32_EXACT else "float64"
        scale, membership = 2.0**-layer.shift, None
        if self.network.pooled is None:
            part_of = self.network.goodness_part_of(layer)
            membership = self._to(np.arange(self.network.goodness_parts) == part_of[:, None], sum_dtype)
        weights = layer.conv.grouped(layer.weight) if layer.conv else layer.weight.T
        return _Layer(
            layer=layer,
            dtype=dtype,
            weights=self._to(weights * scale, dtype),
            patches=self._to(layer.conv.patches, "int64") if layer.conv else None,
            rows=None if graded or layer.conv or self.xp is not np else numpy_array(layer.weight.T, "int16"),
            bias=self._to(layer.bias * scale if graded else layer.bias, dtype),
            label=self._to(label * scale if graded else label, dtype),
            membership=membership,
            sum_dtype=sum_dtype,
        )

    def _input_top(self, index: int) -> int:
        if self.network.neuron == "lif":
            return 1
        if index == 0:
            return self.full
        return self.network.norms[index - 1].top if self.network.norms else self.network.layers[index - 1].top

    def _label_drive(self):
        """The labels' part of layer 1's sum: graded (classes, n), its bias in it; lif (steps, classes, n)."""
        first = self.layers[0]
        codes = self.network.pass_labels.astype(np.int64)
        if self.network.neuron == "lif":
            phases = self.network.phases[self.label_columns].astype(np.int64)
            codes = np.stack(list(rate_code(phases, codes, self.full, self.network.steps)))
        rows = np.zeros((*codes.shape[:-1], self.network.inputs), np.int64)
        rows[..., self.label_columns] = codes
        drive = self._drive(self._to(rows, first.dtype), first)
        return drive + first.bias if self.network.neuron == "graded" else drive

    def _drive(self, x, part: _Layer):
        """W x 2^-shift of x (..., inputs), cast to the layer's dtype: (..., n)."""
        if part.rows is not None:
            return _spike_drive(x, part)
        x = self._cast(x, part.dtype)
        return matmul(x, part.weights) if part.patches is None else convolve(x, part.weights, part.patches, self.xp)

    def _image_drive(self, x):
        """The images' part of layer 1's sum, of x (..., image columns)."""
        first = self.layers[0]
        if first.patches is None:
            return matmul(self._cast(x, first.dtype), first.weights[self.image_columns])
        missing = self.network.inputs - x.shape[-1]  # pixels that the label overwrites, the first ones
        zeros = x[..., :1] * 0
        return self._drive(self.xp.concatenate([*[zeros] * missing, x], -1), first)

    def _cast(self, array, dtype: str):
        kind = getattr(self.xp, dtype)
        return array.astype(kind, copy=False) if self.xp is np else array.to(kind)

    def _sums(self, h, part: _Layer):
        """Sums of h^power over each part, and of the k largest: (..., powers, parts), exact."""
        h = self._cast(h, part.sum_dtype)
        found = [self._of_parts(h if power == 1 else h * h, part) for power in self.powers]
        if self.network.top_k:
            found.append(top_sums(self.network, part.layer, h, self.xp))
        return self.xp.stack(found, -2)

    def _of_parts(self, raised, part: _Layer):
        if part.membership is None:
            return piece_sums(self.network, part.layer, raised, self.xp)
        return matmul(raised, part.membership)

    def run(self, pixels, states: bool = False) -> Result:
        """pixels: (samples, row), see quantized, an array of the library and device. Returns numpy."""
        recorded: dict[str, object] = {}
        forward = self._graded if self.network.neuron == "graded" else self._lif
        sums, logits, spikes = forward(pixels, recorded if states else None)
        return Result(
            sums=np.stack([self._integers(s) for s in sums], axis=2),
            head=np.stack([self._integers(logits[i]) for i in sorted(logits)], axis=1) if logits else None,
            spikes=np.stack([self._integers(s) for s in spikes], axis=2),
            states={name: self._integers(value) for name, value in recorded.items()},
        )

    def _integers(self, array) -> np.ndarray:
        array = array if isinstance(array, np.ndarray) else array.cpu().numpy()
        return array.astype(np.int64)

    def _graded(self, pixels, recorded: dict | None):
        a = self._image_drive(pixels[:, self.image_columns])[:, None] + self.label_drive
        sums, logits, spikes, h = [], {}, [], None
        for index, part in enumerate(self.layers):
            layer = part.layer
            if index:
                a = self._drive(h, part)
                a += part.bias
                if layer.label:
                    a += part.label
            if recorded is not None:
                recorded[f"{layer.name}.a"] = (a - part.bias - part.label) * 2.0**layer.shift
            h = floor_clip(a, layer.top)
            if layer.pool:
                if recorded is not None:
                    recorded[f"{layer.name}.unpooled"] = h
                h = layer.pool.largest(h, self.xp)
            sums.append(self._sums(h, part))
            spikes.append(self.xp.clip(h, None, 1).sum(-1))
            if recorded is not None:
                recorded[f"{layer.name}.h"] = h
            self.read_head(logits, index, h)
            if self.network.norms and index < len(self.network.norms):
                h = self.normalize(h, index)
                if recorded is not None:
                    recorded[f"{layer.name}.y"] = h
        return sums, logits, spikes

    def read_head(self, logits: dict, index: int, h) -> None:
        """Add the head's sum over a layer, (samples, classes), under its place among the read-out layers."""
        if self.head and index in self.network.readout_layers:
            position = self.network.readout_layers.index(index)
            logits[position] = self._cast(h, "float64")[:, 0] @ self.head[position]

    def normalize(self, h, index: int):
        norm = self.network.norms[index]
        total = (self._cast(h, "float64") ** norm.power).sum(-1)[..., None]
        table = self.norm_tables[index]
        return normalize(self._cast(h, "float32"), total, norm.power, table, norm.shift, norm.top, self.xp)

    def counts(self, pixels) -> np.ndarray:
        """lif: the spikes of the last layer's outputs over a sample, (samples, passes, outputs) int64."""
        *_, (_, last) = self._spiking(pixels, None)
        return self._integers(last)

    def _lif(self, pixels, recorded: dict | None):
        sums, logits, counts = [], {}, []
        for index, (part, r) in enumerate(self._spiking(pixels, recorded)):
            sums.append(self._sums(r, part))
            counts.append(r.sum(-1))
            self.read_head(logits, index, r)
        return sums, logits, counts

    def _spiking(self, pixels, recorded: dict | None):
        """Each layer from the lowest up, with its counts of a sample."""
        drive = self._event_drive(pixels) if self.network.events else self._rate_drive(pixels[:, self.image_columns])
        trains = None
        for index, part in enumerate(self.layers):
            if index:
                drive = self._drive(trains, part)
            trains, r = self._integrate(drive, part, recorded, first=index == 0, last=index == len(self.layers) - 1)
            yield part, r

    def _event_drive(self, packed):
        """The events' sum in layer 1 in each step, of samples (samples, row): (steps, samples, n)."""
        assert self.network.events
        first, spikes = self.layers[0], self.network.events.spikes(self._integers(packed).astype(np.uint8))
        return self._drive(spikes if first.rows is not None else self._to(spikes, first.dtype), first)

    def _rate_drive(self, pixels):
        """The images' part of layer 1's sum in each step: (steps, samples, n)."""
        first, phases = self.layers[0], self.network.phases[self.image_columns]
        if first.rows is not None:
            from ff2loihi.processes import rate_kernel

            drive = np.empty((self.network.steps, len(pixels), first.layer.neurons), first.dtype)
            q, rows = pixels.astype(np.int32), first.rows[self.image_columns]
            rate_kernel.rate_drive(q, phases.astype(np.int32), self.full, rows, 2.0**-first.layer.shift, drive)
            return drive
        q = self._cast(pixels, "float32")
        image = self.xp.stack(list(rate_code(self._to(phases, "float32"), q, self.full, self.network.steps)))
        return self._image_drive(image)

    def _integrate(self, drive, part: _Layer, recorded: dict | None, first: bool, last: bool):
        """All steps of one layer: the spikes of each step, (steps, samples, labels, n), and their counts.

        drive: (steps, samples, labels, n), or for the first layer the images' part of it, (steps, samples, n). The
        spikes of the last layer's steps are not wanted.
        """
        if first:
            drive, labels = drive[:, :, None], self.label_drive
        else:
            labels = part.label
        integrate = _integrate_numpy if self.xp is np else _integrate_torch
        pool, record = part.layer.pool, recorded is not None
        trains, counts, states = integrate(drive, labels, part, self.network, record, not last or pool is not None)
        if recorded is not None:
            a, *current, v, r = states
            u = current[0] if current else a * (1 << ALIGN)
            columns = {"a": a - self.xp.moveaxis(part.label, 0, 1), "u": u, "v": v, "r": r}
            recorded |= {f"{part.layer.name}.{name}": value for name, value in columns.items()}
        if pool:
            trains, counts = self._pooled(trains, part.layer.name, pool, recorded)
        return trains, counts

    def _pooled(self, trains, name: str, pool: MaxPool, recorded: dict | None):
        """As _integrate, behind the layer's pool: a window spikes where the count of its most active neuron rises."""
        counts = pool.largest(trains.cumsum(0), self.xp)
        if recorded is not None:
            by_step = {"unpooled": trains, "r": counts}
            recorded |= {f"{name}.{state}": self.xp.moveaxis(values, 0, 2) for state, values in by_step.items()}
        return self.xp.concatenate([counts[:1], counts[1:] - counts[:-1]]), counts[-1]


def _spike_drive(spikes: np.ndarray, part: _Layer) -> np.ndarray:
    from ff2loihi.processes import rate_kernel  # numba, for those who spike

    assert part.rows is not None
    drive = np.empty((*spikes.shape[:-1], part.layer.neurons), part.dtype)
    flat = spikes.reshape(-1, spikes.shape[-1]), drive.reshape(-1, drive.shape[-1])
    rate_kernel.spike_drive(flat[0], part.rows, 2.0**-part.layer.shift, flat[1])
    return drive


def _integrate_numpy(drive, labels, part: _Layer, network: IntNetwork, record: bool, trains: bool):
    from ff2loihi.processes import lif_kernel  # numba, for those who spike

    steps, samples, passes, n = *drive.shape[:2], max(drive.shape[2], labels.shape[1]), drive.shape[3]
    shape, kind = (samples, passes, n), drive.dtype
    counts = np.empty(shape, kind)
    every = np.empty((steps if trains else 0, *shape), kind)
    leak, threshold = part.layer.leak, part.layer.vth << ALIGN
    states = np.empty(((4 if leak else 3) if record else 0, samples, passes, steps, n), kind)
    if leak:
        decays = np.array([leak.du + 1, leak.dv], kind)
        lif_kernel.integrate_leaky(drive, labels, part.bias, decays, float(threshold), counts, every, states)
    else:
        constants = np.array([part.layer.v0, threshold, 1 << ALIGN, V_LIMIT, 1], kind)
        lif_kernel.integrate(drive, labels, part.bias, constants, network.reset == "soft", counts, every, states)
    return every, counts, states


def _integrate_torch(drive, labels, part: _Layer, network: IntNetwork, record: bool, trains: bool):
    """What lif_kernel computes, a step after the other, on any device."""
    import torch

    zero, every, history = torch.zeros(()), [], []
    leak, threshold = part.layer.leak, part.layer.vth << ALIGN
    u, v, r = zero, zero + part.layer.v0, zero
    for step in range(network.steps):
        a = floor(drive[step] + labels[step % len(labels)])
        if leak:
            u = leaked(u, leak.du + 1) + a * (1 << ALIGN)
            v = (leaked(v, leak.dv) + u + part.bias).clip(-V_LIMIT, V_LIMIT)
        else:
            v = integrate(v, a, part.bias)
        fired = (v > threshold).to(v.dtype)
        v = v - fired * threshold if network.reset == "soft" else v * (1 - fired)
        r = r + fired
        if trains:
            every.append(fired)
        if record:
            history.append((a, u, v, r) if leak else (a, v, r))
    states = [torch.stack(values, 2) for values in zip(*history, strict=True)]
    return torch.stack(every) if trains else None, r, states


def matmul(x, weights):
    """x (..., in) times weights (in, out), as one product: numpy makes one for each row of the first axes."""
    return (x.reshape(-1, x.shape[-1]) @ weights).reshape(*x.shape[:-1], -1)

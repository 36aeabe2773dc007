"""integer_forward's integers of dense layers, for many images: in compiled loops, several times faster."""

import numpy as np

from ff2loihi.compilers.inference.byte_product import byte_product
from ff2loihi.compilers.inference.integer_forward import Forward, Result, matmul, quantize_pixels
from ff2loihi.compilers.ir import IntNetwork
from ff2loihi.processes import graded_kernel, spiking_layers
from ff2loihi.processes.limits import ALIGN

BYTE = np.arange(256, dtype=np.uint8)
DENSE, DENSE_IN_BYTES = 0.3, 0.1  # share of payloads, not 0, from which a product is faster than their rows alone


def covers(network: IntNetwork) -> bool:
    """Whether DenseForward takes it: dense layers, and a read-out of two parts' sums that 32 bits hold."""
    if network.top_k or network.pooled or network.readout == "channels" or network.events:
        return False
    tops = [layer.top if network.neuron == "graded" else network.steps for layer in network.layers]
    if any(layer.outputs * top**2 >= 1 << 31 for layer, top in zip(network.layers, tops, strict=True)):
        return False
    return not any(layer.conv or layer.pool or layer.leak for layer in network.layers)


class DenseForward:
    """A network that `covers` takes. exact: whether 32 bits hold the sums of its inputs, too; else it is not to run.

    in_bytes: graded layers above the first one multiply bytes, in torch, where the CPU can.
    """

    def __init__(self, network: IntNetwork, in_bytes: bool = False) -> None:
        self.network, self.forward, self.graded = network, Forward(network), network.neuron == "graded"
        self.exact = all(part.dtype == "float32" for part in self.forward.layers)
        levels = quantize_pixels(BYTE, network.input_bits)
        self.levels = levels.astype(np.float32 if self.graded else np.int32)
        self.phases = network.phases[self.forward.image_columns].astype(np.int32)
        kind = np.uint8 if self.graded else np.int32
        self.inside = [np.where(network.goodness_part_of(layer) == 0, ~kind(0), kind(0)) for layer in network.layers]
        self.powers = slice(self.forward.powers[0] - 1, self.forward.powers[-1])
        self.more = [self._more(index) for index in range(len(network.layers))]
        above = network.layers[1:] if in_bytes and self.graded else ()
        self.products = [None, *(byte_product(layer.weight) for layer in above)]

    def _more(self, index: int) -> np.ndarray:
        """What the label and a graded layer's bias add to the sums, in the unit of the layer's loop."""
        part = self.forward.layers[index]
        label = np.asarray(part.label if index else self.forward.label_drive)  # of the first layer with a graded bias
        if not self.graded:
            return np.ascontiguousarray(label * 2.0**part.layer.shift, np.int32)
        return (part.bias + label)[0] if index else label

    def run(self, pixels: np.ndarray) -> Result:
        """pixels: the images' own, (samples, pixels) uint8."""
        x, share = np.ascontiguousarray(pixels[:, self.forward.image_columns]), 0.0
        sums, spikes, logits = [], [], {}
        for index, inside in enumerate(self.inside):
            h, above = self._payloads(index, x, share) if self.graded else self._spikes(index, x)
            found, active = np.empty((*h.shape[:2], 2, 2), np.int64), np.empty(h.shape[:2], np.int64)
            graded_kernel.power_sums(h, inside, found, active)
            sums.append(found[:, :, self.powers])
            spikes.append(active if self.graded else found[:, :, 0].sum(-1))
            self.forward.read_head(logits, index, h)
            x, share = above, active.mean() / h.shape[-1]
        head = [logits[index].astype(np.int64) for index in sorted(logits)]
        return Result(np.stack(sums, 2), np.stack(head, 1) if head else None, np.stack(spikes, 2))

    def _shape(self, index: int, samples: int) -> tuple[int, int, int]:
        return samples, len(self.network.pass_labels), self.network.layers[index].neurons

    def _payloads(self, index: int, x: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        """A graded layer's payloads, and those that the layer above takes."""
        part, more = self.forward.layers[index], self.more[index]
        product = self.products[index] if self.products[1:] else None
        h, top = np.empty(self._shape(index, len(x)), np.uint8), np.float32(part.layer.top)
        if index == 0:
            w = np.asarray(part.weights)[self.forward.image_columns]
            graded_kernel.image_layer(x, self.levels, w, more, top, h)
        elif share < (DENSE if product is None else DENSE_IN_BYTES):
            graded_kernel.sparse_layer(x, part.weights, more, top, h)
        elif product is not None:
            unit = np.float32(2.0**-part.layer.shift)
            graded_kernel.byte_layer(product(x), product.offset, unit, more, top, h)
        else:
            graded_kernel.dense_layer(matmul(x.astype(np.float32), part.weights), more, top, h)
        normalized = index < len(self.network.norms)
        return h, self.forward.normalize(h, index).astype(np.uint8) if normalized else h

    def _spikes(self, index: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A spiking layer's counts, and its spikes in each step, of the last layer one step's alone."""
        part, more = self.forward.layers[index], self.more[index]
        layer, last = part.layer, index == len(self.forward.layers) - 1
        samples, labels, n = self._shape(index, len(x))
        numbers = layer.v0, layer.vth << ALIGN, layer.shift, self.network.reset == "soft"
        lif = spiking_layers.Lif(layer.bias.astype(np.int32), *map(np.int32, numbers))
        counts = np.empty((samples, labels, n), np.int32)
        trains = np.empty((samples, labels, 1 if last else self.network.steps, n), np.uint8)
        assert part.rows is not None
        if index == 0:
            w, full = part.rows[self.forward.image_columns], self.forward.full
            spiking_layers.rate_layer(x, self.levels, self.phases, full, w, more, lif, counts, trains)
        else:
            spiking_layers.spike_layer(x, part.rows, more, lif, counts, trains)
        return counts, trains

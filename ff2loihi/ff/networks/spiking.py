"""Networks of LIF neurons that take events: a presentation as the chip has it, in float, with a surrogate gradient."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.compilers.ir import Binning
from ff2loihi.compilers.ir.options import LIF
from ff2loihi.ff.networks.labels import Embedding
from ff2loihi.ff.networks.model import FFNetwork, Rule
from ff2loihi.ff.networks.plain import Plain, PlainNetwork
from ff2loihi.ff.networks.stack import Stack
from ff2loihi.ff.objectives.goodness import score
from ff2loihi.processes.fixed_point import rate_code, start_phases
from ff2loihi.processes.learning_rule import RATE_ONE

SLOPE = 4.0  # of the surrogate gradient, in 1 / threshold
SPREAD = 2.0  # thresholds: standard deviation of what an untrained neuron is driven by in a presentation


class Membranes(torch.autograd.Function):
    """The spikes z and the traces r of a layer's drive: see ff.networks.membranes."""

    @staticmethod
    def forward(ctx, drive: Tensor, constants: tuple[float, float, float], passes_spikes: bool):
        """drive (steps, samples, n), constants: decay, threshold, keep -> z, of no steps unless it is passed on; r."""
        from ff2loihi.ff.networks import membranes  # numba, which no other recipe waits for

        ctx.set_materialize_grads(False)
        ctx.constants = tuple(map(np.float32, constants))
        before, r = torch.empty_like(drive), torch.zeros_like(drive[0])
        decay, threshold, keep = ctx.constants
        membranes.forward(drive.detach().numpy(), decay, threshold, keep, before.numpy(), r.numpy())
        ctx.save_for_backward(before)
        return (before > constants[1]).to(drive.dtype) if passes_spikes else before[:0], r

    @staticmethod
    def backward(ctx, *gradients):
        from ff2loihi.ff.networks import membranes

        (before,) = ctx.saved_tensors
        of_spikes, of_trace = (
            empty if found is None else found.contiguous()
            for found, empty in zip(gradients, (before[:0], torch.zeros_like(before[0])), strict=True)
        )
        found = torch.empty_like(before)
        slope, (decay, threshold, keep) = np.float32(SLOPE), ctx.constants
        spikes, trace = of_spikes.numpy(), of_trace.numpy()
        membranes.backward(before.numpy(), trace, spikes, slope, decay, threshold, keep, found.numpy())
        return found, None, None


def membranes_of(drive: Tensor, neuron: LIF, passes_spikes: bool) -> tuple[Tensor, Tensor]:
    """(z, r) of a layer: see Membranes."""
    keep = 1.0 if neuron.trace == "relu" else neuron.trace_decay
    return Membranes.apply(drive.contiguous(), (neuron.decay, neuron.threshold, keep), passes_spikes)


def traces(layers: Stack[nn.Linear], drive: Tensor, neuron: LIF, local: bool) -> list[Tensor]:
    """r of each layer, (samples, n), from what drives the first one, (steps, samples, n).

    local: no gradient passes from a layer to the one below.
    """
    found = []
    for index in range(1, len(layers) + 1):
        z, r = membranes_of(drive, neuron, passes_spikes=index < len(layers))
        found.append(r)
        if index < len(layers):
            drive = (z.detach() if local else z) @ layers[index].weight.T
    return found


def event_drive(rows: Tensor, weight: Tensor, binning: Binning) -> Tensor:
    """W s in each step of a presentation, (steps, samples, n), of weight (n, inputs).

    rows (samples, row) uint8: each step's spikes packed, as a Dataset of events holds them.
    """
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8)
    bits = (rows.view(len(rows), binning.steps, -1, 1) >> shifts & 1).flatten(2)[:, :, : binning.inputs]
    place, spiked = bits.transpose(0, 1).flatten(0, 1).nonzero(as_tuple=True)
    first = torch.searchsorted(place, torch.arange(binning.steps * len(rows)))
    once = F.embedding_bag(spiked, weight.T.contiguous(), first, mode="sum")
    return once.view(binning.steps, len(rows), -1).repeat(binning.rounds, 1, 1)


@torch.no_grad()
def spread(weight: Tensor, drive: Tensor, neuron: LIF) -> Tensor:
    """Scale untrained weights in place, so that their drive (steps, ..., n), summed over the steps, varies by SPREAD.

    Returns the drive that they give then. Where it does not vary, as without a spike below, they stay as they are.
    """
    total = drive.sum(0)
    if total.numel() < 2 or not (deviation := total.std()):
        return drive
    by = SPREAD * neuron.threshold / deviation
    weight.mul_(by)
    return by * drive


@torch.no_grad()
def spread_above(layers: Stack[nn.Linear], drive: Tensor, neuron: LIF) -> None:
    """The same for all layers but the first, whose drive is (steps, samples, n)."""
    for layer in layers[1:]:
        z, _ = membranes_of(drive, neuron, passes_spikes=True)
        drive = spread(layer.weight, z @ layer.weight.T, neuron)


class SpikingNetwork(FFNetwork):
    """h_l = r_l, the trace of layer l's LIF neurons at the end of a presentation: see compilers.ir.options.LIF.

    The events' inputs spike as `events` bins them, the label's at neuron.rate times their code, in the phases of a
    compiled network; the layer above sees the spikes of each step. Images are rows of packed spikes.
    """

    def __init__(
        self, events: Binning, widths: tuple[int, ...], embedding: Embedding, rule: Rule, neuron: LIF, training: dict
    ) -> None:
        super().__init__(events.inputs, widths, embedding, rule, False, training, events)
        self.binning, self.neuron = events, neuron

    def spread(self, rows: Tensor, labels: Tensor) -> None:
        """Bring untrained weights to a scale at which these samples, (samples, row) and (samples,), make spikes."""
        weight, codes = self.layers[0].weight.detach(), self.embedding.codes
        events = spread(weight[:, : self.pixels], self.image_drive(rows), self.neuron)
        beside = spread(weight[:, self.pixels :], self.label_drive(codes), self.neuron)
        spread_above(self.layers, events + beside[:, labels], self.neuron)

    def image_drive(self, images: Tensor) -> Tensor:
        """The events' part of layer 1's sum in each step, (steps, samples, n), from rows (samples, row) uint8."""
        return event_drive(images, self.layers[0].weight[:, : self.pixels], self.binning)

    def label_drive(self, codes: Tensor) -> Tensor:
        """The labels' part of layer 1's sum in each step, (steps, ..., n)."""
        rates = (codes * round(RATE_ONE * self.neuron.rate)).round()
        start = torch.from_numpy(start_phases(codes.shape[-1], RATE_ONE)).to(rates.dtype).expand(rates.shape)
        spikes = torch.stack(list(rate_code(start, rates, RATE_ONE, self.binning.presented)))
        return spikes.to(codes.dtype) @ self.layers[0].weight[:, self.pixels :].T

    def activities(self, drive: Tensor, local: bool = True) -> list[Tensor]:
        """r of each layer, (samples, n), from layer 1's sums (steps, samples, n)."""
        return traces(self.layers, drive, self.neuron, local)

    @torch.no_grad()
    def label_scores(self, image_drive: Tensor) -> list[Tensor]:
        """Each layer's score of each label, (samples, classes), from image_drive (steps, samples, n)."""
        rule, under = self.rule, []
        for drive in self.label_drive(self.embedding.codes).unbind(1):
            h = self.activities(image_drive + drive[:, None])
            under.append([score(r, self.positive(at), rule.goodness, rule.probability) for at, r in enumerate(h)])
        return [torch.stack(parts, 1) for parts in zip(*under, strict=True)]

    def checkpoint(self) -> dict:
        content = super().checkpoint()
        content["spec"]["neuron"] = self.neuron.model_dump()
        return content


class SpikingClassifier(PlainNetwork):
    """The same layers without a label: a linear read-out of the last one's traces. Images are rows of packed spikes."""

    def __init__(self, events: Binning, widths: tuple[int, ...], classes: int, neuron: LIF, training: dict) -> None:
        super().__init__(
            events.inputs, widths, classes, Plain(read=(len(widths) - 1,), raw=True), bias=False, training=training
        )
        self.binning, self.neuron = events, neuron

    def spread(self, rows: Tensor) -> None:
        """As SpikingNetwork.spread."""
        weight = self.layers[0].weight.detach()
        drive = spread(weight, event_drive(rows, weight, self.binning), self.neuron)
        spread_above(self.layers, drive, self.neuron)

    def activities(self, images: Tensor, local: bool = True) -> list[Tensor]:
        """r of each layer, (samples, n)."""
        drive = event_drive(images, self.layers[0].weight, self.binning)
        return traces(self.layers, drive, self.neuron, local)

    def checkpoint(self) -> dict:
        content = super().checkpoint()
        content["spec"] |= {"neuron": self.neuron.model_dump(), "input": {"events": self.binning.model_dump()}}
        return content

"""Recipes of events: layers of LIF neurons, each by its own Forward-Forward loss, or all by backpropagation."""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir import Binning
from ff2loihi.compilers.ir.options import LIF, Probability, Symmetric
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend, tensor_of
from ff2loihi.ff.networks.labels import make_embedding
from ff2loihi.ff.networks.model import Rule
from ff2loihi.ff.networks.spiking import SpikingClassifier, SpikingNetwork
from ff2loihi.ff.recipes.recipe import Choice, layout, settle
from ff2loihi.ff.train import fit

FIRST = 100  # training samples that set the scale of untrained weights


@dataclass(frozen=True)
class _Recipe:
    """See recipe.Recipe and SizedRecipe. decay: of the membrane, a step; trace, trace_decay: what is read, see LIF."""

    source: str
    widths: tuple[int, ...]
    training: Training
    small_epochs: int
    quick: Choice
    decay: float
    trace: Literal["relu", "li"] = "relu"
    trace_decay: float = 0.85  # a step, of li
    choices: frozenset[str] = frozenset({"widths", "events"})

    @property
    def layout(self) -> str:
        return layout(self.widths)

    def neuron(self, events: Binning) -> LIF:
        """Of presentations of that length."""
        return LIF(kind="lif", decay=self.decay, steps=events.presented, trace=self.trace, trace_decay=self.trace_decay)


@dataclass(frozen=True)
class LocalRecipe(_Recipe):
    """FF: each layer by its own loss, whose gradient goes through its own membranes and no further."""

    probability: Probability = field(default_factory=lambda: Symmetric(kind="symmetric", epsilon=1.0))

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> SpikingNetwork:
        """0 epochs give the untrained net, whose scale `compile` sets. Raises DataError for images."""
        widths, training = settle(self, data, choice)
        embedding = make_embedding("one_hot", data.classes, torch.Generator())
        rule = Rule("sum_squares", self.probability, "none", "goodness")
        events, facts = _events(data), {**facts, "epochs": training.epochs}
        network = SpikingNetwork(events, widths, embedding, rule, self.neuron(events), facts)
        if training.epochs:
            network.spread(tensor_of(data.images[:FIRST], events), torch.from_numpy(data.labels[:FIRST]))
        fit(network, data, training, choice.seed, hooks)
        return network


@dataclass(frozen=True)
class ThroughTimeRecipe(_Recipe):
    """The same layers by cross-entropy of a linear read-out of the last one's counts, through all layers and steps."""

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> SpikingClassifier:
        """0 epochs give the untrained net. Raises DataError for images."""
        widths, training = settle(self, data, choice)
        events, facts = _events(data), {**facts, "epochs": training.epochs}
        network = SpikingClassifier(events, widths, data.classes, self.neuron(events), facts)
        if training.epochs:
            network.spread(tensor_of(data.images[:FIRST], events))

        def loss(images: Tensor, labels: Tensor, _: torch.Generator) -> Tensor:
            return F.cross_entropy(network.head(network.features(images, local=False)), labels)

        descend(network.parameters(), loss, data, training, choice.seed, hooks, network=network)
        return network


def _events(data: Dataset) -> Binning:
    if data.events is None:
        raise DataError(f"{data.name}: images, and this recipe trains on events. Use --events saccades, or recordings")
    return data.events


SPIKING = {
    "ff-lif": LocalRecipe(
        source="Forward-Forward on events: LIF layers, each by its own loss with a surrogate gradient",
        widths=(200,), training=Training(epochs=4, batch=100, rate=0.01, hard=1.0), small_epochs=25,
        quick=Choice(epochs=1), decay=0.995,
    ),
    "ff-lif-decay": LocalRecipe(
        source="as ff-lif, with traces that decay: a spike counts the less the earlier it was",
        widths=(200,), training=Training(epochs=4, batch=100, rate=0.01, hard=1.0), small_epochs=25,
        quick=Choice(epochs=1), decay=0.995, trace="li", trace_decay=0.95,
    ),
    "bptt-lif": ThroughTimeRecipe(
        source="the same LIF layers by backpropagation through time, with a linear read-out: what FF is held against",
        widths=(200,), training=Training(epochs=4, batch=100, rate=0.01), small_epochs=25, quick=Choice(epochs=1),
        decay=0.995,
    ),
}  # fmt: skip

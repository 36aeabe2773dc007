"""How pairs of samples train a network, how a softmax head is fitted, and how well a network classifies."""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend, tensor_of
from ff2loihi.ff.networks.channels import CwCNetwork
from ff2loihi.ff.networks.checkpoint import Model
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.objectives.goodness import goodness
from ff2loihi.ff.objectives.goodness import loss as layer_loss
from ff2loihi.ff.objectives.negatives import Corruption, mixed_negatives, random_negatives
from ff2loihi.ff.steps import Steps
from ff2loihi.ff.threads import threads_for
from ff2loihi.streams import torch_seed

EVALUATION_BATCH = 1000
HEAD = Training(epochs=20, batch=200, rate=0.01)


class Scoring(Protocol):
    """A Model, or something else with its scores."""

    def scores(self, images: Tensor) -> Tensor: ...


class LayerLosses(nn.Module):
    """The sum of the layers' losses, each layer judged by itself."""

    def forward(self, network: FFNetwork, positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        """positive, negative: h of each layer, (batch, n). The gradient of what is returned is every layer's update."""
        rule = network.rule
        losses = (
            layer_loss(p, n, network.positive(index), rule.goodness, rule.probability).mean()
            for index, (p, n) in enumerate(zip(positive, negative, strict=True))
        )
        return sum(losses, torch.zeros(()))


def fit(
    network: FFNetwork,
    data: Dataset,
    training: Training,
    seed: int,
    hooks: Hooks = SILENT,
    corrupt: Corruption | None = None,
    objective: nn.Module | None = None,
) -> None:
    """Train in place, every layer at once. A pair is an image with its label and the same image with a wrong one.

    corrupt: what becomes of the wrong one's image; objective: as LayerLosses, its default, with parameters that learn.
    """
    objective = objective or LayerLosses()

    def loss(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        changed = corrupt(images, generator, data.shape) if corrupt else images
        return objective(network, *_pairs(network, (images, changed), labels, training.hard, generator, local=True))

    descend([*network.parameters(), *objective.parameters()], loss, data, training, seed, hooks, network=network)


def fit_by_backprop(network: FFNetwork, data: Dataset, training: Training, seed: int, hooks: Hooks = SILENT) -> None:
    """Train in place on the goodness of all layers, by backprop through them: log(1 + exp(sum Gneg - sum Gpos)).

    Tosato 2025, sec. 3.3.
    """

    def loss(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        positive, negative = (
            sum((goodness(h, network.rule.goodness) for h in layers), torch.zeros(()))
            for layers in _pairs(network, (images, images), labels, training.hard, generator, local=False)
        )
        return F.softplus(negative - positive).mean()

    descend(network.parameters(), loss, data, training, seed, hooks, network=network)


def _pairs(
    network: FFNetwork,
    images: tuple[Tensor, Tensor],
    labels: Tensor,
    hard: float,
    generator: torch.Generator,
    local: bool,
) -> tuple[list[Tensor], list[Tensor]]:
    """h of each layer, (batch, n), of the positive and of the negative samples; images: of the two, or one twice."""
    codes = network.embedding.codes
    drive = network.image_drive(images[0])
    if hard:
        with torch.no_grad():
            scores = network.combine(network.label_scores(drive))
        wrong = mixed_negatives(scores, labels, hard, generator)
    else:
        wrong = random_negatives(labels, len(codes), generator)
    other = drive if images[1] is images[0] else network.image_drive(images[1])
    positive = network.activities(drive + network.label_drive(codes[labels]), local)
    return positive, network.activities(other + network.label_drive(codes[wrong]), local)


def fitted_head(
    features_of: Callable[[Tensor], Tensor], data: Dataset, training: Training, seed: int, hooks: Hooks = SILENT
) -> nn.Linear:
    """A softmax head, fitted on what a frozen network makes of images by cross-entropy (Hinton 2022, sec. 3.3)."""
    generator = torch.Generator().manual_seed(torch_seed(seed, "head"))
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    with torch.no_grad():
        features = torch.cat([features_of(part.float() / 255) for part in images.split(EVALUATION_BATCH)])
    head = nn.Linear(features.shape[1], data.classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.Adam(head.parameters(), lr=training.rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.epochs)
    batch, steps = training.batch, -(-len(labels) // training.batch)
    way = Steps("head", len(labels), batch, steps, training.epochs, generator, optimizer, falling, falls_each=steps)
    with threads_for(head.weight.numel() * batch):
        for done, chosen in way.walk(hooks.kept):
            optimizer.zero_grad()
            F.cross_entropy(head(features[chosen]), labels[chosen]).backward()
            optimizer.step()
            if done % steps == 0:
                hooks.progress(done // steps, training.epochs, "softmax head")
    return head


@torch.no_grad()
def measured(network: Model, data: Dataset) -> dict[str, float]:
    """Accuracy, and each layer's mean score of the true and of the wrong labels; a network with a head has neither yet.

    It is asked in the middle of a training, and changes nothing of it.
    """
    images, labels = tensor_of(data.images, data.events), torch.from_numpy(data.labels)
    true = torch.arange(data.classes) == labels[:, None]
    if isinstance(network, FFNetwork):
        parts = network.label_scores(network.image_drive(images))
        scores, layers = network.combine(parts), dict(enumerate(parts, 1))
    elif isinstance(network, CwCNetwork):
        network.eval()
        scores = network.scores(images.to(network.weight(0).device)).cpu()
        network.train()
        layers = {len(network.geometry): scores}
    else:
        return {}
    found = {"accuracy/training images": float((scores.argmax(1) == labels).float().mean())}
    for layer, part in layers.items():
        found |= {f"goodness/layer {layer}, true label": float(part[true].mean())}
        found |= {f"goodness/layer {layer}, wrong labels": float(part[~true].mean())}
    return found


def evaluate(network: Scoring, data: Dataset) -> float:
    """Accuracy: the share of right arg-max."""
    parts = [network.scores(part).argmax(1) for part in tensor_of(data.images, data.events).split(EVALUATION_BATCH)]
    return float((torch.cat(parts).numpy() == data.labels).mean())

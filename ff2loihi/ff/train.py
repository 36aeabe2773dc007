"""The training loop that all recipes share: every layer at once, each on its own loss, on pairs of samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.ff.data import Dataset
from ff2loihi.ff.goodness import loss as layer_loss
from ff2loihi.ff.labels import mixed_negatives
from ff2loihi.ff.model import FFNetwork

Progress = Callable[[int, int, str], None]  # (steps done, steps, note)
EVALUATION_BATCH = 1000
HEAD_EPOCHS = 20
HEAD_RATE = 0.01


@dataclass(frozen=True)
class Schedule:
    """epochs, batch [pairs], rate: Adam's, falling to 0 as a cosine; hard: share of hard negatives, 0..1."""

    epochs: int
    batch: int
    rate: float
    hard: float


def tensor_of(images: np.ndarray) -> Tensor:
    """(samples, pixels) uint8 -> float32 in [0, 1]."""
    return torch.from_numpy(images).float() / 255


def fit(network: FFNetwork, data: Dataset, schedule: Schedule, seed: int, progress: Progress | None = None) -> None:
    """Train in place. A pair is an image with its label and the same image with a wrong one; the same seed
    gives the same weights on the same machine and number of threads."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = tensor_of(data.images), torch.from_numpy(data.labels)
    batch = min(schedule.batch, len(labels))
    steps = len(labels) // batch
    total = schedule.epochs * steps
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, total))
    for epoch in range(schedule.epochs):
        order = torch.randperm(len(labels), generator=generator)
        for step, chosen in enumerate(order.split(batch)[:steps]):
            value = _step(network, images[chosen], labels[chosen], optimizer, schedule.hard, generator)
            falling.step()
            if progress and step % 10 == 9:
                progress(epoch * steps + step + 1, total, f"epoch {epoch + 1}, loss {value:.3f}")


def _step(network: FFNetwork, images: Tensor, labels: Tensor, optimizer, hard: float, generator) -> float:
    codes = network.embedding.codes
    image_drive = network.image_drive(images)
    with torch.no_grad():
        wrong = mixed_negatives(network.combine(network.label_scores(image_drive)), labels, hard, generator)
    positive = network.activities(image_drive + network.label_drive(codes[labels]))
    negative = network.activities(image_drive + network.label_drive(codes[wrong]))
    rule = network.rule
    total = sum(
        layer_loss(p, n, network.positive(index), rule.goodness, rule.probability).mean()
        for index, (p, n) in enumerate(zip(positive, negative, strict=True))
    )
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.item()


def fit_head(network: FFNetwork, data: Dataset, batch: int, seed: int, progress: Progress | None = None) -> None:
    """Fit the softmax head on the frozen features by cross-entropy (Hinton 2022, sec. 3.3)."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = tensor_of(data.images), torch.from_numpy(data.labels)
    features = torch.cat([network.features(part) for part in images.split(EVALUATION_BATCH)])
    head = nn.Linear(features.shape[1], len(network.embedding.codes))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.Adam(head.parameters(), lr=HEAD_RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, HEAD_EPOCHS)
    for epoch in range(HEAD_EPOCHS):
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(head(features[chosen]), labels[chosen]).backward()
            optimizer.step()
        falling.step()
        if progress:
            progress(epoch + 1, HEAD_EPOCHS, "softmax head")
    network.head = head


def evaluate(network: FFNetwork, data: Dataset) -> float:
    """Accuracy: the share of right arg-max."""
    parts = [network.scores(part).argmax(1) for part in tensor_of(data.images).split(EVALUATION_BATCH)]
    return float((torch.cat(parts).numpy() == data.labels).mean())

"""The loop that trains every network: batches of images, a loss, Adam."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ff2loihi.data.datasets import Dataset
from ff2loihi.data.jitter import moved
from ff2loihi.ff.threads import threads_for
from ff2loihi.streams import torch_seed

StepProgress = Callable[[int, int, str], None]  # (steps done, steps, note)
Loss = Callable[[Tensor, Tensor, torch.Generator], Tensor]  # images (batch, pixels) in [0, 1], labels (batch,), coins


@dataclass(frozen=True)
class Training:
    """How a float network is trained; a learning.controller.Schedule says how one learns on the chip.

    epochs, batch [images], rate: Adam's, falling to 0 as a cosine or constant; hard: share of hard negatives, 0..1.
    A paper's pair of samples, positive and negative, is made of one image. jitter: pixels that an image is moved by at
    most, each way, anew each time.
    """

    epochs: int
    batch: int
    rate: float
    hard: float = 0.0
    falling: bool = True
    jitter: int = 0


def tensor_of(images: np.ndarray) -> Tensor:
    """(samples, pixels) uint8 -> float32 in [0, 1]."""
    return torch.from_numpy(images).float() / 255


def descend(
    parameters: Iterable[Tensor] | Iterable[dict],
    loss: Loss,
    data: Dataset,
    training: Training,
    seed: int,
    progress: StepProgress | None = None,
    device: str = "cpu",
) -> None:
    """Minimise `loss` in place; the same seed gives the same weights on the same machine and number of threads.

    parameters: or groups of them, as torch.optim takes them, with rates of their own. device: where they are, and
    images and labels go.
    """
    generator = torch.Generator().manual_seed(torch_seed(seed, "training"))
    labels = torch.from_numpy(data.labels)
    batch = min(training.batch, len(labels))
    steps = len(labels) // batch
    total = training.epochs * steps
    optimizer = torch.optim.Adam(parameters, lr=training.rate, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, total)) if training.falling else None
    weights = sum(weight.numel() for group in optimizer.param_groups for weight in group["params"])
    with threads_for(weights * batch):
        for epoch in range(training.epochs):
            order = torch.randperm(len(labels), generator=generator)
            for step, chosen in enumerate(order.split(batch)[:steps]):
                images, most = data.images[chosen.numpy()], training.jitter
                if most:
                    by = torch.randint(-most, most + 1, (len(images), 2), generator=generator)
                    images = moved(images, by.numpy(), data.shape)
                value = loss(tensor_of(images).to(device), labels[chosen].to(device), generator)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                if falling:
                    falling.step()
                if progress and step % 10 == 9:
                    progress(epoch * steps + step + 1, total, f"epoch {epoch + 1}, loss {value.item():.3f}")

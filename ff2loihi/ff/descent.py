"""The loop that trains every network: batches of images, a loss, Adam."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ff2loihi.compilers.ir import Binning
from ff2loihi.data.datasets import Dataset
from ff2loihi.data.jitter import moved
from ff2loihi.ff.networks.checkpoint import Model
from ff2loihi.ff.steps import Kept, Steps
from ff2loihi.ff.threads import threads_for
from ff2loihi.streams import torch_seed

StepProgress = Callable[[int, int, str], None]  # (steps done, steps, note)
StepLog = Callable[[int, int, Tensor, Model], None]  # (steps done, steps an epoch, loss, the network after them)
Loss = Callable[[Tensor, Tensor, torch.Generator], Tensor]  # images: see tensor_of, labels (batch,), coins


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


@dataclass(frozen=True)
class Hooks:
    """What a training tells, and where its state is kept: see ff.steps."""

    progress: StepProgress = lambda done, total, note: None
    kept: Kept | None = None
    log: StepLog | None = None


SILENT = Hooks()


def tensor_of(images: np.ndarray, events: Binning | None = None) -> Tensor:
    """(samples, pixels) uint8 -> float32 in [0, 1]; of events the rows of packed spikes, as they are."""
    return torch.from_numpy(images) if events else torch.from_numpy(images).float() / 255


def descend(
    parameters: Iterable[Tensor] | Iterable[dict],
    loss: Loss,
    data: Dataset,
    training: Training,
    seed: int,
    hooks: Hooks = SILENT,
    device: str = "cpu",
    extra: tuple[Tensor, ...] = (),
    network: Model | None = None,
) -> None:
    """Minimise `loss` in place; the same seed gives the same weights on the same machine and number of threads.

    parameters: or groups of them, as torch.optim takes them, with rates of their own. device: where they are, and
    images and labels go. extra: tensors that the loss changes by itself, as running means are. network: the one that
    the log is about.
    """
    generator = torch.Generator().manual_seed(torch_seed(seed, "training"))
    labels = torch.from_numpy(data.labels)
    batch = min(training.batch, len(labels))
    steps = len(labels) // batch
    total = training.epochs * steps
    optimizer = torch.optim.Adam(parameters, lr=training.rate, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, total)) if training.falling else None
    way = Steps("network", len(labels), batch, steps, training.epochs, generator, optimizer, falling, extra=extra)
    with threads_for(sum(weight.numel() for weight in way.parameters) * batch):
        for done, chosen in way.walk(hooks.kept):
            images, most = data.images[chosen.numpy()], training.jitter
            if most:
                by = torch.randint(-most, most + 1, (len(images), 2), generator=generator)
                images = moved(images, by.numpy(), data.shape)
            value = loss(tensor_of(images, data.events).to(device), labels[chosen].to(device), generator)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            epoch, step = divmod(done - 1, steps)
            if step % 10 == 9:
                hooks.progress(done, total, f"epoch {epoch + 1}, loss {value.item():.3f}")
            if hooks.log and network:
                hooks.log(done, steps, value.detach(), network)

"""Forward-Forward nets as public PyTorch code has them, trained here and saved as their users save them: a state_dict.

    python examples/public_forms.py FOLDER                   on digits, in about a minute
    python examples/public_forms.py FOLDER --data mnist      the rows of RESULTS.md

None of it knows of ff2loihi, but for the images: write FORM.yaml with `ff2loihi spec FOLDER/FORM.pt`, then
`ff2loihi compile FOLDER/FORM.pt --spec FORM.yaml`. What is printed is torch's own accuracy on the whole test set.

    standardised  pixels standardised, the label over the first ten of them with the value x.max(), every layer's input
                  divided by its l2 norm; each layer learns by itself to have a mean square above or below a threshold
    classifier    the label as above in 0 and 1, every layer's input by its root mean square; one linear classifier
                  over the layers but the first, under the neutral label 1/10 each
    pooled        convolutions, batch norm, ReLU and max pooling; channels compete for the classes
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ff2loihi.data.datasets import load_data

BATCH, CLASSES = 100, 10
MEAN, STD = 0.1307, 0.3081  # as people standardise MNIST's pixels


def with_label(x: Tensor, labels: Tensor, value: float) -> Tensor:
    """x (samples, pixels) with a one-hot label of that value over its first ten pixels."""
    return torch.cat([value * F.one_hot(labels, CLASSES), x[:, CLASSES:]], 1)


def wrong(labels: Tensor) -> Tensor:
    return (labels + torch.randint(1, CLASSES, labels.shape)) % CLASSES


class Layer(nn.Linear):
    """relu(W x / ||x|| + b), the l2 norm of the public code's 'direction'."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x / (x.norm(2, 1, keepdim=True) + 1e-4)))


class Standardised(nn.Module):
    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(pixels, 500), Layer(500, 500)])

    def outputs(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.layers:
            x = layer(x.detach())
            found.append(x)
        return found

    def seen(self, images: Tensor, labels: Tensor) -> Tensor:
        x = (images - MEAN) / STD
        return with_label(x, labels, float(x.max()))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        real, false = (self.outputs(self.seen(images, y)) for y in (labels, wrong(labels)))
        gaps = ((2 - p.square().mean(1), n.square().mean(1) - 2) for p, n in zip(real, false, strict=True))
        return sum(F.softplus(torch.cat(both)).mean() for both in gaps)

    def predicted(self, images: Tensor) -> Tensor:
        tried = (self.outputs(self.seen(images, torch.full((len(images),), label))) for label in range(CLASSES))
        return torch.stack([sum(h.square().mean(1) for h in found) for found in tried], 1).argmax(1)


class Classifier(nn.Module):
    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.model = nn.ModuleList([nn.Linear(pixels, 500), nn.Linear(500, 500), nn.Linear(500, 500)])
        self.linear_classifier = nn.Sequential(nn.Linear(1000, CLASSES, bias=False))

    def outputs(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.model:
            x = x / (x.square().mean(1, keepdim=True).sqrt() + 1e-8)
            found.append(F.relu(layer(x.detach())))
            x = found[-1]
        return found

    def logits(self, images: Tensor) -> Tensor:
        neutral = torch.cat([torch.full((len(images), CLASSES), 1 / CLASSES), images[:, CLASSES:]], 1)
        scaled = [h / (h.square().mean(1, keepdim=True).sqrt() + 1e-8) for h in self.outputs(neutral)[1:]]
        return self.linear_classifier(torch.cat(scaled, 1).detach())

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        real, false = (self.outputs(with_label(images, y, 1.0)) for y in (labels, wrong(labels)))
        pairs = ((p.square().sum(1), n.square().sum(1), p.shape[1]) for p, n in zip(real, false, strict=True))
        judged = sum(F.softplus(width - p).mean() + F.softplus(n - width).mean() for p, n, width in pairs)
        return judged + F.cross_entropy(self.logits(images), labels)

    def predicted(self, images: Tensor) -> Tensor:
        return self.logits(images).argmax(1)


class Block(nn.Module):
    def __init__(self, below: int, channels: int, pool: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(below, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(F.relu(self.bn(self.conv(x))))


class Pooled(nn.Module):
    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.side = round(pixels**0.5)
        self.blocks = nn.ModuleList([Block(1, 20, True), Block(20, 40, True), Block(40, 80, False)])

    def goodness(self, images: Tensor) -> list[Tensor]:
        x, found = images.view(-1, 1, self.side, self.side), []
        for block in self.blocks:
            x = block(x.detach())
            found.append(x.square().mean((2, 3)).view(len(x), CLASSES, -1).mean(2))
        return found

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return sum(F.cross_entropy(g, labels) for g in self.goodness(images))

    def predicted(self, images: Tensor) -> Tensor:
        return self.goodness(images)[-1].argmax(1)


# form -> (network, Adam's rate, epochs on a large set, and on a small one)
FORMS = {
    "standardised": (Standardised, 0.03, 12, 120),
    "classifier": (Classifier, 0.001, 12, 40),
    "pooled": (Pooled, 0.01, 5, 20),
}


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--form", choices=FORMS, help="this one alone")
    args = parser.parse_args(words)
    args.folder.mkdir(exist_ok=True)
    train, test = (load_data(args.data, split) for split in ("train", "test"))
    for name, (kind, rate, *epochs) in FORMS.items():
        if args.form not in (None, name):
            continue
        torch.manual_seed(0)
        net = kind(train.images.shape[1])
        images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
        optimizer = torch.optim.Adam(net.parameters(), lr=rate)
        rounds = epochs[len(labels) < 10_000]
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)
        for _ in range(rounds):
            for chosen in torch.randperm(len(labels)).split(BATCH):
                optimizer.zero_grad()
                net.loss(images[chosen].float() / 255, labels[chosen]).backward()
                optimizer.step()
            falling.step()
        net.eval()
        torch.save(net.state_dict(), args.folder / f"{name}.pt")
        with torch.no_grad():
            found = torch.cat([net.predicted(part.float() / 255) for part in torch.from_numpy(test.images).split(500)])
        accuracy = (found.numpy() == test.labels).mean()
        print(f"{args.folder / name}.pt: {accuracy:.2%} of the {len(found):,} test images of {args.data}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Goodness, the probability of being positive, the losses, and the third factor that their gradients contain.

Shapes: h (..., n) activities of one layer; positive (n,) bool, the + neurons; a phase is positive or negative.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.compilers.ir.options import Contrast, Probability, Sigmoid, Symmetric


def goodness(h: Tensor, kind: str) -> Tensor:
    """G(h) (...): sum h^2 (Hinton 2022), its mean, ||h||_2 and ||h||_1 (Tosato 2025, sec. 3.2 and app. K)."""
    if kind == "sum_squares":
        return h.square().sum(-1)
    if kind == "mean_squares":
        return h.square().mean(-1)
    if kind == "l2":
        return h.norm(dim=-1)
    if kind == "l1":
        return h.abs().sum(-1)
    raise ValueError(f"goodness must be sum_squares, mean_squares, l2 or l1, got {kind!r}")


def polar(h: Tensor, positive: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """(G+, G-), each (...): the goodness of the + and of the - neurons; a mean is over the whole layer."""
    return goodness(h * positive, kind), goodness(h * ~positive, kind)


def score(h: Tensor, positive: Tensor, kind: str, probability: Probability) -> Tensor:
    """What a label is judged by: P_sym, or the goodness itself (a sigmoid saturates in float32, G does not)."""
    if isinstance(probability, Symmetric):
        plus, minus = polar(h, positive, kind)
        return (plus + probability.epsilon) / (plus + minus + 2 * probability.epsilon)
    return goodness(h, kind)


def loss(h_pos: Tensor, h_neg: Tensor, positive: Tensor, kind: str, probability: Probability) -> Tensor:
    """The layer's loss (...), positive and negative samples in pairs.

    sigmoid:   -log P(G_pos) - log(1 - P(G_neg)), P = sigmoid(alpha (G - theta))   (Hinton 2022)
    symmetric: -log P_pos - log(1 - P_neg), P = (G+ + e) / (G+ + G- + 2 e)          (Lee and Song 2023)
    contrast:  log(1 + exp(G_neg - G_pos))                                          (Tosato 2025, sec. 3.2)
    """
    if isinstance(probability, Contrast):
        return F.softplus(goodness(h_neg, kind) - goodness(h_pos, kind))
    return phase_loss(h_pos, positive, kind, probability, True) + phase_loss(h_neg, positive, kind, probability, False)


def phase_loss(h: Tensor, positive: Tensor, kind: str, probability: Probability, is_positive: bool) -> Tensor:
    """Binary cross-entropy of one phase (...): -log P, or -log(1 - P)."""
    if isinstance(probability, Sigmoid):
        return threshold_loss(goodness(h, kind), probability, is_positive)
    if isinstance(probability, Symmetric):
        plus, minus = polar(h, positive, kind)
        e = probability.epsilon
        return torch.log(plus + minus + 2 * e) - torch.log((plus if is_positive else minus) + e)
    raise ValueError(f"probability {probability.kind!r} has no loss of a single phase")


def threshold_loss(g: Tensor, probability: Sigmoid, is_positive: bool) -> Tensor:
    """log(1 + exp(-y alpha (G - theta))), y = 1 for a positive sample and -1 for a negative one; g (...)."""
    z = probability.alpha * (g - probability.theta)
    return -F.logsigmoid(z if is_positive else -z)  # softplus turns linear at 20 and loses the gradient's tail


def third_factor(h: Tensor, positive: Tensor, probability: Probability, is_positive: bool) -> Tensor:
    """M (..., n) with Delta w_ij = -dL/dw_ij = M_j h_j x_i, for G = sum h^2 and ReLU (Terres-Escudero 2024, eq. 4).

    sigmoid, eq. 5:   M = 2 alpha (1 - P) for a positive sample, -2 alpha P for a negative one
    symmetric, eq. 6: M = 2 (1 / (G+ + e) - 1 / S) on + neurons and -2 / S on - neurons for a positive sample,
                      the polarities exchanged for a negative one; S = G+ + G- + 2 e. With e = 0 the first
                      term is eq. 6's 2 (1 - P) / G+.
    """
    if isinstance(probability, Sigmoid):
        p = torch.sigmoid(probability.alpha * (goodness(h, "sum_squares") - probability.theta))
        m = 2 * probability.alpha * ((1 - p) if is_positive else -p)
        return m[..., None].expand(h.shape)
    if isinstance(probability, Symmetric):
        plus, minus = polar(h, positive, "sum_squares")
        e = probability.epsilon
        total = (plus + minus + 2 * e)[..., None]
        own = (plus if is_positive else minus)[..., None] + e
        grows = positive if is_positive else ~positive
        return 2 * (torch.where(grows, 1 / own, torch.zeros_like(own)) - 1 / total)
    raise ValueError(f"probability {probability.kind!r} has no third factor of a single phase")

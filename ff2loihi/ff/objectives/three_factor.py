"""Three-factor Hebbian FF: pre x post x a modulator that other layers share in (the slides)."""

from typing import Literal

import torch
from torch import Tensor, nn

from ff2loihi.compilers.ir.options import Sigmoid
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.objectives.goodness import goodness

Sources = Literal["bottom-up", "top-down", "both"]


class ThreeFactor(nn.Module):
    """Delta w_ij = eta h_i h_j M: h_i the layer's input, h_j its own activity, M a number for each sample and layer,

        M_l = 2 alpha y (1 - P_l),  P_l = sigmoid(y alpha (mean of G_k over k in S_l - theta)),

    y = 1 for a positive sample and -1 for a negative one; S_l = 1..l (bottom-up), l..L (top-down), 1..L (both). With
    S_l = {l} this is Forward-Forward itself (Terres-Escudero 2024, eq. 1 and 5). The slides leave M open.
    """

    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self.sources = sources

    def forward(self, network: FFNetwork, positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        """-sum of M_l G_l / 2, M held fixed, G = sum h^2: its gradient is the rule. See ff.train.LayerLosses."""
        probability = network.rule.probability
        assert isinstance(probability, Sigmoid)  # as in every recipe of the slides
        total = torch.zeros(())
        for h, y in ((positive, 1), (negative, -1)):
            g = torch.stack([goodness(part, "sum_squares") for part in h])
            for index in range(len(h)):
                seen = slice(
                    0 if self.sources != "top-down" else index, index + 1 if self.sources == "bottom-up" else None
                )
                error = torch.sigmoid(-y * probability.alpha * (g[seen].detach().mean(0) - probability.theta))
                total = total - (2 * probability.alpha * y * error * g[index]).mean() / 2
        return total

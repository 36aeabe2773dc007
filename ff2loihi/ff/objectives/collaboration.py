"""Layer collaboration: a layer is judged by its neighbours' goodness, too (the slides; Lorberbom et al. 2024)."""

import torch
from torch import Tensor, nn

from ff2loihi.compilers.ir.options import Sigmoid
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.objectives.goodness import goodness, threshold_loss


class Collaboration(nn.Module):
    """The sum over layers of log(1 + exp(-y alpha (G' - theta))), G'_l = G_l + gamma (G_(l-1) + G_(l+1)).

    The neighbours' goodness is a number to the layer: no gradient reaches them through it. theta is the single layer's.
    The read-out stays the sum of G_l; with two layers the sum of G'_l is 1 + gamma times that.
    """

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, network: FFNetwork, positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        """See ff.train.LayerLosses."""
        rule, total = network.rule, torch.zeros(())
        assert isinstance(rule.probability, Sigmoid)  # as in every recipe of the slides
        for h, is_positive in ((positive, True), (negative, False)):
            own = [goodness(part, rule.goodness) for part in h]
            for index, g in enumerate(own):
                near = own[max(0, index - 1) : index] + own[index + 1 : index + 2]
                joint = g + self.gamma * sum(part.detach() for part in near)
                total = total + threshold_loss(joint, rule.probability, is_positive).mean()
        return total

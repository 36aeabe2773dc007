"""PCL-FF: a layer learns from what the layer above does not predict of it (the slides)."""

import torch
from torch import Tensor, nn

from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.objectives.goodness import phase_loss


class PredictionErrors(nn.Module):
    """e_l = h_l - V_l h_(l+1), e_L = h_L: the layers' losses are those of G(e_l) in place of G(h_l).

    W_l descends its loss with the prediction held fixed, so that its update is the error times its input; V_l, the
    slides' W^(l+1 -> l), descends |e_l|^2 / 2: Delta V_l = eta e_l h_(l+1)^T. Predictions act on learning alone: what
    passes up, and what is read, is h_l, so that the trained net is a plain feed-forward one.
    widths: neurons of each layer.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = zip(widths[1:], widths, strict=False)
        self.down = nn.ModuleList(nn.Linear(above, below, bias=False) for above, below in pairs)

    def forward(self, network: FFNetwork, positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        """See ff.train.LayerLosses."""
        rule = network.rule
        total = torch.zeros(())
        for h, is_positive in ((positive, True), (negative, False)):
            predicted = [down(above.detach()) for down, above in zip(self.down, h[1:], strict=True)]
            for index, own in enumerate(h):
                error = own - predicted[index].detach() if index < len(predicted) else own
                total = (
                    total
                    + phase_loss(error, network.positive(index), rule.goodness, rule.probability, is_positive).mean()
                )
            for guess, own in zip(predicted, h, strict=False):
                total = total + (own.detach() - guess).square().sum(-1).mean() / 2
        return total

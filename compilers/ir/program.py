"""What an artifact holds."""

from dataclasses import dataclass

from ff2loihi.compilers.ir.inference import IntNetwork, LayerLoss
from ff2loihi.compilers.ir.learning import LearningNetwork


@dataclass(frozen=True)
class Program:
    """An artifact's content: the integer network, what each layer lost, and where it came from (JSON-able)."""

    network: IntNetwork | LearningNetwork
    losses: tuple[LayerLoss, ...]
    provenance: dict

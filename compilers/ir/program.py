"""What an artifact holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from ff2loihi.compilers.ir.inference import IntNetwork, LayerLoss
from ff2loihi.compilers.ir.learning import LearningNetwork

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Net = TypeVar("Net", bound=IntNetwork | LearningNetwork)


@dataclass(frozen=True)
class Program(Generic[Net]):
    """An artifact's content: the integer network, what each layer lost, and where it came from (JSON-able)."""

    network: Net
    losses: tuple[LayerLoss, ...]
    provenance: dict

    def __repr__(self) -> str:
        """Its kind and sizes, as 74-60-10: not its arrays."""
        net: IntNetwork | LearningNetwork = self.network
        sizes = "-".join(str(n) for n in (net.inputs, *(layer.neurons for layer in net.layers)))
        if isinstance(net, LearningNetwork):
            return f"<Program: {sizes}, learns, {net.probability}, {net.steps} steps>"
        kind = net.neuron if net.neuron == "graded" else f"lif, {net.reset} reset, {net.steps} steps"
        return f"<Program: {sizes}, {kind}, read-out {net.readout}>"


AnyProgram: TypeAlias = Program[IntNetwork] | Program[LearningNetwork]


def learns(program: AnyProgram) -> "TypeIs[Program[LearningNetwork]]":
    """Which of the two it is."""
    return isinstance(program.network, LearningNetwork)

"""The three models of Tosato 2025 on the same layers: FF, its objective by backprop (BP/FF), and cross-entropy (BP).

The paper's text compares the goodness of a pair, log(1 + exp(Gneg - Gpos)); its published code compares each with a
threshold of 3. Ours: FF with the l2 norm as in the code, which made its first layer as sparse as the paper's Table 2
(RESULTS.md), the others as in the text.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ff2loihi.compilers.ir.options import Contrast, Probability, Sigmoid
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, Training, descend
from ff2loihi.ff.networks.labels import make_embedding
from ff2loihi.ff.networks.model import FFNetwork, Rule
from ff2loihi.ff.networks.plain import Plain, PlainNetwork
from ff2loihi.ff.recipes.recipe import Choice, layout, training_for
from ff2loihi.ff.train import fit, fit_by_backprop

LAYERS = 3
WIDTH, COLOUR_WIDTH = 1000, 3072  # neurons of a layer, for grey and for colour images (sec. 3.2)
BATCH = 1024
SMALL_EPOCHS = 40
CONTRAST, THRESHOLD = Contrast(kind="contrast"), Sigmoid(kind="sigmoid", theta=3.0)


@dataclass(frozen=True)
class _Recipe:
    """See recipe.Recipe. paper: (epochs, rate) for a data set (Table 6, app. K); short: what `--quick` takes.

    own: in place of the paper's.
    """

    source: str
    paper: dict[str, tuple[int, float]]
    short: Training
    own: Training | None = None
    choices: frozenset[str] = frozenset({"widths"})

    @property
    def layout(self) -> str:
        return layout((WIDTH,) * LAYERS)

    def training(self, data: Dataset, choice: Choice) -> Training:
        """The paper's rate is constant; a small set, or one that the paper has not, gets the rate of `short`."""
        usual = self.short if choice.quick or not self.own else self.own
        if data.name in self.paper and not choice.quick:
            epochs, rate = self.paper[data.name]
            usual = Training(epochs, BATCH, rate, falling=False)
        return training_for(data, choice, usual, SMALL_EPOCHS)

    def widths(self, data: Dataset, choice: Choice) -> tuple[int, ...]:
        return choice.widths or (WIDTH if data.channels == 1 else COLOUR_WIDTH,) * LAYERS


@dataclass(frozen=True)
class GoodnessRecipe(_Recipe):
    """FF, or BP/FF where backprop; the goodness is a norm, l2 or l1, and so is the normalisation between layers."""

    norm: str = "l2"
    probability: Probability = field(default_factory=lambda: CONTRAST)
    backprop: bool = False

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> FFNetwork:
        training = self.training(data, choice)
        embedding = make_embedding("pixels", data.classes, torch.Generator(), data.channels)
        rule = Rule(self.norm, self.probability, self.norm, "softmax")
        facts = {**facts, "epochs": training.epochs}
        network = FFNetwork(data.images.shape[1], self.widths(data, choice), embedding, rule, True, facts)
        learn = fit_by_backprop if self.backprop else fit
        learn(network, data, training, choice.seed, hooks)
        return network


@dataclass(frozen=True)
class BackpropRecipe(_Recipe):
    """BP: no label in the input, a linear layer on the last layer's activities as they are."""

    def train(self, data: Dataset, choice: Choice, facts: dict, hooks: Hooks = SILENT) -> PlainNetwork:
        training, widths = self.training(data, choice), self.widths(data, choice)
        kind = Plain(read=(len(widths) - 1,), raw=True)
        facts = {**facts, "epochs": training.epochs}
        network = PlainNetwork(data.images.shape[1], widths, data.classes, kind, True, facts)

        def loss(images: Tensor, labels: Tensor, _: torch.Generator) -> Tensor:
            return F.cross_entropy(network.head(network.features(images, local=False)), labels)

        descend(network.parameters(), loss, data, training, choice.seed, hooks, network=network)
        return network


def _table(mnist: tuple, fashion: tuple, svhn: tuple, cifar10: tuple) -> dict[str, tuple[int, float]]:
    return {"mnist": mnist, "fashion-mnist": fashion, "svhn": svhn, "cifar10": cifar10}


_FF = _table((1200, 0.01), (100, 0.01), (1000, 1e-4), (1000, 1e-4))
_BP_FF = _table((300, 1e-4), (300, 1e-4), (200, 1e-4), (200, 1e-4))
_BP = _table((80, 1e-4), (80, 1e-4), (80, 1e-4), (80, 1e-4))
_L1 = {"mnist": (300, 1e-3), "fashion-mnist": (300, 1e-3)}
_SHORT, _SHORT_FF = Training(epochs=4, batch=128, rate=1e-3), Training(epochs=6, batch=128, rate=3e-3)

TOSATO = {
    "tosato-ff": GoodnessRecipe("Tosato 2025, FF, l2 goodness", _FF, _SHORT_FF, probability=THRESHOLD),
    "tosato-ff-contrast": GoodnessRecipe("Tosato 2025, sec. 3.2, FF by log(1 + exp(Gneg - Gpos))", _FF, _SHORT_FF),
    "tosato-ff-l1": GoodnessRecipe("Tosato 2025, app. K, FF, l1 goodness", _L1, _SHORT, norm="l1"),
    "tosato-bp-ff": GoodnessRecipe("Tosato 2025, BP/FF, l2 goodness", _BP_FF, _SHORT, backprop=True),
    "tosato-bp-ff-hard": GoodnessRecipe(
        "Tosato 2025, BP/FF; ours: every second negative the hardest",
        {},
        Training(1, 128, 1e-3, hard=0.5),
        own=Training(16, 128, 1e-3, hard=0.5),
        backprop=True,
    ),
    "tosato-bp-ff-l1": GoodnessRecipe("Tosato 2025, app. K, BP/FF, l1", _L1, _SHORT, norm="l1", backprop=True),
    "tosato-bp": BackpropRecipe("Tosato 2025, BP: cross-entropy", _BP, Training(6, 128, 5e-4)),
}

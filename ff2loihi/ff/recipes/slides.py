"""The systems of the slides "Why Forward-Forward Hasn't Become the New Paradigm" (2026): a plain net and its variants.

The net is the slides' standard FF: G = sum h^2, log(1 + exp(-y (G - theta))), the label over the first pixels,
784-500-500. `ff-negatives-random` is that net, and so are gamma = 0 of layer collaboration and one iteration of
prospective FF.
"""

from dataclasses import replace
from typing import get_args

from ff2loihi.compilers.ir.options import Sigmoid
from ff2loihi.ff.descent import Training
from ff2loihi.ff.objectives.collaboration import Collaboration
from ff2loihi.ff.objectives.negatives import NEGATIVES
from ff2loihi.ff.objectives.predictive import PredictionErrors
from ff2loihi.ff.objectives.three_factor import Sources, ThreeFactor
from ff2loihi.ff.recipes.pairs import QUICK, PairRecipe

STANDARD = PairRecipe(
    source="slides 2026: standard FF",
    widths=(500, 500), embedding="pixels", goodness="sum_squares",
    probability=Sigmoid(kind="sigmoid", theta=10.0), normalization="l2", readout="goodness",
    training=Training(epochs=4, batch=200, rate=0.002, hard=0.0), small_epochs=60, quick=QUICK,
)  # fmt: skip


def _negatives(name: str) -> PairRecipe:
    hard, corrupt = NEGATIVES[name]
    training = replace(STANDARD.training, hard=hard)
    return replace(STANDARD, source=f"slides 2026: {name} negatives", training=training, corrupt=corrupt)


def _three_factor(sources: Sources) -> PairRecipe:
    source = f"slides 2026: three-factor Hebbian FF, {sources}"
    return replace(STANDARD, source=source, objective=lambda widths: ThreeFactor(sources))


SLIDES = {
    **{f"ff-negatives-{name}": _negatives(name) for name in NEGATIVES},
    **{
        f"ff-collaboration-{gamma:g}": replace(
            STANDARD,
            source=f"slides 2026: layer collaboration, gamma {gamma:g}",
            objective=lambda widths, gamma=gamma: Collaboration(gamma),
        )
        for gamma in (0.3, 0.5, 0.7, 1.0)
    },
    **{f"ff-three-factor-{sources}": _three_factor(sources) for sources in get_args(Sources)},
    **{
        f"ff-prospective-{iterations}": replace(
            STANDARD,
            source=f"slides 2026: prospective FF, {iterations} iterations",
            choices=frozenset({"widths", "bias"}),
            iterations=iterations,
        )
        for iterations in (3, 5)
    },
    "pcl-ff": replace(STANDARD, source="slides 2026: PCL-FF", objective=PredictionErrors),
}

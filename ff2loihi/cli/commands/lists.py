"""The commands `recipes` and `experiments`: what there is to train and to reproduce."""

from ff2loihi.cli import console
from ff2loihi.ff.recipes import RECIPES
from ff2loihi.reproduce.experiments import EXPERIMENTS


def recipes() -> list[dict]:
    """Print the recipes of `train`, a row each; the same as data."""
    found = [
        {"recipe": name, "layers": one.layout, "options": sorted(one.choices), "paper": one.source}
        for name, one in RECIPES.items()
    ]
    rows = [(one["recipe"], one["layers"], one["paper"]) for one in found]
    console.table("recipes of `ff2loihi train`", ("recipe", "layers", "what it is"), rows)
    console.say("layers: each one's neurons, or channels, on grey images; --widths changes them")
    console.say("next: ff2loihi train --recipe RECIPE --data mnist")
    return found


def experiments() -> list[dict]:
    """Print the experiments of `reproduce`, a row each; the same as data."""
    found = [
        {"experiment": name, "options": sorted(one.options), "paper": one.source} for name, one in EXPERIMENTS.items()
    ]
    rows = [(one["experiment"], one["paper"], " ".join(f"--{option}" for option in one["options"])) for one in found]
    console.table("experiments of `ff2loihi reproduce`", ("experiment", "paper", "options"), rows)
    console.say("each takes minutes to hours on a CPU; a first look: ff2loihi reproduce EXPERIMENT --quick")
    return found

"""The recipes of `ff2loihi train`, by name: a paper's network each, tuned on held-out training images."""

from dataclasses import asdict
from pathlib import Path

import torch

from ff2loihi import choices
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.descent import SILENT, Hooks, StepLog, StepProgress
from ff2loihi.ff.recipes.baselines import BASELINES
from ff2loihi.ff.recipes.cwc import CWC
from ff2loihi.ff.recipes.hinton import HINTON
from ff2loihi.ff.recipes.pairs import PAIRS
from ff2loihi.ff.recipes.recipe import Choice, Recipe, Trained
from ff2loihi.ff.recipes.slides import SLIDES
from ff2loihi.ff.recipes.spiking import SPIKING
from ff2loihi.ff.recipes.tosato import TOSATO
from ff2loihi.ff.steps import Kept
from ff2loihi.streams import torch_seed

RECIPES: dict[str, Recipe] = {**PAIRS, **HINTON, **TOSATO, **BASELINES, **SLIDES, **CWC, **SPIKING}


def train(
    name: str, data: Dataset, progress: StepProgress | None = None, checkpoint: Path | None = None,
    resume: bool = False, log: StepLog | None = None, **given,
) -> Trained:  # fmt: skip
    """Train a recipe on `data`; given: the fields of Choice. All randomness comes from the seed.

    checkpoint: a file for the training's state; resume: continue it. log: called after each step.
    Raises FF2LoihiError for an unknown name, and for a choice that means nothing to the recipe.
    """
    choices.check("--recipe", name, choices.Recipe)
    recipe, choice = RECIPES[name], Choice(**given)
    choices.check_device(choice.device)
    odd = {field for field in ("widths", "head", "bias", "field") if getattr(choice, field)} - recipe.choices
    if choice.device != "cpu" and "device" not in recipe.choices:
        odd.add("device")
    if odd:
        raise FF2LoihiError(f"--{min(odd)}: no meaning with --recipe {name}. Leave it out")
    untrained = "field" in recipe.choices and choice.epochs == 0
    if data.events and not untrained and "events" not in recipe.choices:
        raise FF2LoihiError(
            f"{data.name}: events, and {name} trains on images. Use --recipe ff-lif or bptt-lif; or --epochs 0 with "
            "ffa-symmetric or ffa-sigmoid, then compile and learn"
        )
    facts = {"recipe": name, "data": data.name, "split": data.split, "seed": choice.seed}
    if data.sha256:
        facts["data_sha256"] = data.sha256
    identity = {"recipe": name, "data": data.content, **asdict(choice)}
    kept = None if checkpoint is None else Kept(checkpoint, identity, resume)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(choice.seed, "weights"))
        network = recipe.train(data, choice, facts, Hooks(progress or SILENT.progress, kept, log))
    if kept:
        kept.finish()
    return network

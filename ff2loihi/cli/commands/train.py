"""The command `train`: from a recipe and a data set to a checkpoint."""

import re
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ff2loihi.cli import console
from ff2loihi.cli.events import Events, events
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import is_stream
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.data.events.options import EventOptions, events_of
from ff2loihi.ff.descent import StepLog
from ff2loihi.ff.networks.checkpoint import Model
from ff2loihi.ff.networks.spiking import SpikingClassifier
from ff2loihi.ff.recipes import RECIPES
from ff2loihi.ff.recipes import train as train_recipe
from ff2loihi.ff.train import evaluate, measured

FEW = 100  # training samples that an untrained net is made with: their shape and classes are all it needs
LOGGED = 500  # training images that accuracy and goodness are logged of


def train(
    recipe, data, output, widths, epochs, seed, head, bias, field, quick, device, data_root, *,
    events_as: EventOptions | None, state: Path | None, resume: bool, log_dir: Path | None,
) -> dict:  # fmt: skip
    """Train a recipe, write the checkpoint, and say how well it classifies test images.

    state: where a run keeps its own while it lasts; it is this process's alone.
    """
    sizes = _widths(widths)
    if epochs is not None and epochs < 0:
        raise FF2LoihiError(f"--epochs must be at least 0, got {epochs}")
    untrained = epochs == 0 and not head
    images = load_data(data, "train", root=data_root, limit=FEW if untrained else None, events=events_as)
    test = None  # of events that a float net without spikes cannot take
    if not images.events or "events" in RECIPES[recipe].choices:
        test = load_data(data, "test", root=data_root, events=events_of(images.events))
    with events(log_dir) as log, console.progress(f"train {recipe} on {data}") as show:
        network = train_recipe(
            recipe, images, show, state, resume, log and _step_log(log, images, resume), widths=sizes, epochs=epochs,
            seed=seed, head=head, bias=bias, field=field, quick=quick, device=device,
        )  # fmt: skip
        network.save(output)
        if state is not None:
            state.unlink(missing_ok=True)
        accuracy = None if test is None else evaluate(network, test)
        if log and accuracy is not None:
            log.numbers(log.last, {"accuracy/test images": accuracy})
    source = RECIPES[recipe].source
    report = {
        "recipe": recipe, "source": source, "data": data, "seed": seed, "checkpoint": str(output),
        "test_accuracy": accuracy,
    }  # fmt: skip
    shown = "untrained" if untrained or accuracy is None else f"{accuracy:.2%}"
    console.table(output, ("recipe", "data", "seed", "test accuracy"), [(recipe, data, seed, shown)])
    console.say(f"after {source}")
    if not (is_stream(output) or isinstance(network, SpikingClassifier)):  # which has no compiled form
        on_chip = ("--learning", "on") if epochs == 0 and "field" in RECIPES[recipe].choices else ()
        console.next_step("ff2loihi", "compile", output, *on_chip)
    return report


def _step_log(log: Events, images: Dataset, resumed: bool) -> StepLog:
    """Loss at some steps; accuracy, goodness and weights after each epoch, on the first training images."""
    few, begun = replace(images, images=images.images[:LOGGED], labels=images.labels[:LOGGED]), False

    def after(done: int, steps: int, loss: Tensor, network: Model) -> None:
        nonlocal begun
        if resumed and not begun:
            log.forget(done)
        begun = True
        if done % 10 == 0 or done % steps == 0:
            log.numbers(done, {"loss": loss.item()})
        if done % steps == 0:
            log.numbers(done, measured(network, few))
            log.weights(done, {name: tensor.cpu().numpy() for name, tensor in network.checkpoint()["tensors"].items()})

    return after


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split("-")
    if not all(re.fullmatch("[1-9][0-9]*", part) for part in parts):
        raise FF2LoihiError(f"--widths must be positive numbers joined by -, as 500-500, got {text!r}")
    return tuple(int(part) for part in parts)

"""A network meets rotated images and learns them on the chip: accuracy before, the shift, accuracy as it learns.

    python examples/adapt_on_chip.py FOLDER                        on digits, in half a minute
    python examples/adapt_on_chip.py FOLDER --data mnist           40,000 images, a few minutes

Two starts: a network that learned on the chip from scratch, and an analog one trained in PyTorch and compiled. Each
continues on unshifted and on rotated images; FOLDER gets adapt.png, adapt.json and the networks. Checkpoints and
artifacts already in FOLDER are used as they are. Accuracies are of the whole test set, on the emulator.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np

from ff2loihi import api
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.cli import console
from ff2loihi.compilers.ir import Program
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.compilers.learning.weight_grid import to_even_grid
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.data.worlds import inverted, rotated
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import ADAPT, CONTINUE, Controller, Schedule
from ff2loihi.learning.run import Hooks

SEED = 0
POINTS = 10  # measurements on the way
SAMPLES = 40_000
BLOCK = 100  # images at one learning rate


def accuracy(program: Program, data: Dataset) -> float:
    """Of `data`, on the emulator."""
    return api.run(program, data, api.backend("emulator")).accuracy


def learned(folder: Path, data: str, images: Dataset, code: str) -> Program:
    """A net of 200 neurons that learned `images` from scratch on the chip, with that input code."""
    path = folder / f"learned-{data}-{code}.ffl"
    if path.exists():
        return api.load(path)
    checkpoint = folder / f"untrained-{data}.pt"
    train("ffa-symmetric", images, epochs=0, seed=SEED).save(checkpoint)
    start = api.compile(checkpoint, images, LearningOptions(input_code=code))
    plan = Schedule(seed=SEED, jitter=1) if len(images.labels) >= SAMPLES else Schedule(seed=SEED, epochs=20)
    with console.progress(f"learn {data} from scratch") as show:
        program = api.learn(start, images, plan, hooks=Hooks(progress=show))
    api.save(program, path)
    return program


def compiled(folder: Path, data: str, images: Dataset) -> Program:
    """The analog recipe's net, trained in PyTorch and compiled with its rule."""
    checkpoint = folder / f"analog-{data}.pt"
    if not checkpoint.exists():
        with console.progress(f"train the analog net on {data}") as show:
            train("ffa-symmetric", images, seed=SEED, progress=show).save(checkpoint)
    return api.compile(checkpoint, images, LearningOptions())


def adapt(program: Program, plan: Schedule, world: Dataset, tests: dict[str, Dataset], title: str) -> list[dict]:
    """Learn up to SAMPLES images of `world`; the accuracy on each test before, and POINTS times on the way."""
    network, learner = program.network, Learner(program.network)
    controller = Controller(network, learner, plan)
    order = controller.rng.permutation(len(world.labels))[:SAMPLES]
    marks = [round(x) for x in np.linspace(0, len(order), POINTS + 1)]
    found = []
    with console.progress(title) as show:
        for done, end in zip(marks, [*marks[1:], len(order)], strict=True):
            layers = tuple(
                replace(layer, weight=to_even_grid(weight))
                for layer, weight in zip(network.layers, learner.weights, strict=True)
            )
            now = Program(replace(network, layers=layers), (), {})
            found.append({"samples": done, **{name: accuracy(now, test) for name, test in tests.items()}})
            show(done, len(order))
            for start in range(done, end, BLOCK):
                controller.set_rate(start / len(order))
                chosen = order[start : min(start + BLOCK, end)]
                controller.learn(world.images[chosen], world.labels[chosen])
    return found


def draw(stories: dict[str, list[dict]], path: Path) -> None:
    """One panel a story, a row for each of the two networks."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = -(-len(stories) // 2)
    size = 4.2 * columns, 6.4
    figure, panels = pyplot.subplots(2, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for panel, (title, points) in zip(panels.flat, stories.items(), strict=True):
        for name in points[0]:
            if name != "samples":
                panel.plot([p["samples"] for p in points], [100 * p[name] for p in points], marker=".", label=name)
        panel.set(title=title)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.supxlabel("samples learned on the chip")
    figure.supylabel("test accuracy, %")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--degrees", type=float, nargs="*", default=[15, 30])
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    images, clean = (load_data(given.data, split, root=given.data_root) for split in ("train", "test"))
    stories = {}
    starts = {
        "learned on the chip": (learned(given.folder, given.data, images, "pixels"), CONTINUE),
        "compiled analog net": (compiled(given.folder, given.data, images), ADAPT),
    }
    for name, (program, plan) in starts.items():
        for degrees in (0, *given.degrees):
            world = rotated(images, degrees) if degrees else images
            tests = {"unshifted": clean}
            if degrees:
                tests[f"{degrees:g} degrees"] = rotated(clean, degrees)
            title = f"{name}, {f'{degrees:g} degrees' if degrees else 'unshifted'}"
            stories[title] = adapt(program, plan, world, tests, title)
            before, after = stories[title][0], stories[title][-1]
            shown = ", ".join(f"{test} {before[test]:.2%} -> {after[test]:.2%}" for test in tests)
            console.say(f"{title}: {after['samples']:,} samples, {shown}")
    contrast = learned(given.folder, given.data, images, "contrast")
    codes = {name: accuracy(contrast, test) for name, test in (("clean", clean), ("inverted", inverted(clean)))}
    console.say(f"contrast code: clean {codes['clean']:.2%}, inverted {codes['inverted']:.2%}")
    draw(stories, given.folder / "adapt.png")
    text = json.dumps({"stories": stories, "contrast code": codes}, indent=2)
    (given.folder / "adapt.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""A network meets rotated images and learns them on the chip: accuracy before, the shift, accuracy as it learns.

    python examples/adapt_on_chip.py FOLDER                        on digits, in half a minute
    python examples/adapt_on_chip.py FOLDER --small                one angle, a few points on the way
    python examples/adapt_on_chip.py FOLDER --data mnist           40,000 images, some minutes

Two starts: a network that learned on the chip from scratch, and an analog one trained in PyTorch and compiled. Each
continues on unshifted and on rotated images; FOLDER gets adapt.png, adapt.svg, adapt.json and the networks.
Checkpoints and artifacts already in FOLDER are used as they are. Accuracies are of the whole test set, on the emulator.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot

import ff2loihi
from ff2loihi.data.worlds import inverted, rotated

SEED = 0
SAMPLES = 40_000
# One epoch; rates: of its equal parts, how often the rule's learning rate is halved.
CONTINUE = ff2loihi.Schedule(epochs=1, rates=(1, 2, 3))  # a network that learned on the chip goes on
# A compiled analog network needs the images that it knows, too, for its balance: none is skipped.
ADAPT = ff2loihi.Schedule(epochs=1, rates=(2, 3, 4), negatives="mixed", margin=None)


def accuracy(program: ff2loihi.Program, data: ff2loihi.Dataset) -> float:
    return ff2loihi.run(program, data).accuracy


def learned(folder: Path, images: ff2loihi.Dataset, code: str, epochs: int) -> ff2loihi.Program:
    """A net of 200 neurons that learned `images` from scratch on the chip, with that input code."""
    path = folder / f"learned-{images.name}-{code}.ffl"
    if path.exists():
        return ff2loihi.load(path)
    checkpoint = folder / f"untrained-{images.name}.pt"
    ff2loihi.train("ffa-symmetric", images, epochs=0, seed=SEED).save(checkpoint)
    start = ff2loihi.compile(checkpoint, images, ff2loihi.LearningOptions(input_code=code))
    many = len(images.labels) >= SAMPLES
    plan = ff2loihi.Schedule(seed=SEED, jitter=1) if many else ff2loihi.Schedule(seed=SEED, epochs=epochs)
    program = ff2loihi.learn(start, images, plan)
    ff2loihi.save(program, path)
    return program


def compiled(folder: Path, images: ff2loihi.Dataset, epochs: int | None) -> ff2loihi.Program:
    """The analog recipe's net, trained in PyTorch and compiled with its rule."""
    checkpoint = folder / f"analog-{images.name}.pt"
    if not checkpoint.exists():
        ff2loihi.train("ffa-symmetric", images, epochs=epochs, seed=SEED).save(checkpoint)
    return ff2loihi.compile(checkpoint, images, ff2loihi.LearningOptions())


def adapt(
    program: ff2loihi.Program, plan: ff2loihi.Schedule, world: ff2loihi.Dataset, tests: dict[str, ff2loihi.Dataset],
    points: int,
) -> list[dict]:  # fmt: skip
    """Learn up to SAMPLES images of `world`, part by part; the accuracy on each test before, and after each part."""
    order = np.random.default_rng(SEED).permutation(len(world.labels))[:SAMPLES]
    found = [{"samples": 0, **{name: accuracy(program, test) for name, test in tests.items()}}]
    for number, part in enumerate(np.array_split(order, points)):
        rate = plan.rates[number * len(plan.rates) // points]
        some = replace(world, images=world.images[part], labels=world.labels[part])
        program = ff2loihi.learn(program, some, replace(plan, rates=(rate,), seed=number))
        done = found[-1]["samples"] + len(part)
        found.append({"samples": done, **{name: accuracy(program, test) for name, test in tests.items()}})
    return found


def draw(stories: dict[str, list[dict]], path: Path) -> None:
    """One panel a story, a row for each of the two networks."""
    columns = len(stories) // 2
    figure, panels = pyplot.subplots(
        2, columns, figsize=(4.2 * columns, 6.4), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for panel, (title, points) in zip(panels.flat, stories.items(), strict=True):
        for name in points[0]:
            if name != "samples":
                panel.plot([p["samples"] for p in points], [100 * p[name] for p in points], marker=".", label=name)
        panel.set(title=title)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.supxlabel("samples learned on the chip")
    figure.supylabel("test accuracy, %")
    for file in (path, path.with_suffix(".svg")):  # to look at, and for print
        figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    images, clean = (ff2loihi.load_data(given.data, split, root=given.data_root) for split in ("train", "test"))
    angles, points, epochs = ((30,), 3, 4) if given.small else ((15, 30), 10, 20)
    starts = {
        "learned on the chip": (learned(given.folder, images, "pixels", epochs), CONTINUE),
        "compiled analog net": (compiled(given.folder, images, 10 if given.small else None), ADAPT),
    }
    stories = {}
    for name, (program, plan) in starts.items():
        for degrees in (0, *angles):
            world, tests, title = images, {"unshifted": clean}, f"{name}, unshifted"
            if degrees:
                world, title = rotated(images, degrees), f"{name}, {degrees} degrees"
                tests[f"{degrees} degrees"] = rotated(clean, degrees)
            stories[title] = adapt(program, plan, world, tests, points)
            before, after = stories[title][0], stories[title][-1]
            shown = ", ".join(f"{test} {before[test]:.2%} -> {after[test]:.2%}" for test in tests)
            print(f"{title}: {after['samples']:,} samples, {shown}")
    contrast = learned(given.folder, images, "contrast", epochs)
    codes = {name: accuracy(contrast, test) for name, test in (("clean", clean), ("inverted", inverted(clean)))}
    print(f"contrast code: clean {codes['clean']:.2%}, inverted {codes['inverted']:.2%}")
    draw(stories, given.folder / "adapt.png")
    text = json.dumps({"stories": stories, "contrast code": codes}, indent=2)
    (given.folder / "adapt.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

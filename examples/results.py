"""Reproduces RESULTS.md: trains each recipe, compiles it in every mode, and compares with the float network.

    python examples/results.py FOLDER --data mnist      the tables of RESULTS.md (about 20 minutes on 2 cores)
    python examples/results.py FOLDER --small           the same on digits, in under a minute

Checkpoints already in FOLDER are used as they are. Accuracies are of the whole test set, on the emulator.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.cli import console
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train

# name -> (recipe, settings of train, options of compile)
GRADED = [Options(weight_bits=bits) for bits in (8, 6, 5, 4, 3, 2)]
LIF = [Options(neuron="lif", steps=steps) for steps in (4, 8, 16, 32)]
HARD = [Options(neuron="lif", steps=16, reset="hard")]
FEW = [Options(), Options(weight_bits=4)]
NETS = {
    "ffa-symmetric": ("ffa-symmetric", {}, GRADED + LIF + HARD),
    "ffa-sigmoid": ("ffa-sigmoid", {}, GRADED + LIF + HARD),
    "ff-mlp": ("ff-mlp", {}, GRADED + LIF[2:] + HARD),
    "ff-mlp-head": ("ff-mlp", {"head": True}, FEW),
    "ff-mlp-bias": ("ff-mlp", {"bias": True, "epochs": 4}, FEW),
    "ff-mlp-1000x3": ("ff-mlp", {"widths": (1000, 1000, 1000), "epochs": 2}, FEW),
    "ff-hinton": ("ff-hinton", {"widths": (500, 500), "epochs": 10}, FEW + LIF[2:3]),
}
SMALL = {
    name: (
        recipe,
        {**settings, "epochs": 2, **({"widths": (100,) * len(settings["widths"])} if "widths" in settings else {})},
        options[:1],
    )
    for name, (recipe, settings, options) in NETS.items()
}
SEED = 0


def float_predictions(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The float network's arg-max, from the checkpoint, in numpy."""
    net = network.build(pipeline.load_checkpoint(path))
    parts = [pixels[start : start + 500] for start in range(0, len(pixels), 500)]
    return np.concatenate([readout.float_scores(net, float_forward.all_labels(net, part)).argmax(1) for part in parts])


def describe(options: Options) -> str:
    if options.neuron == "graded":
        return f"graded, {options.weight_bits} bit"
    return f"LIF, 8 bit, T = {options.steps}, {options.reset} reset"


def rows(name: str, plan: tuple, data: str, folder: Path, root: Path | None) -> list[tuple[str, ...]]:
    """One row for the float network, one for each way of compiling it."""
    recipe, settings, options = plan
    path = folder / f"{name}.pt"
    images, test = load_data(data, "train", root=root), load_data(data, "test", root=root)
    started = time.perf_counter()
    if not path.exists():
        with console.progress(f"train {name} on {data}") as show:
            train(recipe, images, seed=SEED, progress=show, **settings).save(path)
    target = float_predictions(path, test.images)
    found = [(name, "float", f"{(target == test.labels).mean():.2%}", "", "")]
    for choice in options:
        program = api.compile(path, api.calibration_set(data, root), choice)
        trace = Emulator().run(program, test.images)
        accuracy, same = (trace.predictions == test.labels).mean(), (trace.predictions == target).mean()
        change = f"{100 * (accuracy - (target == test.labels).mean()):+.2f}"
        found.append((name, describe(choice), f"{accuracy:.2%}", change, f"{same:.2%}"))
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    console.say("| net | compiled | test accuracy | against float, points | same arg-max |")
    console.say("| --- | --- | --- | --- | --- |")
    for name, plan in (SMALL if given.small else NETS).items():
        for row in rows(name, plan, given.data, given.folder, given.data_root):
            console.say(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()

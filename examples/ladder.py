"""The fidelity ladder: one network in float, in the chip's integers, as spikes, learned on the chip, and on a board.

    python examples/ladder.py FOLDER                           on digits, in half a minute
    python examples/ladder.py FOLDER --data mnist              the picture of README and of the documentation

Each rung is a file in FOLDER, made where it is not there: accuracy of the whole test set on the emulator, and the band
of energy of a sample on Loihi 2 that `ff2loihi estimate` gives. FOLDER gets ladder.svg and ladder.json.
"""

import argparse
import json
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from results import float_predictions  # beside this file

from ff2loihi import api
from ff2loihi.cli import console
from ff2loihi.cli.commands.estimate import estimate_model
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Hooks

SEED = 0
WIDTH = 200  # neurons of the one layer
SAMPLES = 100  # whose events are counted
FLOAT = "float, in PyTorch"
FORMS = {
    "8 bit, graded spikes": Options(),
    "LIF spikes, 16 steps": Options(neuron="lif", steps=16),
}
LEARNED = "learned on the chip"
BOARD = "for a board: LIF as Loihi has it"
HARD = Options(neuron="lif", steps=16, reset="hard")
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#595959"  # of Okabe and Ito: told apart without red and green


def rungs(folder: Path, data: str, images: Dataset) -> dict[str, Path]:
    """The artifact of each rung but the first, whose checkpoint is trained.pt."""
    trained, untrained, learned = (folder / name for name in ("trained.pt", "untrained.pt", "learned.ffl"))
    if not trained.exists():
        with console.progress(f"train ffa-symmetric on {data}") as show:
            train("ffa-symmetric", images, widths=(WIDTH,), seed=SEED, progress=show).save(trained)
    if not learned.exists():
        train("ffa-symmetric", images, widths=(WIDTH,), epochs=0, seed=SEED).save(untrained)
        plan = Schedule(epochs=10, seed=SEED) if data == "digits" else Schedule(epochs=4, jitter=1, seed=SEED)
        with console.progress(f"learn {data} on the chip") as show:
            program = api.learn(api.compile(untrained, images, LearningOptions()), images, plan, hooks=Hooks(show))
        api.save(program, learned)
    found = {}
    for name, options in (*FORMS.items(), (BOARD, HARD)):
        found[name] = folder / f"{options.neuron}-{options.reset}.ffl"
        if not found[name].exists():
            api.save(api.compile(trained, images, options), found[name])
    return {**{name: found[name] for name in FORMS}, LEARNED: learned, BOARD: found[BOARD]}


def measured(folder: Path, data: str, root: Path | None) -> list[dict]:
    """A dict a rung: name, accuracy in 0..1, and low and high mJ of a sample on the chip, which float has not."""
    images, test = (load_data(data, split, root=root) for split in ("train", "test"))
    artifacts = rungs(folder, data, images)
    right = float_predictions(folder / "trained.pt", test.images) == test.labels
    found: list[dict] = [{"name": FLOAT, "accuracy": float(right.mean())}]
    for name, path in artifacts.items():
        report = estimate_model(path, data, "test", SAMPLES, "oheo-gulch", None, "deployed", True, root)
        [chip] = [row for row in report["estimates"]["inference"]["rows"] if row["what"] == "chip"]
        accuracy = api.run(api.load(path), test).accuracy
        found.append({"name": name, "accuracy": accuracy, "low": chip["low"], "high": chip["high"]})
    return found


def draw(found: list[dict], data: str, path: Path) -> None:
    """Accuracy and energy of each rung, the float net at the top."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ladder", "font.size": 11})
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.2))
    places = range(len(found), 0, -1)
    shares = [100 * rung["accuracy"] for rung in found]
    left.plot(shares, places, "o", color=BLUE, markersize=9)
    for share, place in zip(shares, places, strict=True):
        left.annotate(f"{share:.1f}", (share, place), (9, 0), textcoords="offset points", va="center")
    left.set(title=f"test accuracy on {data}, %", xlim=(min(shares) - 1, max(shares) + 1))
    left.set_yticks(list(places), [rung["name"] for rung in found])
    left.set_ylim(0.5, len(found) + 0.5)
    for rung, place in zip(found, places, strict=True):
        if "low" in rung:
            right.barh(place, rung["high"] - rung["low"], left=rung["low"], height=0.5, color=ORANGE)
            text = f"{rung['low']:.2g} to {rung['high']:.2g}"
            right.annotate(text, (rung["high"], place), (6, 0), textcoords="offset points", va="center")
        else:
            right.annotate("not on a chip", (0.02, place), xycoords=("axes fraction", "data"), va="center", color=GREY)
    right.set(title="estimated energy, mJ a sample, Loihi 2", xscale="log")
    right.set_xlim(min(rung["low"] for rung in found[1:]) / 2, max(rung["high"] for rung in found[1:]) * 30)
    for panel in (left, right):
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-root", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = measured(given.folder, given.data, given.data_root)
    draw(found, given.data, given.folder / "ladder.svg")
    (given.folder / "ladder.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    console.say(f"{given.folder / 'ladder.svg'}")


if __name__ == "__main__":
    main()

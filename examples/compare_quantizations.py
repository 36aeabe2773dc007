"""One trained network in several arithmetics of the chip: how many bits does a weight need, how many steps a spike?

    python examples/compare_quantizations.py FOLDER            on digits, in half a minute
    python examples/compare_quantizations.py FOLDER --small    fewer epochs and arithmetics, a few seconds

Prints, for each arithmetic, test accuracy, the share of images classified as the float net does, and the worst layer's
SQNR: the weights' power over their rounding errors', in decibels. FOLDER gets the checkpoint, an artifact each, and
quantizations.png and .svg.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

import ff2loihi
from ff2loihi import Options

GRADED = {f"graded, {bits} bit": Options(weight_bits=bits) for bits in (8, 6, 4, 3, 2)}
SPIKES = {f"LIF, {steps} steps": Options(neuron="lif", steps=steps) for steps in (32, 16, 8)}
SMALL = ("graded, 8 bit", "graded, 2 bit", "LIF, 16 steps")


def measured(checkpoint: Path, options: Options, test: ff2loihi.Dataset, artifact: Path) -> dict:
    """Compile with these options, and hold the integers against the float net."""
    program = ff2loihi.compile(checkpoint, "digits", options)
    ff2loihi.save(program, artifact)
    stages = ff2loihi.compare(checkpoint, program, test).stages  # the first is the float net, the last the integers
    return {
        "float": stages[0].accuracy,
        "accuracy": stages[-1].accuracy,
        "same": stages[-1].same,
        "sqnr": min(stage.layer.weight_db for stage in stages if stage.layer),
    }


def picture(rows: dict[str, dict], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot([100 * row["accuracy"] for row in rows.values()], "o", color="#0072B2", markersize=8)
    axes.axhline(100 * next(iter(rows.values()))["float"], color="#E69F00", label="float")
    axes.set_xticks(range(len(rows)), list(rows), rotation=30, ha="right")
    axes.set_ylabel("test accuracy, %")
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    for file in (path, path.with_suffix(".svg")):  # to look at, and for print
        figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = given.folder / "model.pt"
    ff2loihi.train("ff-mlp", "digits", epochs=10 if given.small else 60, widths=(60, 40)).save(checkpoint)
    test = ff2loihi.load_data("digits", "test")

    rows = {}
    for name, options in (GRADED | SPIKES).items():
        if not given.small or name in SMALL:
            artifact = given.folder / f"{name.replace(', ', '-').replace(' ', '-')}.ffl"
            rows[name] = measured(checkpoint, options, test, artifact)
    print(f"digits, {len(test.labels)} test images; the float net has {rows['graded, 8 bit']['float']:.2%}\n")
    print("arithmetic       accuracy  points  as float   SQNR")
    for name, row in rows.items():
        points = 100 * (row["accuracy"] - row["float"])
        print(f"{name:15}  {row['accuracy']:>8.2%}  {points:>+6.2f}  {row['same']:>8.2%}  {row['sqnr']:>4.1f} dB")
    picture(rows, given.folder / "quantizations.png")


if __name__ == "__main__":
    main()

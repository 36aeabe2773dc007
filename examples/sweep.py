"""Which options learn best on the chip? A space of options, its trials, and what they say.

    python examples/sweep.py FOLDER            24 trials on digits, a few minutes
    python examples/sweep.py FOLDER --small    4 trials, half a minute
    python examples/sweep.py FOLDER --workers 4

Trials are judged on held-out training images; no test image is read. FOLDER/results.jsonl has a line a trial: started
again, the script runs only what is missing. Prints the best configurations, and how much of the accuracy's variance
each option explains; FOLDER gets sweep.png and sweep.svg.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

import ff2loihi

SPACE = {  # lists are tried value by value; the same keys as options of the commands
    "train": {"recipe": "ffa-symmetric", "epochs": 0, "widths": 60},
    "compile": {"learning": "on", "rate_exponent": [3, 4, 5, 6]},
    "learn": {"epochs": 2, "margin": [0.1, 0.2, 0.4]},
    "seed": [0, 1],
}
SMALL = {
    "train": {"recipe": "ffa-symmetric", "epochs": 0, "widths": 60},
    "compile": {"learning": "on", "rate_exponent": [5, 6]},
    "learn": {"epochs": 1},
    "seed": [0, 1],
}
SHOWN = 5  # configurations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()

    found = ff2loihi.sweep(SMALL if given.small else SPACE, given.folder, given.workers)
    print(f"{found.finished} trials; the best {min(SHOWN, len(found.configurations))} configurations\n")
    options = list(found.strengths)  # the names of those that vary, the strongest first
    print("  ".join(f"{name:>21}" for name in options), "  accuracy  spread over seeds")
    for one in found.configurations[:SHOWN]:
        values = "  ".join(f"{one.options[name]:>21}" for name in options)
        print(values, f"  {one.accuracy:>8.2%}  {'-' if one.spread is None else f'{one.spread:.2%}':>17}")
    print("\nshare of the variance:", ", ".join(f"{name} {share:.0%}" for name, share in found.strengths.items()))

    figure, places = pyplot.subplots(1, len(options), figsize=(3 * len(options) + 1, 3), squeeze=False, sharey=True)
    for place, name in zip(places.flat, options, strict=True):
        for one in sorted(found.configurations, key=lambda one: one.options[name]):
            place.plot(
                [str(one.options[name])] * len(one.accuracies), [100 * x for x in one.accuracies], "o", alpha=0.6
            )
        place.set(xlabel=name)
    places[0, 0].set_ylabel("held-out accuracy, %")
    figure.tight_layout()
    for name in ("sweep.png", "sweep.svg"):  # to look at, and for print
        figure.savefig(given.folder / name, dpi=120)


if __name__ == "__main__":
    main()

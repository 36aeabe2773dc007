"""Everything that a machine with a Loihi 2 board needs, made without one; and what tells if a board's bits are right.

    python examples/board_dry_run.py FOLDER                        a few seconds
    python examples/board_dry_run.py FOLDER --recording FILE.npz   holds a board's recording against FOLDER's vectors

The first form trains and compiles a small network for Loihi's own neuron, and writes FOLDER/deployment: a script that
needs nothing of ff2loihi, the network, its input spikes, and golden vectors, every state at every step. As there is no
board here, two recordings are made up: one as a board should give it, and one in which a single spike is wrong.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import ff2loihi


def make_up(golden: Path, recording: Path, flip: tuple[str, tuple[int, ...]] | None = None) -> None:
    """A file as the board's script writes it, out of the golden vectors; flip: a state and the place that is wrong."""
    with np.load(golden) as vectors:
        arrays = dict(vectors)
    artifact = json.loads(str(arrays.pop("manifest")))["artifact"]
    if flip:
        state, place = flip
        arrays[state][place] = 1 - arrays[state][place]
    facts = {"format": "ff2loihi-recording", "version": 1, "artifact": artifact}
    np.savez_compressed(recording, manifest=np.array(json.dumps(facts)), **arrays)


def show(title: str, report: ff2loihi.EqualityReport) -> None:
    print(f"\n{title}: {'every bit agrees' if report.equal else f'differs first at {report.first_divergence}'}")
    print(f"{'state':12} {'values':>9} {'active':>8} {'differing':>10}")
    for one in report.variables:
        print(f"{one.name:12} {one.values:>9,} {one.active:>8,} {one.differing:>10,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--small", action="store_true", help="a network trained for fewer epochs")
    given = parser.parse_args()
    target = given.folder / "deployment"
    if given.recording:
        return show(str(given.recording), ff2loihi.diff_golden(target, given.recording))

    given.folder.mkdir(parents=True, exist_ok=True)
    ff2loihi.train("ffa-symmetric", "digits", epochs=2 if given.small else 20).save(given.folder / "model.pt")
    options = ff2loihi.Options(neuron="lif", reset="hard", steps=16)  # Lava's own LIFReset: no microcode
    program = ff2loihi.compile(given.folder / "model.pt", "digits", options)
    print(f"{program}, {ff2loihi.run(program, 'digits').accuracy:.1%} on the emulator\n")
    for remark in ff2loihi.dry_run(program, target, "digits:3"):
        print(f"remark: {remark}")
    for file in sorted(target.iterdir()):
        print(f"{file.name:24} {file.stat().st_size:>9,} bytes")

    right, wrong = given.folder / "right.npz", given.folder / "wrong.npz"
    make_up(target / "golden.npz", right)
    make_up(target / "golden.npz", wrong, flip=("hidden1.s", (1, 4, 7, 20)))  # sample, label, step, neuron
    show("a recording without a fault", ff2loihi.diff_golden(target, right))
    show("one wrong spike", ff2loihi.diff_golden(target, wrong))
    return None


if __name__ == "__main__":
    main()

"""The main job in one go, on scikit-learn's digits: train, compile, run on the emulator and on Lava, verify, compare.

Run it with `make demo`, or `python examples/demo.py [FOLDER]`; the checkpoint and the artifacts stay in FOLDER.
"""

import sys
import tempfile
from pathlib import Path

from ff2loihi import api, console
from ff2loihi.backends import lava_cpu
from ff2loihi.backends.emulator import Emulator
from ff2loihi.compilers.quantize import Options
from ff2loihi.ff.data import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.ff.train import evaluate

LAVA_SAMPLES = 10


def demo(folder: Path) -> bool:
    """Train once, compile in three ways; one row each. Returns whether every bit agreed with Lava."""
    images, test = load_data("digits", "train"), load_data("digits", "test")
    with console.progress("train ffa-symmetric on digits") as show:
        network = train("ffa-symmetric", images, seed=0, progress=show)
    network.save(folder / "model.pt")
    rows = [("float (PyTorch)", f"{evaluate(network, test):.2%}", "", "", "")]
    same = True
    for title, options in (
        ("graded, 8 bit", Options()),
        ("graded, 4 bit", Options(weight_bits=4)),
        ("LIF, 16 steps", Options(neuron="lif", steps=16)),
    ):
        program = api.compile(folder / "model.pt", images, options)
        api.save(program, folder / f"{title.replace(', ', '-').replace(' ', '-')}.ffl")
        report = api.run(program, test, Emulator())
        row = (title, f"{report.accuracy:.2%}", f"{report.samples_per_second:,.0f}")
        if not lava_cpu.available():
            rows.append((*row, "needs Python 3.10", "not checked"))
            continue
        few = load_data("digits", "test", limit=LAVA_SAMPLES)
        with console.progress(f"Lava: {title}, every state recorded") as show:
            equal = api.verify(program, few, show)
        same &= equal.equal
        values = sum(variable.values for variable in equal.variables)
        rows.append((*row, f"{LAVA_SAMPLES} samples", f"{values:,} equal" if equal.equal else equal.first_divergence))
    columns = ("network", "test accuracy", "emulator samples/s", "on Lava", "values compared")
    console.table(f"digits, {len(test.labels)} test images, {folder}", columns, rows)
    return same


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="ff2loihi-demo-"))
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if demo(target) else 1)

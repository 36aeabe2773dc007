"""The main job in one go, on scikit-learn's digits: train, compile, learn, run on the emulator and on Lava, verify.

Run it with `make demo`, or `python examples/demo.py [FOLDER]`; the checkpoint and the artifacts stay in FOLDER.
"""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava import child as lava_child
from ff2loihi.cli import console
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.recipes import train
from ff2loihi.ff.train import evaluate
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Hooks

LAVA_SAMPLES = 10
LAVA_LEARNS = 3  # samples, each as positive and as negative
LEARNING_EPOCHS = 10


def demo(folder: Path) -> bool:
    """Train once, compile in three ways; one row each. Returns whether every bit agreed with Lava."""
    console.say(f"about a minute; each network is told as it is made, its file goes to {folder}")
    images, test = load_data("digits", "train"), load_data("digits", "test")
    with console.progress("train ffa-symmetric on digits") as show:
        network = train("ffa-symmetric", images, seed=0, progress=show)
    network.save(folder / "model.pt")
    rows = [("float (PyTorch)", f"{evaluate(network, test):.2%}", "", "", "")]
    tell("model.pt", *rows[0])
    same = True
    for title, options in (
        ("graded, 8 bit", Options()),
        ("graded, 4 bit", Options(weight_bits=4)),
        ("LIF, 16 steps", Options(neuron="lif", steps=16)),
    ):
        program = api.compile(folder / "model.pt", images, options)
        name = f"{title.replace(', ', '-').replace(' ', '-')}.ffl"
        api.save(program, folder / name)
        report = api.run(program, test, Emulator())
        row = (title, f"{report.accuracy:.2%}", f"{report.samples_per_second:,.0f}")
        tell(name, *row)
        if not lava_child.available():
            rows.append((*row, "not installed", "not checked"))
            continue
        few = load_data("digits", "test", limit=LAVA_SAMPLES)
        with console.progress(f"Lava: {title}, every state recorded") as show:
            equal = api.verify(program, few, show)
        same &= equal.equal
        values = sum(variable.values for variable in equal.variables)
        rows.append((*row, f"{LAVA_SAMPLES} samples", f"{values:,} equal" if equal.equal else equal.first_divergence))
    row, agreed = learned(folder, images, test)
    rows.append(row)
    same &= agreed
    columns = ("network", "test accuracy", "emulator samples/s", "on Lava", "values compared")
    console.table(f"digits, {len(test.labels)} test images", columns, rows)
    console.say(f"files: {folder}", f"next: {looks_at(folder)}")
    return same


def tell(file: str, network: str, accuracy: str, *_: str) -> None:
    """A line as a network is made, before Lava runs it."""
    console.say(f"{file}: {network}, test accuracy {accuracy}")


def looks_at(folder: Path) -> str:
    """The command that puts what was made on one page."""
    command = "ff2loihi" if shutil.which("ff2loihi") else Path(sys.executable).with_name("ff2loihi")
    models = (folder / name for name in ("model.pt", "graded-8-bit.ffl", "LIF-16-steps.ffl", "learned.ffl"))
    return shlex.join(map(str, (command, "report", *models, "-o", folder / "report.html")))


def learned(folder: Path, images: Dataset, test: Dataset) -> tuple[tuple, bool]:
    """The row of a network that learns on the chip from scratch, and whether Lava learned the same bits."""
    train("ffa-symmetric", images, epochs=0, seed=0).save(folder / "untrained.pt")
    program = api.compile(folder / "untrained.pt", images, LearningOptions())
    with console.progress("learn digits with the chip's rule") as show:
        program = api.learn(program, images, Schedule(epochs=LEARNING_EPOCHS), hooks=Hooks(progress=show))
    api.save(program, folder / "learned.ffl")
    api.run(program, load_data("digits", "test", limit=1), Emulator())  # its kernels are compiled: no part of its speed
    report = api.run(program, test, Emulator())
    row = ("learned on the chip", f"{report.accuracy:.2%}", f"{report.samples_per_second:,.0f}")
    tell("learned.ffl", *row)
    if not lava_child.available():
        return (*row, "not installed", "not checked"), True
    with console.progress("Lava: learning, every state recorded") as show:
        equal = api.verify(program, load_data("digits", "test", limit=LAVA_LEARNS), show)
    values = sum(variable.values for variable in equal.variables)
    checked = f"{values:,} equal" if equal.equal else equal.first_divergence
    return (*row, f"{LAVA_LEARNS} samples", checked), equal.equal


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="ff2loihi-demo-"))
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if demo(target) else 1)

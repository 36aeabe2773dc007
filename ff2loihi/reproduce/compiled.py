"""The compiled form of a network that was just trained: its accuracy in the chip's integers."""

import tempfile
from pathlib import Path

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.networks.checkpoint import Model
from ff2loihi.reports.accuracy import accuracy_report


def checkpoint_of(model: Model) -> Checkpoint:
    """The checkpoint that the compiler reads of a model that was just made."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        model.save(path)
        return pipeline.load_checkpoint(path)


def compiled_accuracy(model: Model, train: Dataset, test: Dataset) -> float:
    """Percent of `test`, on the emulator; graded, 8 bit, ranges from the first training images."""
    images = pipeline.CALIBRATION_IMAGES
    few = pipeline.Calibration(train.images[:images], train.labels[:images])
    program = pipeline.compile_checkpoint(checkpoint_of(model), few, pipeline.Options())
    trace = Emulator().run(program, test.images)
    return 100 * accuracy_report(program.network, trace, test.labels).accuracy

"""The compiled form of a network that was just trained: its accuracy in the chip's integers."""

import tempfile
from pathlib import Path

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import pipeline
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.networks.checkpoint import Model
from ff2loihi.reports.accuracy import accuracy_report


def compiled_accuracy(model: Model, train: Dataset, test: Dataset) -> float:
    """Percent of `test`, on the emulator; graded, 8 bit, ranges from the first training images."""
    images = pipeline.CALIBRATION_IMAGES
    few = pipeline.Calibration(train.images[:images], train.labels[:images])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        model.save(path)
        program = pipeline.compile_checkpoint(pipeline.load_checkpoint(path), few, pipeline.Options())
    trace = Emulator().run(program, test.images)
    return 100 * accuracy_report(program.network, trace, test.labels).accuracy

"""The compiled form of a network that was just trained: its accuracy in the chip's integers."""

import tempfile
from dataclasses import replace
from pathlib import Path

from ff2loihi import api
from ff2loihi.data.datasets import Dataset
from ff2loihi.ff.networks.checkpoint import Model


def compiled_accuracy(model: Model, train: Dataset, test: Dataset) -> float:
    """Percent of `test`, on the emulator; graded, 8 bit, ranges from the first training images."""
    few = replace(train, images=train.images[: api.CALIBRATION_IMAGES], labels=train.labels[: api.CALIBRATION_IMAGES])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        model.save(path)
        program = api.compile(path, few)
    return 100 * api.run(program, test, api.backend("emulator", "cpu")).accuracy

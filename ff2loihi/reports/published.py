"""Measurements that others published: MNIST on neuromorphic chips."""

from dataclasses import dataclass

TABLE_SOURCE = "Renner 2024, Nature Communications 15:9691, table 1"


@dataclass(frozen=True)
class MnistRow:
    """A measured row; mJ, ms: of a sample, None where it was not given; accuracy in percent."""

    publication: str
    hardware: str
    mode: str
    network: str
    mj: float
    ms: float | None
    accuracy: float


MNIST = (
    MnistRow("Renner 2024", "Loihi", "learning: backpropagation", "400-400-10", 0.59, 1.5, 96.3),
    MnistRow("Shrestha 2021", "Loihi", "learning: EM-STDP", "CNN-CNN-100-10", 8.4, 20, 94.7),
    MnistRow("Lin 2018", "Loihi", "learning: S-STDP", "1920-10", 0.553, None, 96.4),
    MnistRow("Frenkel 2020", "SPOON", "learning: DRTP", "CNN-10", 0.000366, 0.12, 95.3),
    MnistRow("Park 2019", "unnamed", "learning: mod. SD", "784-200-200-10", 0.000253, 0.01, 98.1),
    MnistRow("Renner 2024", "Loihi", "inference", "400-400-10", 0.0025, 0.17, 96.3),
    MnistRow("Shrestha 2021", "Loihi", "inference", "CNN-CNN-100-10", 2.47, 10, 94.7),
    MnistRow("Lin 2018", "Loihi", "inference", "1920-10", 0.0128, None, 96.4),
    MnistRow("Göltz 2019", "BrainScaleS-2", "inference", "256-246-10", 0.0084, 0.048, 96.9),
    MnistRow("Esser 2015", "TrueNorth", "inference", "CNN, 3840 neurons", 0.108, 1, 99.4),
    MnistRow("Stromatias 2015", "SpiNNaker", "inference", "784-500-500-10", 3.3, 11, 95),
)

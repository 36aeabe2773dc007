"""Measurements that others published: MNIST on neuromorphic chips, and the PilotNet network on Loihi 2."""

from dataclasses import dataclass

from ff2loihi.processes import costs
from ff2loihi.reports.events import Counts

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

# Neurons, synapses of a neuron, neurons of the layer below, cores: the shapes that the notebook prints.
PILOTNET_LAYERS = (
    (200 * 66 * 3, 0, 0, 13),
    (99 * 32 * 24, 3 * 3 * 3, 200 * 66 * 3, 25),
    (49 * 15 * 36, 3 * 3 * 24, 99 * 32 * 24, 13),
    (24 * 7 * 48, 3 * 3 * 36, 49 * 15 * 36, 3),
    (22 * 4 * 64, 3 * 3 * 48, 24 * 7 * 48, 3),
    (20 * 2 * 64, 3 * 3 * 64, 22 * 4 * 64, 2),
    (100, 2560, 2560, 12),
    (50, 100, 100, 1),
    (10, 50, 50, 1),
    (1, 10, 10, 1),
)
PILOTNET_STEPS = 16


def pilotnet(rate: float) -> Counts:
    """PilotNet LIF's events of one inference if a neuron spikes in a share `rate` of the steps: nobody printed it."""
    ops = [neurons * synapses * rate for neurons, synapses, _, _ in PILOTNET_LAYERS]
    spikes = rate * sum(neurons for neurons, *_ in PILOTNET_LAYERS)
    total = PILOTNET_STEPS * sum(ops)
    return Counts(
        steps=PILOTNET_STEPS,
        spikes=PILOTNET_STEPS * spikes,
        copies=PILOTNET_STEPS * spikes * 2,
        crossings=0,
        synaptic_ops=(total, total),
        neuron_updates=PILOTNET_STEPS * costs.PILOTNET_NEURONS.value,
        synaptic_updates=(0, 0),
        core_neurons=costs.PILOTNET_BUSIEST.value,
        core_ops=max(each / cores for each, (*_, cores) in zip(ops, PILOTNET_LAYERS, strict=True)),
        core_updates=(0, 0),
    )

"""NeuroBench's metrics (Yik 2025, Nature Communications 16:1545) under the names of its harness."""

from ff2loihi.compilers.board.populations import INPUT
from ff2loihi.compilers.ir import IntLayer, IntNetwork, LearningNetwork
from ff2loihi.processes.limits import STATE_BITS, WEIGHT_BITS
from ff2loihi.reports.events import Activity


def neurobench(network: IntNetwork | LearningNetwork, activity: Activity, accuracy: float) -> dict[str, object]:
    """Of the layers alone, their pools and goodness left out; counts are means of a sample, under all its labels.

    Footprint: bytes of the weights at their widths and of a state of 24 bits a neuron, zeros included; a
    convolution's kernels once.
    SynapticOperations: of spikes Effective_ACs, of graded payloads Effective_MACs; Dense: every synapse in every step.
    ActivationSparsity: share of neurons and steps without a spike. MembraneUpdates: neuron updates.
    """
    layers = network.layers
    labels = [(layer, layer.label.weight) for layer in layers if isinstance(layer, IntLayer) and layer.label]
    matrices = [*((layer, layer.weight) for layer in layers), *labels]
    parameters = sum(weight.size for _, weight in matrices)
    synapses = sum(layer.synapses for layer in layers)
    zeros = sum(int((weight == 0).sum()) for _, weight in matrices)
    widths = [layer.weight_bits if isinstance(layer, IntLayer) else WEIGHT_BITS for layer, _ in matrices]
    bits = sum(weight.size * width for (_, weight), width in zip(matrices, widths, strict=True))
    neurons = sum(layer.neurons for layer in layers)
    below = [INPUT, *(f"{layer.name}.pool" if layer.pool else layer.name for layer in layers)]
    ops = sum(
        activity.spikes[source] * activity.fan_out.get(layer.name, layer.neurons) * activity.nonzero[layer.name]
        for source, layer in zip(below, layers, strict=False)
    )
    for layer, weight in labels:
        ops += activity.spikes[f"{layer.name}.label"] * layer.neurons * float((weight != 0).mean())
    fired = sum(activity.spikes[layer.name] for layer in layers)
    graded = isinstance(network, IntNetwork) and network.neuron == "graded"
    return {
        "Footprint": (bits + STATE_BITS * neurons) / 8,
        "ParameterCount": parameters,
        "ConnectionSparsity": zeros / parameters,
        "ClassificationAccuracy": accuracy,
        "ActivationSparsity": 1 - fired / (neurons * activity.steps),
        "SynapticOperations": {
            "Effective_MACs": ops if graded else 0.0,
            "Effective_ACs": 0.0 if graded else ops,
            "Dense": synapses * activity.steps,
        },
        "MembraneUpdates": neurons * activity.steps,
    }

"""A Program for inference as library processes alone: what a board's machine builds, inside the simulator.

Playback -> the layers of payload.library_layers -> Recorder; in place of Goodness the host reads each layer's spikes
or payloads, and sums their powers. The plan is a deployment's, without its adapters.
"""

from pathlib import Path

import numpy as np
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.proc.prodneuron.process import ProdNeuron

from ff2loihi.backends.lava.graphs.inference import InferenceGraph, Recordings
from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.backends.loihi.classifying_plan import layers
from ff2loihi.backends.loihi.payload.library_layers import library_layers
from ff2loihi.backends.loihi.payload.library_neurons import INPUT, classifying
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork
from ff2loihi.processes.host_io.playback import Playback


def build(
    network: IntNetwork | LearningNetwork, pixels: np.ndarray, folder: Path, states: bool, first: int = 0
) -> InferenceGraph:
    """As inference.build, with the recordings "LAYER.s" in place of "LAYER.g", for what LavaCpu lets pass.

    first: the number of the first sample in the whole run.
    """
    plan = board_plan.plan(network, "", len(pixels))
    plan["steps_in"] = plan["steps_out"] = 0
    file, packed = folder / "input.npy", plan["kind"] != "graded"
    board_plan.save_rows(file, board_plan.input_rows(network, pixels, first), len(pixels), packed=packed)
    source = Playback(n=network.inputs, file=str(file), packed=packed)
    described = library_layers(plan, layers(network), INPUT)
    built = classifying(described, source.s_out, lambda rows, _: RingBuffer(data=rows).s_out)
    rows = len(pixels) * plan["labels"] * plan["interval"] + plan["behind"][-1] + 2
    recordings = Recordings(folder, rows)
    for index, (layer, behind) in enumerate(zip(built, plan["behind"], strict=True)):
        name = network.layers[index].name
        recordings.record(f"{name}.s", layer.out, behind)
        if isinstance(network, IntNetwork):
            recordings.head(network, index, layer.out, behind + 1)
        if states and isinstance(layer.neuron, LIFReset):
            recordings.probe(f"{name}.a", layer.sums.a_buff, behind - 1)
            recordings.probe(f"{name}.v", layer.neuron.v, behind)
            if isinstance(network, IntNetwork):
                recordings.probe(f"{name}.u", layer.neuron.u, behind)
        elif states and isinstance(layer.neuron, ProdNeuron):
            recordings.record(f"{name}.x", layer.neuron.s_out, behind - 1)
    return InferenceGraph(source, rows, plan["labels"], plan["interval"], plan["stride"], tuple(recordings.found))

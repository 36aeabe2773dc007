"""A layer that learns in BindsNET by MSTDP, its nearest rule: the same weights at the start, neurons and spikes.

BindsNET is no dependency: it is imported where it is installed.
"""

import importlib
import importlib.util
import math
import time

import numpy as np

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.limits import WEIGHT_MAX, WEIGHT_MIN

RATE = 2.0**-5  # of the weights, in weight LSB a pair of spikes


def missing(network: LearningNetwork) -> str | None:
    """Why there is no such form here of the network, if so."""
    if importlib.util.find_spec("bindsnet") is None:
        return "not installed"
    layer = network.layers[0]
    if len(network.layers) > 1 or layer.mask is not None or not 0 < layer.neuron.dv < 4096:
        return "written for one layer that leaks, without fields"
    return None


def present(network: LearningNetwork, spikes: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds, and the weights (out, in) after positive samples of spikes (samples, steps, inputs) bool.

    Rewarded with 1 in the window's steps; until then nothing is learned.
    """
    import torch

    nets, nodes, topology, learning = (
        importlib.import_module(f"bindsnet.{name}")
        for name in ("network", "network.nodes", "network.topology", "learning")
    )
    layer, still = network.layers[0], network.steps - network.window
    n, inputs = layer.weight.shape
    net = nets.Network(dt=1.0, learning=True)
    source = nodes.Input(n=inputs, traces=True)
    neurons = nodes.LIFNodes(
        n=n, traces=True, thresh=float(layer.neuron.vth), rest=0.0, reset=0.0, refrac=0,
        tc_decay=-1 / math.log(1 - layer.neuron.dv / 4096),
    )  # fmt: skip
    plastic = topology.Connection(
        source, neurons, w=torch.tensor(layer.weight.T, dtype=torch.float32), update_rule=learning.MSTDP,
        nu=(RATE, RATE), wmin=float(WEIGHT_MIN), wmax=float(WEIGHT_MAX),
    )  # fmt: skip
    net.add_layer(source, "input")
    net.add_layer(neurons, "neurons")
    net.add_connection(plastic, "input", "neurons")
    given = torch.from_numpy(spikes)
    started = time.perf_counter()
    with torch.no_grad():
        for sample in given:
            net.reset_state_variables()
            net.train(False)
            net.run({"input": sample[:still].byte()}, time=still, reward=1.0)
            net.train(True)
            net.run({"input": sample[still:].byte()}, time=network.window, reward=1.0)
    return time.perf_counter() - started, plastic.w.numpy().T.copy()

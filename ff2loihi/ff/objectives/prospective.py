"""Prospective FF: layers that run on their own output before they are judged (the slides).

h(t + 1) = f(W n(h(t)) + b), n the normalisation between layers. W's inputs must be its own neurons, so that every layer
above the first with as many inputs as neurons iterates: h(1) = f(W n(h_(l-1)) + b) as in a plain net, then t = 1..T - 1
on itself with the same W. Iteration t is judged by the layer's loss and changes W by what it gave and got alone; the
layer passes on, and is read by, h(T). T = 1 is the plain net. Unrolled it is a feed-forward net whose layers share W.
"""

from dataclasses import replace

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.ff.networks.model import FFNetwork
from ff2loihi.ff.networks.stack import Stack


def unroll(network: FFNetwork, iterations: int) -> None:
    """Put each iterating layer in `iterations` times. Raises FF2LoihiError where no layer iterates."""
    layers, read = [], []
    for index, layer in enumerate(network.layers):
        iterates = index and layer.in_features == layer.out_features
        layers += [layer] * (iterations if iterates else 1)
        read.append(len(layers) - 1)
    if len(layers) == len(network.layers):
        widths = "-".join(str(layer.out_features) for layer in layers)
        raise FF2LoihiError(f"--widths {widths}: no layer could run on its own output. Give two equal widths in a row")
    network.layers = Stack(layers)
    network.rule = replace(network.rule, layers=tuple(read))

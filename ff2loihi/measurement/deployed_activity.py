"""What a deployment that classifies does for one sample, in events: its constants and states are sent, too."""

from dataclasses import replace

import numpy as np

from ff2loihi.backends.loihi.classifying_plan import plan
from ff2loihi.backends.loihi.deployed import described
from ff2loihi.compilers.board.populations import INPUT
from ff2loihi.compilers.inference.library_form import soft_unit
from ff2loihi.compilers.interchange.netx_fields import kind
from ff2loihi.compilers.ir import IntLayer, IntNetwork
from ff2loihi.measurement.activity import states_in_batches
from ff2loihi.reports.events import Activity


def deployed_activity(network: IntNetwork, one: Activity, pixels: np.ndarray) -> Activity:
    """Of activity.inference_activity and its pixels (samples, pixels) uint8.

    What spikes of a hard reset's biases alone, while the steps fill a power of two, is not counted.
    """
    what = plan(network, "", 1)
    passes, interval = what["labels"], what["interval"]
    spikes, nonzero, fan_out = {INPUT: one.spikes[INPUT]}, {}, {}
    for layer in described(network):
        spikes[layer.out] = one.spikes[layer.out]
        for host in layer.host:
            spikes[host.name] = float(passes * interval / host.rows.shape[1] * np.count_nonzero(host.rows))
        for target, _ in layer.connections[0].targets:
            nonzero[target] = one.nonzero[layer.out]
            if layer.out in one.fan_out:
                fan_out[target] = one.fan_out[layer.out]
    sent = _states_sent(network, pixels) if kind(network) != "hard" else {}
    steps = passes * interval + what["behind"][-1]
    return replace(one, steps=steps, spikes=spikes | sent, nonzero=nonzero, fan_out=fan_out)


def _states_sent(network: IntNetwork, pixels: np.ndarray) -> dict[str, float]:
    """Payloads that are not 0, of a sample: of the neurons beside those whose spikes leave a layer."""
    found: dict[str, float] = {}
    for states in states_in_batches(network, pixels):
        for layer in network.layers:
            sent = _graded(layer, states) if network.neuron == "graded" else _soft(layer, states)
            for part, payloads in sent.items():
                name = f"{layer.name}.{part}"
                found[name] = found.get(name, 0.0) + np.count_nonzero(payloads) / len(pixels)
    return found


def _soft(layer: IntLayer, states: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """x of each step, and what holds it for the next."""
    unit = soft_unit(layer)
    spikes = np.diff(states[f"{layer.name}.r"], axis=2, prepend=0)
    x = unit.x(states[f"{layer.name}.v"], spikes)
    return {"state": x, "held": x}


def _graded(layer: IntLayer, states: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    plain = np.maximum(states[f"{layer.name}.a"] + layer.bias, 0)
    whole = plain >> layer.shift
    found = {"whole": whole, "above": np.maximum(whole - layer.top, 0)}
    return found | ({"plain": plain} if layer.bias.any() else {})

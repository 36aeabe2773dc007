"""What calibration events set: label rate, threshold and learning rate, by sums over single spikes."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.learning import from_events
from ff2loihi.processes.fixed_point import rate_code
from sim_tests.factories import learning_layer, learning_network, with_events

STEPS, SAMPLES, PIXELS, CLASSES, EACH = 12, 20, 30, 3, 4


def network(seed, n=24, **changes):
    rng = np.random.default_rng(seed)
    weight = 2 * np.rint(rng.normal(0, 16, (n, PIXELS + CLASSES * EACH)))
    layer = learning_layer(weight, target=200)
    return with_events(learning_network(layer, classes=CLASSES, each=EACH, code=64, steps=STEPS, window=6, **changes))


def samples(net, seed, density):
    bits = np.random.default_rng([seed, 1]).random((SAMPLES, net.events.steps, PIXELS)) < density
    return bits, np.packbits(bits, axis=2).reshape(SAMPLES, -1), np.arange(SAMPLES) % CLASSES


def goodness(net, bits, labels):
    """The mean sum of squared spike counts, neuron by neuron in floats that are exact."""
    layer = net.layers[0]
    beside = np.array(list(rate_code(net.label_phases, net.label_codes, 256, STEPS)))
    total = 0
    for sample, label in zip(np.concatenate([bits] * net.events.rounds, axis=1), labels, strict=True):
        v, counts = np.zeros(layer.neurons), np.zeros(layer.neurons)
        for spikes, own in zip(sample, beside[:, label], strict=True):
            v = np.trunc(v * (4096 - layer.neuron.dv) / 4096) + 64 * (layer.weight @ np.concatenate([spikes, own]))
            counts += v > 64 * layer.neuron.vth
            v[v > 64 * layer.neuron.vth] = 0
        total += (counts**2).sum()
    return total / len(labels)


@pytest.mark.parametrize(("seed", "density"), [(0, 0.05), (1, 0.3)])
def test_the_threshold_brings_goodness_as_near_to_the_target_as_any(seed, density):
    net = network(seed)
    bits, q, labels = samples(net, seed, density)
    found = from_events.fitted(net, q, labels, keep_rate=True)
    tried = []
    for vth in from_events.THRESHOLDS:
        layer = replace(found.layers[0], neuron=replace(found.layers[0].neuron, vth=vth))
        tried.append(abs(np.log(max(1e-9, goodness(replace(found, layers=(layer,)), bits, labels)) / 200)))
    assert found.layers[0].neuron.vth == from_events.THRESHOLDS[int(np.argmin(tried))]
    assert min(tried) < 1 < max(tried)
    assert found.update == net.update


@pytest.mark.parametrize("density", [0.02, 0.04])
def test_labels_spike_as_often_beside_few_events_as_beside_many(density):
    net = network(3)
    bits, q, labels = samples(net, 3, density)
    found = from_events.fitted(net, q, labels, keep_rate=True)
    counts = net.events.rounds * bits.sum(axis=1)
    events = np.sqrt(np.mean([sum(int(n) ** 2 for n in sample) for sample in counts]))
    [rate] = set(found.label_codes[found.label_codes > 0].tolist())
    assert abs(rate / 256 * STEPS * np.sqrt(EACH) / events - from_events.SHARE) < 0.2
    assert 1 < rate < 256
    assert ((found.label_codes > 0) == (net.label_codes > 0)).all()


def test_many_events_learn_at_a_lower_rate_by_the_exponent_then_by_the_gain(monkeypatch):
    net = network(4)
    _, q, labels = samples(net, 4, 0.5)
    rates = []
    for reach in (1e9, 400, 100, 25):
        monkeypatch.setattr(from_events, "REACH", reach)
        found = from_events.fitted(net, q, labels, keep_rate=False)
        rates.append((found.update.exponent, found.layers[0].factor.gain))
    gain = net.layers[0].factor.gain
    assert rates[0] == (5, gain)
    assert 5 < rates[1][0] <= 7
    assert [exponent for exponent, _ in rates[2:]] == [7, 7]
    assert gain > rates[2][1] == 4 * rates[3][1]  # a fourth of REACH is a fourth of the rate


def test_events_that_drive_nobody_are_refused():
    net = network(5)
    layer = replace(net.layers[0], weight=-np.abs(net.layers[0].weight))
    _, q, labels = samples(net, 5, 0.1)
    with pytest.raises(CompileError, match="hidden1: no neuron fires for the calibration events"):
        from_events.fitted(replace(net, layers=(layer,)), q, labels, keep_rate=True)

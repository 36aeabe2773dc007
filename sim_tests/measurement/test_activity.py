"""Counts of events, each found a second time by going through spikes one by one."""

import dataclasses

import numpy as np
import pytest

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.emulator.library_learner import LibraryLearner
from ff2loihi.backends.loihi.deployed import deployed_populations
from ff2loihi.backends.presentations import pairs
from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import populations
from ff2loihi.compilers.inference import quantize, thresholds
from ff2loihi.compilers.inference.integer_forward import quantize_pixels
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.compilers.ir.pooling import MaxPool
from ff2loihi.compilers.learning import library_rule
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement.activity import (
    counts,
    inference_activity,
    input_spikes,
    over_presentations,
    presentation_activity,
    summed,
)
from ff2loihi.measurement.deployed_activity import deployed_activity
from ff2loihi.measurement.library_activity import library_presentations
from ff2loihi.processes.fixed_point import rate_code, rate_step
from ff2loihi.processes.learning_rule import input_rates
from ff2loihi.reports.neurobench import neurobench
from sim_tests.factories import float_network, learning_layer, learning_network

LOIHI2 = load_table().chips["loihi2"]
PIXELS = np.random.default_rng(3).integers(0, 256, (7, 12)).astype(np.uint8) * (np.arange(12) % 3 > 0)


CONVOLUTIONS = (Conv((2, 3, 2), 4, (3, 2), 1, 1, 2), Conv((4, 3, 3), 3, (2, 2), 2, 1, 1))  # on 2 x 3 x 2 = 12 pixels


def compiled(neuron: str, convolutions: tuple[Conv, ...] = (), pool: MaxPool | None = None, everywhere: bool = False):
    """Dense layers behind 12 pixels and 4 label inputs, or convolutions with the label on the first 4 pixels; pool: of
    the first layer; everywhere: the label enters both layers."""
    net = float_network(0, (20, 9), convolutions=convolutions, everywhere=everywhere)
    if pool:
        first = dataclasses.replace(net.layers[0], pool=pool, positive=np.ones(pool.outputs, bool))
        net = dataclasses.replace(net, layers=(first, *net.layers[1:]))
    integers = quantize.quantize(
        net, quantize.Calibration(PIXELS.astype(np.uint8), np.arange(7) % 4), quantize.Options(neuron=neuron, steps=8)
    )
    return integers if neuron == "graded" else thresholds.sweep(net, integers, PIXELS.astype(np.uint8), None)[0]


def library_net() -> LearningNetwork:
    """Weights of which no sum is negative: every gate that spikes forces its neuron."""
    weight = 2 * np.random.default_rng(2).integers(0, 30, (10, 14)).astype(np.int16)
    factor = dataclasses.replace(library_rule.gate_factor("symmetric", 10, 31), vth=9)
    layer = dataclasses.replace(learning_layer(weight, dv=163), factor=factor)
    return learning_network(layer, code=64, steps=31, eligibility="gate", exponent=1)


def learning_net(eligibility: str) -> LearningNetwork:
    rng = np.random.default_rng(1)
    weights = [2 * rng.integers(-20, 60, shape) for shape in ((10, 14), (6, 10))]
    layers = (learning_layer(weight, f"hidden{i + 1}") for i, weight in enumerate(weights))
    return learning_network(*layers, code=64, eligibility=eligibility, tag_exponent=1, tag_decay=3)


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_spikes_and_operations_of_inference_are_those_of_the_states(neuron):
    net = compiled(neuron)
    pixels = PIXELS.astype(np.uint8)
    trace = Emulator().run(Program(net, (), {}), pixels, states=True)
    found = inference_activity(net, trace, pixels)
    sums = counts(found, place(populations(net), "loihi2", LOIHI2))
    spikes = []
    for layer in net.layers:
        states = trace.states[f"{layer.name}.h" if neuron == "graded" else f"{layer.name}.r"]
        fired = (states > 0).sum() if neuron == "graded" else states[:, :, -1].sum()
        spikes.append(fired / len(pixels))
        assert found.spikes[layer.name] == pytest.approx(spikes[-1])
    arrived = input_spikes(net, pixels).mean()
    goodness = sum(spikes)  # a neuron is of one part: + or -
    assert sums.synaptic_ops[1] == pytest.approx(20 * arrived + 9 * spikes[0] + goodness)
    shares = [(layer.weight != 0).mean() for layer in net.layers]
    assert sums.synaptic_ops[0] == pytest.approx(20 * shares[0] * arrived + 9 * shares[1] * spikes[0] + goodness)
    steps = 4 * net.steps + 2
    assert sums.neuron_updates == (20 + 2 + 9 + 2) * steps
    assert sums.spikes == pytest.approx(arrived + sum(spikes))
    assert sums.copies == pytest.approx(arrived + 2 * spikes[0] + spikes[1])
    bench = neurobench(net, found, 0.5)
    kind = "Effective_MACs" if neuron == "graded" else "Effective_ACs"
    assert bench["SynapticOperations"][kind] == pytest.approx(20 * shares[0] * arrived + 9 * shares[1] * spikes[0])
    assert bench["SynapticOperations"]["Dense"] == (20 * 16 + 9 * 20) * steps
    assert bench["Footprint"] == 20 * 16 + 9 * 20 + 3 * 29


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_a_label_sends_one_payload_to_each_neuron_of_an_upper_layer_in_every_step(neuron):
    net = compiled(neuron, everywhere=True)
    alone = dataclasses.replace(net, layers=(net.layers[0], dataclasses.replace(net.layers[1], label=None)))
    found, benches = [], []
    for one in (net, alone):
        activity = inference_activity(one, Emulator().run(Program(net, (), {}), PIXELS), PIXELS)
        found.append(counts(activity, place(populations(one), "loihi2", LOIHI2)))
        benches.append(neurobench(one, activity, 0.5))
    payloads = 4 * net.steps
    assert found[0].spikes - found[1].spikes == pytest.approx(payloads)
    assert found[0].synaptic_ops[1] - found[1].synaptic_ops[1] == pytest.approx(9 * payloads)
    weight = net.layers[1].label.weight
    kind = "Effective_MACs" if neuron == "graded" else "Effective_ACs"
    more = [bench["SynapticOperations"][kind] for bench in benches]
    assert more[0] - more[1] == pytest.approx(9 * payloads * (weight != 0).mean())
    assert benches[0]["ParameterCount"] - benches[1]["ParameterCount"] == weight.size == 9 * 4


def fan_out(conv: Conv) -> np.ndarray:
    """(inputs,): synapses of each input, tap by tap."""
    below, height, width = conv.shape
    found = np.zeros(conv.shape, int)
    each = below // conv.groups
    for channel, row, column in np.ndindex(conv.out_shape):
        for source, a, b in np.ndindex(conv.weight_shape[1:]):
            y, x = row * conv.stride + a - conv.padding, column * conv.stride + b - conv.padding
            if 0 <= y < height and 0 <= x < width:
                found[channel // (conv.channels // conv.groups) * each + source, y, x] += 1
    return found.ravel()


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_operations_of_convolutions_are_those_of_each_spikes_taps(neuron):
    net = compiled(neuron, CONVOLUTIONS)
    pixels = PIXELS.astype(np.uint8)
    trace = Emulator().run(Program(net, (), {}), pixels, states=True)
    found = inference_activity(net, trace, pixels)
    arrived, full = np.zeros(12, int), (1 << net.input_bits) - 1
    for code in net.label_codes:
        q = quantize_pixels(pixels, net.input_bits)
        q[:, :4] = code
        acc = net.phases
        for _ in range(net.steps):
            fired, acc = (q > 0, acc) if neuron == "graded" else rate_step(acc, q, full)
            arrived += fired.sum(0)
    spikes = [arrived / len(pixels)]
    for layer in net.layers:
        states = trace.states[f"{layer.name}.h" if neuron == "graded" else f"{layer.name}.r"]
        fired = states > 0 if neuron == "graded" else states[:, :, -1]
        spikes.append(fired.sum((0, 1)) / len(pixels))
    assert found.spikes["input"] == pytest.approx(spikes[0].sum())
    taps = [fan_out(conv) for conv in CONVOLUTIONS]
    ops = [float(these @ fan) for these, fan in zip(spikes, taps, strict=False)]
    assert ops[1] > 0
    sums = counts(found, place(populations(net), "loihi2", LOIHI2))
    assert sums.synaptic_ops[1] == pytest.approx(sum(ops) + spikes[1].sum() + spikes[2].sum())
    assert sums.core_ops == pytest.approx(max(ops) / found.steps)
    assert sums.spikes == pytest.approx(sum(these.sum() for these in spikes))
    bench = neurobench(net, found, 0.5)
    shares = [(layer.weight != 0).mean() for layer in net.layers]
    kind = "Effective_MACs" if neuron == "graded" else "Effective_ACs"
    assert bench["SynapticOperations"][kind] == pytest.approx(ops[0] * shares[0] + ops[1] * shares[1])
    assert bench["SynapticOperations"]["Dense"] == sum(int(fan.sum()) for fan in taps) * found.steps
    kernels, neurons = 4 * 6 + 3 * 16, 4 * 3 * 3 + 3 * 2 * 2
    assert bench["ParameterCount"] == kernels
    assert bench["Footprint"] == kernels + 3 * neurons
    assert bench["MembraneUpdates"] == neurons * found.steps
    assert bench["ActivationSparsity"] == pytest.approx(1 - (spikes[1].sum() + spikes[2].sum()) / neurons / found.steps)


@pytest.mark.parametrize("neuron", ["graded", "lif"])
def test_a_pool_is_sent_every_spike_of_its_neurons_and_sends_its_own(neuron):
    """Its synapses are those of its windows, which overlap here, and a window takes a time step for each neuron."""
    pool = MaxPool((4, 3, 3), (2, 2), 1)
    net = compiled(neuron, (CONVOLUTIONS[0], Conv((4, 2, 2), 3, (2, 2), 1, 1, 1)), pool)
    pixels = PIXELS.astype(np.uint8)
    trace = Emulator().run(Program(net, (), {}), pixels, states=True)
    found = inference_activity(net, trace, pixels)
    before = (trace.states["hidden1.unpooled"] > 0).reshape(7, -1, 36).sum(1).mean(0)
    after = trace.spikes[:, :, 0].sum(1).mean()
    assert min(before.sum(), after) > 0
    assert found.spikes["hidden1"] == pytest.approx(before.sum())
    assert found.spikes["hidden1.pool"] == pytest.approx(after)
    windows = np.bincount(pool.windows.ravel(), minlength=36)
    assert sorted(set(windows.tolist())) == [1, 2, 4]
    assert found.fan_out["hidden1.pool"] == pytest.approx(before @ windows / before.sum())
    assert found.steps == 4 * net.steps * 4 + 2
    groups = {population.name: population for population in populations(net)}
    assert (groups["hidden1"].neurons, groups["hidden1.pool"].neurons) == (36, 16)
    feeds = [(name, rows.source) for name, population in groups.items() for rows in population.rows]
    assert feeds == [
        ("hidden1", "input"), ("hidden1.pool", "hidden1"), ("hidden1.goodness", "hidden1.pool"),
        ("hidden2", "hidden1.pool"), ("hidden2.goodness", "hidden2"),
    ]  # fmt: skip
    mapping = place(populations(net), "loihi2", LOIHI2)
    assert recount(mapping) == []
    spikes = counts(found, mapping).spikes
    assert spikes == pytest.approx(sum(found.spikes[name] for name in ("input", "hidden1", "hidden1.pool", "hidden2")))
    bench = neurobench(net, found, 0.5)["SynapticOperations"]
    ops = [
        found.spikes[name] * found.fan_out[layer] for name, layer in (("input", "hidden1"), ("hidden1.pool", "hidden2"))
    ]
    assert max(bench["Effective_MACs"], bench["Effective_ACs"]) == pytest.approx(
        sum(these * found.nonzero[name] for these, name in zip(ops, ("hidden1", "hidden2"), strict=True))
    )


@pytest.mark.parametrize("neuron", ["graded", "lif"])
@pytest.mark.parametrize("bias", [False, True])
def test_events_of_a_deployment_are_those_of_its_library_neurons(neuron, bias):
    """Each state found from the sums step by step, with the constants of the script's neurons."""
    net, pixels = compiled(neuron), PIXELS.astype(np.uint8)
    layers = []
    for layer in net.layers:
        values = (np.arange(layer.neurons, dtype=np.int32) - 4) * bias
        if neuron == "graded":  # with shifts 2 smaller, so that some payloads are at the top
            layers.append(dataclasses.replace(layer, bias=values, shift=max(0, layer.shift - 2)))
        else:
            layers.append(dataclasses.replace(layer, bias=values << 6))
    net = dataclasses.replace(net, layers=tuple(layers))
    trace = Emulator().run(Program(net, (), {}), pixels, states=True)
    one = inference_activity(net, trace, pixels)
    found = deployed_activity(net, one, pixels)
    sent = {}
    for layer in net.layers:
        a = trace.states[f"{layer.name}.a"]
        if neuron == "graded":
            drive = (np.maximum(a + layer.bias, 0) if bias else a) >> layer.shift
            sent[f"{layer.name}.whole"] = drive > 0
            sent[f"{layer.name}.above"] = drive > layer.top
            if bias:
                sent[f"{layer.name}.plain"] = a + layer.bias > 0
            continue
        x, held = np.zeros(a.shape, np.int64), layer.v0 >> 6
        for step in range(net.steps):
            x[:, :, step] = a[:, :, step] + (layer.bias >> 6) + held
            held = x[:, :, step] - layer.vth * (x[:, :, step] > layer.vth - (layer.v0 % 64 > 0))
        sent |= {f"{layer.name}.{part}": x != 0 for part in ("state", "held")}
    for name, payloads in sent.items():
        assert found.spikes[name] == pytest.approx(payloads.sum() / len(pixels))
    assert all(payloads.any() for payloads in sent.values())
    passes, mapping = len(net.label_codes), place(deployed_populations(net), "loihi2", LOIHI2, True)
    interval, hops = (1, 3 if bias else 2) if neuron == "graded" else (2 * 9, 2)
    assert found.steps == passes * interval + 2 * hops
    assert recount(mapping) == []
    sums = counts(found, mapping)
    assert sums.neuron_updates == (3 + (neuron == "graded" and bias)) * (20 + 9) * found.steps
    fed = {rows.source for population in mapping.populations for rows in population.rows}
    assert fed <= set(found.spikes)
    assert set(found.spikes) - fed == {"hidden2"} - fed
    assert sums.synaptic_ops[1] > counts(one, place(populations(net), "loihi2", LOIHI2)).synaptic_ops[1]


def test_input_spikes_are_those_of_the_chips_input_code_step_by_step():
    net = compiled("lif")
    pixels = PIXELS.astype(np.uint8)
    full = (1 << net.input_bits) - 1
    total = np.zeros(len(pixels), np.int64)
    for code in net.label_codes:
        q = np.concatenate([quantize_pixels(pixels, net.input_bits), np.tile(code, (len(pixels), 1))], axis=1)
        acc = net.phases
        for _ in range(net.steps):
            fired, acc = rate_step(acc, q, full)
            total += fired.sum(1)
    assert input_spikes(net, pixels).tolist() == total.tolist()


def test_a_presentations_input_is_counted_as_the_learner_encodes_it():
    net = learning_net("none")
    one = presentation_activity(net, PIXELS.astype(np.uint8))
    expected = []
    rng = np.random.default_rng(0)
    for image in PIXELS.astype(np.uint8):
        q = np.concatenate([input_rates(image, "pixels", 64), [64]])
        phases = np.concatenate([rng.integers(0, 256, 12), [0]])  # either label's input spikes alike
        expected.append(((phases + 23 * q) // 256).sum())
    assert one.spikes["input"] == pytest.approx(np.mean(expected))
    assert one.spikes["hidden1"] > 0
    least, most = one.updates["hidden1"]
    assert 0 < least < most == pytest.approx(10 * one.spikes["input"])


@pytest.mark.parametrize("eligibility", ["none", "tag"])
def test_fields_are_reached_by_the_spikes_of_what_they_see_alone(eligibility):
    net = learning_net(eligibility)
    mask = np.random.default_rng(4).random((10, 14)) < 0.4
    first = dataclasses.replace(net.layers[0], weight=net.layers[0].weight * mask, mask=mask)
    net = dataclasses.replace(net, layers=(first, net.layers[1]))
    one = presentation_activity(net, PIXELS.astype(np.uint8))
    rng, reached = np.random.default_rng(0), []
    for image in PIXELS.astype(np.uint8):
        q, phases = input_rates(image, "pixels", 64), rng.integers(0, 256, 12)
        for code in net.label_codes:
            spikes = rate_code(np.append(phases, net.label_phases), np.append(q, code), 256, net.steps)
            reached.append([sum(mask[:, i].sum() for i in np.flatnonzero(s)) for s in spikes])
    every, window = np.sum(reached, 1).mean(), np.array(reached)[:, -net.window :].sum(1).mean()
    assert every > 0
    assert one.fan_out["hidden1"] * one.spikes["input"] == pytest.approx(every)
    wanted = (mask.sum() * net.steps,) * 2 if eligibility == "tag" else (window, every)
    assert one.updates["hidden1"] == pytest.approx(wanted)
    sparse, dense = (counts(one, place(populations(some), "loihi2", LOIHI2)) for some in (net, learning_net("none")))
    assert sparse.synaptic_ops[1] == pytest.approx(dense.synaptic_ops[1] - 10 * one.spikes["input"] + every)


@pytest.mark.parametrize("eligibility", ["none", "tag"])
def test_learning_costs_updates_that_inference_does_not(eligibility):
    net = learning_net(eligibility)
    mapping = place(populations(net), "loihi2", LOIHI2)
    one = presentation_activity(net, PIXELS.astype(np.uint8))
    inference, learning = (counts(over_presentations(one, 2, share), mapping) for share in (0, 2))
    assert inference.synaptic_ops == learning.synaptic_ops
    assert inference.synaptic_updates[0] == 0
    assert learning.synaptic_updates[0] > 0
    if eligibility == "tag":  # every synapse, in every step of both presentations
        assert learning.synaptic_updates == (2 * 23 * 200, 2 * 23 * 200)
    assert inference.steps == 2 * net.period


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_events_of_library_neurons_that_learn_are_those_of_their_recorded_states(share):
    net = library_net()
    [layer] = net.layers
    mask = np.random.default_rng(4).random(layer.weight.shape) < share
    if share < 1:
        layer = dataclasses.replace(layer, weight=layer.weight * mask, mask=mask)
        net = dataclasses.replace(net, layers=(layer,))
    data = Dataset("own", "test", PIXELS, np.arange(7) % 2, 2)
    quiet, lessons = library_presentations(net, data)
    learner, found = LibraryLearner(net, record=True), []
    for one in pairs(net, data):
        learner.show(one.q, one.starts)
        learner.present(one.label, one.phase)
        acc, rate = np.concatenate([one.starts, net.label_phases]), np.concatenate([one.q, net.label_codes[one.label]])
        arrived, reached = 0, []  # spikes of the inputs; synapses of each neuron that each step's reach
        for _ in range(net.steps):
            fired, acc = rate_step(acc, rate, 256)
            arrived += int(fired.sum())
            reached.append(mask[:, fired].sum(axis=1))
        z, r = learner.states[:, 1], learner.states[:, 2]
        forced = z[0::4] + z[1::4]
        enabled = [4 * step + slot for step in (23, 25, 27, 29) for slot in (1, 2)]
        spiked = np.zeros(learner.units.shape, bool)
        spiked[enabled] = learner.units[enabled] == 0  # those that spike start anew
        products = sum((r[t][layer.positive == (group % 2 == 0)] > 0).sum() for t, group in np.argwhere(spiked.any(2)))
        found.append(
            [
                arrived,
                z.sum(),
                (r > 0).sum() + (r[-1] > 0).sum(),
                spiked.sum(),
                products,
                forced.sum(),
                (forced * reached).sum(),
                np.sum(reached),
            ]
        )
        learner.w[:] = layer.weight.T
    names = ("input", "hidden1", "hidden1.count", "hidden1.thermometers", "hidden1.product", "hidden1.gates")
    *spikes, updates, visited = np.mean(found, axis=0)
    assert [lessons.spikes[name] for name in names] == pytest.approx(spikes)
    assert lessons.spikes["hidden1.square"] == lessons.spikes["hidden1.count"]
    assert min(spikes) > 0
    assert lessons.updates["hidden1"] == pytest.approx((updates, visited))
    assert lessons.fan_out == ({} if share == 1 else {"hidden1": pytest.approx(visited / spikes[0])})
    assert (lessons.steps, lessons.spikes["control.enable"], lessons.spikes["control.clear"]) == (128, 2 * 8 / 2, 1)
    assert (quiet.updates["hidden1"][0], quiet.spikes["hidden1.gates"], quiet.spikes["control.enable"]) == (0, 0, 0)


def test_the_sums_of_library_neurons_go_over_all_their_links():
    """By hand: each of the graph's links once, its messages times the neurons that each reaches."""
    net = library_net()
    quiet, lessons = library_presentations(net, Dataset("own", "test", PIXELS, np.arange(7) % 2, 2))
    both = summed((quiet, 2), (lessons, 0.5))
    sums = counts(both, place(populations(net), "loihi2", LOIHI2))
    s = both.spikes
    n, units, per = 10, 32, 8
    ops = n * s["input"] + 2 * s["hidden1.gates"] + s["hidden1"] + 3 * s["hidden1.count"] + units * s["hidden1.square"]
    ops += n * s["hidden1.thermometers"] + s["hidden1.product"] + n * s["control.clear"] + per * s["control.enable"]
    assert sums.synaptic_ops[1] == pytest.approx(ops)
    assert sums.neuron_updates == (5 * n + units) * 2.5 * 128
    assert s["control.clear"] == 2.5
    assert sums.synaptic_updates[0] == pytest.approx(0.5 * lessons.updates["hidden1"][0])

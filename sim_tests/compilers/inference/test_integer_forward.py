"""The states of compilers.forward, against an interpreter of plain Python integers; and the threshold sweep."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import readout
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.inference.quantize import Calibration, Options, quantize
from ff2loihi.compilers.inference.thresholds import sweep

LIMIT = 2**23 - 1


def graded_layer(x: list[int], layer) -> tuple[list[int], list[int]]:
    sums, out = [], []
    for row, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
        a = sum(w * v for w, v in zip(row, x, strict=True))
        sums.append(a)
        out.append(min(max((a + bias) >> layer.shift, 0), layer.top))
    return sums, out


def spike_train(q: list[int], phases: list[int], full: int, steps: int) -> list[list[int]]:
    accumulators, rows = list(phases), []
    for _ in range(steps):
        row = []
        for i, rate in enumerate(q):
            accumulators[i] += rate
            fires = accumulators[i] >= full
            accumulators[i] -= full if fires else 0
            row.append(int(fires))
        rows.append(row)
    return rows


def lif_layer(train: list[list[int]], layer, reset: str) -> dict[str, list]:
    n = len(layer.bias)
    v, count = [layer.v0] * n, [0] * n
    seen = {"a": [], "v": [], "r": [], "s": []}
    for x in train:
        a = [sum(w * s for w, s in zip(row, x, strict=True)) >> layer.shift for row in layer.weight.tolist()]
        spikes = []
        for i in range(n):
            v[i] = min(max(v[i] + a[i] * 64 + int(layer.bias[i]), -LIMIT), LIMIT)
            fires = v[i] > layer.vth * 64
            if fires:
                v[i] = v[i] - layer.vth * 64 if reset == "soft" else 0
            count[i] += fires
            spikes.append(int(fires))
        for name, value in (("a", a), ("v", v), ("r", count), ("s", spikes)):
            seen[name].append(list(value))
    return seen


def compiled(float_net, images, seed, **options):
    rng = np.random.default_rng(seed)
    options = Options(weight_bits=int(rng.integers(2, 9)), steps=int(rng.integers(2, 12)), **options)
    net = float_net(seed, (9, 7), bias=seed % 2 == 1, normalization="none" if seed % 2 else "l2")
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), options)
    return (sweep(net, integers, images(60), None)[0] if options.neuron == "lif" else integers), net


@pytest.mark.parametrize("seed", range(6))
def test_graded_states_are_those_of_a_loop_over_integers(float_net, images, seed):
    integers, _ = compiled(float_net, images, seed)
    few = quantize_pixels(images(3, seed=seed), integers.input_bits)
    result = Forward(integers).run(few, states=True)
    for image, pixels in enumerate(few.tolist()):
        for label, code in enumerate(integers.label_codes.tolist()):
            x = pixels + code
            for index, layer in enumerate(integers.layers):
                a, x = graded_layer(x, layer)
                assert result.states[f"{layer.name}.a"][image, label].tolist() == a
                assert result.states[f"{layer.name}.h"][image, label].tolist() == x
                positive = sum(h * h for h, p in zip(x, layer.positive, strict=True) if p)
                squares = [positive, sum(h * h for h in x) - positive]
                assert result.sums[image, label, index, 0].tolist() == squares
                assert result.spikes[image, label, index] == sum(h > 0 for h in x)


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("edge", [False, True], ids=["compiled", "at the edges"])
@pytest.mark.parametrize("seed", range(4))
def test_spiking_states_are_those_of_a_loop_over_integers(float_net, images, seed, reset, edge):
    integers, _ = compiled(float_net, images, seed, neuron="lif", reset=reset)
    if edge:  # v saturates: the bias drives it beyond 24 bits, upward and downward
        mantissas = np.resize([4095, -4095, 0, 4095], 9)
        pushed = replace(integers.layers[0], bias=(mantissas << 7).astype(np.int32), bias_exp=7, vth=2**17 - 1)
        integers = replace(integers, layers=(pushed, integers.layers[1]), steps=40)
    few = quantize_pixels(images(2, seed=seed), integers.input_bits)
    result = Forward(integers).run(few, states=True)
    for image, pixels in enumerate(few.tolist()):
        for label, code in enumerate(integers.label_codes.tolist()):
            train = spike_train(pixels + code, integers.phases.tolist(), 2**integers.input_bits - 1, integers.steps)
            for index, layer in enumerate(integers.layers):
                seen = lif_layer(train, layer, reset)
                train = seen.pop("s")
                for name, value in seen.items():
                    assert result.states[f"{layer.name}.{name}"][image, label].tolist() == value
                counts = seen["r"][-1]
                assert result.spikes[image, label, index] == sum(counts)
                assert result.sums[image, label, index, -1].sum() == sum(r * r for r in counts)


def test_an_input_at_rate_q_spikes_q_times_in_full_steps():
    full = 255
    train = spike_train(list(range(256)), [(37 * i) % full for i in range(256)], full, full)
    assert [sum(column) for column in zip(*train, strict=True)] == list(range(256))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_the_sweep_takes_in_each_layer_the_trial_that_follows_the_float_network_best(float_net, images, seed, reset):
    net = float_net(seed, (30, 20), bias=seed == 1)
    calibration = Calibration(images(60), np.arange(60) % 4)
    integers = quantize(net, calibration, Options(neuron="lif", reset=reset))
    best, trials = sweep(net, integers, images(60), None)
    wanted = np.zeros((60, len(net.label.codes)))
    shown = [np.rint(0.65 * a + 0.35 * b) for a, b in zip(images(60), [*images(60)[1:], images(60)[0]], strict=True)]
    for image, pixels in enumerate(shown):
        for label, code in enumerate(net.label.codes):
            x = np.concatenate([pixels / 255, code])
            for layer in net.layers:
                x = np.maximum(layer.weight @ x + (0 if layer.bias is None else layer.bias), 0)
                wanted[image, label] += float(x @ x)
    result = Forward(best).run(quantize_pixels(np.array(shown, np.uint8), best.input_bits))
    roots = [np.sqrt(scores) for scores in (readout.scores(best, result.sums, None), wanted)]
    centred = [(root - root.mean(1, keepdims=True)).ravel() for root in roots]
    last = [trial for trial in trials if trial.layer == "hidden2"]
    assert float(np.corrcoef(*centred)[0, 1]) == pytest.approx(max(trial.fidelity for trial in last), abs=1e-6)
    chosen = next(trial for trial in last if trial.vth == tuple(layer.vth for layer in best.layers))
    assert chosen.fidelity == max(trial.fidelity for trial in last)
    first = [trial for trial in trials if trial.layer == "hidden1"]
    assert max(first, key=lambda trial: trial.fidelity).vth[0] == best.layers[0].vth
    assert len(last) == len(first) > 3


def test_a_given_threshold_is_taken_and_starts_soft_neurons_half_way(float_net, images):
    net = float_net(0)
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), Options(neuron="lif"))
    fixed, trials = sweep(net, integers, images(60), 321)
    assert [(layer.vth, layer.v0) for layer in fixed.layers] == [(321, 321 * 32)] * 2
    assert trials == []
    hard, _ = sweep(net, replace(integers, reset="hard"), images(60), 321)
    assert [layer.v0 for layer in hard.layers] == [0, 0]


def test_a_spiking_bias_that_no_mantissa_holds_is_refused_by_name(float_net, images):
    net = float_net(0, bias=True)
    heavy = replace(net.layers[0], bias=net.layers[0].bias * np.float32(1e5))
    net = replace(net, layers=(heavy, net.layers[1]))
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), Options(neuron="lif"))
    with pytest.raises(CompileError, match="hidden1: a bias"):
        sweep(net, integers, images(60), None)


@pytest.mark.parametrize("layers", [(0, 1), (1, 0), (1,)])
def test_each_head_matrix_reads_the_layer_that_it_was_given_for(float_net, images, layers):
    from ff2loihi.compilers.ir import Head

    net = float_net(2, (15, 15), normalization="l2")
    rng = np.random.default_rng(0)
    head = Head(tuple(rng.normal(0, 1, (4, 15)).astype(np.float32) for _ in layers), np.zeros(4, np.float32))
    net = replace(net, readout="head", readout_layers=layers, head=head)
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), Options())
    result = Forward(integers).run(quantize_pixels(images(20), integers.input_bits))
    got = readout.scores(integers, result.sums, result.head)
    for image, pixels in enumerate(images(20)):
        x, activities = np.concatenate([pixels / 255, net.label.codes.mean(0)]), []
        for layer in net.layers:
            x = np.maximum(layer.weight @ x, 0)
            activities.append(x / np.linalg.norm(x))
            x = activities[-1]
        wanted = sum(weight @ activities[index] for weight, index in zip(head.weights, layers, strict=True))
        assert np.abs(got[image] - wanted).max() < 0.15


@pytest.mark.parametrize("normalization", ["none", "l2", "rms"])
@pytest.mark.parametrize(
    ("options", "error"), [(Options(), 0.02), (Options(neuron="lif", steps=256), 0.1)], ids=["graded", "lif"]
)
def test_a_raw_head_gives_the_logits_of_a_plain_classifier(float_net, images, options, error, normalization):
    from ff2loihi.compilers.ir import Head

    net = float_net(3, (15, 10), bias=normalization == "none", normalization=normalization, labels=False)
    weight = np.random.default_rng(0).normal(0, 1, (4, 10)).astype(np.float32)
    head = Head((weight,), np.arange(4, dtype=np.float32), "raw")
    net = replace(net, readout="head", readout_layers=(1,), head=head)
    integers = quantize(net, Calibration(images(60), np.arange(60) % 4), options)
    if options.neuron == "lif":
        integers, _ = sweep(net, integers, images(60), None)
    result = Forward(integers).run(quantize_pixels(images(20), integers.input_bits))
    got = readout.scores(integers, result.sums, result.head)
    assert result.sums.shape[1] == 1
    gain, wanted = 15**0.5 if normalization == "rms" else 1.0, []
    for pixels in images(20):
        x = pixels / 255
        for index, layer in enumerate(net.layers):
            if index and normalization != "none":
                x = x / np.linalg.norm(x) * gain
            x = np.maximum(layer.weight @ x + (0 if layer.bias is None else layer.bias), 0)
        wanted.append(weight @ x + head.bias)
    assert np.abs(got - wanted).mean() < error * np.abs(wanted).mean()

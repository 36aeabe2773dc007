"""Recipes of events: membranes against a loop over single neurons, gradients against torch's, and what compiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CheckpointError, CompileError, DataError, FF2LoihiError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.ir.options import LIF
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import parse
from ff2loihi.ff.descent import tensor_of
from ff2loihi.ff.networks.spiking import SLOPE, event_drive, membranes_of, traces
from ff2loihi.ff.recipes import train
from ff2loihi.ff.train import evaluate

STEPS, SAMPLES, N = 12, 5, 7
NEURONS = [LIF(kind="lif", decay=0.9, threshold=0.7, steps=STEPS), LIF(kind="lif", decay=0.5, trace="li", steps=STEPS)]


@pytest.fixture(scope="module")
def points():
    """Yin-Yang's training points but its last fifth, and those."""
    return tuple(load_data("yin-yang", split, limit=1000, events=parse("rounds=1")) for split in ("fit", "validation"))


def drawn(*shape, seed=0, requires_grad=False):
    x = np.random.default_rng(seed).normal(0.3, 0.5, shape).astype(np.float32)
    return torch.from_numpy(x).requires_grad_(requires_grad)


class Step(torch.autograd.Function):
    """z of v - threshold, and its surrogate gradient."""

    @staticmethod
    def forward(ctx, x, threshold):
        ctx.save_for_backward(x)
        ctx.threshold = threshold
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, *gradients):
        (x,) = ctx.saved_tensors
        return gradients[0] / (1 + SLOPE * (x / ctx.threshold).abs()) ** 2 / ctx.threshold, None


def unrolled(drive, neuron):
    """(z, r), operation by operation, for torch to differentiate; a reset's own gradient is left out."""
    v, r, spikes = torch.zeros_like(drive[0]), torch.zeros_like(drive[0]), []
    for a in drive:
        before = neuron.decay * v + a
        z = Step.apply(before - neuron.threshold, neuron.threshold)
        v = before * (1 - z.detach())
        r = (neuron.trace_decay if neuron.trace == "li" else 1) * r + z
        spikes.append(z)
    return torch.stack(spikes), r


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("read", ["trace", "spikes", "both"])
def test_membranes_and_their_gradients_are_those_of_the_equations(neuron, read):
    found, wanted = (drawn(STEPS, SAMPLES, N, requires_grad=True) for _ in range(2))
    z, r = membranes_of(found, neuron, passes_spikes=True)
    spikes, trace = unrolled(wanted, neuron)
    assert torch.equal(z, spikes)
    assert 0.1 < z.mean() < 0.9
    torch.testing.assert_close(r, trace)
    of_trace, of_spikes = drawn(SAMPLES, N, seed=1), drawn(STEPS, SAMPLES, N, seed=2)
    for one, other in ((z, r), (spikes, trace)):
        parts = {"trace": (other * of_trace).sum(), "spikes": (one * of_spikes).sum()}
        (sum(parts.values()) if read == "both" else parts[read]).backward()
    torch.testing.assert_close(found.grad, wanted.grad)
    assert found.grad.abs().max() > 0.1


def test_events_drive_as_their_bits_times_the_weights(points):
    data, weight = points[0], drawn(N, points[0].inputs, requires_grad=True)
    binning = replace_rounds(data, 2).events
    drive = event_drive(torch.from_numpy(np.array(data.images[:SAMPLES])), weight, binning)
    bits = np.unpackbits(np.array(data.images[:SAMPLES]).reshape(SAMPLES, binning.steps, -1), axis=2)
    bits = bits[:, :, : binning.inputs].transpose(1, 0, 2).astype(np.float32)
    wanted = np.concatenate([bits, bits]) @ weight.detach().numpy().T
    np.testing.assert_allclose(drive.detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    drive.sum().backward()
    np.testing.assert_allclose(weight.grad[0].numpy(), 2 * bits.sum((0, 1)), rtol=1e-5)
    assert bits.sum() == 5 * SAMPLES


def replace_rounds(data, rounds):
    return replace(data, events=data.events.model_copy(update={"rounds": rounds}))


def test_a_layer_learns_from_its_own_loss_alone_unless_backprop_goes_through_all(points):
    drive = drawn(STEPS, SAMPLES, N, requires_grad=True)
    net = train("ff-lif", points[0], epochs=0, widths=(N, 6))
    for local in (True, False):
        drive.grad = None
        traces(net.layers, drive, NEURONS[0], local)[1].sum().backward()
        assert (drive.grad is None or not drive.grad.any()) == local
    assert net.layers[1].weight.grad.any()


@pytest.mark.parametrize(("recipe", "reached"), [("ff-lif", 0.75), ("ff-lif-decay", 0.75), ("bptt-lif", 0.75)])
def test_a_recipe_learns_points_by_the_times_of_their_spikes(points, recipe, reached):
    fit, held_out = points
    untrained, trained = (train(recipe, fit, epochs=epochs, widths=(60,)) for epochs in (0, 6))
    assert evaluate(trained, held_out) > reached  # chance is 1/3; x or y alone gives 0.6 at most
    assert evaluate(untrained, held_out) < 0.6
    assert trained.training_facts["epochs"] == 6


@pytest.fixture(scope="module")
def trained(points, tmp_path_factory):
    """Two layers of ff-lif, and its program."""
    net, path = train("ff-lif", points[0], epochs=4, widths=(60, 40)), tmp_path_factory.mktemp("lif") / "m.pt"
    net.save(path)
    return net, path, api.compile(path, points[0])


def test_a_compiled_network_classifies_as_its_float_one(points, trained):
    net, _, program = trained
    held_out = points[1]
    trace = Emulator().run(program, held_out.images)
    wanted = net.scores(tensor_of(held_out.images, held_out.events)).numpy()
    float_accuracy = (wanted.argmax(1) == held_out.labels).mean()
    assert float_accuracy > 0.75
    assert abs((trace.predictions == held_out.labels).mean() - float_accuracy) <= 0.015
    assert (trace.predictions == wanted.argmax(1)).mean() > 0.95


def test_a_trace_that_decays_is_the_compiled_networks_too(points, tmp_path):
    """Its 7 bits hold what the samples' spikes make of it: with an impulse for a spike in every step 15 points go."""
    net, held_out = train("ff-lif-decay", points[0], epochs=4, widths=(60,)), points[1]
    net.save(tmp_path / "m.pt")
    program = api.compile(tmp_path / "m.pt", points[0])
    [layer] = program.network.layers
    assert (net.neuron.trace, layer.trace.kind, layer.trace.keep) == ("li", "li", round(256 * net.neuron.trace_decay))
    trace = Emulator().run(program, held_out.images)
    wanted = net.scores(tensor_of(held_out.images, held_out.events)).numpy().argmax(1)
    assert (wanted == held_out.labels).mean() > 0.7
    assert abs((trace.predictions == held_out.labels).mean() - (wanted == held_out.labels).mean()) <= 0.02
    assert 60 < np.sqrt(trace.sums.max()) < 127 * np.sqrt(layer.neurons)


def test_an_untrained_network_keeps_its_traces_decay(points, tmp_path):
    net = train("ff-lif-decay", points[0], epochs=0, widths=(60,))
    net.save(tmp_path / "m.pt")
    [layer] = api.compile(tmp_path / "m.pt", points[0]).network.layers
    assert (layer.trace.kind, layer.trace.keep) == ("li", round(256 * net.neuron.trace_decay))


def test_the_labels_spike_as_in_the_compiled_network(trained):
    net, _, program = trained
    layer, labels = program.network.layers[0], np.eye(3)
    spikes = np.diff((program.network.label_phases + np.arange(33)[:, None] * 64) // 256, axis=0)
    drive = net.label_drive(torch.from_numpy(labels).float())
    weight = net.layers[0].weight.detach().numpy()[:, -3:]
    np.testing.assert_allclose(drive.detach().numpy(), (spikes[:, None] * labels) @ weight.T, rtol=1e-5, atol=1e-6)
    assert (program.network.label_codes == 64 * labels).all()
    assert spikes.sum() == 3 * 8
    assert layer.neuron.dv == round(4096 * (1 - net.neuron.decay))


def test_the_spec_says_how_events_are_binned_and_which_neuron_takes_them(points, trained):
    net, path, program = trained
    checkpoint = pipeline.load_checkpoint(path)
    assert checkpoint.spec.input.events == points[0].events == program.network.events
    assert checkpoint.spec.neuron == net.neuron
    assert (program.network.steps, program.network.window) == (32, 29)


def test_a_checkpoint_of_another_number_of_steps_is_refused(trained):
    content = trained[0].checkpoint()
    content["spec"]["neuron"]["steps"] = 24
    tensors = content["tensors"]
    with pytest.raises(CheckpointError, match=r"neuron\.steps: 24, its events are presented in 32 steps"):
        network.build(pipeline.live_checkpoint(tensors, content["spec"]))


def test_weights_that_are_no_numbers_are_refused(trained):
    content = trained[0].checkpoint()
    content["tensors"]["layers.1.weight"][3, 4] = torch.nan
    with pytest.raises(CheckpointError, match=r"layers\.1\.weight"):
        network.build(pipeline.live_checkpoint(content["tensors"], content["spec"]))


def test_a_classifier_without_labels_says_why_it_does_not_compile(points, tmp_path):
    train("bptt-lif", points[0], epochs=0, widths=(8,)).save(tmp_path / "m.pt")
    with pytest.raises(CompileError, match="label none: a net of spiking neurons compiles where") as failure:
        api.compile(tmp_path / "m.pt", points[0])
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("recipe", ["ff-lif", "bptt-lif"])
def test_images_are_refused(recipe):
    with pytest.raises(DataError, match="digits: images, and this recipe trains on events. Use --events saccades"):
        train(recipe, load_data("digits", "train", limit=50))


def test_options_of_other_recipes_are_refused(points):
    for option in ({"head": True}, {"bias": True}, {"field": (2,)}):
        with pytest.raises(FF2LoihiError, match=f"--{next(iter(option))}: no meaning with --recipe ff-lif"):
            train("ff-lif", points[0], **option)


@pytest.mark.parametrize(("recipe", "widths"), [("bptt-lif", (2, 2, 2, 2)), ("ff-lif", (1,))])
def test_weights_that_no_spike_reaches_stay_numbers(recipe, widths):
    """Of a silent layer, and of one neuron on one sample, the drive has no deviation to scale by."""
    data = load_data("yin-yang", "train", limit=40, events=parse("steps=8,parts=4,rounds=1"))
    if len(widths) == 1:
        data = replace(data, images=data.images[:1], labels=data.labels[:1])
    made = train(recipe, data, epochs=1, widths=widths)
    assert all(torch.isfinite(layer.weight).all() and layer.weight.any() for layer in made.layers)

"""netx files, read by a reader of the documented fields alone."""

import dataclasses

import h5py
import numpy as np
import pytest
from scipy import signal

from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.interchange.netx import remarks
from ff2loihi.compilers.interchange.rule_file import read as read_rule
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.deployment import interchange
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.learning_rule import Neuron
from ff2loihi.verification import golden
from sim_tests.deployment.nets import COMPILED, each

HARD = [net for net in COMPILED if net[-1] == "hard"]
SPIKING = [net for net in COMPILED if net[-1] in ("hard", "soft")]
FINE_BIASES = [("tosato-bp", "plain", "hard"), ("ffa-symmetric", "bias", "hard")]  # finer than netx counts them


def read_net(path) -> list[dict]:
    """The layers with neurons in order, as lava-dl's description of the format names their fields; below: a shape."""
    with h5py.File(path) as file:
        layers = [file[f"layer/{index}"] for index in range(len(file["layer"]))]
        found, below = [], None
        for layer in layers:
            kind = layer["type"][0].decode()
            fields = {name: layer[name][()] for name in layer if name not in ("neuron", "type")} | {"below": below}
            below = tuple(fields["shape"])
            if kind in ("input", "flatten"):
                assert fields["below"] is None or np.prod(below) == np.prod(fields["below"])
                continue
            assert kind == ("dense" if len(below) == 1 else "conv")
            if kind == "dense":
                assert fields["weight"].shape == (fields["outFeatures"], fields["inFeatures"])
                assert len(fields["below"] or (1,)) == 1
            else:
                groups = fields["inChannels"] // fields["groups"]
                assert fields["weight"].shape == (fields["outChannels"], groups, *fields["kernelSize"])
                assert fields["below"][0] == fields["inChannels"]
            assert below[0] == fields["outFeatures" if kind == "dense" else "outChannels"]
            neuron = {name: layer["neuron"][name][()] for name in layer["neuron"]}
            found.append(fields | neuron | {"type": neuron["type"][0].decode()})
        return found


def sums_of(layer: dict, row: np.ndarray) -> np.ndarray:
    """W s; a convolution as Lava's Conv defines it, in (x, y, channel), of kernels turned as lava-dl's reader does."""
    if layer["weight"].ndim == 2:
        return layer["weight"] @ row
    kernels = layer["weight"][:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
    (right, down), sides = layer["stride"][::-1], layer["padding"][::-1]
    image = np.pad(row.reshape(layer["below"]).transpose(2, 1, 0), [*((side, side) for side in sides), (0, 0)])
    out, each = [], layer["outChannels"] // layer["groups"]
    for channel, kernel in enumerate(kernels):
        taps = kernel.shape[2]
        planes = image[:, :, channel // each * taps :][:, :, :taps]
        out.append(sum(signal.convolve2d(planes[:, :, i], kernel[:, :, i], "valid") for i in range(taps)))
    found = np.array(out)[:, ::right, ::down].transpose(0, 2, 1)  # channel, y, x
    assert found.shape == tuple(layer["shape"])
    return found.ravel()


def spikes_of(layer: dict, s: np.ndarray) -> np.ndarray:
    """lava-dl's CUBA neuron as Lava's LIF computes it: s (steps, inputs) 0/1 -> (steps, n) 0/1."""
    u, v, out = 0, 0, []
    bias = layer.get("bias", np.zeros(1, int))
    bias = np.repeat(bias, np.prod(layer["shape"]) // len(bias)) << 6
    for row in s:
        u = np.trunc(u * (4096 - layer["iDecay"]) / 4096) + (sums_of(layer, row) << 6)
        v = np.trunc(v * (4096 - layer["vDecay"]) / 4096) + u + bias
        fired = v > layer["vThMant"] << 6
        v = np.where(fired, 0, v)
        out.append(fired)
    return np.array(out).astype(int)


@pytest.fixture
def mixed_hard(mixed):
    """The spiking net of convolutions and a dense layer, with biases that netx counts: multiples of 2^6 v LSB."""
    net = mixed["hard"].network
    assert net.layers[0].bias.any()
    first = dataclasses.replace(net.layers[0], bias=net.layers[0].bias >> 6 << 6, bias_exp=6)
    return dataclasses.replace(mixed["hard"], network=dataclasses.replace(net, layers=(first, *net.layers[1:])))


@each([*(net for net in HARD if net not in FINE_BIASES), ("mixed",)])
def test_a_reader_of_the_documented_fields_computes_the_same_spikes(artifacts, mixed_hard, digits, tmp_path, net):
    program = mixed_hard if net == ("mixed",) else artifacts[net]
    net = program.network
    assert list(remarks(net)) == []
    interchange.export(program, "netx", tmp_path / "m.net")
    layers = read_net(tmp_path / "m.net")
    states = Emulator().run(program, digits.images, states=True).states
    for sample, image in enumerate(digits.images):
        one = len(net.pass_labels) == 1
        code = net.pass_labels[0 if one else 1]
        q = np.concatenate([image, code] if net.label_kind == "append" else [code, image[len(code) :]]).astype(int)
        acc, s = net.phases, []
        for _ in range(net.steps):
            spikes, acc = rate_step(acc, q, 255)
            s.append(spikes)
        s = np.array(s).astype(int)
        for layer, ours in zip(layers, net.layers, strict=True):
            s = spikes_of(layer, s)
            counted = states[f"{ours.name}.r"][sample, 0 if one else 1]
            np.testing.assert_array_equal(np.cumsum(s, axis=0), counted)
    assert all(states[f"{layer.name}.r"].any() for layer in net.layers)


@each(FINE_BIASES)
def test_biases_that_other_readers_take_for_others_are_said(artifacts, tmp_path, net):
    _, said = interchange.export(artifacts[net], "netx", tmp_path / "m.net")
    assert said == ["hidden1: biases in 2^2 v LSB, other readers take 2^6"]


@pytest.mark.needs_lava
@pytest.mark.parametrize("recipe", ["ff-mlp", "cwc-ff", "mixed"])
def test_lava_dl_itself_loads_it_where_it_is_installed(artifacts, mixed_hard, tmp_path, recipe):
    """lava-dl 0.6.0, which `make` installs where Python is 3.10."""
    hdf5 = pytest.importorskip("lava.lib.dl.netx.hdf5", reason="lava-dl is not installed: it needs Python 3.10")
    program = mixed_hard if recipe == "mixed" else artifacts[recipe, "plain", "hard"]
    net = program.network
    interchange.export(program, "netx", tmp_path / "m.net")
    loaded = hdf5.Network(net_config=str(tmp_path / "m.net"), reset_interval=net.steps, reset_offset=2)
    for found, layer in zip(loaded.layers, net.layers, strict=True):
        if layer.conv:
            turned = layer.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
            np.testing.assert_array_equal(found.synapse.weight.init, turned)
            assert found.out.shape == layer.conv.out_shape[::-1]
        else:
            np.testing.assert_array_equal(found.synapse.weights.init, layer.weight)
        assert (found.neuron.vth.init, found.neuron.du.init, found.neuron.dv.init) == (layer.vth, 4095, 0)


@each([*COMPILED, ("mixed", "graded"), ("mixed", "hard")])
def test_every_recipes_integers_come_back(artifacts, mixed, tmp_path, net):
    program = mixed[net[1]] if net[0] == "mixed" else artifacts[net]
    files, _ = interchange.export(program, "netx", tmp_path / "m.net")
    layers, net = read_net(tmp_path / "m.net"), program.network
    for found, layer in zip(layers, net.layers, strict=True):
        np.testing.assert_array_equal(found["weight"], layer.weight)
        if isinstance(net, LearningNetwork):
            assert Neuron(found["vThMant"], found["vDecay"]) == layer.neuron
            continue
        bias = found.get("bias", np.zeros(1, int)) << found["biasExp"]
        np.testing.assert_array_equal(np.repeat(bias, layer.neurons // len(bias)), layer.bias)
        assert (found["vThMant"], found["shift"], found["top"], found["v0"]) == (
            layer.vth, layer.shift, layer.top, layer.v0,
        )  # fmt: skip
    assert (len(files) == 2) == isinstance(net, LearningNetwork)


@each([*SPIKING, ("mixed", "hard"), ("pooled", "hard")])
def test_what_we_export_comes_back_with_the_same_bits(artifacts, mixed, pooled, digits, tmp_path, net):
    program = {"mixed": mixed, "pooled": pooled}[net[0]]["hard"] if len(net) == 2 else artifacts[net]
    interchange.export(program, "netx", tmp_path / "m.net")
    again, said = interchange.read_netx(tmp_path / "m.net", 16)
    assert "the label and the read-out of the artifact it comes from are no part of a .net" in said[-1]
    ours, found = program.network, again.network
    assert (found.steps, found.reset, found.inputs) == (ours.steps, ours.reset, ours.inputs)
    code = ours.pass_labels[0]
    parts = [digits.images, np.tile(code, (len(digits.images), 1))]
    if ours.label_kind == "overwrite":
        parts = [parts[1], digits.images[:, len(code) :]]
    rows = np.concatenate(parts, axis=1).astype(np.uint8)
    wanted = Emulator().run(program, digits.images, states=True).states
    states = Emulator().run(again, rows, states=True).states
    for before, after in zip(ours.layers, found.layers, strict=True):
        for state in "auvr":
            np.testing.assert_array_equal(wanted[f"{before.name}.{state}"][:, 0], states[f"{after.name}.{state}"][:, 0])
        assert states[f"{after.name}.r"].any()


@pytest.mark.parametrize("form", ["rule", "tag"])
def test_a_rule_stands_beside_the_net_with_all_its_constants(artifacts, tmp_path, form):
    program = artifacts["ffa-symmetric", "plain", form]
    files, _ = interchange.export(program, "netx", tmp_path / "m.net")
    rule = read_rule(files[1])
    layer, found = program.network.layers[0], rule["layers"][0]
    assert tuple(found["factor"]["table"]) == layer.factor.table
    assert found["trace"]["kind"] == layer.trace.kind
    text = files[1].read_text()
    exponent = program.network.update.exponent
    assert (f'"dw": "2^-{exponent}*t*u0"' in text) == (form == "tag")
    assert (f'"dw": "2^-{exponent}*x0*y2 - 2^-{exponent}*x0*y3"' in text) == (form == "rule")


@pytest.mark.parametrize(("form", "word"), [("graded", "GRADED-RELU"), ("soft", "CUBA-SOFT")])
def test_a_kind_of_neuron_that_other_readers_refuse_is_said(artifacts, tmp_path, form, word):
    _, said = interchange.export(artifacts["ff-mlp", "plain", form], "netx", tmp_path / "m.net")
    assert any(word in remark for remark in said)
    assert read_net(tmp_path / "m.net")[0]["type"] == word


def test_a_pool_stands_behind_its_layer_as_a_type_of_ours_and_an_average_is_a_convolution(pooled, tmp_path):
    program = pooled["graded"]
    assert [text for text in remarks(program.network) if "maxpool" in text]
    interchange.export(program, "netx", tmp_path / "m.net")
    with h5py.File(tmp_path / "m.net") as file:
        layers = [file[f"layer/{index}"] for index in range(len(file["layer"]))]
        kinds = [layer["type"][0].decode() for layer in layers]
        assert kinds == ["input", "conv", "maxpool", "conv", "conv", "flatten", "dense"]
        assert [layers[2][name][()].tolist() for name in ("shape", "kernelSize", "stride")] == [
            [6, 3, 8],
            [2, 2],
            [1, 1],
        ]
        assert layers[3]["dilation"][()].tolist() == [2, 2]
        assert (layers[4]["groups"][()], layers[4]["kernelSize"][()].tolist()) == (4, [1, 6])
        assert np.ptp(layers[4]["weight"][()]) == 0


@pytest.mark.parametrize("form", ["graded", "hard"])
def test_nir_has_no_node_for_a_max_pool(pooled, tmp_path, form):
    with pytest.raises(CompileError, match="hidden1: NIR has no max pooling. Export to netx"):
        interchange.export(pooled[form], "nir", tmp_path / "m.nir")


@pytest.mark.parametrize("form", ["graded", "hard"])
def test_golden_vectors_of_a_pool_hold_what_comes_in_and_what_leaves(pooled, digits, form):
    vectors = golden.golden(pooled[form], "artifact", digits)
    before, after = (vectors.arrays[f"hidden1.{name}"] for name in ("unpooled", "h" if form == "graded" else "s"))
    layer = pooled[form].network.layers[0]
    assert vectors.axes["hidden1.unpooled"][-1] == "neuron"
    assert (before.shape[-1], after.shape[-1]) == (layer.neurons, layer.outputs)
    counts = before if form == "graded" else before.cumsum(2)
    reached = counts[..., layer.pool.windows].max(-1)
    assert (after if form == "graded" else after.cumsum(2)).tolist() == reached.tolist()
    assert after.any()

"""netx files, read by a reader of the documented fields alone."""

import h5py
import numpy as np
import pytest

from ff2loihi import interchange
from ff2loihi.backends.emulator import Emulator
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.netx import remarks
from ff2loihi.compilers.rule_file import read as read_rule
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.learning_rule import Neuron


def read_net(path) -> list[dict]:
    """The layers in order, as lava-dl's description of the format names their fields."""
    with h5py.File(path) as file:
        layers = [file[f"layer/{index}"] for index in range(len(file["layer"]))]
        found = []
        for layer in layers:
            assert layer["type"][0] == b"dense"
            fields = {name: layer[name][()] for name in layer if name not in ("neuron", "type")}
            assert fields["weight"].shape == (fields["outFeatures"], fields["inFeatures"])
            assert np.prod(fields["shape"]) == fields["outFeatures"]
            neuron = {name: layer["neuron"][name][()] for name in layer["neuron"]}
            found.append(fields | neuron | {"type": neuron["type"][0].decode()})
        return found


def spikes_of(layer: dict, s: np.ndarray) -> np.ndarray:
    """lava-dl's CUBA neuron as Lava's LIF computes it: s (steps, inputs) 0/1 -> (steps, n) 0/1."""
    u, v, out = 0, 0, []
    bias = layer.get("bias", 0) << 6
    for row in s:
        u = np.trunc(u * (4096 - layer["iDecay"]) / 4096) + (layer["weight"] @ row << 6)
        v = np.trunc(v * (4096 - layer["vDecay"]) / 4096) + u + bias
        fired = v > layer["vThMant"] << 6
        v = np.where(fired, 0, v)
        out.append(fired)
    return np.array(out).astype(int)


def test_a_reader_of_the_documented_fields_computes_the_same_spikes(artifacts, digits, tmp_path):
    hard = {name: program for name, program in artifacts.items() if name[-1] == "hard"}
    hard = {name: program for name, program in hard.items() if not list(remarks(program.network))}
    assert len(hard) >= 4
    for program in hard.values():
        net = program.network
        interchange.export(program, "netx", tmp_path / "m.net")
        layers = read_net(tmp_path / "m.net")
        states = Emulator().run(program, digits.images, states=True).states
        for sample, image in enumerate(digits.images):
            code = net.neutral if net.readout == "head" else net.label_codes[1]
            q = np.concatenate([image, code] if net.label_kind == "append" else [code, image[len(code) :]]).astype(int)
            acc, s = net.phases, []
            for _ in range(net.steps):
                spikes, acc = rate_step(acc, q, 255)
                s.append(spikes)
            s = np.array(s).astype(int)
            for layer, ours in zip(layers, net.layers, strict=True):
                s = spikes_of(layer, s)
                counted = states[f"{ours.name}.r"][sample, 0 if net.readout == "head" else 1]
                np.testing.assert_array_equal(np.cumsum(s, axis=0), counted)
        assert any(states[f"{layer.name}.r"].any() for layer in net.layers)


@pytest.mark.needs_lava
def test_lava_dl_itself_loads_it_where_it_is_installed(artifacts, tmp_path):
    """Seen with lava-dl 0.6.0, which the project does not install: it brings cv2 and more."""
    hdf5 = pytest.importorskip("lava.lib.dl.netx.hdf5")
    net = artifacts["ff-mlp", "plain", "hard"].network
    interchange.export(artifacts["ff-mlp", "plain", "hard"], "netx", tmp_path / "m.net")
    loaded = hdf5.Network(net_config=str(tmp_path / "m.net"), reset_interval=net.steps, reset_offset=2)
    for found, layer in zip(loaded.layers, net.layers, strict=True):
        np.testing.assert_array_equal(found.synapse.weights.init, layer.weight)
        assert (found.neuron.vth.init, found.neuron.du.init, found.neuron.dv.init) == (layer.vth, 4095, 0)


def test_every_recipes_integers_come_back(artifacts, tmp_path):
    for program in artifacts.values():
        files, _ = interchange.export(program, "netx", tmp_path / "m.net")
        layers = read_net(tmp_path / "m.net")
        net = program.network
        for found, layer in zip(layers, net.layers, strict=True):
            np.testing.assert_array_equal(found["weight"], layer.weight)
            if isinstance(net, LearningNetwork):
                assert Neuron(found["vThMant"], found["vDecay"]) == layer.neuron
                continue
            np.testing.assert_array_equal(found.get("bias", 0) << found["biasExp"], layer.bias)
            assert (found["vThMant"], found["shift"], found["top"], found["v0"]) == (
                layer.vth, layer.shift, layer.top, layer.v0,
            )  # fmt: skip
        assert (len(files) == 2) == isinstance(net, LearningNetwork)


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


def test_what_other_readers_would_get_wrong_is_said(artifacts, tmp_path):
    wanted = {"graded": "GRADED-RELU", "soft": "CUBA-SOFT"}
    for form, word in wanted.items():
        _, said = interchange.export(artifacts["ff-mlp", "plain", form], "netx", tmp_path / "m.net")
        assert any(word in remark for remark in said)
        assert read_net(tmp_path / "m.net")[0]["type"] == word

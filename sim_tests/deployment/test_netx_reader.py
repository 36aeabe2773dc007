"""netx networks become artifacts of their own integers: those of lava-dl, and those that we export."""

import dataclasses

import h5py
import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.errors import CheckpointError, CompileError
from ff2loihi.compilers.inference.integer_forward import Forward, quantize_pixels
from ff2loihi.compilers.ir import Leak
from ff2loihi.deployment import interchange
from ff2loihi.verification.equality import equality_report
from sim_tests.deployment.test_netx import spikes_of

STEPS = 12
CUBA = {"type": "CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": 20, "refDelay": 1, "gradedSpike": False}
DENSE = {"type": "dense", "shape": [2], "inFeatures": 3, "outFeatures": 2, "neuron": CUBA}
EYE = np.array([[10, 0, 0], [0, 10, 20]], np.float32)


def dense(weight=EYE, **changes) -> dict:
    """A layer as slayer's cuba.Dense exports it; neuron: what is other than in CUBA."""
    neuron = CUBA | changes.pop("neuron", {})
    size = {"shape": [len(weight)], "inFeatures": weight.shape[1], "outFeatures": len(weight)}
    return DENSE | size | {"weight": weight.astype(np.float32), "neuron": neuron} | changes


def conv(weight, shape, **changes) -> dict:
    """A layer as slayer's cuba.Conv exports it, for images of (channels, rows, columns)."""
    neuron = CUBA | changes.pop("neuron", {})
    size = {"inChannels": weight.shape[1] * changes.get("groups", 1), "outChannels": len(weight)}
    sides = {"kernelSize": weight.shape[2:4], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    return {"type": "conv", "shape": shape, **size, **sides, "weight": weight, "neuron": neuron} | changes


def lay(target, fields: dict) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            lay(target.create_group(name), value)
        elif name == "type" and "vThMant" not in fields:
            target.create_dataset("type", data=np.array([value], "S10"))
        else:
            target[name] = value


@pytest.fixture
def written(tmp_path):
    """written(*layers) -> the path of a file that holds them; steps: of a sample, None: it says none."""

    def write(*layers: dict, steps: int | None = STEPS):
        path = tmp_path / "x.net"
        with h5py.File(path, "w") as file:
            for number, layer in enumerate(layers):
                lay(file.create_group(f"layer/{number}"), layer)
            if steps is not None:
                file["simulation/Ts"], file["simulation/tSample"] = 1, steps
        return path

    return write


def test_a_neuron_with_a_current_and_a_leak_does_what_a_hand_calculates(written):
    neuron = {"iDecay": 2048, "vDecay": 1024, "vThMant": 20}
    program, said = interchange.read_netx(written(dense(np.array([[10], [-4]]), neuron=neuron), steps=6), 16)
    assert said == []
    assert program.network.steps == 6
    trace = Emulator().run(program, np.full((1, 1), 255, np.uint8), states=True)
    states = {name: trace.states[f"layer0.{name}"][0, 0, :, 0].tolist() for name in "uvr"}
    assert states["u"] == [640, 960, 1120, 1200, 1240, 1260]  # half of it and 10 << 6
    assert states["v"] == [640, 0, 1120, 0, 1240, 0]  # three quarters of it and u, 0 above 20 << 6
    assert states["r"] == [0, 1, 1, 2, 2, 3]
    assert trace.states["layer0.v"][0, 0, :, 1].tolist() == [-256, -576, -880, -1140, -1351, -1517]  # toward 0
    assert trace.predictions.tolist() == [0]


@pytest.fixture
def leaky(written):
    """A file of convolutions and dense layers with currents, leaks and biases, images for it, and its layers."""
    rng = np.random.default_rng(3)

    def even(*shape):
        return 2.0 * rng.integers(-20, 28, shape)

    forgetful = {"iDecay": 1024, "vDecay": 128, "vThMant": 90}
    layers = (
        {"type": "input", "shape": [2, 6, 5]},
        conv(even(4, 1, 3, 2, 1), [4, 3, 3], stride=[2, 2], padding=[1, 1], groups=2, neuron=forgetful,
             bias=np.array([8.0, 0, -6, 4])),
        conv(even(6, 4, 2, 2), [6, 2, 2], neuron={"type": "LOIHI", "iDecay": 4096, "vDecay": 300, "wgtExp": 0}),
        {"type": "flatten", "shape": [1, 1, 24]},
        dense(even(4, 24), shape=[4, 1, 1], neuron=forgetful, bias=np.array([1.0, 2, 3, 4])),
    )  # fmt: skip
    return written(*layers), rng.integers(0, 256, (5, 60)).astype(np.uint8), layers


def test_a_file_as_lava_dl_writes_it_gives_the_spikes_of_lavas_lif(leaky):
    path, images, (bottom, *layers) = leaky
    program, said = interchange.read_netx(path, 16)
    net = program.network
    assert said == []
    assert [layer.leak for layer in net.layers] == [Leak(1023, 128), Leak(4095, 300), Leak(1023, 128)]
    trace = Emulator().run(program, images, states=True)
    for sample, image in enumerate(images):
        acc, spikes = net.phases, []
        for _ in range(STEPS):
            acc = acc + image
            spikes.append(acc >= 255)
            acc = acc - 255 * spikes[-1]
        s = np.array(spikes).astype(int)
        below = bottom["shape"]
        for layer, ours in zip((layer for layer in layers if "neuron" in layer), net.layers, strict=True):
            numbers = {"weight": layer["weight"].reshape(ours.weight.shape), "bias": layer.get("bias", np.zeros(1))}
            numbers = {name: values.astype(int) for name, values in numbers.items()}
            s, below = spikes_of(layer | layer["neuron"] | numbers | {"below": below}, s), layer["shape"]
            np.testing.assert_array_equal(np.cumsum(s, axis=0), trace.states[f"{ours.name}.r"][sample, 0])
        assert trace.predictions[sample] == s.sum(0).argmax()
    assert all(trace.states[f"{layer.name}.r"][:, :, -1].any() for layer in net.layers)
    assert len(set(trace.predictions.tolist())) > 1


@pytest.mark.needs_lava
@pytest.mark.parametrize("library", [False, True])
def test_a_file_as_lava_dl_writes_it_gives_every_state_of_lavas_lif(leaky, library):
    path, images, _ = leaky
    program, _ = interchange.read_netx(path, 16)
    emulated = Emulator().run(program, images[:2], states=True)
    simulated = LavaCpu(library=library).run(program, images[:2], states=True)
    report = equality_report(emulated, simulated)
    assert report.first_divergence is None
    active = {variable.name: variable.active for variable in report.variables}
    assert all(active[f"{layer.name}.{state}"] for layer in program.network.layers for state in "auvr")


def test_both_libraries_of_the_emulator_forget_alike(leaky):
    import torch

    program, images = interchange.read_netx(leaky[0], 16)[0], quantize_pixels(leaky[1], 8)
    states = Forward(program.network).run(images, states=True).states
    with torch.inference_mode():
        by_torch = Forward(
            program.network, torch, lambda a, dtype: torch.from_numpy(a.copy()).to(getattr(torch, dtype))
        )
        others = by_torch.run(torch.from_numpy(images).to(torch.float32), states=True).states
    for name, values in states.items():
        np.testing.assert_array_equal(values, others[name], name)
    assert states["layer4.u"].any()


def test_a_net_with_leaks_is_exported_as_it_was_read(leaky, tmp_path):
    program, _ = interchange.read_netx(leaky[0], 16)
    for kind in ("netx", "artifact"):
        file = tmp_path / "again"
        if kind == "netx":
            interchange.export(program, "netx", file)
            again, _ = interchange.read_netx(file, 16)
        else:
            api.save(program, file)
            again = api.load(file)
        for before, after in zip(program.network.layers, again.network.layers, strict=True):
            assert (after.leak, after.vth, after.conv) == (before.leak, before.vth, before.conv)
            np.testing.assert_array_equal(after.weight, before.weight)
            np.testing.assert_array_equal(after.bias, before.bias)


def test_neurons_of_the_input_are_left_out_which_is_said(written, tmp_path):
    lone = {"type": "input", "shape": [3], "weight": np.array([76.0]), "bias": np.array([64.0]), "neuron": CUBA}
    program, said = interchange.read_netx(written(lone, dense(neuron={"vThMant": 19})), 16)
    assert [line.startswith("layer 0 (input): its neurons, which make spikes of pixels, are left out") for line in said]
    assert Emulator().run(program, np.full((1, 3), 255, np.uint8)).scores.tolist() == [[6, 12]]
    api.save(program, tmp_path / "x.ffl")
    assert api.load(tmp_path / "x.ffl").provenance["remarks"] == said


def test_an_image_at_the_end_has_a_class_a_channel_which_is_said(written):
    program, said = interchange.read_netx(written(INPUT, conv(KERNELS * [[[[1]]], [[[3]]]], [2, 2, 2])), 16)
    assert said == [
        "its last layer is an image of 2 x 2 x 2: the spikes of each channel are counted, a class a channel"
    ]
    trace = Emulator().run(program, np.full((1, 16), 255, np.uint8))
    assert trace.scores.tolist() == [[4 * 6, 4 * 12]]  # 18 is above 20 in every second step, 54 in each


def test_nir_holds_a_leak_of_v_and_none_of_the_current(leaky, written, tmp_path):
    forgetful, _ = interchange.read_netx(leaky[0], 16)
    with pytest.raises(CompileError, match="layer1: its current decays, and no NIR node here says that"):
        interchange.export(forgetful, "nir", tmp_path / "m.nir")
    weights = [[4, -2, 6], [2, 8, -4]]
    program, _ = interchange.read_netx(written(dense(np.array(weights), neuron={"vDecay": 512})), 16)
    interchange.export(program, "nir", tmp_path / "m.nir")
    again = interchange.read_exported(tmp_path / "m.nir").network.layers[0]
    assert (again.leak, again.weight.tolist()) == (Leak(4095, 512), weights)


def test_an_average_joins_neurons_to_a_class_and_a_layer_without_neurons_sums(written):
    lone = {"type": "dense", "shape": [2], "weight": np.array([[2.0, -2], [4, 2]]), "bias": np.array([0.0, -6])}
    images = np.array([[255, 0, 0], [0, 0, 255], [255, 0, 255]], np.uint8)
    counts = [[6, 0], [0, 12], [6, 12]]  # of 12 steps: 10 is above 20 << 6 in every second step but one, 20 in each
    four = dense(np.concatenate([EYE, EYE[::-1]]), neuron={"vThMant": 19})
    program, _ = interchange.read_netx(written(four, {"type": "average", "shape": [2]}), 16)
    trace = Emulator().run(program, images, states=True)
    assert trace.states["layer0.r"][:, 0, -1, :2].tolist() == counts
    assert trace.scores.tolist() == [[sum(pair)] * 2 for pair in counts]
    program, _ = interchange.read_netx(written(dense(neuron={"vThMant": 19}), lone), 16)
    assert program.network.readout == "head"
    scores = Emulator().run(program, images).scores
    assert scores.tolist() == (np.array(counts) @ lone["weight"].T + [0, -6 * STEPS]).tolist()


INPUT = {"type": "input", "shape": [1, 4, 4]}
KERNELS = np.ones((2, 1, 3, 3)) * 2
LEAST = "uint8"
REFUSED = {
    "delays": ([dense(delay=np.array([0.0, 3]))], "layer 0 (dense): delays of up to 3 steps"),
    "delays at the end": (
        [dense(), {"type": "dense", "shape": [2], "weight": EYE[:, :2], "delay": np.ones(2)}],
        "layer 1 (dense): delays of up to 1 steps",
    ),
    "a great shape": ([{"type": "input", "shape": [1, 5000, 5000]}], "layer 0 (input): its shape is [1, 5000, 5000]"),
    "refractory": ([dense(neuron={"refDelay": 2})], "layer 0 (dense): refDelay 2: a neuron here may spike in each"),
    "graded spikes": ([dense(neuron={"gradedSpike": True})], "layer 0 (dense): gradedSpike 1: a spike here has no"),
    "sigma-delta": ([dense(neuron={"type": "SDNN"})], "layer 0 (dense): neurons of type SDNN: sigma-delta"),
    "resonate": ([dense(neuron={"type": "RF_PHASE"})], "neurons of type RF_PHASE: CUBA and LOIHI and CUBA-SOFT"),
    "an input at the end": ([dense(), INPUT], "layer 1 (input): an input stands before all other layers"),
    "a pool": ([INPUT, {"type": "pool", "shape": [1, 2, 2]}], "layer 1 (pool): its neurons see sums of windows"),
    "recurrent": ([dense(), {"type": "dense_rec"}], "layer 1 (dense_rec): it is recurrent, only a chain"),
    "concat": ([dense(), {"type": "concat"}], "layer 1 (concat): it joins the outputs"),
    "unknown": ([dense(), {"type": "\x1b[31mx"}], "a type that is not known: input, flatten, dense, conv"),
    "complex": ([dense() | {"weight": {"real": EYE, "imag": EYE}}], "weight holds real and imaginary parts"),
    "behind an average": ([dense(), {"type": "average", "shape": [2]}, dense()], "layer 2 (dense): stands behind an"),
    "halves": ([dense(EYE / 4)], "layer 0 (dense): weight holds 2.5: whole numbers up to"),
    "odd weights": ([dense(EYE / 2)], "layer0: 2 odd weights, a mixed-sign synapse holds even ones"),
    "large weights": ([dense(EYE * 20)], "layer0: weights 0..400, 8 bits hold -256..254"),
    "nan": ([dense(EYE * np.nan)], "layer 0 (dense): weight holds nan"),
    "transposed": ([dense(EYE, shape=[3])], "weights of shape (2, 3), its 3 neurons want (3, inputs)"),
    "widths": ([dense(), dense()], "layer 1 (dense): weights of shape (2, 3), and 2 values come in"),
    "a smaller exponent": ([dense(neuron={"wgtExp": -2})], "layer 0 (dense): wgtExp -2: weights have no exponent"),
    "a layer's exponent": ([dense(weight_exp=3)], "layer 0 (dense): weight_exp 3: weights have no exponent here"),
    "no word of a decay": (
        [DENSE | {"weight": EYE, "neuron": {"type": "CUBA", "vDecay": 0, "vThMant": 20}}], "layer 0 (dense): no iDecay",
    ),
    "two decays": ([dense(neuron={"vDecay": np.array([1, 2])})], "vDecay holds [1, 2]: one number for all compiles"),
    "no decay": ([dense(neuron={"iDecay": 0})], "iDecay 0, vDecay 0: 1..4096 and 0..4096 are possible"),
    "read by v": ([dense(neuron={"vThMant": (1 << 18) - 1})], "a threshold of 262,143 that no neuron reaches"),
    "one class": ([dense(EYE[:1])], "1 classes, 2..1,000 are possible"),
    "no image": ([conv(KERNELS, [2, 2, 2])], "layer 0 (conv): no image comes in. Write an input layer"),
    "another shape": ([INPUT, conv(KERNELS, [2, 4, 4])], "its shape is (2, 4, 4), its kernels make (2, 2, 2)"),
    "oblong strides": ([INPUT, conv(KERNELS, [2, 2, 2], stride=[1, 2])], "stride holds [1, 2]: one number for all"),
    "groups": ([INPUT, conv(KERNELS, [2, 2, 2], groups=2)], "2 groups over 1 channels want other ones"),
    "biases": ([dense(bias=np.ones(3))], "layer 0 (dense): 3 biases for 2 neurons"),
    "a great bias": ([dense(bias=np.full(2, 9000.0))], "layer0: biases up to 576,000 are not 4095 2^7 at most"),
    "no neurons at all": ([{"type": "input", "shape": [3]}], "no layer with neurons that spike"),
    "nothing": ([], "an HDF5 file with no netx network in it"),
    "currents": (
        [dense(np.full((2, 700), 46), neuron={"iDecay": 1})], "layer0: currents may reach 24,730,368, 24 signed bits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_form_is_refused_with_its_layer_and_the_reason(written, refused, case):
    layers, words = REFUSED[case]
    code, text = refused("compile", written(*layers))
    assert code == 2
    assert "x.net: " in text
    assert words in text


def test_a_graded_net_of_ours_is_refused_with_the_way_that_keeps_it(artifacts, tmp_path):
    interchange.export(artifacts["ff-mlp", "plain", "graded"], "netx", tmp_path / "m.net")
    with pytest.raises(CheckpointError, match=r"layer 0 \(dense\): neurons of type GRADED-RELU: .* --format nir"):
        interchange.read_netx(tmp_path / "m.net", 16)


@pytest.mark.parametrize("wrong", ["cut", "text", "gap", "no group", "link"])
def test_a_damaged_file_is_one_line(written, refused, wrong):
    path = written(dense(), dense(EYE[:, :2]))
    if wrong in ("cut", "text"):
        path.write_bytes(path.read_bytes()[:900] if wrong == "cut" else b"layer/0")
    else:
        with h5py.File(path, "r+") as file:
            if wrong == "gap":
                file.move("layer/1", "layer/7")
            else:
                del file["layer/1"]
                file["layer/1"] = h5py.SoftLink("/layer/0") if wrong == "link" else 3
    assert refused("compile", path)[0] == 2


def test_the_command_compiles_a_file_whose_artifact_runs(ff2loihi, refused, written, tmp_path):
    rng = np.random.default_rng(4)
    path = written(dense(2 * rng.integers(-9, 12, (10, 64)), neuron={"vThMant": 60, "vDecay": 200}), steps=None)
    code, out, err = ff2loihi("compile", path, "--steps", "8")
    assert (code, err) == (0, "")
    assert "8 steps a sample" in out
    code, out, err = ff2loihi("run", path.with_suffix(".ffl"), "--data", "digits", "--limit", "20")
    assert (code, err) == (0, "")
    assert api.load(path.with_suffix(".ffl")).network.steps == 8
    assert ff2loihi("inspect", path.with_suffix(".ffl"))[0] == 0
    for options in (("--weight-bits", "4"), ("--calibrate", "digits"), ("--learning", "on"), ("--check", "5")):
        assert "its integers are compiled as they are: leave out" in refused("compile", path, *options)[1]
    with h5py.File(path, "r+") as file:
        file["simulation/tSample"] = 20
    assert "says that a sample has 20 steps. Leave out --steps" in refused("compile", path, "--steps", "8")[1]
    assert f"needs no spec. Use: ff2loihi compile {path}" in refused("spec", path, "-o", tmp_path / "s.yaml")[1]


def test_a_leak_beside_a_soft_reset_or_out_of_range_is_no_artifact(leaky, tmp_path):
    program, _ = interchange.read_netx(leaky[0], 16)
    net = program.network
    for changes, words in (
        ({"reset": "soft"}, "a leak, which neurons with a hard reset alone have"),
        ({"layers": (dataclasses.replace(net.layers[0], leak=Leak(4096, 0)), *net.layers[1:])}, "current decay 4,096"),
    ):
        api.save(dataclasses.replace(program, network=dataclasses.replace(net, **changes)), tmp_path / "x.ffl")
        with pytest.raises(Exception, match=words):
            api.load(tmp_path / "x.ffl")

"""NIR graphs of neurons that others trained on events: what NIR's equations say, on the emulator and on Lava's LIF."""

import json
import shlex
from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

from ff2loihi import api
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CheckpointError, CompileError, DataError
from ff2loihi.compilers.inference import arithmetic_rules, spiking_chain
from ff2loihi.compilers.inference.integer_forward import Forward
from ff2loihi.compilers.ir import Binning, Leak
from ff2loihi.compilers.ir.counting import SpikingLayer
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import EventOptions
from ff2loihi.deployment import interchange
from ff2loihi.measurement import activity
from ff2loihi.page import redo
from sim_tests.deployment.event_nets import CLASSES, DT, SIDES, STEPS, event_file, frames, graph, lif, reference

KINDS = ("LIF", "CubaLIF", "IF")
ONCE = EventOptions(parts=1, rounds=1)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    return event_file(tmp_path_factory.mktemp("events"))


@pytest.fixture
def compiled(events, tmp_path):
    """graph -> its program."""

    def compiled(made, **changes):
        nir.write(tmp_path / "x.nir", made)
        data = load_data(str(events), "train", events=replace(ONCE, **changes))
        return interchange.read_spiking(tmp_path / "x.nir", api.calibration_of(data))

    return compiled


def neurons(kind, n=10):
    return lif(n, kind=kind, r=np.full(n, 400.0)) if kind == "IF" else lif(n, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layers_spikes_are_those_of_nirs_equations(compiled, events, kind):
    """Weights of 8 bits on one side, floats on the other."""
    made = graph(neurons(kind))
    program, data = compiled(made), load_data(str(events), "train", events=ONCE)
    below, last = reference(made, frames(150)[0][data.places])
    assert min(len(np.unique(below)), len(np.unique(last))) > 3
    trace = api.classify(program, data)
    assert (trace.sums[:, 0, -1, 0] == last).mean() > 0.93
    assert np.abs(trace.sums[:, 0, -1, 0] - last).max() <= 1
    assert (trace.predictions == last.argmax(1)).mean() > 0.93


def test_an_input_is_the_pixel_of_torchs_order(compiled, events):
    """Neuron k sees one place of (polarity, row, column) alone, and spikes where it has an event."""
    places = np.array([(0, 1, 2), (1, 3, 0), (1, 0, 1)])
    weight = np.zeros((3, 24))
    weight[np.arange(3), np.ravel_multi_index(places.T, SIDES)] = 2.0
    cell = nir.IF(np.full(3, 1000.0), np.ones(3), np.zeros(3))
    program = compiled(graph(cell, fc1=nir.Linear(weight), fc2=None, last=None))
    data = load_data(str(events), "test", events=ONCE)
    shown = frames(150)[0][data.places]
    wanted = np.stack([shown[:, :, p, y, x].sum(1) for p, y, x in places], axis=1)
    assert wanted.any()
    np.testing.assert_array_equal(api.classify(program, data).sums[:, 0, 0, 0], wanted)


@pytest.mark.needs_lava
@pytest.mark.parametrize("form", ["graph", "library"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_that_of_lavas_own_dense_and_lif(compiled, events, kind, form):
    program = compiled(graph(neurons(kind)))
    report = api.verify(program, load_data(str(events), "test", limit=3, events=ONCE), form=form)
    assert report.first_divergence is None
    active = {variable.name: variable.active for variable in report.variables}
    assert all(active[name] for name in ("fc1.a", "fc1.u", "fc1.v", "fc1.r", "fc2.a", "fc2.v", "fc2.r")), active


def test_both_libraries_of_the_emulator_take_events_alike(compiled, events):
    network = compiled(graph(neurons("CubaLIF"))).network
    rows = np.array(load_data(str(events), "test", limit=20, events=ONCE).images)
    ours = Forward(network).run(rows, states=True)
    theirs = Forward(network, torch, lambda array, dtype: torch.from_numpy(array.copy()).to(getattr(torch, dtype))).run(
        torch.from_numpy(rows), states=True
    )
    assert ours.sums.any()
    np.testing.assert_array_equal(ours.sums, theirs.sums)
    for name, values in ours.states.items():
        np.testing.assert_array_equal(values, theirs.states[name])


def test_events_are_shown_again_in_each_round(compiled, events):
    """Two rounds of T steps are one of 2 T steps that shows the events twice."""
    made = graph(neurons("LIF"))
    data = load_data(str(events), "test", events=replace(ONCE, rounds=2))
    shown = frames(150)[0][data.places]
    _, last = reference(made, np.concatenate([shown, shown], axis=1))
    trace = api.classify(compiled(made, rounds=2), data)
    assert (trace.sums[:, 0, -1, 0] == last).mean() > 0.9


def test_the_commands_compile_run_and_estimate_a_graph_of_neurons(ff2loihi, refused, events, tmp_path, monkeypatch):
    made = graph(neurons("CubaLIF"), dt=None)
    nir.write(tmp_path / "x.nir", made)
    code, line = refused("compile", tmp_path / "x.nir", "--calibrate", events)
    assert code == 2
    assert "dt, a step's length" in line
    code, out, _ = ff2loihi("compile", tmp_path / "x.nir", "--calibrate", events, "--dt", DT)
    assert code == 0
    assert f"{STEPS} steps" in out
    program = api.load(tmp_path / "x.ffl")
    assert artifact.to_bytes(program)[0] == (tmp_path / "x.ffl").read_bytes()
    assert ff2loihi("run", tmp_path / "x.ffl", "--json", tmp_path / "r.json")[0] == 0
    data = load_data(str(events), "test", events=ONCE)
    _, last = reference(made, frames(150)[0][data.places])
    found = json.loads((tmp_path / "r.json").read_text())["accuracy"]
    assert abs(found - (last.argmax(1) == data.labels).mean()) < 0.1
    assert "24 inputs of events" in ff2loihi("inspect", tmp_path / "x.ffl")[1]
    code, _, err = ff2loihi("report", tmp_path / "x.ffl", "-o", tmp_path / "r.html")
    assert (code, err) == (0, "")  # no word of a float net beside it, which there is not
    monkeypatch.chdir(tmp_path)
    [line] = redo.commands("again.ffl", program)
    assert line.startswith(f"ff2loihi compile x.nir --dt {DT} --events ")
    assert ff2loihi(*shlex.split(line)[1:])[0] == 0
    assert (tmp_path / "again.ffl").read_bytes() == (tmp_path / "x.ffl").read_bytes()
    sent = np.array([np.unpackbits(row.reshape(STEPS, -1), axis=1).sum() for row in data.images])
    np.testing.assert_array_equal(activity.input_spikes(program.network, data.images), sent)
    page = (tmp_path / "r.html").read_text()
    assert f"{sent[0]} spikes of 24 inputs in {STEPS} steps" in page
    assert f"A sample has {sent.mean():,.1f} spikes on average" in page
    assert "fc2: spikes of each class" in page  # and none of fc1, whose neurons are of no class
    assert "fc1: spikes of each class" not in page


def cuba(**changes):
    return lif(10, kind="CubaLIF", **changes)


ODD = np.array([4] * 7 + [3] + [4] * 2) * DT
SPREAD, ONES = np.linspace(2, 4, 10) * DT, np.ones((10, 24))
ROUND = np.r_[2**32 / (338 * 64 * 0.75), np.zeros(9)]  # a bias that 32 bits take for 0, of thresholds of 338 << 6
TEXT = np.full(10, b"a")
CONV = nir.Conv2d((4, 3), np.ones((1, 2, 1, 1)), 1, 0, 1, 1, np.zeros(1))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda: graph(nir.LIF(SPREAD, np.ones(10), np.zeros(10), np.ones(10))),
            "'fc1': tau must be one value, got 0.002 and others, 0.00222222 of neuron 1, .* and of 6 more: neurons "
            "of a layer share their decays, .*Train a layer with one tau",
        ),
        (lambda: graph(cuba(tau_mem=ODD)), "tau_mem must be one value, got 0.004 and others, 0.003 of neuron 7: "),
        (lambda: graph(cuba(tau_syn=SPREAD)), "tau_syn must be one value"),
        (lambda: graph(cuba(v_reset=np.full(10, 0.5))), "v_reset must be 0"),
        (
            lambda: graph(cuba(), fc1=nir.Affine(np.ones((10, 24)), np.ones(10))),
            "'fc1': has biases before a current that keeps some of itself",
        ),
        (lambda: graph(lif(10), neurons=None, last=None), "each with IF, LIF, CubaLIF behind it"),
        (lambda: graph(lif(10), fc1=nir.Linear(np.zeros((10, 24)))), "fc1: its weights are all 0"),
        (lambda: graph(lif(10), fc1=nir.Linear(np.full((10, 24), np.inf))), "its weights or biases.* not all finite"),
        (lambda: graph(lif(10), fc1=nir.Affine(ONES, np.full(10, np.nan))), "its weights or biases.* not all finite"),
        (
            lambda: graph(lif(10, r=np.full(10, 1e300), v_threshold=np.full(10, 1e-300)), fc1=nir.Linear(ONES * 0)),
            "neurons behind 'fc1': r / v_threshold is beyond a float",
        ),
        (lambda: graph(lif(10), flat=None, fc1=nir.Linear(ONES[:, :3])), "'fc1': takes the last side of its input"),
        (lambda: graph(lif(10), fc1=nir.Affine(ONES, TEXT)), r"\('fc1': bias holds .S1, no numbers\)"),
        (lambda: graph(lif(10, v_threshold=TEXT)), r"\('neurons': v_threshold holds .S1, no numbers\)"),
        (lambda: graph(lif(10), fc1=nir.Affine(ONES, np.ones(2))), "'fc1': 2 biases of 10 neurons"),
        (lambda: graph(lif(10), fc1=nir.Affine(ONES, ROUND)), r"fc1: biases up to 1.99e\+05 thresholds"),
        (lambda: graph(lif(10), fc1=nir.Linear(ONES * 1e-9)), "fc1: its weights are at most 7.5e-10 thresholds"),
        (lambda: graph(lif(10), fc1=nir.Linear(ONES * 1e-310)), "fc1: its weights are at most 7.5e-311 thresholds"),
        (lambda: graph(lif(10), fc1=nir.Linear(np.ones((10, 20)))), "'fc1' has weights"),
        (
            lambda: graph(lif(10), input=nir.Input({"input": np.array([2, 3, 4])})),
            "its input is 2 x 3 x 4, the events give 2 x 4 x 3",
        ),
        (
            lambda: graph(lif(10), flat=CONV, fc1=lif(12), neurons=None, fc2=None, last=None),
            "a chain of Linear or Affine nodes",
        ),
        (lambda: graph(lif(10, r=np.full(10, 1e4))), "beyond the chip's at any scale"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_one_line(compiled, made, said):
    with pytest.raises(CheckpointError, match=said):
        compiled(made())


def test_a_graph_that_ff2loihi_exported_is_not_quantized_again(compiled, refused, events, tmp_path):
    interchange.export(compiled(graph(lif(10))), "nir", tmp_path / "ours.nir")
    line = refused("compile", tmp_path / "ours.nir", "--calibrate", events)[1]
    assert "ours.nir: exported by ff2loihi, whose integers it holds: leave out --calibrate" in line


def test_words_that_do_not_belong_to_a_graph_of_neurons_are_refused(refused, events, tmp_path):
    nir.write(tmp_path / "x.nir", graph(lif(10)))
    for words, said in (
        (("--calibrate", "digits"), "digits: images, no events"),
        (("--calibrate", events, "--steps", 4), "its neurons are compiled as they are"),
        (("--calibrate", events, "--events", "downsample=2"), "its input is 2 x 4 x 3, the events give 2 x 2 x 2"),
        (("--calibrate", events, "--check", 3), "leave out --check"),
        (("--dt", 0.001), "--dt: a step's length"),
        ((), "not exported by ff2loihi, so it needs --spec"),
    ):
        code, line = refused("compile", tmp_path / "x.nir", *words)
        assert (code, said in line) == (2, True), line


def one_layer(weight, current=0.0):
    return (SpikingLayer("fc", weight, np.zeros(len(weight)), 0.9, current),)


def test_sums_of_many_inputs_are_shifted_until_they_fit():
    """And no sooner: with a shift less, the dendrite's 16 bits would not hold them."""
    events = Binning(steps=30, window=30, sensor=(1, 2312, 1))
    weight = np.random.default_rng(0).uniform(0, 0.02, (5, events.inputs))
    layer = spiking_chain.integers(one_layer(weight), replaced(events, rounds=1)).layers[0]
    sums = layer.weight.sum(1, np.int64).max()
    assert layer.shift > 0
    assert sums >> layer.shift < 1 << 15
    assert layer.weight.max() > 127
    np.testing.assert_allclose(layer.weight / (layer.vth * 2.0**layer.shift), weight, atol=0.02 / 100)


def test_a_current_that_keeps_much_needs_a_coarser_scale():
    events = Binning(steps=30, window=30, sensor=(1, 100, 1), rounds=1)
    weight = np.random.default_rng(0).uniform(0, 0.1, (5, 100))
    plain, keeps = (spiking_chain.integers(one_layer(weight, current), events).layers[0] for current in (0.0, 0.95))
    assert keeps.shift > plain.shift
    assert keeps.leak.du == round(4096 * 0.05) - 1


def test_a_current_that_forgets_less_than_the_chips_forgets_as_little_as_it_can():
    events = Binning(steps=30, window=30, sensor=(1, 100, 1), rounds=1)
    for current in (1 - 1 / 9000, 1 - 1e-12):
        layer = spiking_chain.integers(one_layer(np.full((5, 100), 0.01), current), events).layers[0]
        assert layer.leak == Leak(0, 410)
        assert layer.weight.any()


def replaced(events, **changes):
    return events.model_copy(update=changes)


def test_an_artifact_whose_events_do_not_belong_to_it_is_refused(compiled):
    net = compiled(graph(lif(10))).network
    for wrong in (replace(net, steps=STEPS - 1), replace(net, events=replaced(net.events, downsample=2))):
        with pytest.raises(CompileError, match="events of .* inputs and 8 steps for 24 inputs"):
            arithmetic_rules.check(wrong)
    with pytest.raises(CompileError, match="events, which networks of spikes without a label alone take"):
        arithmetic_rules.check(replace(net, neuron="graded"))
    with pytest.raises(DataError, match="images, the model takes events"):
        api.classify(replace(compiled(graph(lif(10)))), load_data("digits", "test", limit=2))


def test_a_class_is_a_neuron_of_the_last_layer(compiled):
    assert compiled(graph(lif(10))).network.classes == CLASSES

"""NIR: what is exported compiles to the same bytes, foreign graphs compile with a spec, the rest is one line."""

import json
from itertools import pairwise

import nir
import numpy as np
import pytest
import yaml

from ff2loihi import api
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import interchange
from sim_tests.deployment.nets import COMPILED, each

PIXELS, LABELS, N = 64, 10, 6


@each(COMPILED)
def test_every_recipes_artifact_makes_the_trip_bit_for_bit(artifacts, net, tmp_path):
    program = artifacts[net]
    interchange.export(program, "nir", tmp_path / "m.nir")
    back = interchange.read_exported(tmp_path / "m.nir")
    assert artifact.to_bytes(back) == artifact.to_bytes(program)


def test_a_learned_network_makes_the_trip_too(learned, tmp_path):
    interchange.export(learned, "nir", tmp_path / "m.nir")
    assert artifact.to_bytes(interchange.read_exported(tmp_path / "m.nir")) == artifact.to_bytes(learned)


def test_the_nodes_alone_hold_weights_and_thresholds(artifacts, tmp_path):
    """By NIR's own equations, a spike is what the chip's is: W s summed to vth."""
    program = artifacts["ff-mlp", "plain", "hard"]
    interchange.export(program, "nir", tmp_path / "m.nir")
    graph = nir.read(tmp_path / "m.nir")
    layer = program.network.layers[0]
    np.testing.assert_array_equal(graph.nodes["hidden1.weights"].weight * 2**layer.shift, layer.weight)
    assert (graph.nodes["hidden1"].v_threshold == layer.vth).all()
    assert isinstance(graph.nodes["hidden1"], nir.IF)


@pytest.mark.parametrize("form", ["graded", "tag"])
def test_the_command_compiles_what_the_command_exported(ff2loihi, artifacts, tmp_path, form):
    api.save(artifacts["ffa-symmetric", "plain", form], tmp_path / "m.ffl")
    assert ff2loihi("export", tmp_path / "m.ffl", "--format", "nir")[0] == 0
    code, out, _ = ff2loihi("compile", tmp_path / "m.nir", "-o", tmp_path / "back.ffl")
    assert code == 0
    assert "as it was exported" in out
    assert (tmp_path / "back.ffl").read_bytes() == (tmp_path / "m.ffl").read_bytes()


@pytest.mark.parametrize("key", ["weight", "v_threshold"])
def test_a_graph_that_was_changed_is_refused(artifacts, tmp_path, key):
    program = artifacts["ff-mlp", "plain", "hard"]
    path = tmp_path / "m.nir"
    interchange.export(program, "nir", path)
    graph = nir.read(path)
    node = graph.nodes["hidden2" if key == "v_threshold" else "hidden2.weights"]
    changed = getattr(node, key).copy()
    changed.flat[3] += 2
    setattr(node, key, changed)
    nir.write(path, graph)
    with pytest.raises(FF2LoihiError, match="changed"):
        interchange.read_exported(path)
    if key == "weight":
        changed.flat[3] += 0.25
        nir.write(path, graph)
        with pytest.raises(FF2LoihiError, match="off the chip's grid"):
            interchange.read_exported(path)


def test_a_rule_that_is_missing_damaged_or_of_another_artifact_is_one_line(artifacts, tmp_path):
    program = artifacts["ffa-symmetric", "plain", "rule"]
    path = tmp_path / "m.nir"
    rule = interchange.export(program, "nir", path)[0][1]
    text = rule.read_text()
    other = json.loads(text)
    other["manifest"]["update"]["exponent"] += 1
    for content, wanted in ((None, "beside its graph"), (text[:500], "truncated"), (json.dumps(other), "hash")):
        rule.unlink() if content is None else rule.write_text(content)
        with pytest.raises(FF2LoihiError, match=wanted):
            interchange.read_exported(path)


def foreign(*, neuron="LIF", tau=20e-3, bias=False, dt=1e-3, seed=0, edges=(), nodes=None, **changes) -> nir.NIRGraph:
    """fc -> lif, PIXELS + LABELS to N, as a trainer in seconds would export it."""
    rng = np.random.default_rng(seed)
    weight, ones = rng.normal(0.3, 1, (N, PIXELS + LABELS)), np.ones(N)
    fields = {"r": ones * 2, "v_threshold": np.linspace(1, 3, N), "v_leak": ones * 0, "v_reset": ones * 0}
    if neuron == "IF":
        del fields["v_leak"]
    else:
        fields |= {"tau": ones * tau} if neuron == "LIF" else {"tau_mem": ones * tau, "tau_syn": ones * dt}
    found = {
        "input": nir.Input({"input": np.array([PIXELS + LABELS])}),
        "fc": nir.Affine(weight, ones) if bias else nir.Linear(weight),
        "lif": getattr(nir, neuron)(**fields | changes) if neuron else None,
        "output": nir.Output({"output": np.array([N])}),
    } | (nodes or {})
    names = [name for name, node in found.items() if node is not None and name not in (nodes or {})]
    chain = list(pairwise(names))
    return nir.NIRGraph(
        {name: node for name, node in found.items() if node is not None}, [*chain, *edges],
        metadata={"dt": dt} if dt else {}, type_check=False,
    )  # fmt: skip


@pytest.fixture
def spec(tmp_path):
    """The path of a spec for the foreign graph."""
    path = tmp_path / "spec.yaml"
    content = {
        "pixels": PIXELS, "label": {"kind": "append"}, "layers": [{"weight": "fc.weight", "polarity": "half"}],
        "probability": {"kind": "symmetric"}, "neuron": {"kind": "lif", "steps": 20},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("neuron", ["LIF", "CubaLIF", "IF"])
def test_a_foreign_graph_spikes_on_the_chip_as_its_own_equation_says(tmp_path, spec, neuron):
    """The float equation is written out here; thresholds differ a neuron, weights are rounded to 8 bits."""
    path = tmp_path / "foreign.nir"
    graph = foreign(neuron=neuron, **({"r": np.full(N, 100.0)} if neuron == "IF" else {}))
    nir.write(path, graph)
    program = api.compile(interchange.load_graph(path, spec), load_data("digits", "train", limit=50))
    net = program.network
    assert isinstance(net, LearningNetwork)
    learner = Learner(net, record=True)
    q = np.random.default_rng(1).integers(0, 120, PIXELS)
    learner.show(q, np.zeros(PIXELS, np.int64))
    learner.present(3, 0)
    counted = learner.states[0][1:, 1].sum(0)

    node, acc = graph.nodes["lif"], np.concatenate([np.zeros(PIXELS), net.label_phases]).astype(int)
    rate, v, spikes = np.concatenate([q, net.label_codes[3]]), np.zeros(N), np.zeros(N)
    for _ in range(net.steps):
        acc = acc + rate
        current = graph.nodes["fc"].weight @ (acc >= 256)
        acc = np.where(acc >= 256, acc - 256, acc)
        if neuron == "IF":
            v = v + 1e-3 * node.r * current
        else:
            v = v + 1e-3 / 20e-3 * (node.r * current - v)
        spikes += v > node.v_threshold
        v = np.where(v > node.v_threshold, 0, v)
    assert spikes.any()
    assert np.abs(spikes - counted).max() <= 1  # of up to 20: rounding moves a spike by a step


def test_a_foreign_graph_without_neurons_compiles_like_a_checkpoint(ff2loihi, tmp_path, spec):
    nir.write(tmp_path / "foreign.nir", foreign(neuron=None, bias=True))
    content = yaml.safe_load(spec.read_text())
    del content["neuron"]
    content["layers"][0]["bias"] = "fc.bias"
    spec.write_text(yaml.safe_dump(content))
    code, _, err = ff2loihi("compile", tmp_path / "foreign.nir", "--spec", spec, "--calibrate", "digits:50")
    assert (code, err) == (0, "")
    program = api.load(tmp_path / "foreign.ffl")
    assert program.network.layers[0].bias.any()
    assert program.provenance["spec"]["name"] == spec.name
    line = ("compare", tmp_path / "foreign.nir", tmp_path / "foreign.ffl", "--limit", 10)
    assert [ff2loihi(*line, *given)[0] for given in ((), ("--spec", spec))] == [0, 0]


WEIGHT = np.ones((N, N))
BAD = {
    "recurrent": (foreign(edges=[("rec", "fc"), ("lif", "rec")], nodes={"rec": nir.Linear(WEIGHT)}), "recurrent"),
    "self": (foreign(edges=[("lif", "lif")]), "recurrent"),
    "conv": (
        foreign(edges=[("lif", "c")], nodes={"c": nir.Conv1d(6, np.ones((1, 1, 3)), 1, 0, 1, 1, np.ones(1))}),
        "'c' is a Conv1d",
    ),
    "subgraph": (
        foreign(edges=[("lif", "g")], nodes={"g": nir.NIRGraph.from_list(nir.Linear(WEIGHT))}), "'g' is a NIRGraph",
    ),
    "branch": (foreign(edges=[("fc", "output")]), "feeds 2 nodes"),
    "island": (foreign(nodes={"x": nir.Linear(WEIGHT)}), "'x' is not between"),
    "no dt": (foreign(dt=None), "no dt"),
    "short tau": (foreign(tau=1e-4), "at least dt"),
    "leak": (foreign(v_leak=np.ones(N)), "v_leak"),
    "threshold": (foreign(v_threshold=np.zeros(N)), "thresholds"),
    "current": (foreign(neuron="CubaLIF", tau_syn=np.ones(N)), "tau_syn"),
    "bias": (foreign(bias=True), "biases"),
    "mixed tau": (foreign(tau=np.linspace(0.01, 0.02, N)), "one value"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_graph_that_the_chip_cannot_hold_is_one_line(refused, tmp_path, spec, kind):
    graph, wanted = BAD[kind]
    nir.write(tmp_path / "m.nir", graph)
    code, line = refused("compile", tmp_path / "m.nir", "--spec", spec, "--calibrate", "digits:50")
    assert code == 2
    assert wanted in line


def test_files_that_are_no_graph_and_options_without_meaning_are_one_line(refused, artifacts, tmp_path):
    (tmp_path / "text.nir").write_text("no HDF5")
    nir.write(tmp_path / "whole.nir", foreign())
    data = (tmp_path / "whole.nir").read_bytes()
    (tmp_path / "cut.nir").write_bytes(data[: len(data) // 2])
    interchange.export(artifacts["ff-mlp", "plain", "graded"], "nir", tmp_path / "ours.nir")
    for name, options, wanted in (
        ("text.nir", (), "not an HDF5 file"), ("cut.nir", (), "truncated"), ("absent.nir", (), "No such file"),
        ("whole.nir", (), "--spec"), ("ours.nir", ("--weight-bits", 4), "leave out options"),
    ):  # fmt: skip
        code, line = refused("compile", tmp_path / name, *options)
        assert code == 2
        assert wanted in line

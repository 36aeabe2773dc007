"""Graphs as other frameworks write them: each compiles, or is refused in one line that says what and where."""

from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest
import yaml

from ff2loihi import api
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import interchange

PIXELS, LABELS, N = 64, 10, 6
INPUTS, BETA, DT = PIXELS + LABELS, 0.9, 1e-3
W = np.random.default_rng(0).normal(0.3, 1, (N, INPUTS)).astype(np.float32)
W2 = np.random.default_rng(1).normal(0.3, 1, (4, N)).astype(np.float32)
K = np.random.default_rng(2).normal(0, 1, (2, 1, 3, 3)).astype(np.float32)
TAU = DT / (1 - BETA)


def full(value, shape=(N,), kind=np.float32):
    return np.full(shape, value, kind)[()]  # nir writes numbers, and no arrays without axes


def lif(shape=(N,), **changes) -> nir.LIF:
    """v' = BETA v + I, as a trainer that thinks in betas exports it: r = tau / dt."""
    fields = {"tau": TAU, "r": TAU / DT, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.LIF(**{name: full(value, shape) for name, value in fields.items()} | changes)


def cuba(tau_syn=DT, w_in=1.0, shape=(N,), **changes) -> nir.CubaLIF:
    fields = {"tau_mem": TAU, "tau_syn": tau_syn, "r": TAU / DT, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.CubaLIF(**{name: full(value, shape) for name, value in fields.items()} | changes, w_in=w_in)


def integrate(shape=(N,), **changes) -> nir.IF:
    fields = {"r": 1.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.IF(**{name: full(value, shape) for name, value in fields.items()} | changes)


def chain(*nodes, inputs=(INPUTS,), outputs=(N,), names=(), dt=None, edges=(), more=None) -> nir.NIRGraph:
    """Input -> nodes -> Output; names: of the nodes; edges, more: what is added to the chain."""
    names = names or [f"{place}" for place in range(len(nodes))]
    found = {
        "input": nir.Input({"input": np.array(inputs)}),
        **dict(zip(names, nodes, strict=True)),
        "output": nir.Output({"output": np.array(outputs)}),
    }
    links = [*pairwise(found), *edges]
    return nir.NIRGraph(found | (more or {}), links, metadata={} if dt is None else {"dt": dt}, type_check=False)


def changed_input(shape) -> nir.NIRGraph:
    graph = chain(LINEAR, lif(), dt=DT)
    graph.nodes["input"].input_type = {"input": shape}
    return graph


def changed(node, **fields):
    """A node with arrays that nir itself would not have made."""
    for name, value in fields.items():
        setattr(node, name, value)
    return node


LINEAR, AFFINE = nir.Linear(W), nir.Affine(W, np.zeros(N, np.float32))
RECURRENT = nir.NIRGraph.from_list(nir.Linear(np.ones((N, N), np.float32)), type_check=False)

SAME = {  # one net in the form of each: they compile to the same integers
    "snnTorch, Linear and Leaky, dt by option": (chain(LINEAR, lif()), {"dt": DT}),
    "snnTorch, Affine without biases": (chain(AFFINE, lif(), names=("fc1", "lif1"), dt=DT), {}),
    "snnTorch, arrays of one value": (chain(LINEAR, lif((1,)), dt=DT), {}),
    "Norse, LIFBox, scalars, dt in the spec": (chain(LINEAR, lif(()), names=("0", "1")), {"spec": {"dt": DT}}),
    "Norse, r 1 and weights that hold it": (chain(nir.Linear(W * (TAU / DT)), lif(r=full(1.0)), dt=DT), {}),
    "Rockpool, LinearTorch and LIFTorch": (
        chain(LINEAR, cuba(w_in=full(1.0)), names=("0_LinearTorch", "1_LIFTorch"), dt=DT), {},
    ),
    "Rockpool, w_in a scalar": (chain(nir.Linear(W / 2), cuba(w_in=2.0), dt=DT), {}),
    "lava-dl, Affine and CUBA": (chain(AFFINE, cuba(), names=("0.synapse", "0.neuron"), dt=np.float32(DT)), {}),
    "Spyx, an input with its steps": (chain(LINEAR, lif(), inputs=(25, INPUTS), dt=DT), {}),
    "a batch of one before the input": (chain(LINEAR, lif(), inputs=(1, INPUTS), dt=DT), {}),
    "neurons of shape (1, n)": (chain(LINEAR, lif((1, N)), dt=DT), {}),
    "time in milliseconds": (chain(LINEAR, lif(tau=full(TAU * 1000)), dt=DT * 1000), {}),
    "tau as float32 computes it a neuron": (
        chain(LINEAR, lif(tau=full(TAU) * (1 + np.linspace(-1, 1, N, dtype=np.float32) * 1e-7)), dt=DT), {},
    ),
    "a threshold for each neuron": (
        chain(nir.Linear((W.T * np.arange(1, N + 1)).T), lif(v_threshold=np.arange(1.0, N + 1)), dt=DT), {},
    ),
    "an edge listed twice": (chain(LINEAR, lif(), dt=DT, edges=[("0", "1")]), {}),
    "the option before the file's own dt": (
        chain(LINEAR, lif(tau=full(TAU), r=full(TAU / DT)), dt=1.0), {"dt": DT},
    ),
}  # fmt: skip
OTHER = {  # other nets, which compile too
    "Sinabs, IAF of one value": (chain(LINEAR, integrate((1,)), dt=1.0), {}),
    "two layers": (
        chain(LINEAR, lif(), nir.Linear(W2), lif((4,)), names=("a", "b", "c", "d"), outputs=(4,), dt=DT),
        {"spec": {"layers": [{"weight": "a.weight", "polarity": "half"}, {"weight": "c.weight", "polarity": "half"}]}},
    ),
    "Sinabs, Conv2d, Flatten and Linear": (
        chain(
            nir.Conv2d((8, 8), K, 1, 0, 1, 1, np.zeros(2, np.float32)), nir.Flatten({"input": np.array([2, 6, 6])}, 0),
            nir.Linear(np.random.default_rng(3).normal(0, 1, (N, 72))), inputs=(1, 8, 8), names=("c", "f", "d"),
        ),
        {"spec": {"label": {"kind": "overwrite"}, "layers": [{"weight": "c.weight"}, {"weight": "d.weight"}],
                  "probability": {"kind": "contrast"}, "neuron": None}},
    ),
    "Flatten of an image before Linear": (
        chain(nir.Flatten({"input": np.array([1, 8, 8])}, 0), nir.Linear(W[:, :PIXELS]), inputs=(1, 8, 8)),
        {"spec": {"label": {"kind": "overwrite"}, "layers": [{"weight": "1.weight", "polarity": "half"}],
                  "neuron": None}},
    ),
}  # fmt: skip
REFUSED = {
    "snnTorch without dt": (chain(LINEAR, lif()), {}, "the neurons behind '0': the graph's metadata hold no dt"),
    "snnTorch, Synaptic": (chain(LINEAR, cuba(5e-3), dt=DT), {}, "behind '0': tau_syn 0.005 is above dt 0.001"),
    "snnTorch, RLeaky, a graph of its own": (chain(LINEAR, RECURRENT, dt=DT), {}, "'1' is a NIRGraph"),
    "Norse, a membrane as read-out": (
        chain(LINEAR, nir.LI(full(TAU), full(1.0), full(0.0)), dt=DT), {}, "'1' is a LI:",
    ),
    "Norse, CubaLI": (
        chain(LINEAR, nir.CubaLI(full(DT), full(TAU), full(1.0), full(0.0)), dt=DT), {}, "'1' is a CubaLI:",
    ),
    "Rockpool, recurrent": (
        chain(LINEAR, lif(), dt=DT, more={"rec": nir.Linear(np.ones((N, N)))}, edges=[("1", "rec"), ("rec", "1")]),
        {}, "recurrent, '1' -> 'rec' -> '1'",
    ),
    "Sinabs, pooling by sums": (
        chain(nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), LINEAR, dt=DT), {},
        "'0' is a pool that stands behind no Conv2d",
    ),
    "Sinabs, spikes behind Conv2d": (
        chain(nir.Conv2d((8, 8), K, 1, 0, 1, 1, np.zeros(2)), integrate((2, 6, 6)), inputs=(1, 8, 8), dt=DT),
        {"spec": {"label": {"kind": "overwrite"}}}, "neurons behind the convolution '0'",
    ),
    "lava-dl, Conv2d with two strides": (
        chain(nir.Conv2d((8, 8), K, (1, 2), 0, 1, 1, np.zeros(2)), inputs=(1, 8, 8)), {}, "'0' has stride",
    ),
    "Spyx, weights on their side": (
        chain(nir.Linear(W.T), lif(), dt=DT), {},
        "'0' has weights (74, 6), (out, in), and gets 74 values from the input: they are transposed, write (6, 74)",
    ),
    "the upper weights on their side": (
        chain(LINEAR, lif(), nir.Linear(W2.T), lif((N,)), names=("a", "b", "c", "d"), dt=DT), {},
        "'c' has weights (6, 4), (out, in), and gets 6 values from 'a': they are transposed, write (4, 6)",
    ),
    "a layer too narrow": (
        chain(LINEAR, lif(), nir.Linear(W2[:, :5]), lif((4,)), names=("a", "b", "c", "d"), dt=DT), {},
        "'c' has weights (4, 5), (out, in), and gets 6 values from 'a'",
    ),
    "neurons of another number": (
        chain(LINEAR, lif((N + 1,)), dt=DT), {},
        "the neurons behind '0': tau has shape (7,), the weights have 6 rows",
    ),
    "arrays of two sizes": (
        chain(LINEAR, changed(lif(), tau=full(TAU, (2,))), dt=DT), {},
        "'1' has arrays of different sizes: tau (2,), r (6,), v_leak (6,)",
    ),
    "r 0": (chain(LINEAR, lif(r=full(0.0)), dt=DT), {}, "behind '0': r must be above 0, got 0"),
    "w_in 0": (chain(LINEAR, cuba(w_in=0.0), dt=DT), {}, "behind '0': w_in must be above 0, got 0"),
    "tau infinite": (
        chain(LINEAR, lif(tau=full(np.inf)), dt=DT), {}, "tau must be finite, got inf. A neuron that forgets nothing",
    ),
    "tau 0": (chain(LINEAR, lif(tau=full(0.0)), dt=DT), {}, "tau must be at least dt 0.001, a step, got 0"),
    "tau a neuron": (
        chain(LINEAR, lif(tau=np.linspace(0.01, 0.02, N)), dt=DT), {},
        "got 0.01 and others, 0.012 of neuron 1, 0.014 of neuron 2, 0.016 of neuron 3 and of 2 more",
    ),
    "a threshold that is no number": (
        chain(LINEAR, lif(v_threshold=full(np.nan)), dt=DT), {}, "v_threshold must be finite, got nan",
    ),
    "a reset to -1": (chain(LINEAR, lif(v_reset=full(-1.0)), dt=DT), {}, "v_reset must be 0, got up to 1"),
    "dt 0": (chain(LINEAR, lif(), dt=0.0), {}, "dt, a step's length, must be above 0, got 0"),
    "dt a text": (chain(LINEAR, lif(), dt="1 ms"), {}, "dt, a step's length, must be above 0, got"),
    "dt of two lengths": (
        chain(LINEAR, lif(), dt=DT), {"spec": {"dt": 1e-4}}, "its metadata say dt 0.001, the spec 0.0001. Leave dt out",
    ),
    "layers that leak differently": (
        chain(LINEAR, lif(), nir.Linear(W2), lif((4,), tau=full(0.02, (4,))), names=("a", "b", "c", "d"), dt=DT), {},
        "neurons leak by [0.8999999",
    ),
    **{
        f"an input of {brief}": (
            changed_input(shape), {}, "the shape of its input must be of whole numbers above 0, got",
        )
        for brief, shape in {
            "half a value": np.array([0.5]), "no side": np.array([], int), "a negative side": np.array([-3, 2]),
            "sides without end": np.array([np.inf]), "texts": np.array([b"74"]), "a group": {"a": np.array([74])},
        }.items()
    },
    "a delay": (chain(nir.Delay(full(1.0, (INPUTS,))), LINEAR, lif(), dt=DT), {}, "'0' is a Delay"),
    "a scale": (chain(LINEAR, nir.Scale(full(1.0)), lif(), dt=DT), {}, "'1' is a Scale"),
    "a threshold alone": (chain(LINEAR, nir.Threshold(full(1.0)), dt=DT), {}, "'1' is a Threshold"),
    "an integrator": (chain(LINEAR, nir.I(full(1.0)), dt=DT), {}, "'1' is a I:"),
    "neurons at the input": (chain(lif((INPUTS,)), LINEAR, dt=DT), {}, "'0' has no Affine, Linear or Conv2d node"),
}  # fmt: skip
SPEC = {
    "pixels": PIXELS, "label": {"kind": "append"}, "layers": [{"weight": "0.weight", "polarity": "half"}],
    "probability": {"kind": "symmetric"}, "neuron": {"kind": "lif", "steps": 20},
}  # fmt: skip


def test_there_are_forms_enough():
    assert len(SAME) + len(OTHER) + len(REFUSED) >= 30


def spec_of(graph, **parts) -> dict:
    """SPEC for that graph: without `layers` its first weights are named."""
    found = {**SPEC, **parts}
    if "layers" not in parts:
        name = next(name for name, node in graph.nodes.items() if hasattr(node, "weight"))
        found["layers"] = [{"weight": f"{name}.weight", "polarity": "half"}]
    return {key: value for key, value in found.items() if value is not None}


def compiled(tmp_path, graph, spec=None, dt=None):
    nir.write(tmp_path / "m.nir", graph)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec_of(graph, **spec or {})))
    checkpoint = interchange.load_graph(tmp_path / "m.nir", tmp_path / "spec.yaml", dt)
    return api.compile(checkpoint, load_data("digits", "train", limit=50))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("reference"), chain(LINEAR, lif(), dt=DT)).network


@pytest.mark.parametrize("form", SAME)
def test_one_net_in_every_writers_form_becomes_the_same_integers(tmp_path, reference, form):
    graph, options = SAME[form]
    found = compiled(tmp_path, graph, **options).network
    assert found.layers[0].neuron == reference.layers[0].neuron
    assert np.abs(found.layers[0].weight - reference.layers[0].weight).max() <= 2  # of 256: a rounding of float32
    assert found.layers[0].weight.any()


@pytest.mark.parametrize("form", OTHER)
def test_other_nets_of_other_writers_compile(tmp_path, form):
    graph, options = OTHER[form]
    assert all(layer.weight.any() for layer in compiled(tmp_path, graph, **options).network.layers)


@pytest.mark.parametrize("form", REFUSED)
def test_what_has_no_form_here_is_refused_in_one_line_that_says_where(tmp_path, form):
    graph, options, words = REFUSED[form]
    with pytest.raises(FF2LoihiError) as caught:
        compiled(tmp_path, graph, **options)
    line = str(caught.value)
    assert words in line
    assert "damaged" not in line
    assert len(line) <= 500
    assert "\n" not in line


def test_the_commands_take_dt(ff2loihi, refused, tmp_path):
    nir.write(tmp_path / "m.nir", chain(LINEAR, lif()))
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(SPEC))
    line = ("compile", tmp_path / "m.nir", "--spec", tmp_path / "spec.yaml", "--calibrate", "digits:50")
    assert "or say dt in the spec or with --dt" in refused(*line)[1]
    assert ff2loihi(*line, "--dt", "1e-3")[0] == 0
    assert "--dt must be above 0, as 1e-3, got 0" in refused(*line, "--dt", 0)[1]
    assert "--dt: a step's length of a NIR graph" in refused("compile", tmp_path / "m.nir", "--dt", 1)[1]


@pytest.mark.parametrize("form", [*SAME, *OTHER])
def test_a_drafted_spec_of_any_graph_names_what_compiles(tmp_path, form):
    graph, options = (SAME | OTHER)[form]
    nir.write(tmp_path / "m.nir", graph)
    made = api.spec(tmp_path / "m.nir")
    timed = "dt" in graph.metadata or not any(hasattr(node, "v_threshold") for node in graph.nodes.values())
    assert [text.partition(":")[0] for text in made.missing] == ([] if timed else ["dt"])
    (tmp_path / "spec.yaml").write_text(made.text if timed else f"{made.text}dt: 1e-3\n")
    checkpoint = interchange.load_graph(tmp_path / "m.nir", tmp_path / "spec.yaml", options.get("dt"))
    sides = checkpoint.spec.pixels
    images = load_data("digits", "train", limit=50)
    rows = np.resize(images.images, (len(images.images), sides))
    program = api.compile(checkpoint, (rows, images.labels % checkpoint.spec.label.classes))
    assert all(layer.weight.any() for layer in program.network.layers)


def test_the_draft_of_a_spiking_graph_says_what_the_graph_does_not(ff2loihi, tmp_path):
    upper = nir.Linear(W2), lif((4,))
    nir.write(tmp_path / "m.nir", chain(LINEAR, lif(), *upper, names=("0", "lif1", "1e3", "lif2")))
    code, out, err = ff2loihi("spec", tmp_path / "m.nir")
    text = (tmp_path / "spec.yaml").read_text()
    made = yaml.safe_load(text)
    assert (code, made["pixels"], made["label"]) == (0, 64, {"kind": "append", "classes": 10})
    assert made["layers"] == [{"weight": f"{name}.weight", "polarity": "half"} for name in ("0", "1e3")]
    assert made["neuron"] == {"kind": "lif", "steps": 24, "rate": 0.25, "trace": "relu"}
    assert "to fill in: dt: 1e-3, the length of a step in the graph's time" in err
    assert "probability" in out
    assert "# trace: hard-li" in text


def test_inspect_lists_the_nodes_of_any_graph(ff2loihi, refused, tmp_path):
    nir.write(tmp_path / "m.nir", chain(LINEAR, RECURRENT, names=("fc", "rec"), dt=DT))
    code, out, err = ff2loihi("inspect", tmp_path / "m.nir", "--json", tmp_path / "m.json")
    assert (code, err) == (0, "")
    rows = [line.split("│")[1:3] for line in out.splitlines() if line.startswith("│")]
    names = [name.strip() for name, _ in rows]
    assert names[:3] == ["input", "fc", "rec"]
    assert "rec.input" in names
    assert "weight (6, 74)" in out
    with h5py.File(tmp_path / "x.nir", "w") as file:
        file["node/other"] = 3
    assert "no NIR graph and no netx network" in refused("inspect", tmp_path / "x.nir")[1]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["images"], file["x/labels"] = np.zeros((4, 8, 8)), np.arange(4)
    text = refused("inspect", tmp_path / "x.h5")[1]
    assert "no netx network in it. It holds images (4, 8, 8), x/labels (4,)" in text
    assert "damaged" not in text


def test_inspect_lists_the_layers_of_a_netx_network(ff2loihi, artifacts, tmp_path):
    program = artifacts["ff-mlp", "plain", "hard"]
    interchange.export(program, "netx", tmp_path / "m.net")
    code, out, err = ff2loihi("inspect", tmp_path / "m.net")
    assert (code, err) == (0, "")
    layer = program.network.layers[1]
    assert f"weight ({layer.neurons}, {layer.inputs})" in " ".join(out.replace("│", " ").split())
    assert f"neuron.vThMant {layer.vth}" in " ".join(out.replace("│", " ").split())

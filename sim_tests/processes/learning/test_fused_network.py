"""The Process FusedNetwork, a whole learning network with its files, against a chain of layers as they are defined."""

import numpy as np
import pytest

from sim_tests.factories import Definition, learning_layer, learning_network

pytestmark = pytest.mark.needs_lava
VECTORS = ("a", "v", "r", "y2", "y3", "z")
RULES = {
    "post traces": {"eligibility": "none", "exponent": 5},
    "a tag": {"eligibility": "tag", "exponent": 4, "tag_exponent": 0, "tag_decay": 2},
}


@pytest.fixture
def network(rng):
    """Two layers, of 5 and 4 neurons, on 7 inputs; 14 steps of which 6 teach."""
    drawn = [rng.choice([-256, -60, 20, 40, 80, 254], s, p=[0.05, 0.05, 0.2, 0.4, 0.2, 0.1]) for s in ((5, 7), (4, 5))]
    layers = [
        learning_layer(w, f"hidden{i}", vth=100, theta=5, gain=2000, balance_shift=1) for i, w in enumerate(drawn)
    ]
    return lambda rule: learning_network(*layers, steps=14, window=6, **RULES[rule])


def presentations(rng) -> np.ndarray:
    """Rows of the host's file: phase, rates and starts; a positive and a negative presentation."""
    return np.column_stack([[1, -1], rng.integers(60, 257, (2, 7)), rng.integers(0, 256, (2, 7))]).astype(np.int32)


def write_files(folder, net, rows: np.ndarray, steps: int) -> None:
    """What the host makes before it starts: see backends.lava.graphs.learning."""
    np.save(folder / "input.npy", rows)
    for index, layer in enumerate(net.layers):
        n, inputs = layer.weight.shape
        matrices = ("weights", "tags") if net.update.eligibility == "tag" else ("weights",)
        files = {f"g.{index}": ((net.period, 2), np.int64)}
        files |= {f"{name}.{index}": ((steps, n), np.int64) for name in VECTORS}
        files |= {f"{name}.all.{index}": ((steps, n, inputs), np.int16) for name in matrices}
        for name, (shape, dtype) in files.items():
            np.save(folder / f"{name}.npy", np.full(shape, -9, dtype))
        for name in matrices:  # in memory (inputs, n): the layer's own arrays lie here
            np.save(folder / f"{name}.{index}.now.npy", np.full((inputs, n, 1), -9, np.int16).T)


def definition(net, rows: np.ndarray, halved_from: int) -> list[dict[str, np.ndarray]]:
    layers, found = [Definition(layer, net.update) for layer in net.layers], [[] for _ in net.layers]
    engine, traces = np.random.default_rng(2), np.random.default_rng(2)
    engine.random(), traces.random()
    for t in range(2 * net.period):
        k, i = divmod(t, net.period)
        phase, q, starts = int(rows[k, 0]), rows[k, 1:8], rows[k, 8:]
        below = np.zeros(7, bool)
        if i < net.steps:
            below = ((starts + q * (i + 1)) // 256 - (starts + q * i) // 256).astype(bool)
        u, (_, draw) = engine.random(), traces.random(2)
        late = t >= halved_from
        fired = [layer.send_spikes(1 if late else 0) for layer in layers]
        for index, (layer, spikes) in enumerate(zip(layers, [below, *fired[:-1]], strict=True)):
            local = i - index
            learns = net.steps - net.window - 2 <= local <= net.steps - 3
            layer.learn(spikes, (local == 0, phase if learns else 0), 6 if late else net.update.exponent, u, draw)
            found[index].append({name: getattr(layer, name) for name in (*VECTORS, "g", "weights", "tag")})
    return [{name: np.array([row[name] for row in rows]).astype(int) for name in rows[0]} for rows in found]


@pytest.mark.parametrize("rule", RULES)
def test_the_files_hold_every_state_of_every_step_and_the_last_presentations_goodness(
    run_process, rng, tmp_path, network, rule
):
    net = network(rule)
    rows, steps = presentations(rng), 2 * net.period
    write_files(tmp_path, net, rows, steps)
    np.save(tmp_path / "rate.npy", np.array([[net.update.exponent, 0], [6, 1]]))
    tag = (net.update.tag_exponent, net.update.tag_decay) if rule == "a tag" else None
    layers = [
        {
            "weights": layer.weight, "tags": np.zeros_like(layer.weight), "positive": layer.positive,
            "neuron": layer.neuron, "trace": layer.trace, "factor": layer.factor, "tag": tag,
        }
        for layer in net.layers
    ]  # fmt: skip
    shown = {"n": 7, "layers": 2, "steps": net.steps, "window": net.window, "events": False}
    source = {"file": str(tmp_path / "input.npy"), **shown}
    run_process(
        "learning.fused_network.FusedNetwork",
        {
            "layers": layers, "source": source | {"period": net.period}, "passed": 0, "folder": str(tmp_path),
            "steps": steps,
        },
        steps=steps,
    )  # fmt: skip
    for index, wanted in enumerate(definition(net, rows, net.period)):
        files = {name: wanted[name] for name in VECTORS} | {"g": wanted["g"][net.period :]}
        for name, matrix in {"weights": "weights", "tags": "tag"}.items():
            if tag or name == "weights":
                files |= {f"{name}.all": wanted[matrix], f"{name}.now": wanted[matrix][-1:]}
        for name, held in files.items():
            file = f"{name.split('.')[0]}.{index}.now.npy" if name.endswith(".now") else f"{name}.{index}.npy"
            assert (np.load(tmp_path / file) == held).all(), file
            assert held.any(), file
        moved = np.diff(wanted["weights"], axis=0)
        assert (moved > 0).any()
        assert (moved < 0).any()

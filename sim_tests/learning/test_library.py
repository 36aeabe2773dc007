"""A network that learns with Lava's library neurons alone: the emulator's bits, its rule by another road, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.base import Plan, Samples
from ff2loihi.backends.emulator.library_learner import LibraryLearner
from ff2loihi.backends.one_by_one import learn_one_by_one
from ff2loihi.backends.presentations import Presentation
from ff2loihi.backends.select import emulator_learner, lava_learner
from ff2loihi.compilers import artifact
from ff2loihi.compilers.artifact import learning_manifest
from ff2loihi.compilers.artifact.manifest import FORMAT, VERSION
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import LearningLayer, LearningNetwork, Program, UpdateRule
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import library_rule
from ff2loihi.compilers.learning.weight_grid import held
from ff2loihi.learning.controller import Controller, Schedule
from ff2loihi.processes.learning_rule import Neuron, OutputTrace
from ff2loihi.processes.library_rule import GROUPS
from ff2loihi.processes.limits import POST_TRACE_MAX
from ff2loihi.verification.learning_equality import learning_equality
from sim_tests.factories import drawn_events, drawn_inputs, with_events

RELU = OutputTrace("relu", impulse=1, keep=256, top=POST_TRACE_MAX)
FAST, ALL, FIELDS = 1, 40, 12


def library_net(seed: int, longest: int = 31) -> LearningNetwork:
    """Weights up to both ends of their range, gates from one that spikes at once to one that gathers for long."""
    rng = np.random.default_rng([seed, 7])
    pixels, classes, each, n = (int(rng.integers(a, b)) for a, b in ((4, 40), (2, 6), (1, 4), (2, 20)))
    probability, steps = str(rng.choice(["symmetric", "sigmoid"])), int(rng.integers(3, longest + 1))
    spread = float(rng.choice([30, 100, 300]))  # 300: many at -256 and 254
    weight = np.clip(2 * np.rint(rng.normal(20, spread, (n, pixels + classes * each)) / 2), -256, 254).astype(np.int16)
    reach = rng.integers(2, 400)
    factor = replace(
        library_rule.gate_factor(probability, n, steps),
        thresholds=tuple(tuple(map(int, rng.integers(-reach, reach, 5))) for _ in range(GROUPS)),
        gain=int(rng.integers(1, 20)),
        vth=int(rng.choice([1, 40, 400])),
    )
    neuron = Neuron(int(rng.choice([1, 64, 256])), int(rng.choice([0, 163, 4095])))
    net = LearningNetwork(
        **drawn_inputs(rng, pixels, classes, each),
        steps=steps,
        window=int(rng.integers(1, steps)),
        layers=(LearningLayer("hidden1", weight, np.arange(n) < (n + 1) // 2, neuron, RELU, factor),),
        update=UpdateRule("gate", int(rng.integers(0, 2)), 0, 0),
    )
    learning_fit.check(net)
    return net


def field_net(seed: int, longest: int = 31) -> LearningNetwork:
    """`library_net`, whose neurons see some inputs each."""
    net, rng = library_net(seed, longest), np.random.default_rng([seed, 3])
    [layer] = net.layers
    mask = rng.random(layer.weight.shape) < rng.choice([0.3, 0.8], layer.weight.shape[1])
    mask[:, 0] = True
    layer = replace(layer, mask=mask)
    net = replace(net, layers=(replace(layer, weight=held(np.where(mask, layer.weight, 0), layer)),))
    learning_fit.check(net)
    return net


def presentations_for(net: LearningNetwork, seed: int) -> list[Presentation]:
    rng = np.random.default_rng([seed, 1])

    def sample() -> tuple[np.ndarray, np.ndarray]:
        if net.events:
            return drawn_events(net, rng), np.zeros(0, np.int64)
        return rng.integers(0, 200, net.pixels), rng.integers(0, 256, net.pixels)

    return [
        Presentation(
            *sample(), int(rng.integers(net.classes)), phase,
            net.update.exponent, trace_shift,
        )
        for phase, trace_shift in ((1, 0), (-1, 0), (0, 0), (-1, 1), (1, 1))
    ]  # fmt: skip


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST))
def test_library_processes_learn_the_emulators_bits(seed):
    net = library_net(seed, longest=11)
    report = learning_equality(net, presentations_for(net, seed))
    assert {v.name for v in report.variables} >= {"goodness", "hidden1.gate", "hidden1.units", "hidden1.weights"}
    assert report.first_divergence is None


@pytest.mark.needs_lava
def test_library_processes_learn_the_emulators_bits_of_events():
    net = with_events(library_net(3, longest=11))
    report = learning_equality(net, presentations_for(net, 3))
    active = {v.name: v.active for v in report.variables}
    assert report.first_divergence is None
    assert all(active[f"hidden1.{name}"] for name in ("v", "z", "r", "gate", "a", "units", "weights")), active


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", range(FAST, ALL))
def test_more_generated_networks_of_library_processes_learn_the_emulators_bits(seed):
    net = library_net(seed)
    assert learning_equality(net, presentations_for(net, seed)).first_divergence is None


@pytest.mark.needs_lava
@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, FIELDS))])
def test_neurons_with_fields_learn_the_emulators_bits_through_lavas_learning_sparse(seed):
    net = field_net(seed, longest=11 if seed == 2 else 31)
    report = learning_equality(net, presentations_for(net, seed))
    assert report.first_divergence is None
    active = {variable.name: variable.active for variable in report.variables}
    assert active.keys() >= {"goodness", *(f"hidden1.{state}" for state in ("v", "z", "r", "gate", "units", "a"))}
    if seed == 2:
        assert min(active.values()) > 0


def test_the_networks_with_fields_spike_and_learn_through_0_and_none_gets_a_synapse():
    moved, spiked, crossed, clipped = [], [], 0, 0
    for seed in range(2, FIELDS):
        net = field_net(seed)
        [layer], learner = net.layers, LibraryLearner(net, record=True)
        before = layer.weight.T
        for one in presentations_for(net, seed):
            learner.show(one.q, one.starts)
            learner.present(one.label, one.phase)
            spiked.append(learner.states[:, 1].any())
            steps = np.concatenate([before[None], learner.matrices])
            assert not steps[:, ~layer.mask.T].any()
            crossed += ((steps[:-1] == 0) & (steps[1:] != 0)).sum()  # what Lava's first step would have dropped
            clipped += (steps == 255).sum()
            before = learner.matrices[-1].copy()
        moved.append((before != layer.weight.T).any())
    assert np.mean(moved) > 0.4
    assert np.mean(spiked) > 0.5
    assert crossed > 20
    assert clipped


def test_the_generated_networks_learn_saturate_and_gather():
    changed, gathered, clipped = [], [], []
    for seed in range(ALL):
        net = library_net(seed)
        learner = emulator_learner(net)
        for one in presentations_for(net, seed):
            learner.show(one.q, one.starts)
            learner.present(one.label, one.phase)
        changed.append((net.layers[0].weight != learner.w.T).any())
        gathered.append(learner.gate.any())
        clipped.append((learner.w == 255).any())
    assert np.mean(changed) > 0.4
    assert np.mean(gathered) > 0.2
    assert any(clipped)


class Recorded(LibraryLearner):
    """One that records every state, as Lava is compared with, and is shown each label by itself."""

    def __init__(self, network: LearningNetwork) -> None:
        super().__init__(network, record=True)

    def candidates(self) -> np.ndarray:
        return np.stack([self.present(label, 0) for label in range(self.network.classes)])

    def learn(self, samples: Samples, plan: Plan) -> tuple[int, int]:
        return learn_one_by_one(self, samples, plan)


@pytest.mark.parametrize("pairs", [True, False], ids=["pairs", "in turn"])
@pytest.mark.parametrize(
    ("make", "seed"), [(library_net, seed) for seed in range(ALL)] + [(field_net, seed) for seed in range(FIELDS)]
)
def test_a_block_in_one_call_is_its_recorded_presentations(make, seed, pairs):
    """At the rates of a schedule, with labels that were drawn and with the best wrong one."""
    net, rng, count = make(seed), np.random.default_rng([seed, 2]), 6
    plan = Plan(pairs, 1e9, 1.0, True, 0, net.probability == "sigmoid")
    whole, plain = LibraryLearner(net), Recorded(net)
    for trace_shift in (0, 1):
        whole.trace_shift = plain.trace_shift = trace_shift
        rates, phases = rng.integers(0, 200, (count, net.pixels)), rng.integers(0, 256, (count, net.pixels))
        samples = Samples(rates, phases, rng.integers(0, net.classes, count), np.full(count, -1))
        found = whole.learn(samples, plan)
        again = plain.learn(samples, plan)
        assert found[:2] == again[:2]
        assert found.taught == count
        np.testing.assert_array_equal(found.leads, again.leads)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, plain.state()[name], name)
    assert whole.silent() == plain.silent()


def test_some_blocks_of_the_generated_networks_teach():
    plan, taught = Plan(True, 1e9, 1.0, True, 0, False), []
    for seed in range(ALL):
        net = library_net(seed)
        learner, rates = LibraryLearner(net), np.full((4, net.pixels), 120)
        learner.learn(Samples(rates, np.zeros_like(rates), np.zeros(4, np.int64), np.ones(4, np.int64)), plan)
        taught.append((net.layers[0].weight != learner.w.T).any())
    assert np.mean(taught) > 0.4


def logical_steps(net: LearningNetwork, q, starts, label: int, phase: int, gate):
    """One presentation without a link's delay: (weights, gate)."""
    layer = net.layers[0]
    w, r, acc = (
        layer.weight.T.astype(int),
        np.zeros(len(layer.positive), int),
        np.concatenate([starts, net.label_phases]),
    )
    rate = np.concatenate([q, net.label_codes[label]])
    exists = np.ones(w.shape, int) if layer.mask is None else layer.mask.T.astype(int)
    v, forced = np.zeros(len(r), int), []
    for step in range(net.steps):
        acc = acc + rate
        x, acc = acc >= 256, acc % 256
        v = np.where(np.isin(np.arange(len(r)), [j for j, _ in forced]), 0, v)
        for _ in range(2):
            v = np.sign(v) * (np.abs(v) * (4096 - layer.neuron.dv) >> 12)
        a = w[x].sum(0)
        for j, change in forced:
            w[x, j] = np.clip(w[x, j] + change, -256, 255) * exists[x, j]
        forced = []
        counted = r.copy()
        v = np.sign(v) * (np.abs(v) * (4096 - layer.neuron.dv) >> 12) + 64 * a
        z = v > 64 * layer.neuron.vth
        v, r = np.where(z, 0, v), r + z
        v = np.sign(v) * (np.abs(v) * (4096 - layer.neuron.dv) >> 12)
        if net.steps - 1 - net.window <= step <= net.steps - 2:
            squares = counted**2
            pair = squares[layer.positive].sum(), squares[~layer.positive].sum()
            for group in (0, 1) if phase > 0 else (2, 3):
                s = int(np.dot(layer.factor.weights[group], pair)) >> layer.factor.shift
                m = sum(s > threshold for threshold in layer.factor.thresholds[group])
                for j in np.flatnonzero(layer.positive == (group % 2 == 0)):
                    gate[j] += layer.factor.gain * counted[j] * m
                    if gate[j] > layer.factor.vth:
                        gate[j] = 0
                        forced.append((j, 2 if group in (0, 3) else -2))
    return w.T, gate


@pytest.mark.parametrize("make", [library_net, field_net])
def test_a_presentation_is_the_rule_in_logical_steps(make):
    """Thresholds far from every sum: then it does not matter which counts, of now or of a moment ago, they see."""
    rng = np.random.default_rng(3)
    net = make(11)
    layer = net.layers[0]
    wide = tuple((-4000, 4000, -3999) for _ in range(GROUPS))  # two of three units always spike
    factor = replace(library_rule.gate_factor("symmetric", len(layer.positive), 20), thresholds=wide, gain=1, vth=17)
    weight = (2 * rng.integers(-20, 60, layer.weight.shape)).astype(np.int16)
    if layer.mask is not None:
        weight *= layer.mask
    layer = replace(layer, weight=weight, neuron=Neuron(256, 163), factor=factor)
    net = replace(net, layers=(layer,), steps=20, window=9, update=UpdateRule("gate", 0, 0, 0))
    learner = emulator_learner(net)
    expected = np.zeros(len(layer.positive), int)
    for label, phase in ((0, 1), (1, -1), (0, -1), (1, 1)):
        q, starts = rng.integers(0, 200, net.pixels), rng.integers(0, 256, net.pixels)
        learner.show(q, starts)
        learner.present(label, phase)
        weight, expected = logical_steps(net, q, starts, label, phase, expected)
        np.testing.assert_array_equal(learner.weights[0], weight)
        np.testing.assert_array_equal(learner.gate, 64 * expected)
        net = replace(net, layers=(replace(net.layers[0], weight=weight.astype(np.int16)),))
    assert (learner.weights[0] != layer.weight).mean() > 0.2


@pytest.mark.needs_lava
def test_a_controller_with_pairs_margin_and_balance_learns_the_same_inside_lava():
    net = library_net(4, longest=11)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, net.pixels)).astype(np.uint8)
    found = []
    with lava_learner(net) as simulated:
        for learner in (emulator_learner(net), simulated):
            controller = Controller(net, learner, Schedule(margin=1.0))
            controller.set_rate(0.3)
            for image in images:
                controller.learn(image[None], np.array([1]))
            found.append((learner.state(), controller.learned))
    (emulated, learned), (simulated, again) = found
    assert learned == again == 2
    assert emulated.keys() == simulated.keys()
    for name, array in emulated.items():
        np.testing.assert_array_equal(array, simulated[name], err_msg=name)
    assert (emulated["weights.0"] != net.layers[0].weight).any()


def test_weights_that_are_put_in_drive_at_once():
    net = library_net(2)
    before = net.layers[0].weight
    after = np.where(before < 0, -before - before % 2, 0).clip(0, 254).astype(np.int16)
    learner, fresh = LibraryLearner(net), LibraryLearner(replace(net, layers=(replace(net.layers[0], weight=after),)))
    one = presentations_for(net, 2)[0]
    for each in (learner, fresh):
        each.show(one.q, one.starts)
    old = [learner.counts(label)[0] for label in range(net.classes)]
    learner.put(after)
    new = [learner.counts(label)[0] for label in range(net.classes)]
    np.testing.assert_array_equal(new, [fresh.counts(label)[0] for label in range(net.classes)])
    assert np.any(new)
    assert np.not_equal(old, new).any(axis=1).all()


def test_a_learner_continues_with_its_gates_where_another_stopped():
    net, presentations = library_net(5), presentations_for(library_net(5), 5)
    whole, first, second = (emulator_learner(net) for _ in range(3))
    for number, one in enumerate(presentations):
        part = first if number < 2 else second
        if number == 2:
            second.restore(first.state())
        for learner in (whole, part):
            learner.show(one.q, one.starts)
            learner.present(one.label, one.phase)
    assert all((a == b).all() for a, b in zip(whole.state().values(), second.state().values(), strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gain": 300}, "weight on its gates is 300, 1..255"),
        ({"vth": 0}, "gate threshold 0, the mantissa holds 1"),
        ({"shift": 0, "weights": ((200, -200),) * GROUPS}, "a thermometer's sum reaches .*, 8,190 fit"),
        ({"weights": ((3, -3),) * GROUPS}, "must be even"),
        ({"thresholds": ((5000, 0),) * GROUPS}, "4,095 fit a bias"),
        ({"thresholds": ((0, 1),)}, "1 thermometers, 4 are wanted"),
    ],
)
def test_a_third_factor_that_no_library_neuron_holds_is_refused(change, said):
    net = library_net(0)
    layer = net.layers[0]
    with pytest.raises(CompileError, match=f"hidden1: .*{said}"):
        learning_fit.check(replace(net, layers=(replace(layer, factor=replace(layer.factor, **change)),)))


def test_a_synapse_that_begins_at_0_is_refused_since_lava_drops_it():
    net = field_net(3)
    [layer] = net.layers
    weight = layer.weight.copy()
    weight[:, 0] = 0
    with pytest.raises(CompileError, match=f"{len(weight)} synapses begin at 0, where Lava's LearningSparse drops"):
        learning_fit.check(replace(net, layers=(replace(layer, weight=weight),)))
    mended = replace(layer, weight=held(weight, layer))
    learning_fit.check(replace(net, layers=(mended,)))
    np.testing.assert_array_equal(mended.weight[:, 1:], weight[:, 1:])
    assert (mended.weight[:, 0] == 2).all()


@pytest.mark.parametrize("masked", [True, False])
def test_odd_weights_go_onto_the_grid_and_with_fields_past_0(masked):
    layer = field_net(3).layers[0]
    seen = np.array([[True] * 6 + [False]])
    layer = replace(layer, weight=np.zeros((1, 7), np.int16), mask=seen if masked else None)
    found = held(np.array([[255, 3, 1, 0, -1, -255, 0]], np.int16), layer)
    assert found.tolist() == [[254, 4, *([2, 2, 2] if masked else [0, 0, 0]), -256, 0]]
    assert found.dtype == np.int16


@pytest.mark.parametrize("make", [library_net, field_net])
def test_an_artifact_keeps_the_rule_and_refuses_another_rules_factor(make, tmp_path):
    program = Program(make(1), (), {})
    artifact.write(program, tmp_path / "m.ffl")
    back = artifact.read(tmp_path / "m.ffl")[0].network
    assert (back.layers[0].factor, back.update) == (program.network.layers[0].factor, program.network.update)
    np.testing.assert_array_equal(back.layers[0].mask, program.network.layers[0].mask)
    header = {"format": FORMAT, "version": VERSION, "provenance": {}, "sha256": ""}
    manifest, tensors = learning_manifest.pack(program, header)
    direct = replace(manifest.update, eligibility="none")
    with pytest.raises(ValueError, match="hidden1 must have a factor alone"):
        learning_manifest.unpack(manifest.model_copy(update={"update": direct}), tensors)


def test_library_learning_from_the_command_line(tmp_path, ff2loihi, refused):
    model, net, learned = (tmp_path / name for name in ("u.pt", "u.ffl", "u-learned.ffl"))
    assert ff2loihi("train", "--epochs", "0", "--widths", "20", "-o", model)[0] == 0
    assert ff2loihi("compile", model, "--learning", "library", "-o", net)[0] == 0
    assert ff2loihi("learn", net, "--limit", "300", "--epochs", "2", "-o", learned)[0] == 0
    code, out, _ = ff2loihi("run", learned, "--limit", "200", "--json", "-")
    assert code == 0
    assert '"accuracy"' in out
    assert "every 2 time steps" in " ".join(ff2loihi("inspect", learned)[1].split())
    for options, said in (
        (("--trace", "li"), "--trace li: has no form with --learning library"),
        (("--eligibility", "tag"), "--eligibility tag: has no form"),
    ):
        code, err = refused("compile", model, "--learning", "library", *options)
        assert (code, said in err) == (2, True)
    assert "does not learn with our neurons" in refused("verify", net, "--form", "per_layer")[1]
    assert "never rounded" in refused("learn", net, "--rounding", "chip", "-o", tmp_path / "x.ffl")[1]
    ff2loihi("train", "--epochs", "0", "--widths", "9-9", "-o", model)
    err = refused("compile", model, "--learning", "library")[1]
    assert "2 layers: forced spikes would reach the layer above" in err
    code, err = refused("compile", model, "--learning", "stock")  # what it was called before
    assert (code, "'library'" in err) == (2, True)


@pytest.mark.needs_lava
def test_a_network_of_library_neurons_with_fields_goes_through_every_command(tmp_path, ff2loihi):
    model, net, learned = (tmp_path / name for name in ("u.pt", "u.ffl", "u-learned.ffl"))
    assert ff2loihi("train", "--epochs", "0", "--widths", "20", "--field", "5", "-o", model)[0] == 0
    assert ff2loihi("compile", model, "--learning", "library", "-o", net)[0] == 0
    assert ff2loihi("learn", net, "--limit", "300", "--epochs", "2", "-o", learned)[0] == 0
    layers = [api.load(file).network.layers[0] for file in (net, learned)]
    for layer in layers:
        assert layer.synapses == 20 * (25 + 100)
        np.testing.assert_array_equal(layer.weight != 0, layer.mask)
    assert (layers[0].weight != layers[1].weight).sum() > 100
    assert "every bit agrees" in ff2loihi("verify", learned, "--samples", "1")[1]
    assert "a neuron sees 25 of 64 pixels" in " ".join(ff2loihi("inspect", learned)[1].split())
    for command in (("map", learned), ("estimate", learned, "--limit", "2"), ("run", learned, "--limit", "20")):
        assert ff2loihi(*command)[0] == 0

"""A run's state that was changed, and hashed again, is refused in one line; one that was not continues."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from ff2loihi import state_file
from ff2loihi.backends.select import emulator_learner
from ff2loihi.learning import state as run_state
from ff2loihi.learning.state import RunState
from ff2loihi.state_file import CheckpointMismatch

SAMPLES, EPOCHS, LINE = 5, 3, 500
IDENTITY = {"artifact": "abc", "seed": 0}
REVISIT = {**IDENTITY, "revisit": 2}
EPOCH = {
    "epoch": 1, "samples": 5, "learned": 0.4, "online_accuracy": 0.6, "exponent": 5, "halve": 0, "saturated": [0.0]
}  # fmt: skip


@pytest.fixture(scope="module")
def learners(generate_learning):
    """Emulators of a rule on weights and of one on tags, after some presentations."""
    found = {}
    for name, seed in (("direct", 0), ("tag", 1)):
        net, presentations = generate_learning(seed)
        found[name] = net, emulator_learner(net)
        for one in presentations:
            found[name][1].show(one.q, one.starts)
            found[name][1].present(one.label, one.phase)
    return found


@pytest.fixture
def written(learners, tmp_path):
    """written(kind, change) -> the path of a state; change(facts, tensors) was made, and the hash is right."""

    def make(
        kind,
        change=lambda facts, tensors: None,
        text=lambda text: text,
        identity=IDENTITY,
        due=[0] * SAMPLES,
        left_out=0,
    ):
        path = tmp_path / "x.run"
        rng = np.random.default_rng(4).bit_generator.state
        order = np.array([3, 0, 4, 1, 2])
        state = RunState(1, 3, order, rng, (3 - left_out, 2, 1), [EPOCH], np.array(due))
        run_state.write(path, identity, state, learners[kind][1].state())
        data = path.read_bytes()
        tensors = load(data)
        facts = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["run"])
        change(facts, tensors)
        run = text(json.dumps(facts))
        path.write_bytes(save(tensors, metadata={"run": run, "sha256": state_file.digest(run, tensors)}))
        return path

    return make


def read(path, learner_of, identity=IDENTITY):
    net, _ = learner_of
    return run_state.read(path, identity, SAMPLES, EPOCHS, emulator_learner(net).state())


@pytest.mark.parametrize("kind", ["direct", "tag"])
def test_a_state_comes_back_and_the_learner_goes_on_with_it(written, learners, kind):
    progress, arrays = read(written(kind), learners[kind])
    net, before = learners[kind]
    assert (progress.epoch, progress.position, progress.counts, progress.log) == (1, 3, (3, 2, 1), [EPOCH])
    assert progress.order.tolist() == [3, 0, 4, 1, 2]
    fresh = np.random.default_rng(0)
    fresh.bit_generator.state = progress.rng
    assert fresh.random() == np.random.default_rng(4).random()
    learner = emulator_learner(net)
    learner.restore(arrays)
    assert all(np.array_equal(a, b) for a, b in zip(learner.weights, before.weights, strict=True))


def test_samples_that_are_left_out_come_back(written, learners):
    """Of the three that are passed, sample 3 was left out, 0 was far ahead in this epoch, 4 was near."""
    due = [4, 2, 0, 3, 0]
    path = written("direct", identity=REVISIT, due=due, left_out=1)
    progress, _ = read(path, learners["direct"], REVISIT)
    assert progress.due.tolist() == due
    assert "due" not in load(written("direct").read_bytes())


@pytest.mark.parametrize(
    ("due", "left_out", "words"),
    [
        ([4, 2, 0, 3, 0], 0, "3 samples seen"),
        ([4, 2, 0, 2, 3], 1, "2 samples seen"),
        ([5, 2, 0, 3, 0], 1, "due in, int64 (5,): 0..4 of 5 samples are possible"),
        ([4, -2, 0, 3, 0], 1, "0..4 of 5 samples are possible"),
        ([4, 2, 0, 3], 1, "due in, int64 (4,)"),
        ([4.0, 2, 0, 3, 0], 1, "due in, float64 (5,)"),
    ],
)
def test_samples_that_no_run_left_out_are_refused(written, learners, due, left_out, words):
    with pytest.raises(CheckpointMismatch) as caught:
        read(written("direct", identity=REVISIT, due=due, left_out=left_out), learners["direct"], REVISIT)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def put(*path):
    *way, last, value = path

    def change(facts, tensors):
        for key in way:
            facts = facts[key]
        facts[last] = value

    return change


def fill(name, value, at=..., dtype=None):
    def change(facts, tensors):
        tensors[name] = tensors[name].astype(dtype or tensors[name].dtype)
        tensors[name][at] = value

    return change


def gain(name, array):
    return lambda facts, tensors: tensors.update({name: array})


def lose(name):
    return lambda facts, tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (put("epoch", 3), "direct", "epoch 3, sample 3, of 3 epochs of 5 samples"),
        (put("epoch", -1), "direct", "epoch: Input should be greater"),
        (put("epoch", "1"), "direct", "epoch: "),
        (put("epoch", 10**400), "direct", "epoch: "),
        (put("position", 5), "tag", "sample 5, of 3 epochs of 5 samples"),
        (put("position", 4), "tag", "3 samples seen"),
        (put("position", None), "tag", "position: "),
        (put("counts", [3, 4, 1]), "direct", "3 samples seen, 4 learned"),
        (put("counts", [3, 2]), "direct", "counts"),
        (put("log", []), "direct", "a log of 0 epochs"),
        (put("log", 0, "epoch", 2), "direct", "a log of 1 epochs"),
        (put("log", 0, "learned", "x"), "direct", "log.0.learned"),
        (put("log", 0, "saturated", 0.0), "direct", "log.0.saturated"),
        (put("log", {}), "direct", "log: "),
        (put("rng", "bit_generator", "MT19937"), "direct", "rng.bit_generator"),
        (put("rng", "state", "state", 1 << 128), "direct", "rng.state.state"),
        (put("rng", "state", "inc", -1), "direct", "rng.state.inc"),
        (put("rng", "state", 3), "direct", "rng.state"),
        (put("rng", "has_uint32", 2), "direct", "rng.has_uint32"),
        (put("rng", "uinteger", 1 << 32), "direct", "rng.uinteger"),
        (put("rng", None), "direct", "rng: "),
        (put("identity", []), "direct", "identity: "),
        (put("identity", {}), "direct", "another run's checkpoint: artifact was None"),
        (put("identity", {"artifact": "x" * 10**5, "seed": 0}), "direct", "artifact was 'xxx"),
        (put("extra" * 10**4, 1), "direct", "extraextra"),
        (lose("order"), "direct", "an order of float64 (0,)"),
        (fill("order", 0), "direct", "each of 5 samples must be there once"),
        (fill("order", 10**9, 0), "direct", "each of 5 samples must be there once"),
        (fill("order", 0, 0, np.float64), "direct", "an order of float64"),
        (gain("order", np.arange(6)), "direct", "an order of int64 (6,)"),
        (lose("weights.0"), "direct", "weights.0 is not there"),
        (fill("weights.0", 256), "direct", "weights.0 256..256, -256..255 are possible"),
        (fill("weights.0", 0, dtype=np.int32), "tag", "weights.0 holds int32"),
        (gain("weights.0", np.zeros((1, 1), np.int16)), "tag", "weights.0 holds int16 (1, 1)"),
        (lose("tags.0"), "tag", "tags.0 is not there"),
        (fill("tags.0", -258), "tag", "tags.0 -258..-258, -257..255 are possible"),
        (gain("tags.0", np.zeros((1, 1), np.int16)), "direct", "tags.0 belongs to nothing"),
        (fill("passed", -1), "direct", "passed -1..-1"),
        (fill("passed", (1 << 63) - 1), "direct", "passed 9223372036854775807"),
        (gain("passed", np.zeros(0, np.int64)), "direct", "passed holds int64 (0,)"),
        (gain("chip", np.zeros(1, np.int64)), "direct", "chip holds int64"),
        (
            gain("due", np.array([2, 0, 0, 0, 0])),
            "direct",
            "samples are due in, int64 (5,): 0..0 of 5 samples are possible",
        ),
        (gain("y" * 10**5, np.zeros(1)), "direct", "belongs to nothing"),
    ],
)
def test_what_no_run_wrote_is_refused_in_one_short_line(written, learners, change, kind, words):
    with pytest.raises(CheckpointMismatch) as caught:
        read(written(kind, change), learners[kind])
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert len(text) < LINE + 100


@pytest.mark.parametrize(
    "text",
    ["[" * 10**5 + "]" * 10**5, '{"epoch": NaN}', '{"epoch": 1, "epoch": 2}', "{}", "null", "[]", "3", '"a"', ""],
)
def test_json_of_another_form_is_refused_in_one_short_line(written, learners, text):
    with pytest.raises(CheckpointMismatch) as caught:
        read(written("direct", text=lambda _: text), learners["direct"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < LINE

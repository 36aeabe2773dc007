"""`learn --backend loihi`: the controller here, the network on a stand-in of Intel's extension; or no board at all."""

import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import h5py
import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from ff2loihi import api
from ff2loihi.backends.loihi import learner, library_plan
from ff2loihi.backends.loihi.payload.learn_on_board import delays
from ff2loihi.backends.presentations import Presentation
from ff2loihi.processes.library_rule import T_EPOCH, TAIL
from ff2loihi.processes.limits import ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT, WEIGHT_MAX

SINGLE = ("--single", "--negatives", "random")  # asks for no score


@pytest.fixture
def model(request, artifacts, tmp_path):
    """An artifact of library neurons, or of such with fields."""
    api.save(artifacts["ffa-symmetric", "plain", getattr(request, "param", "library")], tmp_path / "m.ffl")
    return tmp_path / "m.ffl"


@pytest.fixture
def words(model, tmp_path):
    """words(back end, options) -> what Python runs to learn into x.ffl of a folder of that back end."""

    def command(backend, *options):
        (tmp_path / backend).mkdir(exist_ok=True)
        return "-m", "ff2loihi", "learn", model, "--backend", backend, *options, "-o", "x.ffl"

    return command


@pytest.fixture
def as_the_emulator_does(board, words, model, tmp_path):
    """as_the_emulator_does(options): what was learned on the board is it byte for byte, and weights have moved."""

    def check(*options):
        done = board(*words("emulator", *options), cwd=tmp_path / "emulator")
        assert (done.returncode, done.stderr) == (0, "")
        found, wanted = ((tmp_path / name / "x.ffl").read_bytes() for name in ("loihi", "emulator"))
        assert found == wanted
        before, after = (api.load(file) for file in (model, tmp_path / "loihi/x.ffl"))
        before, after = before.network.layers[0].existing, after.network.layers[0].existing
        assert (before != after).mean() > 0.02
        assert after.max() < WEIGHT_MAX  # beyond it a board, and the stand-in, round by a draw of their own
        assert sorted(path.name for path in (tmp_path / "loihi").iterdir()) == ["x.ffl", "x.jsonl"]
        assert not list(board.scratch.glob("ff2l*"))

    return check


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    "options",
    [
        ("--limit", "3", *SINGLE),
        pytest.param(("--limit", "50", "--epochs", "1", *SINGLE), marks=pytest.mark.slow),
        pytest.param(("--limit", "2", "--epochs", "2"), marks=pytest.mark.slow),  # pairs, where scores are close
        pytest.param(("--limit", "8", "--single"), marks=pytest.mark.slow),  # scores of hard negatives
    ],
    ids=["few", "fifty presentations", "pairs", "hard negatives"],
)
@pytest.mark.parametrize("model", ["library", "fields"], indirect=True)
def test_a_board_learns_what_the_emulator_learns(board, words, as_the_emulator_does, tmp_path, options):
    if "--epochs" not in options:
        options = (*options, "--epochs", "1")
    done = board(*words("loihi", *options), cwd=tmp_path / "loihi")
    assert (done.returncode, done.stderr) == (0, "")
    as_the_emulator_does(*options)


def started(board) -> list[int]:
    """The processes that this test's environment is in."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR", "").startswith(str(board.scratch)):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_run_on_a_board_that_was_ended_goes_on_with_the_same_bytes(
    board, words, as_the_emulator_does, tmp_path, number
):
    """Behind its first epoch, of three, it is ended; nothing of it lives on."""
    options, folder = ("--limit", "2", "--epochs", "3", *SINGLE), tmp_path / "loihi"
    with subprocess.Popen(
        [sys.executable, *map(str, words("loihi", *options))], cwd=folder, env=board.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        while not (folder / "x.jsonl").exists():
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(number)
    assert run.returncode in (-number, 128 + number)
    deadline = time.monotonic() + 20
    while started(board):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kept = load_file(folder / "x.ffl.run")
    assert kept["passed"].tolist() == [2]  # a presentation an image: nothing was asked
    assert kept["gates.0"].any()
    done = board(*words("loihi", *options, "--resume"), cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    as_the_emulator_does(*options)


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_process_that_would_run_on_the_cpu_stops_the_run(board, words, tmp_path):
    (board.tree / "lava/proc/prodneuron/ncmodels.py").unlink()
    done = board(*words("loihi", "--limit", "2"), cwd=tmp_path / "loihi")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "ProdNeuron: the extension has no model of it for neurocores" in done.stderr
    assert not (tmp_path / "loihi/x.ffl").exists()


def test_the_cores_have_learned_and_counted_when_a_presentations_run_ends():
    """They run behind the host: what is left of the period when a presentation has learned must be as long."""
    wait, behind = delays({"steps_in": ADAPTER_STEPS_IN, "t_epoch": T_EPOCH})
    assert behind + ADAPTER_STEPS_OUT <= TAIL
    assert wait <= TAIL  # the rows of a period's end, which come first


class Scripted:
    """A board's child that spikes, and holds weights and gates, as it is told."""

    def __init__(self, module, folder, patience, environment) -> None:
        self.folder, self.asked, self.plan = folder, [], json.loads((folder / "board.json").read_text())

    def __enter__(self):
        self.counts = np.lib.format.open_memmap(self.folder / ".r.npy", "w+", np.int32, (self.plan["period"], 12))
        children.append(self)
        return self

    def __exit__(self, *_) -> None:
        self.asked.append("end")

    def follow(self, until) -> None:
        pass

    def ask(self, command) -> None:
        self.asked.append(command)
        if command == "present":  # neuron 3 alone spikes; complete when the last step's spikes were counted and came
            row = delays(self.plan)[1] + self.plan["steps"] + self.plan["steps_out"] - 1
            self.counts[row, 3] = 5
        elif command == "read":
            np.save(self.folder / "weights.npy", np.full((12, self.plan["inputs"]), 255, np.int16))
            np.save(self.folder / "gates.npy", np.arange(12, dtype=np.int32))


children: list[Scripted] = []


@pytest.fixture
def scripted(artifacts, monkeypatch):
    """scripted(network) -> a learner whose child is Scripted; `children` are those that it started."""
    children.clear()
    monkeypatch.setattr(learner, "require_board", lambda instead: SimpleNamespace(environment={}))
    monkeypatch.setattr(learner, "Child", Scripted)
    dense = artifacts["ffa-symmetric", "plain", "library"].network
    return lambda network=dense: learner.LoihiLearner(network)


def shown(board) -> None:
    board.show(np.full(64, 100), np.zeros(64, int))


def test_weights_are_read_once_after_presentations_and_the_board_is_let_go(scripted):
    with scripted() as board:
        assert not board.state()["gates.0"].any()
        assert not children
        shown(board)
        assert board.present(1, 1).tolist() == [[25, 0]]
        assert board.candidates().shape == (10, 1, 2)
        assert board.silent() == [pytest.approx(11 / 12)]
        assert board.silent() == [1]
        state = board.state()
        assert (board.weights[0] == 255).all()
    [child] = children
    assert child.asked == ["present"] * 11 + ["read", "stop", "end"]
    assert state["gates.0"].tolist() == list(range(12))
    assert state["passed"] == 11
    assert (board.weights[0] == 255).all()  # they were read before the end


def test_a_run_that_is_resumed_starts_with_the_weights_and_gates_that_were_kept(scripted):
    first, second = scripted(), scripted()
    with first:
        shown(first)
        first.present(1, 1)
        state = first.state()
    with second:
        second.restore(state)
        shown(second)
        second.present(2, -1)
        assert children[1].plan["gates"] == list(range(12))
        with h5py.File(children[1].folder / "network.net") as file:
            assert (file["layer/0/weight"][()] == 254).all()  # what a synapse of the chip holds
        assert second.state()["passed"] == 2


def test_a_resumed_run_of_fields_begins_with_no_synapse_at_0_which_the_board_would_drop(artifacts, scripted):
    network = artifacts["ffa-symmetric", "plain", "fields"].network
    [layer], board = network.layers, scripted(network)
    with board:
        board.restore({"weights.0": 0 * layer.weight, "gates.0": np.zeros(12, np.int32), "passed": np.array([3])})
        shown(board)
        board.present(2, -1)
        with h5py.File(children[0].folder / "network.net") as file:
            np.testing.assert_array_equal(file["layer/0/weight"][()], 2 * layer.mask)
        assert children[0].plan["fields"]


def test_a_run_that_failed_asks_its_child_for_nothing_more(scripted):
    with pytest.raises(KeyboardInterrupt), scripted() as board:
        shown(board)
        board.present(1, 1)
        raise KeyboardInterrupt
    assert children[0].asked == ["present", "end"]


def test_each_presentation_sends_its_own_rows(scripted, artifacts):
    network = artifacts["ffa-symmetric", "plain", "library"].network
    exponent = network.update.exponent
    with scripted() as board:
        shown(board)
        for label, phase in ((0, 1), (3, -1), (3, 0)):
            board.present(label, phase)
            folder, one = (
                children[0].folder,
                Presentation(np.full(64, 100), np.zeros(64, int), label, phase, exponent, 0),
            )
            for name, blocks in library_plan.HOST_ROWS.items():
                [rows] = blocks(network, [one])
                np.testing.assert_array_equal(np.load(folder / name), np.packbits(rows, axis=1))
                assert rows.any()
        assert len(children) == 1


def test_without_a_board_learn_ends_with_3_before_the_images_are_looked_for(refused, model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, line = refused("learn", model, "--backend", "loihi", "--data", "mnist", "--data-root", tmp_path)
    assert code == 3
    assert "no Loihi board from here" in line
    assert line.endswith("Use --backend emulator\n")


def test_neurons_of_ours_do_not_learn_on_a_board(refused, artifacts, tmp_path):
    api.save(artifacts["ffa-symmetric", "plain", "rule"], tmp_path / "m.ffl")
    code, line = refused("learn", tmp_path / "m.ffl", "--backend", "loihi")
    assert code == 2
    assert "library neurons alone learn on a board" in line
    assert "--learning library" in line

"""The whole way to a board and back, on a stand-in of Intel's extension that computes on the CPU; and the dry run."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ff2loihi import api, boards, deployment
from ff2loihi.compilers.chips import load_table
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.learning import LearningOptions
from ff2loihi.compilers.quantize import Options
from ff2loihi.ff.data import load_data
from ff2loihi.ff.recipes import train

EXTENSION = Path(__file__).parent / "extension"
SINFO = "echo 'NODELIST NODES PARTITION STATE'; echo 'ncl-og-05 1 oheogulch idle'"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def board(tmp_path):
    """The environment of a machine with the stand-in and a SLURM; `board.tree` is the stand-in, a copy to change."""
    bin_folder, tree, scratch = tmp_path / "bin", tmp_path / "extension", tmp_path / "scratch"
    shutil.copytree(EXTENSION, tree, ignore=shutil.ignore_patterns("__pycache__"))
    bin_folder.mkdir()
    scratch.mkdir()
    for name, text in (("sinfo", SINFO), ("srun", "exit 0")):
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)

    def call(*words, cwd):
        environment = {
            **os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(scratch),
            "PYTHONPATH": os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")]),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    call.tree, call.scratch = tree, scratch
    return call


def saved(program, folder: Path) -> Path:
    api.save(program, folder / "m.ffl")
    return folder / "m.ffl"


def deploy(board, program, folder: Path, samples: int = 1):
    model = saved(program, folder)
    return board("-m", "ff2loihi", "deploy", model, "--samples", samples, "--json", "d.json", cwd=folder)


@pytest.mark.needs_lava
def test_a_spiking_network_goes_to_the_board_and_back_bit_for_bit(board, artifacts, tmp_path):
    done = deploy(board, artifacts["ff-mlp", "plain", "hard"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    assert sorted(set(report["models"])) == ["Dense NcModelDense", "LIFReset NcL2ModelLifReset"]
    names = {variable["name"] for variable in report["variables"]}
    assert {f"{layer}.{state}" for layer in ("hidden1", "hidden2") for state in "svr"} <= names
    with np.load(tmp_path / "m-recording.npz") as recording:
        assert recording["hidden2.s"].any()
    assert not list(board.scratch.glob("ff2loihi-board-*"))


SLOW_NETS = (
    ("ff-mlp", "head", "hard"), ("ff-mlp", "head", "graded"), ("ff-mlp", "head", "soft"), ("cwc-ff", "plain", "graded"),
    ("cwc-ff", "plain", "soft"), ("ffa-symmetric", "bias", "graded"),
)  # fmt: skip


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    "net", [("ffa-symmetric", "bias", "soft"), *(pytest.param(net, marks=pytest.mark.slow) for net in SLOW_NETS)]
)
def test_soft_resets_heads_payloads_and_convolutions_come_back_bit_for_bit(board, artifacts, tmp_path, net):
    done = deploy(board, artifacts[net], tmp_path, samples=2)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    assert "Dense NcModelDense" in report["models"]


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_network_that_learned_classifies_on_the_board_bit_for_bit(board, learned, tmp_path):
    done = deploy(board, learned, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    assert sorted(set(report["models"])) == ["Dense NcModelDense", "LIFReset NcL2ModelLifReset"]
    states = {f"hidden1.{state}" for state in "svr"}
    assert {variable["name"] for variable in report["variables"]} == {*states, "predictions"}
    with np.load(tmp_path / "m-recording.npz") as recording:
        assert recording["hidden1.s"].shape == (1, 10, learned.network.steps, 12)
        assert recording["hidden1.s"].any()


@pytest.mark.slow
@pytest.mark.needs_lava
def test_run_on_the_board_scores_as_the_emulator_does(board, ff2loihi, tmp_path):
    """Of two layers, whose trace leaks."""
    images = load_data("digits", "train", limit=60)
    train("ffa-symmetric", images, widths=(12, 10), epochs=1, seed=1).save(tmp_path / "m.pt")
    model, found = saved(api.compile(tmp_path / "m.pt", images, LearningOptions(trace="li")), tmp_path), []
    words = ("run", model, "--limit", 3, "--json")
    done = board("-m", "ff2loihi", *words, "board.json", "--backend", "loihi", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ff2loihi(*words, tmp_path / "emulator.json")[0] == 0
    for name in ("board", "emulator"):
        report = json.loads((tmp_path / f"{name}.json").read_text())
        found.append({key: report[key] for key in ("accuracy", "confusion", "goodness_true", "goodness_wrong")})
    assert found[0] == found[1]
    assert all(p != 0.5 for p in found[0]["goodness_true"])  # 0.5: silent


@pytest.mark.slow
@pytest.mark.needs_lava
def test_steps_that_are_no_power_of_two_get_a_silent_rest(board, tmp_path):
    images = load_data("digits", "train", limit=60)
    train("ff-mlp", images, widths=(12, 10), epochs=1, seed=1, bias=False).save(tmp_path / "m.pt")
    program = api.compile(tmp_path / "m.pt", images, Options(neuron="lif", steps=5, reset="hard", vth=50))
    done = deploy(board, program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_board_that_computes_something_else_ends_with_1_and_the_first_state(board, artifacts, tmp_path):
    model = board.tree / "lava/proc/lif/ncmodels.py"
    model.write_text(
        model.read_text().rstrip().removesuffix("pass")
        + "def run_spk(self):\n        super().run_spk()\n        self.v[self.time_step == 7] += 64\n"
    )
    done = deploy(board, artifacts["ff-mlp", "plain", "hard"], tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "hidden2.v[sample 0, label 0, step 3, neuron 0]" in done.stderr  # layer 2's step i is at t = i + 4


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_process_that_would_run_on_the_cpu_stops_the_deployment(board, artifacts, tmp_path):
    (board.tree / "lava/proc/dense/ncmodels.py").unlink()
    done = deploy(board, artifacts["ff-mlp", "plain", "hard"], tmp_path)
    assert done.returncode == 3
    assert "Dense: the extension has no model of it for neurocores" in done.stderr
    assert not (tmp_path / "m-recording.npz").exists()


@pytest.mark.needs_lava
@pytest.mark.parametrize("form", [pytest.param("hard", marks=pytest.mark.slow), "rule"])
def test_the_dry_runs_folder_is_all_that_the_boards_machine_needs(board, ff2loihi, artifacts, tmp_path, form):
    model = saved(artifacts["ffa-symmetric", "plain", form], tmp_path)
    folder = tmp_path / "deployment"
    code, _, err = ff2loihi("deploy", model, "--dry-run", folder, "--samples", 1)
    assert (code, "microcode" in err) == (0, form == "rule")
    for script in folder.glob("*.py"):
        assert "import ff2loihi" not in script.read_text()
        assert "from ff2loihi" not in script.read_text()
    done = board(folder / "run_on_board.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    code, out, _ = ff2loihi("diff-golden", folder, folder / "recording.npz")
    assert code == 0
    assert "hidden1.s" in out


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_board_with_another_delay_is_told_by_its_recording(board, refused, artifacts, tmp_path):
    model, folder = saved(artifacts["ffa-symmetric", "plain", "hard"], tmp_path), tmp_path / "deployment"
    deployment.write(folder, api.load(model), load_data("digits", "test", limit=1))
    plan = json.loads((folder / "board.json").read_text())
    (folder / "board.json").write_text(json.dumps(plan | {"steps_out": 2}))
    assert board(folder / "run_on_board.py", cwd=tmp_path).returncode == 0
    code, line = refused("diff-golden", folder, folder / "recording.npz")
    assert code == 1
    assert "hidden1.s[" in line


@pytest.mark.needs_lava
def test_a_network_of_library_neurons_learns_on_the_board_bit_for_bit(board, artifacts, tmp_path):
    program = artifacts["ffa-symmetric", "plain", "stock"]
    done = deploy(board, program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    assert {model.split()[0] for model in report["models"]} == {
        "Dense", "Sparse", "LearningDense", "LIF", "LIFReset", "GradedReluVec", "ProdNeuron",
    }  # fmt: skip
    assert {v["name"] for v in report["variables"]} == {
        f"hidden1.{state}" for state in ("z", "r", "v", "gate", "units", "learned")
    }
    with np.load(tmp_path / "m-recording.npz") as recording:
        assert (recording["hidden1.learned"][-1] != program.network.layers[0].weight).any()
    assert not list(board.scratch.glob("ff2loihi-board-*"))


@pytest.mark.slow
@pytest.mark.needs_lava
@pytest.mark.parametrize("delay", [1, 2, 3])
def test_its_dry_run_learns_behind_adapters_of_any_delay(board, ff2loihi, artifacts, tmp_path, delay):
    """Epochs of two time steps begin with odd ones: behind an odd delay the script waits for the next."""
    models = board.tree / "lava/proc/embedded_io/models.py"
    models.write_text(models.read_text().replace("DELAY = 1", f"DELAY = {delay}"))
    folder = tmp_path / "deployment"
    deployment.write(folder, artifacts["ffa-sigmoid", "plain", "stock"], load_data("digits", "test", limit=2))
    plan = json.loads((folder / "board.json").read_text())
    (folder / "board.json").write_text(json.dumps(plan | {"steps_in": delay, "steps_out": delay}))
    done = board(folder / "run_on_board.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    code, out, _ = ff2loihi("diff-golden", folder, folder / "recording.npz")
    assert code == 0
    assert "hidden1.learned" in out


@pytest.mark.slow
@pytest.mark.needs_lava
def test_a_learning_engine_whose_epochs_begin_elsewhere_is_told_by_the_weights(board, refused, artifacts, tmp_path):
    model = board.tree / "lava/proc/dense/ncmodels.py"
    text, _, _ = model.read_text().rpartition("pass")
    model.write_text(text + "def lrn_guard(self):\n        return (self.time_step + 1) % 2 == 0\n")
    folder = tmp_path / "deployment"
    deployment.write(folder, artifacts["ffa-symmetric", "plain", "stock"], load_data("digits", "test", limit=1))
    done = board(folder / "run_on_board.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    code, line = refused("diff-golden", folder, folder / "recording.npz")
    assert code == 1
    assert "hidden1." in line


@pytest.mark.slow
@pytest.mark.needs_lava
def test_library_neurons_classify_on_the_board_as_on_the_emulator(board, artifacts, tmp_path):
    model, found = saved(artifacts["ffa-symmetric", "plain", "stock"], tmp_path), []
    for backend in ("emulator", "loihi"):
        done = board(
            "-m", "ff2loihi", "run", model, "--backend", backend, "--limit", 3, "--json", "r.json", cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads((tmp_path / "r.json").read_text())
        found.append({name: report[name] for name in ("accuracy", "confusion")})
    assert found[0] == found[1]


def test_a_deployment_that_learns_holds_the_rule_and_nothing_of_ours(artifacts, tmp_path):
    program, folder = artifacts["ffa-symmetric", "plain", "stock"], tmp_path / "d"
    assert deployment.write(folder, program, load_data("digits", "test", limit=2)) == []
    text = (folder / "README.md").read_text()
    for file in folder.iterdir():
        assert file.name == "README.md" or f"`{file.name}`" in text
        assert file.suffix != ".py" or not re.search(r"^\s*(import|from) ff2loihi", file.read_text(), re.MULTILINE)
    assert json.loads((folder / "network.rule.json").read_text())["dw"] == "2^1*x0*y0 - 2^-2*y0*x1"
    spikes = np.unpackbits(np.load(folder / "inputs.npy"), axis=1)[:, : program.network.inputs]
    rows = np.load(folder / "golden.npz")["hidden1.a"].shape[1]
    sent = spikes.reshape(4, 128, -1)
    assert sent[:, 1:rows:4].any()
    sent[:, 1:rows:4] = 0
    assert not sent.any()


@pytest.mark.needs_lava
def test_the_script_says_what_is_missing(artifacts, tmp_path):
    deployment.write(tmp_path / "d", artifacts["ff-mlp", "plain", "hard"], load_data("digits", "test", limit=1))
    done = subprocess.run(
        [sys.executable, tmp_path / "d" / "run_on_board.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == "run_on_board: No module named 'lava.proc.embedded_io'\n"
    assert not (tmp_path / "d" / "recording.npz").exists()


def test_a_deployment_holds_the_layers_the_golden_vectors_and_what_runs_when(artifacts, tmp_path):
    program = artifacts["ff-mlp", "plain", "hard"]
    assert deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=3)) == []
    folder = tmp_path / "d"
    text = (folder / "README.md").read_text()
    for file in folder.iterdir():
        assert file.name == "README.md" or f"`{file.name}`" in text
    plan = json.loads((folder / "board.json").read_text())
    assert (plan["samples"], plan["labels"], plan["steps"], plan["interval"]) == (3, 10, 4, 4)
    assert np.load(folder / "inputs.npy").shape == (3 * 10 * 4, (program.network.inputs + 7) // 8)
    with h5py.File(folder / "network.net") as net, np.load(folder / "golden.npz") as golden:
        assert net.attrs["artifact"] == plan["artifact"] == json.loads(str(golden["manifest"]))["artifact"]
        assert golden["hidden2.v"].shape == (3, 10, 4, 10)
    assert json.loads((folder / "mapping.json").read_text()) == boards.report(boards.design(program))
    job = (folder / "job.sh").read_text()
    assert "run_on_board.py" in job
    assert subprocess.run(["bash", "-n", folder / "job.sh"], check=False).returncode == 0
    assert os.access(folder / "job.sh", os.X_OK)


def test_a_network_that_learns_gets_a_script_that_classifies_and_what_learning_needs(artifacts, tmp_path):
    program = artifacts["ffa-symmetric", "plain", "tag"]
    [remark] = deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=2))
    assert "microcode" in remark
    text = (tmp_path / "d" / "README.md").read_text()
    for said in (remark, "bash job.sh", "v' = v 3482 2^-12 + (a << 6)", "diff-golden golden-learning.npz"):
        assert said in text
    assert "2^-2*x0*y2 - 2^-2*x0*y3" in (tmp_path / "d" / "network.rule.json").read_text()
    plan, net = json.loads((tmp_path / "d" / "board.json").read_text()), program.network
    assert (plan["labels"], plan["steps"], plan["interval"]) == (10, net.steps, 32)
    rows = np.unpackbits(np.load(tmp_path / "d" / "inputs.npy"), axis=1)[:, : net.inputs]
    rows = rows.reshape(2, 10, 32, net.inputs)
    assert not rows[:, :, net.steps :].any()
    with np.load(tmp_path / "d" / "golden.npz") as golden, np.load(tmp_path / "d" / "golden-learning.npz") as lessons:
        spikes = rows[:, :, : net.steps].astype(int)
        np.testing.assert_array_equal(golden["hidden1.a"], spikes @ net.layers[0].weight.T.astype(int))
        assert lessons["hidden1.tags"].any()


def test_what_stock_processes_cannot_run_gets_no_script_but_what_a_board_must_compute(artifacts, tmp_path):
    program, said = artifacts["ff-mlp", "bias", "graded"], "Normalize"
    remarks = deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=1))
    assert any(said in remark for remark in remarks)
    files = {file.name for file in (tmp_path / "d").iterdir()}
    assert files == {"README.md", "golden.npz", "mapping.json", "network.net"}
    assert said in (tmp_path / "d" / "README.md").read_text()


def test_weights_that_leave_the_grid_are_counted(artifacts, tmp_path):
    program, images = artifacts["ffa-symmetric", "plain", "stock"], load_data("digits", "test", limit=1)
    [layer] = program.network.layers
    for top, said in ((200, False), (254, True)):
        full = dataclasses.replace(layer, weight=np.full_like(layer.weight, top))
        net = dataclasses.replace(program.network, layers=(full,))
        remarks = deployment.write(tmp_path / str(top), dataclasses.replace(program, network=net), images)
        assert any("grow beyond 254" in remark for remark in remarks) is said


@pytest.mark.parametrize(("limits", "rule"), [("synaptic_words: 10", "synaptic_words"), ("cores: 1", "board_cores")])
def test_a_network_that_no_board_holds_is_written_and_told(artifacts, tmp_path, monkeypatch, limits, rule):
    (tmp_path / "own.yaml").write_text(
        f"chips: {{loihi2: {{like: loihi2, {limits}}}}}\n"
        "boards: {kapoho-point: {chip: loihi2, chips: 1}, hala-point: {chip: loihi2, chips: 1}}"
    )
    monkeypatch.setattr(boards, "load_table", lambda: load_table(tmp_path / "own.yaml"))
    program = artifacts["ff-mlp", "plain", "hard"]
    remarks = deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=1))
    assert remarks
    assert all(f"it breaks {rule}: " in remark for remark in remarks)
    assert remarks[0] in (tmp_path / "d" / "README.md").read_text()
    assert json.loads((tmp_path / "d" / "mapping.json").read_text())["violations"][0]["rule"] == rule


def test_sums_beyond_a_dendrites_16_bits_are_told(learned, tmp_path):
    layer = learned.network.layers[0]
    layer = dataclasses.replace(layer, weight=np.full_like(layer.weight, 254))
    net = dataclasses.replace(learned.network, layers=(layer,))
    program = dataclasses.replace(learned, network=net)
    remarks = deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=1))
    said = f"hidden1: sums may reach {254 * net.inputs:,}, a neuron's 16 bits hold 32,767"
    assert any(remark.startswith(said) for remark in remarks)


@pytest.mark.parametrize(("weight", "said"), [(-256, True), (-2, False)])
def test_soft_resets_that_saturate_are_told(artifacts, tmp_path, weight, said):
    """Their stand-in of library processes does not saturate."""
    program = artifacts["ffa-symmetric", "plain", "soft"]
    [layer] = program.network.layers
    layer = dataclasses.replace(layer, weight=np.full_like(layer.weight, weight))
    net = dataclasses.replace(program.network, layers=(layer,), steps=32)
    images = load_data("digits", "test", limit=1)
    remarks = deployment.write(tmp_path / "d", dataclasses.replace(program, network=net), images)
    assert any(remark.startswith("hidden1: v saturates") for remark in remarks) is said


def test_a_folder_that_is_taken_or_cannot_be_written_is_one_line_and_nothing_is_left(refused, artifacts, tmp_path):
    model = saved(artifacts["ff-mlp", "plain", "hard"], tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for folder, said in (
        (tmp_path / "full", "not an empty folder"),
        (tmp_path / "no" / "d", "No such file"),
        (model, "not an empty"),
    ):
        code, line = refused("deploy", model, "--dry-run", folder, "--samples", 1)
        assert (code, said in line) == (2, True)
    for words, said in ((("--dry-run", tmp_path / "d", "-o", "x"), "--dry-run"),):
        code, line = refused("deploy", model, *words)
        assert (code, said in line) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "m.ffl"]


def test_a_failure_half_way_leaves_no_folder(artifacts, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(deployment.board_plan, "write", fail)
    with pytest.raises(FF2LoihiError, match="No space left on device"):
        deployment.write(tmp_path / "d", artifacts["ff-mlp", "plain", "hard"], load_data("digits", "test", limit=1))
    assert not list(tmp_path.iterdir())

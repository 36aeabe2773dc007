"""The whole way to a board and back, on a stand-in of Intel's extension that computes on the CPU; and the dry run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.loihi import board as loihi
from ff2loihi.compilers.errors import BackendError
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import folder as deployment
from ff2loihi.ff.recipes import train

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def saved(program, folder: Path) -> Path:
    api.save(program, folder / "m.ffl")
    return folder / "m.ffl"


def deploy(board, program, folder: Path, samples: int = 1):
    model = saved(program, folder)
    return board("-m", "ff2loihi", "deploy", model, "--samples", samples, "--json", "d.json", cwd=folder)


@pytest.mark.slow
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
@pytest.mark.parametrize(("form", "plastic"), [("library", "LearningDense"), ("fields", "LearningSparse")])
def test_a_network_of_library_neurons_learns_on_the_board_bit_for_bit(board, artifacts, tmp_path, form, plastic):
    program = artifacts["ffa-symmetric", "plain", form]
    done = deploy(board, program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    assert {model.split()[0] for model in report["models"]} == {
        "Dense", "Sparse", plastic, "LIF", "LIFReset", "GradedReluVec", "ProdNeuron",
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
    deployment.write(folder, artifacts["ffa-sigmoid", "plain", "library"], load_data("digits", "test", limit=2))
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
    deployment.write(folder, artifacts["ffa-symmetric", "plain", "library"], load_data("digits", "test", limit=1))
    done = board(folder / "run_on_board.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    code, line = refused("diff-golden", folder, folder / "recording.npz")
    assert code == 1
    assert "hidden1." in line


@pytest.mark.slow
@pytest.mark.needs_lava
def test_library_neurons_classify_on_the_board_as_on_the_emulator(board, artifacts, tmp_path):
    model, found = saved(artifacts["ffa-symmetric", "plain", "library"], tmp_path), []
    for backend in ("emulator", "loihi"):
        done = board(
            "-m", "ff2loihi", "run", model, "--backend", backend, "--limit", 3, "--json", "r.json", cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads((tmp_path / "r.json").read_text())
        found.append({name: report[name] for name in ("accuracy", "confusion")})
    assert found[0] == found[1]


@pytest.mark.needs_lava
def test_the_script_says_what_is_missing(artifacts, tmp_path):
    deployment.write(tmp_path / "d", artifacts["ff-mlp", "plain", "hard"], load_data("digits", "test", limit=1))
    done = subprocess.run(
        [sys.executable, tmp_path / "d" / "run_on_board.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    missing, mend = "No module named 'lava.proc.embedded_io'", "lava-nc, Intel's extension lava-loihi, scipy and h5py"
    assert done.stderr == f"run_on_board: {missing}. Install {mend}\n"
    assert not (tmp_path / "d" / "recording.npz").exists()


def test_a_full_disk_under_a_run_on_the_board_is_one_line(artifacts, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loihi.board_search, "require_board", lambda: None)
    monkeypatch.setattr(loihi.board_plan, "write", fail)
    with pytest.raises(BackendError, match=r"not written: No space left on device\. Set TMPDIR"):
        loihi.Loihi().run(artifacts["ff-mlp", "plain", "hard"], load_data("digits", "test", limit=1).images)

"""What a deployment's folder holds, and what its writer is told; no board, and no Lava."""

import dataclasses
import json
import os
import re
import subprocess

import h5py
import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.data.datasets import load_data
from ff2loihi.deployment import folder as deployment
from ff2loihi.deployment import mapping as boards


def test_a_deployment_that_learns_holds_the_rule_and_nothing_of_ours(artifacts, tmp_path):
    program, folder = artifacts["ffa-symmetric", "plain", "library"], tmp_path / "d"
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


def test_what_library_processes_cannot_run_gets_no_script_but_what_a_board_must_compute(artifacts, tmp_path):
    program, said = artifacts["ff-mlp", "bias", "graded"], "Normalize"
    remarks = deployment.write(tmp_path / "d", program, load_data("digits", "test", limit=1))
    assert any(said in remark for remark in remarks)
    [told] = [remark for remark in remarks if remark.startswith("no script is written: ")]
    assert "cannot normalise in front of a layer with biases" in told
    assert "train the layers above the first without bias" in told
    files = {file.name for file in (tmp_path / "d").iterdir()}
    assert files == {"README.md", "golden.npz", "mapping.json", "network.net"}
    assert said in (tmp_path / "d" / "README.md").read_text()


def test_weights_that_leave_the_grid_are_counted(artifacts, tmp_path):
    program, images = artifacts["ffa-symmetric", "plain", "library"], load_data("digits", "test", limit=1)
    [layer] = program.network.layers
    for top, said in ((200, False), (254, True)):
        full = dataclasses.replace(layer, weight=np.full_like(layer.weight, top))
        net = dataclasses.replace(program.network, layers=(full,))
        remarks = deployment.write(tmp_path / str(top), dataclasses.replace(program, network=net), images)
        assert any("grow beyond 254" in remark for remark in remarks) is said


@pytest.mark.parametrize(
    ("limits", "rule"),
    [("synaptic_words: 10", "synaptic_words"), ("cores: 1, neuron_groups: 1", "board_cores")],
)
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
    model = tmp_path / "m.ffl"
    api.save(artifacts["ff-mlp", "plain", "hard"], model)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for folder, said in (
        (tmp_path / "full", "not an empty folder"),
        (tmp_path / "no" / "d", "does not exist"),
        (model, "not a folder"),
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

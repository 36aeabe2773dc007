"""`ff2loihi sweep`, as a person meets it: trials, a table and pictures; killed, it goes on; no test image is read."""

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

import ff2loihi
from ff2loihi import api
from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.data import datasets
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule
from ff2loihi.sweeps import execution, run
from ff2loihi.sweeps.space import read_space
from ff2loihi.sweeps.trial import OUTCOME, Measured, Refused, content, splits, trial_of

ENTRY = [sys.executable, "-m", "ff2loihi"]
SPACE = {
    "train": {"recipe": "ffa-symmetric", "quick": True, "epochs": 3, "widths": [12, 24]},
    "compile": {"weight_bits": [3, 8]},
    "seed": [0, 1],
}


def outcome_of(space: dict) -> Measured | Refused:
    """Of a space's only trial, in this process."""
    [settings] = read_space(space).trials()
    data = content(splits(settings.train.data, None))
    return OUTCOME.validate_json(execution.run_trial(trial_of(settings, data, None).model_dump_json()))


@pytest.fixture
def in_this_process(monkeypatch):
    """The trials that were run, by their JSON, without workers."""
    tasks = []

    def outcomes(pool, given):
        for task in given:
            tasks.append(task)
            yield len(tasks), execution.run_trial(task)

    monkeypatch.setattr(run.Pool, "outcomes", outcomes)
    return tasks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with space.yaml, and what an unbroken sweep with one worker writes and says."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    done = subprocess.run(
        [*ENTRY, "sweep", "space.yaml", "--json", "report.json"], cwd=folder, capture_output=True, text=True, check=True
    )
    (folder / "said.txt").write_text(done.stdout)
    return folder


def test_a_sweep_ends_with_a_table_pictures_and_a_report(whole):
    said = (whole / "said.txt").read_text()
    assert said.startswith("8 trials, 0 of them finished already; results in space-sweep\n")
    assert all(len(line) <= 80 for line in said.splitlines() if line[:1] in "┏┃┡│└")
    assert {path.name for path in (whole / "space-sweep").iterdir()} == {
        "results.jsonl", "accuracy.png", "seeds.png", "pareto.png",
    }  # fmt: skip
    lines = [json.loads(line) for line in (whole / "space-sweep" / "results.jsonl").read_text().splitlines()]
    assert [(line["options"]["train"]["widths"], line["options"]["seed"]) for line in lines[:5]] == [
        ("12", 0), ("12", 1), ("12", 0), ("12", 1), ("24", 0),
    ]  # fmt: skip
    assert len({line["trial"] for line in lines}) == 8
    assert len({line["accuracy"] for line in lines}) > 4
    report = json.loads((whole / "report.json").read_text())
    best = report["configurations"][0]
    assert best["options"] == {"train.widths": 24, "compile.weight_bits": 8}
    assert best["accuracies"] == [line["accuracy"] for line in lines[-2:]]
    assert best["accuracy"] > 0.6
    assert best["cores"] == 1  # of the three populations that a graded layer is on a board
    assert next(iter(report["strengths"])) == "train.widths"


def started(folder, workers):
    return subprocess.Popen(
        [*ENTRY, "sweep", "space.yaml", "--workers", str(workers)], cwd=folder, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def test_a_killed_sweep_goes_on_where_it_was_to_the_same_bytes(whole, tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    results = tmp_path / "space-sweep" / "results.jsonl"
    seen = 0
    for number, workers in ((signal.SIGKILL, 1), (signal.SIGTERM, 2)):
        with started(tmp_path, workers) as command:
            while not results.exists() or results.read_bytes().count(b"\n") < seen + 2:
                assert command.poll() is None
                time.sleep(0.01)
            children = psutil.Process(command.pid).children()
            assert len(children) == workers
            command.send_signal(number)
            assert command.wait(60) in (-number, 128 + number)
        gone, left = psutil.wait_procs(children, 10)
        assert (len(gone), left) == (workers, [])
        seen = results.read_bytes().count(b"\n")
        assert 2 <= seen < 8
    with open(results, "ab") as file:
        file.write((whole / "space-sweep" / "results.jsonl").read_bytes()[:20])  # as a machine that stops leaves it
    with started(tmp_path, 2) as command:
        assert command.stdout.readline() == f"8 trials, {seen} of them finished already; results in space-sweep\n"
        command.communicate()
    assert command.returncode == 0
    assert results.read_bytes() == (whole / "space-sweep" / "results.jsonl").read_bytes()
    assert {path.name for path in results.parent.iterdir()} == {path.name for path in (whole / "space-sweep").iterdir()}


def test_a_finished_sweep_runs_nothing_again_and_one_that_grew_runs_what_is_new(whole, tmp_path, in_this_process):
    again = ff2loihi.sweep(whole / "space.yaml", whole / "space-sweep")
    assert (again.complete, in_this_process) == (True, [])
    (tmp_path / "results.jsonl").write_bytes((whole / "space-sweep" / "results.jsonl").read_bytes())
    grown = api.sweep({**SPACE, "compile": {"weight_bits": [3, 5, 8]}, "seed": 0}, tmp_path)
    assert [json.loads(task)["options"]["compile"]["weight_bits"] for task in in_this_process] == [5, 5]
    assert (grown.trials, grown.finished) == (6, 6)
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 8 + 2


def test_parts_run_every_trial_once_and_the_whole_shows_them(whole, tmp_path, in_this_process):
    first = api.sweep(whole / "space.yaml", tmp_path, part="1/2")
    assert (first.trials, first.finished, first.complete) == (8, 4, False)
    second = api.sweep(whole / "space.yaml", tmp_path, part="2/2")
    assert second.complete
    assert len(in_this_process) == 8
    assert {path.name for path in tmp_path.iterdir()} == {"results-1of2.jsonl", "results-2of2.jsonl"}
    assert api.sweep(whole / "space.yaml", tmp_path) == second
    assert len(in_this_process) == 8
    assert (tmp_path / "results.jsonl").read_bytes() == (whole / "space-sweep" / "results.jsonl").read_bytes()


def test_a_trial_is_what_the_commands_do_on_the_validation_split(tmp_path):
    found = outcome_of({"train": {"quick": True, "widths": 16, "bias": True}, "compile": {"neuron": "lif", "steps": 8}})
    fit = load_data("digits", "fit")
    train("ffa-symmetric", fit, quick=True, widths=(16,), bias=True).save(tmp_path / "m.pt")
    program = api.compile(tmp_path / "m.pt", fit, api.Options(neuron="lif", steps=8))
    assert found.accuracy == api.run(program, load_data("digits", "validation")).accuracy > 0.5
    assert found.samples == len(load_data("digits", "validation").labels)


@pytest.mark.parametrize("learning", ["on", "library"])
def test_a_trial_that_learns_is_what_the_commands_do(tmp_path, learning):
    space = {"train": {"epochs": 0, "widths": 60}, "compile": {"learning": learning}, "learn": {"epochs": 2}, "seed": 4}
    found = outcome_of(space)
    fit, validation = load_data("digits", "fit"), load_data("digits", "validation")
    train("ffa-symmetric", fit, epochs=0, widths=(60,), seed=4).save(tmp_path / "u.pt")
    untrained = api.compile(tmp_path / "u.pt", fit, api.LearningOptions(library=learning == "library"))
    learned = api.learn(untrained, fit, Schedule(epochs=2, seed=4))
    assert found.accuracy == api.run(learned, validation).accuracy
    assert found.accuracy > api.run(untrained, validation).accuracy + 0.1
    assert found.cores > 0
    assert 0 < found.energy_mj[0] < found.energy_mj[1]


def test_a_trial_that_leaves_images_out_is_what_learn_does(tmp_path, ff2loihi):
    space = {"train": {"epochs": 0, "widths": 60}, "compile": {"learning": "on"}, "seed": 4}
    found = outcome_of({**space, "learn": {"epochs": 3, "margin": 0.01, "revisit": 1}})
    fit = load_data("digits", "fit")
    train("ffa-symmetric", fit, epochs=0, widths=(60,), seed=4).save(tmp_path / "u.pt")
    api.save(api.compile(tmp_path / "u.pt", fit, api.LearningOptions()), tmp_path / "u.ffl")
    for words in (
        "learn {0}/u.ffl --split fit --epochs 3 --margin 0.01 --revisit 1 --seed 4 -o {0}/l.ffl",
        "run {0}/l.ffl --split validation --json {0}/run.json",
    ):
        code, _, err = ff2loihi(*words.format(tmp_path).split())
        assert code == 0, err
    assert found.accuracy == json.loads((tmp_path / "run.json").read_text())["accuracy"] > 0.5
    log = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert sum(entry["left_out"] for entry in log) > 20
    assert found.energy_mj != outcome_of({**space, "learn": {"epochs": 3, "margin": 0.01}}).energy_mj  # other weights


def test_no_test_image_is_read(monkeypatch):
    def named(name, test, root, download):
        assert not test
        return real(name, test, root, download)

    real = datasets._named
    monkeypatch.setattr(datasets, "_named", named)
    found = outcome_of({"train": {"epochs": 0, "widths": 12}, "compile": {"learning": "on"}, "learn": {"epochs": 1}})
    assert isinstance(found, Measured)
    fit, validation = splits("digits:300", None)
    assert len(fit.labels) == 300
    rows = {image.tobytes() for image in load_data("digits", "train").images[-len(validation.labels) :]}
    assert {image.tobytes() for image in validation.images} == rows


def test_options_that_cannot_be_compiled_are_a_result_and_are_told(tmp_path, ff2loihi):
    space = {"train": {"recipe": "ff-mlp", "epochs": 0, "widths": "12-12"}, "compile": {"learning": "on"}}
    assert "probability 'contrast' has no third factor" in outcome_of(space).error
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    code, _, err = ff2loihi("sweep", tmp_path / "space.yaml", "-o", tmp_path / "s")
    assert code == 0, err
    assert "1 of 1 trials could not be trained or compiled" in err
    assert '"error":' in (tmp_path / "s" / "results.jsonl").read_text()


def test_other_images_or_another_ff2loihi_are_no_result():
    [settings] = read_space({"train": {"epochs": 0, "widths": 12}}).trials()
    trial = trial_of(settings, "other", None)
    with pytest.raises(DataError, match="not those that the sweep was started with"):
        execution.run_trial(trial.model_dump_json())
    with pytest.raises(FF2LoihiError, match=r"this worker has ff2loihi \S+, the sweep was started by 9"):
        execution.run_trial(trial.model_copy(update={"version": "9"}).model_dump_json())


def test_a_hash_follows_from_options_data_and_version(monkeypatch):
    [settings], [other] = (read_space({"train": {"epochs": epochs}}).trials() for epochs in (0, 1))
    hashes = {trial_of(settings, "d", None).hash, trial_of(other, "d", None).hash, trial_of(settings, "e", None).hash}
    monkeypatch.setattr("ff2loihi.sweeps.trial.__version__", "9")
    hashes.add(trial_of(settings, "d", None).hash)
    assert len(hashes) == 4


def test_mistakes_are_one_line(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("train: {epochs: 0}\n")
    (tmp_path / "typo.yaml").write_text("train: {recipy: ff-mlp}\n")
    (tmp_path / "file").write_text("x")
    for words, said in (
        ("nope.yaml", "No such file"),
        ("typo.yaml", "typo.yaml: train.recipy is no option. Did you mean recipe?"),
        ("s.yaml --part 3/2", "--part must be I/N"),
        ("s.yaml --workers 0", "workers"),
        ("s.yaml -o file", "not a folder"),
        ("s.yaml -o no/where", "does not exist"),
        ("s.yaml -o . --json s.yaml", "would replace the input"),
        ("s.yaml --json s-sweep/x.json", "folder s-sweep"),
        ("s.yaml --data-root . --part x", "--part must be"),
    ):
        code, text = refused("sweep", *words.split())
        assert code == 2
        assert said in text
    assert not (tmp_path / "s-sweep").exists()


def test_a_second_sweep_into_the_same_results_is_refused(refused, tmp_path):
    (tmp_path / "s.yaml").write_text("train: {epochs: 0}\n")
    (tmp_path / "s-sweep").mkdir()
    with run.locked(tmp_path / "s-sweep" / "results.jsonl.lock", FF2LoihiError, ""):
        code, text = refused("sweep", tmp_path / "s.yaml")
    assert code == 2
    assert "another sweep writes into it" in text

"""The commands, as a person meets them: files, exit codes, and one line for each error."""

import hashlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
import torch

from ff2loihi import __version__
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.lava.session import members
from ff2loihi.cli import console
from sim_tests.cli.terminal import at_a_terminal, plain

ENTRY = [sys.executable, "-m", "ff2loihi"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with m.pt (trained one epoch on digits), g.ffl (graded) and l.ffl (lif)."""
    folder = tmp_path_factory.mktemp("made")
    lines = (
        "train --epochs 1 --widths 16-12 -o m.pt --json train.json",
        "compile m.pt -o g.ffl --json g.json",
        "compile m.pt -o l.ffl --neuron lif --steps 8",
    )
    for line in lines:
        done = subprocess.run(
            [*ENTRY, *line.split()], cwd=folder, capture_output=True, text=True, check=False, env=ENVIRONMENT
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    return folder


def parsed(path: Path) -> dict:
    return json.loads(path.read_text())


def test_help_names_every_command():
    done = subprocess.run([*ENTRY, "--help"], capture_output=True, text=True, check=True)
    for command in ("train", "compile", "run", "verify", "inspect", "bench", "compare", "doctor", "export", "deploy"):
        assert f"\n  {command} " in done.stdout


def test_where_somebody_looks_each_step_names_the_next(made, tmp_path):
    """Followed to the letter, as far as they lead."""
    line, steps = ["train", "--epochs", "0", "--widths", "12", "--data", "digits", "-o", "a net.pt"], []
    while line:
        code, text = at_a_terminal(tmp_path, *line)
        assert code == 0, text
        found = re.findall(r"^next: ff2loihi (.*)\r$", plain(text), re.MULTILINE)
        assert len(found) <= 1
        steps += found
        line = shlex.split(found[0]) if found else []
    assert steps == ["compile 'a net.pt' --learning on", "learn 'a net.ffl'", "run 'a net-learned.ffl'"]
    code, text = at_a_terminal(tmp_path, "compile", made / "m.pt", "-o", "g.ffl")
    assert "next: ff2loihi run g.ffl\r\n" in plain(text)
    line = ["train", "--recipe", "bptt-lif", "--data", "yin-yang", "--epochs", "0", "--widths", "5", "-o", "b.pt"]
    code, text = at_a_terminal(tmp_path, *line)
    assert (code, "b.pt" in plain(text), "next:" in plain(text)) == (0, True, False)  # compile would refuse it


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "found", "other"),
    [("ff2loihi comp", "compare", "train"), ("ff2loihi learn --re", "--revisit", "--epochs"),
     ("ff2loihi train --recipe ff-neg", "ff-negatives-hard", "rbm")],
)  # fmt: skip
def test_a_shell_is_told_how_a_word_goes_on(shell, line, found, other):
    words = line.split()
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        ENTRY, env={**ENVIRONMENT, "_FF2LOIHI_COMPLETE": f"complete_{shell}", **asked}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert re.search(rf"(^|\W){re.escape(found)}(\W|$)", done.stdout)
    assert other not in done.stdout


def test_a_bar_says_at_once_what_it_waits_for(monkeypatch):
    screen, terminal = io.StringIO(), console._console(stderr=True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "_force_terminal", True)
    monkeypatch.setattr(terminal, "_file", screen)
    monkeypatch.setattr(terminal, "is_interactive", True)
    with console.progress("run", waits="starting Lava"):
        assert "starting Lava" in screen.getvalue()


def test_train_says_what_it_follows(ff2loihi, tmp_path):
    line = ("train", "--recipe", "rbm", "--epochs", 0, "-o", tmp_path / "m.pt", "--json", tmp_path / "m.json")
    code, out, _ = ff2loihi(*line)
    assert code == 0
    source = "restricted Boltzmann machine, contrastive divergence (CD-1), softmax head"
    assert f"after {source}" in " ".join(out.split())
    assert parsed(tmp_path / "m.json")["source"] == source


@pytest.mark.parametrize("events", [(), ("--events", "saccades,steps=9")])
def test_a_net_that_is_not_trained_is_called_so_whatever_it_takes(ff2loihi, tmp_path, events):
    code, out, _ = ff2loihi("train", "--epochs", 0, "--widths", 8, *events, "-o", tmp_path / "m.pt")
    assert code == 0
    assert "untrained" in out
    assert "%" not in out


def test_recipes_and_experiments_list_all_that_there_are(ff2loihi, tmp_path):
    from ff2loihi import choices

    for command, key, known in (
        ("recipes", "recipe", choices.Recipe),
        ("experiments", "experiment", choices.Experiment),
    ):
        code, out, _ = ff2loihi(command, "--json", tmp_path / f"{command}.json")
        assert code == 0
        found = json.loads((tmp_path / f"{command}.json").read_text())
        assert {one[key] for one in found} == {*get_args(known)}
        assert all(one[key] in out and one["paper"] for one in found)
    [mlp] = [one for one in json.loads(ff2loihi("recipes", "--json", "-")[1]) if one["recipe"] == "ff-mlp"]
    assert (mlp["layers"], mlp["options"]) == ("500-500", ["bias", "head", "widths"])


def test_the_version_is_the_packages(ff2loihi):
    code, out, _ = ff2loihi("--version")
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert code == 0
    assert out.split()[1] == __version__
    assert 'version = { attr = "ff2loihi.__version__" }' in project


def test_train_and_compile_say_what_they_wrote(made):
    report = parsed(made / "train.json")
    assert report["checkpoint"] == "m.pt"
    assert 0 <= report["test_accuracy"] <= 1
    compiled = parsed(made / "g.json")
    held = hashlib.sha256((made / "m.pt").read_bytes()).hexdigest()
    assert compiled["provenance"]["checkpoint"] == {"name": "m.pt", "sha256": held}
    assert [layer["neurons"] for layer in compiled["layers"]] == [16, 12]
    assert len(compiled["losses"]) == 2


def test_compile_classifies_test_images_as_well_as_run_does(ff2loihi, made, tmp_path):
    line = ("compile", made / "m.pt", "-o", tmp_path / "m.ffl", "--check", 50, "--expect", 1, "--json", "-")
    code, out, err = ff2loihi(*line)
    assert code == 0
    found = json.loads(out)["provenance"]["test"]
    assert (found["images"], found["data"]) == (50, "digits")
    assert "of 50 test images the float net classifies" in err
    assert "and 100.0% were expected" in err
    _, out, _ = ff2loihi("run", tmp_path / "m.ffl", "--limit", 50, "--json", "-")
    assert json.loads(out)["accuracy"] == found["accuracy"]
    _, out, _ = ff2loihi("inspect", tmp_path / "m.ffl")
    assert "what its neurons lost" in out


@pytest.mark.parametrize("name", ["g.ffl", "l.ffl"])
def test_run_writes_the_same_json_to_a_file_and_to_stdout(ff2loihi, made, tmp_path, name):
    code, _, err = ff2loihi("run", made / name, "--json", tmp_path / "r.json")
    assert (code, err) == (0, "")
    report = parsed(tmp_path / "r.json")
    _, out, err = ff2loihi("run", made / name, "--json", "-")
    again = json.loads(out)
    assert f"{report['accuracy']:.2%}" in err
    timing = ("seconds", "samples_per_second")
    assert {k: v for k, v in again.items() if k not in timing} == {k: v for k, v in report.items() if k not in timing}
    assert report["samples"] == 360
    assert report["backend"] == "emulator"
    _, out, err = ff2loihi("run", made / name)
    assert f"{report['accuracy']:.2%}" in out
    assert err == ""


def test_limit_and_split_choose_the_samples(ff2loihi, made, tmp_path):
    for options, samples in ((("--limit", 7), 7), (("--split", "train"), 1437), (("--split", "validation"), 287)):
        assert ff2loihi("run", made / "g.ffl", *options, "--json", tmp_path / "r.json")[0] == 0
        assert parsed(tmp_path / "r.json")["samples"] == samples


def test_inspect_shows_an_artifact_and_a_checkpoint(ff2loihi, made, tmp_path):
    code, out, _ = ff2loihi("inspect", made / "g.ffl", "--json", tmp_path / "a.json")
    assert code == 0
    assert "hidden2" in out
    assert "{" not in out
    assert "None" not in out
    assert "data digits, images 1000, shape (8, 8, 1)" in " ".join(out.replace("│", " ").split())
    assert parsed(tmp_path / "a.json")["layers"] == parsed(made / "g.json")["layers"]
    assert parsed(tmp_path / "a.json")["losses"] == parsed(made / "g.json")["losses"]
    assert ff2loihi("inspect", made / "m.pt", "--json", tmp_path / "c.json")[0] == 0
    held = torch.load(made / "m.pt", weights_only=True)["tensors"]
    shapes = {tensor["name"]: tensor["shape"] for tensor in parsed(tmp_path / "c.json")["tensors"]}
    assert shapes == {name: list(tensor.shape) for name, tensor in held.items()}


def test_doctor_lists_the_machine(ff2loihi, tmp_path):
    code, out, _ = ff2loihi("doctor", "--json", tmp_path / "d.json")
    assert code == 0
    assert parsed(tmp_path / "d.json")["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert "digits" in out


def test_doctor_says_once_what_to_do_about_data_sets_that_are_not_there(ff2loihi, tmp_path, monkeypatch):
    monkeypatch.setenv("FF2LOIHI_DATA", str(tmp_path))
    (tmp_path / "usps.t.bz2").write_bytes(b"no archive")
    code, out, _ = ff2loihi("doctor", "--json", tmp_path / "d.json")
    assert code == 0
    found = parsed(tmp_path / "d.json")
    for name in ("mnist", "fashion-mnist", "svhn", "cifar10", "kmnist", "emnist", "qmnist"):
        assert found[f"data {name}"] == "not in this folder"
    assert found["data usps"].startswith(f"usps: damaged in {tmp_path} (")
    assert found["data digits"] == "360 test samples"
    told = out[out.rindex("┘") :]
    assert ("--data-root" in told, "FF2LOIHI_DATA" in told, "downloads it" in told) == (True, True, True)
    assert out.count("downloads it") == 1


@pytest.mark.needs_lava
@pytest.mark.parametrize("name", ["g.ffl", "l.ffl"])
def test_verify_agrees_bit_for_bit(ff2loihi, made, tmp_path, name):
    code, out, err = ff2loihi("verify", made / name, "--samples", 1, "--json", tmp_path / "v.json")
    assert (code, err) == (0, "")
    assert "every bit agrees" in out
    report = parsed(tmp_path / "v.json")
    assert report["equal"] is True
    assert all(variable["differing"] == 0 for variable in report["variables"])
    assert {"hidden1.a", "hidden2.a", "sums", "predictions"} <= {variable["name"] for variable in report["variables"]}


@pytest.mark.needs_lava
def test_verify_names_the_first_bit_that_differs_and_exits_1(refused, made, monkeypatch):
    real = Emulator.run

    def tampered(self, *arguments, **options):
        trace = real(self, *arguments, **options)
        trace.states["hidden2.h"][0, 3, 5] += 1
        return trace

    monkeypatch.setattr(Emulator, "run", tampered)
    code, line = refused("verify", made / "g.ffl", "--samples", 1)
    assert code == 1
    assert "hidden2.h" in line
    assert "3" in line
    assert "5" in line


@pytest.mark.needs_lava
def test_run_and_bench_on_lava_agree_with_the_emulator(ff2loihi, made, tmp_path):
    reports = []
    for backend in ("lava", "emulator"):
        options = ("--limit", 2, "--backend", backend, "--json", tmp_path / "r.json")
        assert ff2loihi("run", made / "g.ffl", *options)[0] == 0
        reports.append(parsed(tmp_path / "r.json"))
    for key in ("accuracy", "samples", "spikes", "goodness_true", "goodness_wrong"):
        assert reports[0][key] == reports[1][key]
    options = ("--samples", 50, "--lava-samples", 1, "--json", tmp_path / "b.json")
    assert ff2loihi("bench", made / "g.ffl", *options)[0] == 0
    bench = parsed(tmp_path / "b.json")
    assert bench["equal"] is True
    assert bench["ratio"] == pytest.approx(bench["emulator_samples_per_second"] / bench["lava_samples_per_second"])


BAD = [
    (2, "run absent.ffl", "No such file"),
    (2, "run m.pt", "not an ff2loihi artifact"),
    (2, "run .", "a folder"),
    (2, "run g.ffl --data cifar", "'cifar' is not one of 'digits', 'mnist', 'fashion-mnist'"),
    (2, "run g.ffl --split dev", "'dev' is not one of 'train', 'test'"),
    (2, "run g.ffl --data mnist --data-root .", "--data-root"),
    (3, "run g.ffl --backend loihi", "no Loihi board from here"),
    (2, "run g.ffl --backend abacus", "'abacus' is not one of 'emulator', 'lava', 'loihi'"),
    (2, "run g.ffl --device tpu", "'tpu' is not one of 'cpu', 'cuda'"),
    (2, "run g.ffl --backend lava --device cuda", "no meaning with --backend lava"),
    (2, "run g.ffl --limit 3 --json absent/r.json", "absent"),
    (2, "compile absent.pt", "No such file"),
    (2, "compile g.ffl", "not a torch checkpoint"),
    (2, "compile text.pt", "not a torch checkpoint"),
    (2, "compile bare.pt", "--spec"),
    (2, "compile m.pt --spec absent.yaml", "absent.yaml"),
    (2, "compile m.pt --weight-bits 9", "--weight-bits must be in 2..8"),
    (2, "compile m.pt --neuron adex", "'adex' is not one of 'graded', 'lif'"),
    (2, "compile m.pt --neuron lif --steps 0", "--steps must be"),
    (2, "compile m.pt -o absent/m.ffl", "absent"),
    (2, "compile m.pt --calibrate digits:0", "--calibrate"),
    (2, "compile m.pt --calibrate digits:many", "--calibrate"),
    (2, "compile m.pt --calibrate digits:²", "--calibrate"),
    (2, "compile m.pt -o .", "."),
    (2, "compile m.pt --expect 91", "--expect must be in 0..1, as 0.91 for 91 %, got 91"),
    (2, "compile m.pt --expect nan", "--expect must be in 0..1"),
    (2, "compile m.pt --learning on --check 5", "--check and --expect have no meaning for a network that learns"),
    (2, "compile g.nir --expect 0.9", "have no float net: leave out --check and --expect"),
    (2, "inspect absent.pt", "No such file"),
    (2, "inspect absent.ffl", "No such file"),
    (2, "inspect text.pt", "text.pt: text, not a torch checkpoint (.pt), safetensors, numpy arrays (.npz), an ONNX"),
    (2, "inspect text.pt", "a NIR graph (.nir), a netx network (.net) or an artifact (.ffl)"),
    (2, "inspect report.json", "report.json: a JSON report, not a torch checkpoint (.pt)"),
    (2, "train --recipe backprop", "'backprop' is not one of"),
    (2, "train --recipe ffa-symetric", "'bptt-lif'. Did you mean ffa-symmetric? See: ff2loihi train --help"),
    (2, "run g.ffl --data mnst", "and no such file is there. Did you mean mnist?"),
    (2, "reproduce hiton", "'continual'. Did you mean hinton? See: ff2loihi reproduce --help"),
    (2, "train --data cifar", "digits"),
    (2, "train --widths 16x12", "--widths"),
    (2, "train --widths 0", "--widths"),
    (2, "train --widths ²", "--widths"),
    (2, "train --epochs -1 --widths 4", "--epochs"),
    (2, "train -o absent/m.pt", "absent"),
]


@pytest.mark.parametrize(("code", "line", "words"), BAD, ids=[line for _, line, _ in BAD])
def test_bad_input_is_one_line_and_its_exit_code(refused, made, monkeypatch, tmp_path, code, line, words):
    for name in ("m.pt", "g.ffl"):
        (tmp_path / name).symlink_to(made / name)
    (tmp_path / "text.pt").write_text("Dear sir, this is no checkpoint\n")
    (tmp_path / "g.nir").write_text("Dear sir, this is no graph\n")
    (tmp_path / "report.json").write_text('{"accuracy": 0.9}\n')
    torch.save(torch.ones(3, 4), tmp_path / "bare.pt")
    monkeypatch.chdir(tmp_path)
    found, text = refused(*line.split())
    assert found == code
    assert words in text


@pytest.mark.parametrize(
    "line", ["--unknown", "run", "run g.ffl --unknown 3", "fly", "run g.ffl --limit 0", "compile m.pt --steps two"]
)
def test_wrong_usage_exits_2_in_one_line_that_names_the_help(refused, made, monkeypatch, line):
    monkeypatch.chdir(made)
    code, text = refused(*line.split())
    assert code == 2
    assert re.search(r"See: ff2loihi( run| compile)? --help$", text)


def test_an_absent_data_set_exits_2_and_says_how_to_get_it(refused, made, monkeypatch, tmp_path):
    monkeypatch.setenv("FF2LOIHI_DATA", str(tmp_path))
    code, line = refused("run", made / "g.ffl", "--data", "fashion-mnist")
    assert code == 2
    for words in ("fashion-mnist: not in ", str(tmp_path), "--data-root DIR or FF2LOIHI_DATA", "--data digits"):
        assert words in line


def test_without_lava_the_emulator_is_the_mend_and_the_exit_code_3(refused, ff2loihi, made, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if "lava" in name else real(name, *a))
    code, line = refused("run", made / "g.ffl", "--backend", "lava")
    assert code == 3
    assert "Lava is not installed" in line
    assert "--backend emulator" in line
    assert refused("verify", made / "g.ffl")[0] == 3
    code, out, _ = ff2loihi("doctor")
    assert code == 0
    assert "absent" in out


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_without_cuda_the_cpu_is_the_mend_and_the_exit_code_3(refused, made):
    code, line = refused("run", made / "g.ffl", "--device", "cuda")
    assert code == 3
    assert "--device cpu" in line


def workers_of(session: int) -> list[int]:
    """Lava's workers that a process of the session started, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            line = (stat.parent / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if b"ff2loihi.backends.lava.worker" in line and parent == session:
            found.append(int(stat.parent.name))
    return found


def interrupted(started: subprocess.Popen) -> str:
    """What a process that got SIGINT says, after checks of its exit."""
    os.kill(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=20)
    assert started.returncode == 130
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1
    assert "interrupted" in lines[0]


@pytest.fixture
def in_session():
    """in_session(arguments, folder): the command in a session of its own, which Ctrl-C reaches; ended with the test."""
    running = []

    def start(arguments: str, folder: Path) -> subprocess.Popen:
        running.append(subprocess.Popen(
            [*ENTRY, *arguments.split()], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env=ENVIRONMENT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where the tests run behind `&`
        ))  # fmt: skip
        return running[-1]

    yield start
    for started in running:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def test_ctrl_c_in_train_is_one_line_and_leaves_no_file(in_session, tmp_path):
    started = in_session("train --epochs 100000 -o m.pt", tmp_path)
    time.sleep(4)
    assert started.poll() is None
    interrupted(started)
    assert list(tmp_path.iterdir()) == []
    assert members(started.pid) == []


@pytest.mark.needs_lava
def test_ctrl_c_in_a_lava_run_leaves_no_process_and_no_file(in_session, made, tmp_path, abandoned_segments):
    before = abandoned_segments()
    started = in_session(f"run {made / 'l.ffl'} --backend lava --limit 200 --json r.json", tmp_path)
    deadline = time.monotonic() + 60
    while not (workers := workers_of(started.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) == 1
    while len(members(workers[0])) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)  # until Lava has forked its processes
    time.sleep(1)
    interrupted(started)
    assert members(workers[0]) == []
    assert members(started.pid) == []
    assert list(tmp_path.iterdir()) == []
    assert not abandoned_segments(before, seconds=10)

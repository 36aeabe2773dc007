"""Every command on every kind of artifact and on every wrong kind of file: exit codes, and one line for each error."""

import shutil

import numpy as np
import pytest

from ff2loihi.analysis import pictures

INFERENCE, LEARNING = ("graded", "soft", "hard", "conv", "head"), ("on", "library", "learned")
ARTIFACTS = INFERENCE + LEARNING
WRONG = (
    "m.pt", "old.pt", "g.nir", "on.nir", "g.net", "on.rule.json", "on.ffl.run", "on.jsonl", "golden.npz", "plain.npz",
    "bare.safetensors", "spec.yaml", "text.txt", "list.json", "picture.png", "empty", "absent", ".",
)  # fmt: skip

COMMANDS = {
    "run": "run {model} --limit 2",
    "inspect": "inspect {model}",
    "map": "map {model}",
    "estimate": "estimate {model} --limit 2",
    "analyze": "analyze {model} --samples 200 -o pictures",
    "report": "report {model} --samples 20 -o page.html",
    "netx": "export {model} --format netx -o out.net",
    "nir": "export {model} --format nir -o out.nir",
    "golden": "export {model} --format golden --samples 1 -o golden",
    "dry run": "deploy {model} --dry-run board --samples 1",
    "deploy": "deploy {model} -o recording.npz",
    "learn": "learn {model} --limit 10 --epochs 1 -o out.ffl",
    "compile": "compile {model} -o out.ffl",
    "spec": "spec {model} -o out.yaml",
    "loihi": "run {model} --backend loihi",
    "sweep": "sweep {model} -o out",
}
# on an artifact: what differs from 0
CODES = {
    **{("deploy", name): 3 for name in ARTIFACTS},  # no board here
    **{("loihi", name): 3 for name in ARTIFACTS},
    **{("learn", name): 2 for name in INFERENCE},  # no rule
    **{("compile", name): 2 for name in ARTIFACTS},
    **{("spec", name): 2 for name in ARTIFACTS},
    **{("sweep", name): 2 for name in ARTIFACTS},
}
# on a wrong kind of file: the few that are not wrong
FINE = {
    ("inspect", "m.pt"), ("inspect", "old.pt"), ("inspect", "plain.npz"), ("inspect", "bare.safetensors"),
    ("analyze", "m.pt"), ("report", "m.pt"), ("compile", "m.pt"), ("compile", "g.nir"), ("compile", "on.nir"),
    ("inspect", "g.nir"), ("inspect", "on.nir"), ("inspect", "g.net"),
}  # fmt: skip


@pytest.fixture
def here(networks, every_kind, tmp_path, monkeypatch):
    """The current folder, with a copy of every file. Pictures are neither embedded nor drawn: that takes seconds."""
    for name, path in {**networks, **every_kind}.items():
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "tsne", lambda latents: np.zeros((len(latents), 2)))
    monkeypatch.setattr(pictures, "image", lambda figure, form: b"\x89PNG\r\n\x1a\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_command_on_an_artifact(ff2loihi, here, command, name):
    before = set(here.iterdir())
    code, out, err = ff2loihi(*COMMANDS[command].format(model=f"{name}.ffl").split())
    assert code == CODES.get((command, name), 0), err
    assert "Traceback" not in out + err
    assert "internal error" not in err
    if code:
        assert err.count("\n") == 1
        assert err.startswith("ff2loihi: ")
        assert set(here.iterdir()) == before
    else:
        assert all(line.startswith("warning: ") for line in err.splitlines())
        assert out


@pytest.mark.parametrize("name", WRONG)
def test_every_command_on_a_wrong_kind_of_file(refused, ff2loihi, here, name):
    before = set(here.iterdir())
    for command, line in COMMANDS.items():
        if (command, name) in FINE:
            assert ff2loihi(*line.format(model=name).split())[0] == 0
            before = set(here.iterdir())
            continue
        code, text = refused(*line.format(model=name).split())
        assert code == 2, text
        assert "internal error" not in text
        assert len(text) < 520
    for line in ("verify {}", "bench {}", "diff-golden {0} {0}", "diff-golden golden.npz {}"):
        code, text = refused(*line.format(name).split())
        assert code == 2, text
        assert "internal error" not in text
    assert set(here.iterdir()) == before


@pytest.mark.needs_lava
def test_lavas_commands_on_an_artifact_of_library_neurons(ff2loihi, refused, here):
    """On the others: sim_tests/cli/test_app.py and sim_tests/learning/test_learn_command.py."""
    code, out, err = ff2loihi("verify", "library.ffl", "--samples", 1)
    assert (code, err) == (0, "")
    assert "every bit agrees" in out
    assert "has one" in refused("bench", "library.ffl")[1]

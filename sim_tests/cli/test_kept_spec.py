"""An artifact knows the spec that it was compiled with: by its name and hash, and where it lies beside it as it was."""

import hashlib
import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ff2loihi import api
from ff2loihi.cli.shared import spec_of
from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.formats import yaml_file
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.page import redo

SPEC = """pixels: 64
label: {kind: append, classes: 10}
layers: [{weight: fc.weight, polarity: half}]
probability: {kind: symmetric}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a bare checkpoint, its spec, and the artifact that was compiled of both."""
    monkeypatch.chdir(tmp_path)
    made = torch.Generator().manual_seed(1)
    torch.save({"fc.weight": torch.randn((30, 74), generator=made) / 8}, "bare.pt")
    (tmp_path / "spec.yaml").write_text(SPEC)
    api.save(api.compile("bare.pt", "digits:60", spec="spec.yaml"), tmp_path / "net.ffl")
    return tmp_path


@pytest.fixture
def reported(ff2loihi):
    """reported(line) -> (the models' facts, standard error)."""

    def call(*line) -> tuple[dict, str]:
        code, out, err = ff2loihi("report", *line, "--samples", 20, "-o", "r.html", "--json", "-")
        assert code == 0
        return json.loads(out)["models"], err

    return call


def warned(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("warning: ")]


def test_an_artifact_keeps_the_name_and_hash_of_the_spec(here):
    kept = {"name": "spec.yaml", "sha256": hashlib.sha256(SPEC.encode()).hexdigest()}
    assert api.load(here / "net.ffl").provenance["spec"] == kept
    learns = api.compile(here / "bare.pt", "digits:60", LearningOptions(), spec=here / "spec.yaml")
    assert learns.provenance["spec"] == kept


def test_a_spec_without_a_file_leaves_no_name(here):
    held = yaml_file.read(here / "spec.yaml", CheckpointError, "a spec")
    given = api.compile(here / "bare.pt", "digits:60", spec=held)
    program = api.load(here / "net.ffl")
    assert "spec" not in given.provenance
    assert given.provenance == {name: value for name, value in program.provenance.items() if name != "spec"}


def test_report_and_compare_read_the_checkpoint_by_it(ff2loihi, here, reported):
    told = reported("bare.pt", "net.ffl", "--spec", "spec.yaml")[0]
    for line in (("net.ffl",), ("bare.pt", "net.ffl"), ("net.ffl", "bare.pt")):
        found, err = reported(*line)
        assert {name: found[name]["accuracy"] for name in told} == {name: told[name]["accuracy"] for name in told}
        assert 0.5 < found["net.ffl"]["same_as_float"] <= 1
        assert not warned(err)
    outputs = [
        json.loads(ff2loihi("compare", "bare.pt", "net.ffl", "--limit", 20, "--json", "-", *spec)[1])
        for spec in ((), ("--spec", "spec.yaml"))
    ]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("change", ["edited", "gone"])
def test_a_spec_that_is_not_there_as_it_was_is_told_by_its_name(here, refused, reported, change):
    if change == "gone":
        (here / "spec.yaml").unlink()
    else:
        (here / "spec.yaml").write_text(SPEC.replace("10}", "10, value: 2}"))
    found, err = reported("net.ffl")
    assert list(found) == ["net.ffl"]
    assert warned(err) == [
        "warning: bare.pt: its float net is left out: bare.pt: spec.yaml, which net.ffl was compiled with, is not "
        "beside it as it was. Use --spec"
    ]
    assert "needs --spec spec.yaml" in refused("compare", "bare.pt", "net.ffl")[1]
    line = refused("report", "bare.pt", "net.ffl", "-o", "r.html")[1]
    assert "bare.pt: spec.yaml, which net.ffl was compiled with, is not beside it as it was. Use --spec" in line


def test_artifacts_of_one_checkpoint_and_several_specs_have_no_float_net_together(here, refused, reported):
    (here / "other.yaml").write_text(SPEC.replace("10}", "10, value: 2}"))
    api.save(api.compile("bare.pt", "digits:60", spec="other.yaml"), here / "other.ffl")
    said = "bare.pt: net.ffl; other.ffl were compiled with different specs. Use --spec"
    found, err = reported("net.ffl", "other.ffl")
    assert list(found) == ["net.ffl", "other.ffl"]
    assert warned(err) == [f"warning: bare.pt: its float net is left out: {said}"]
    assert said in refused("report", "bare.pt", "net.ffl", "other.ffl", "-o", "r.html")[1]
    assert list(reported("other.ffl")[0]) == ["bare.pt", "other.ffl"]


def test_another_checkpoint_is_not_read_by_it(here, refused, reported):
    torch.save({"fc.weight": torch.ones(30, 74)}, "bare.pt")
    found, err = reported("net.ffl")
    assert (list(found), warned(err)) == (["net.ffl"], [])
    assert "needs --spec spec.yaml" in refused("compare", "bare.pt", "net.ffl")[1]


def test_it_is_found_beside_the_checkpoint_too(ff2loihi, here):
    (here / "out").mkdir()
    (here / "net.ffl").rename(here / "out" / "net.ffl")
    assert ff2loihi("compare", "bare.pt", "out/net.ffl", "--limit", 20)[0] == 0


@pytest.mark.parametrize("name", ["../spec.yaml", "..", ".", "", "a\0b", "s" * 300])
def test_a_name_that_an_artifact_of_others_claims_leads_nowhere_else(here, name):
    program, deep = api.load(here / "net.ffl"), here / "deep" / "net.ffl"
    deep.parent.mkdir()
    model = Path(shutil.copy(here / "bare.pt", deep.parent))
    assert spec_of(program, here / "net.ffl", model) == here / "spec.yaml"
    facts = {**program.provenance, "spec": {**program.provenance["spec"], "name": name}}
    assert spec_of(replace(program, provenance=facts), deep, model) is None


def test_the_pages_command_compiles_the_same_again(ff2loihi, here):
    before = (here / "net.ffl").read_bytes()
    [line] = redo.commands("net.ffl", api.load(here / "net.ffl"))
    (here / "net.ffl").unlink()
    assert ff2loihi(*shlex.split(line)[1:])[0] == 0
    assert (here / "net.ffl").read_bytes() == before

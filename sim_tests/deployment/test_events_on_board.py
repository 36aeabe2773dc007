"""Networks of events on the stand-in of a board: those that learn, with our neurons and library ones, and NIR's."""

import json

import nir
import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import EventOptions
from ff2loihi.deployment import folder as deployment
from ff2loihi.deployment import interchange
from ff2loihi.ff.recipes import train
from ff2loihi.verification import golden
from sim_tests.deployment.event_nets import STEPS, event_file, frames, graph, lif

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    return event_file(tmp_path_factory.mktemp("events"))


def of_learning(path, folder, **options):
    """A program that learns, untrained."""
    data = load_data(str(path), "train", events=EventOptions(parts=1, rounds=3))
    train("ffa-symmetric", data, widths=(20,), epochs=0, seed=2).save(folder / "u.pt")
    return api.compile(folder / "u.pt", data, LearningOptions(**options))


def of_nir(path, folder):
    """A program that counts spikes."""
    nir.write(folder / "x.nir", graph(lif(10, kind="CubaLIF")))
    data = load_data(str(path), "train", events=EventOptions(parts=1, rounds=1))
    return interchange.read_spiking(folder / "x.nir", api.calibration_of(data))


FORMS = {
    "rule": lambda *args: of_learning(*args),
    "library": lambda *args: of_learning(*args, library=True),
    "nir": of_nir,
}


@pytest.mark.needs_lava
@pytest.mark.parametrize("form", ["library", "nir", pytest.param("rule", marks=pytest.mark.slow)])
def test_events_go_to_the_board_and_every_state_comes_back(board, events, tmp_path, form):
    """The library form learns two samples there, right and wrong; the others classify."""
    api.save(FORMS[form](events, tmp_path), tmp_path / "m.ffl")
    done = board("-m", "ff2loihi", "deploy", "m.ffl", "--samples", 2, "--json", "d.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["equal"]
    active = {variable["name"]: variable["active"] for variable in report["variables"]}
    last = {"library": "hidden1.learned", "nir": "fc2.s", "rule": "hidden1.s"}[form]
    assert active[last] > 0
    assert all(model.split()[1].startswith("Nc") for model in report["models"])


@pytest.mark.needs_lava
@pytest.mark.parametrize("form", list(FORMS))
def test_the_dry_runs_folder_replays_events_and_equals_the_golden_vectors(board, ff2loihi, events, tmp_path, form):
    api.save(FORMS[form](events, tmp_path), tmp_path / "m.ffl")
    folder = tmp_path / "d"
    assert ff2loihi("deploy", tmp_path / "m.ffl", "--dry-run", folder, "--samples", 1)[0] == 0
    done = board(folder / "run_on_board.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ff2loihi("diff-golden", folder, folder / "recording.npz")[0] == 0


@pytest.mark.parametrize(("form", "first", "stride"), [("rule", 0, 1), ("library", 1, 4), ("nir", 0, 1)])
def test_the_inputs_of_a_dry_run_are_the_samples_events(events, tmp_path, form, first, stride):
    """Each step's events stand in the time step that they are sent in, first as the first sample's first pass."""
    program = FORMS[form](events, tmp_path)
    net = program.network
    data = load_data(str(events), "test", limit=1, events=api.events_of(net.events))
    deployment.write(tmp_path / "d", program, data)
    sent = np.unpackbits(np.load(tmp_path / "d" / "inputs.npy"), axis=1)[first:, : net.pixels]
    shown = frames(150)[0][data.places[0]].transpose(0, 2, 3, 1).reshape(STEPS, -1)
    assert shown.any()
    np.testing.assert_array_equal(sent[: stride * net.steps : stride], np.tile(shown, (net.events.rounds, 1)))


@pytest.mark.parametrize(
    ("form", "file"), [("rule", "golden-learning.npz"), ("library", "golden.npz"), ("nir", "golden.npz")]
)
def test_golden_vectors_of_events_are_read_again(events, tmp_path, form, file):
    program = FORMS[form](events, tmp_path)
    data = load_data(str(events), "test", limit=1, events=api.events_of(program.network.events))
    deployment.write(tmp_path / "d", program, data)
    found = golden.read(tmp_path / "d" / file, golden.GOLDEN)
    assert found.arrays["fc2.r" if form == "nir" else "hidden1.z"].any()
    np.testing.assert_array_equal(found.arrays["inputs" if form == "nir" else "rates"][0], data.images[0])


@pytest.mark.parametrize("form", list(FORMS))
def test_map_estimate_and_analyze_know_networks_of_events(ff2loihi, events, tmp_path, form):
    program = FORMS[form](events, tmp_path)
    api.save(program, tmp_path / "m.ffl")
    code, out, _ = ff2loihi("map", tmp_path / "m.ffl")
    assert (code, "rules of oheo-gulch hold" in out) == (0, True)
    code, out, _ = ff2loihi("estimate", tmp_path / "m.ffl", "--limit", 2, "--json", tmp_path / "e.json")
    found, data = json.loads((tmp_path / "e.json").read_text()), load_data(str(events), "test", limit=2)
    assert code == 0
    assert found["input_spikes"] == np.unpackbits(data.images).sum() / 2 > 1
    assert f"has {found['input_spikes']:,.1f} spikes in {STEPS} steps, shown once" in out
    for mode in found["events"].values():
        least, most = mode["synaptic_ops"]
        assert f"counted: {mode['spikes']:,.0f} spikes, {least:,.0f} to {most:,.0f} synaptic operations" in out
    assert all(min(mode["spikes"], *mode["synaptic_ops"]) > 0 for mode in found["events"].values())
    code, _, err = ff2loihi("analyze", tmp_path / "m.ffl", "-o", tmp_path / "a")
    assert (code, err) == (0, "")
    assert list((tmp_path / "a").glob("*.png"))

"""Golden vectors hold every state; a recording that differs is told by its first state in time."""

import io
import json
import zipfile

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.backends.presentations import pairs
from ff2loihi.backends.select import emulator_learner
from ff2loihi.cli.commands.interchange import export_model
from ff2loihi.verification import golden

NAMES = {
    "hard": ("inputs", "hidden1.a", "hidden1.u", "hidden1.v", "hidden1.s", "hidden1.r"),
    "graded": ("inputs", "hidden1.a", "hidden1.h"),
    "tag": tuple(f"hidden1.{name}" for name in ("v", "z", "r", "y2", "y3", "a", "weights", "tags")),
    "library": tuple(f"hidden1.{name}" for name in ("v", "z", "r", "gate", "a", "units", "weights", "learned")),
}


@pytest.fixture(scope="module")
def exported(artifacts, tmp_path_factory):
    """form -> (its program, the folder with its golden vectors); 2 samples of digits."""
    folder, found = tmp_path_factory.mktemp("golden"), {}
    for form in NAMES:
        program = artifacts["ffa-symmetric", "plain", form]
        api.save(program, folder / f"{form}.ffl")
        export_model(folder / f"{form}.ffl", "golden", folder / f"{form}-vectors" / golden.FILE, None, 2, None)
        found[form] = program, folder / f"{form}-vectors"
    return found


@pytest.fixture
def recorded(exported, tmp_path):
    """recorded(form, change) -> (DIR, the path of a recording whose arrays `change` has changed)."""

    def make(form, change=lambda arrays: None, **facts):
        folder = exported[form][1]
        vectors = golden.read(folder / "golden.npz", golden.GOLDEN)
        arrays = {name: array.copy() for name, array in vectors.arrays.items()}
        change(arrays)
        path = tmp_path / "recording.npz"
        changed = golden.Vectors(facts.get("artifact", vectors.artifact), arrays, vectors.axes)
        golden.write(changed, path, golden.RECORDING)
        return folder, path

    return make


@pytest.mark.parametrize("form", NAMES)
def test_every_state_is_there_at_every_step(exported, digits, form):
    program, folder = exported[form]
    vectors = golden.read(folder / "golden.npz", golden.GOLDEN)
    assert set(NAMES[form]) <= set(vectors.arrays)
    if form in ("tag", "library"):
        learner = emulator_learner(program.network)
        for number, one in enumerate(pairs(program.network, api.load_data("digits", "test", limit=2))):
            learner.show(one.q, one.starts)
            learner.present(one.label, one.phase)
            np.testing.assert_array_equal(vectors.arrays["hidden1.weights"][number, -1], learner.weights[0])
            assert (vectors.arrays["labels"][number], vectors.arrays["phases"][number]) == (one.label, one.phase)
        assert (learner.weights[0] != program.network.layers[0].weight).any()
        assert vectors.arrays["hidden1.tags" if form == "tag" else "hidden1.units"].any()
        return
    trace = Emulator().run(program, digits.images[:2], states=True)
    for name, states in trace.states.items():
        np.testing.assert_array_equal(vectors.arrays[name], states)
    np.testing.assert_array_equal(vectors.arrays["inputs"], digits.images[:2])
    if form == "hard":
        spikes = vectors.arrays["hidden1.s"]
        assert set(np.unique(spikes)) == {0, 1}
        np.testing.assert_array_equal(spikes.cumsum(2), trace.states["hidden1.r"])


SENT = {"hard": ("s",), "graded": ("h",), "tag": ("z", "weights"), "library": ("z", "learned")}


@pytest.mark.parametrize("form", NAMES)
def test_what_each_layer_sends_and_learns_is_enough(ff2loihi, recorded, form):
    folder, path = recorded(
        form, lambda arrays: [arrays.pop(name) for name in list(arrays) if name.split(".")[-1] not in SENT[form]]
    )
    code, out, err = ff2loihi("diff-golden", folder, path)
    assert (code, err) == (0, "")
    assert "every recorded state agrees" in out


@pytest.mark.parametrize(("form", "state"), [(form, state) for form in NAMES for state in SENT[form]])
def test_without_what_a_layer_sends_or_learns_nothing_is_compared(refused, recorded, form, state):
    folder, path = recorded(form, lambda arrays: arrays.pop(f"hidden1.{state}"))
    code, line = refused("diff-golden", folder, path)
    assert code == 2
    assert f"holds no hidden1.{state}, without which nothing is compared" in line


def test_the_first_state_that_differs_is_the_first_in_time(refused, ff2loihi, recorded, tmp_path):
    def change(arrays):
        arrays["hidden1.a"][1, 0, 0, 0] += 1  # an earlier state of the network, but a later sample
        arrays["hidden1.v"][0, 7, 2, 5] += 64
        arrays["hidden1.s"][0, 7, 3, 4] ^= 1

    folder, path = recorded("hard", change)
    code, line = refused("diff-golden", folder, path)
    assert code == 1
    assert "hidden1.v[sample 0, label 7, step 2, neuron 5]: golden" in line
    ff2loihi("diff-golden", folder, path, "--json", tmp_path / "d.json")
    found = {v["name"]: v["differing"] for v in json.loads((tmp_path / "d.json").read_text())["variables"]}
    assert {name for name, differing in found.items() if differing} == {"hidden1.a", "hidden1.v", "hidden1.s"}


def test_a_weight_that_differs_is_told_by_presentation_step_and_synapse(refused, recorded):
    folder, path = recorded("tag", lambda arrays: arrays["hidden1.weights"].__setitem__((3, 20, 1, 7), 99))
    code, line = refused("diff-golden", folder, path)
    assert code == 1
    assert "hidden1.weights[presentation 3, step 20, neuron 1, input 7]: golden" in line


def test_of_library_neurons_that_learn_the_first_state_is_the_first_in_time_steps(refused, recorded):
    """A logical step's weights are those of its last time step, a presentation's are later than all of them."""
    places = {
        "gate": ((1, 81, 4), "step 81, neuron 4"), "weights": ((1, 20, 2, 5), "logical step 20, neuron 2, input 5"),
        "units": ((1, 84, 2, 7), "step 84, thermometer 2, unit 7"), "learned": ((1, 0, 3), "neuron 0, input 3"),
    }  # fmt: skip
    while places:
        first, place = next((name, place) for name, (_, place) in places.items())
        folder, path = recorded(
            "library",
            lambda arrays: [arrays[f"hidden1.{name}"].__setitem__(at, 77) for name, (at, _) in places.items()],
        )
        code, line = refused("diff-golden", folder, path)
        assert (code, f"hidden1.{first}[presentation 1, {place}]: golden" in line) == (1, True)
        del places[first]


def test_a_recording_that_is_late_as_a_whole_is_told(refused, recorded):
    def late(arrays):
        for name in ("hidden1.a", "hidden1.u", "hidden1.v", "hidden1.s", "hidden1.r"):
            arrays[name] = np.concatenate([np.zeros_like(arrays[name][:, :, :1]), arrays[name][:, :, :-1]], axis=2)

    code, line = refused("diff-golden", *recorded("hard", late))
    assert code == 1
    assert "1 steps too late" in line


def test_recordings_that_cannot_be_compared_are_one_line(refused, recorded, tmp_path):
    folder, path = recorded("hard")
    whole = path.read_bytes()
    for data, wanted in ((whole[:-200], "truncated"), (b"", "truncated"), (b"text", "truncated")):
        path.write_bytes(data)
        code, line = refused("diff-golden", folder, path)
        assert (code, wanted in line) == (2, True)
    for form, change, facts, wanted in (
        ("hard", lambda arrays: None, {"artifact": "f" * 64}, "recorded from artifact ffffffff"),
        ("hard", lambda arrays: arrays.update({"hidden1.v": arrays["hidden1.v"][:1]}), {}, "truncated, of other"),
        ("hard", lambda arrays: [arrays.pop(name) for name in list(arrays)], {}, "holds no hidden1.s"),
    ):
        code, line = refused("diff-golden", *recorded(form, change, **facts))
        assert (code, wanted in line) == (2, True)
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros(3))
    for left, right, wanted in (
        (folder, other, "it holds no 'manifest'"), (folder, folder / "golden.npz", "not a recording"),
        (tmp_path / "nowhere", path, "No such file"), (folder, tmp_path / "absent.npz", "No such file"),
    ):  # fmt: skip
        code, line = refused("diff-golden", left, right)
        assert (code, wanted in line) == (2, True)


def rewritten(source, target, change) -> None:
    """The file with its manifest and arrays changed: change(facts, arrays)."""
    with np.load(source) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays.pop("manifest")))
    facts = change(facts, arrays) or facts
    text = facts if isinstance(facts, str) else json.dumps(facts)
    np.savez_compressed(target, manifest=np.array(text), **arrays)


RECORDINGS = (
    (lambda facts, arrays: facts.update(format=["x" * 10**4]), "its manifest says ['xxx"),
    (lambda facts, arrays: facts.update(version=2), "version 2"),
    (lambda facts, arrays: facts.update(artifact=3), "manifest: artifact"),
    (lambda facts, arrays: facts.pop("artifact") and None, "manifest: artifact"),
    (lambda facts, arrays: facts.update(arrays=[]), "manifest: arrays"),
    (lambda facts, arrays: facts["arrays"].update({"hidden1.s": 1}), "manifest: arrays.hidden1.s"),
    (lambda facts, arrays: facts["arrays"]["hidden1.s"].update(axes=[1]), "manifest: arrays.hidden1.s.axes"),
    (lambda facts, arrays: "[" * 10**5 + "]" * 10**5, "not a recording, or a truncated file"),
    (lambda facts, arrays: "null", "its manifest says None"),
    (lambda facts, arrays: '{"format": NaN}', "not a recording"),
    (lambda facts, arrays: arrays.update({"hidden1.s": arrays["hidden1.s"].astype(float)}), "hidden1.s holds float64"),
    (lambda facts, arrays: arrays.update({"hidden1.s": np.array(["a"])}), "hidden1.s holds <U1"),
    (lambda facts, arrays: arrays.update({"hidden1.s": np.array(3)}), "hidden1.s has shape ()"),
    (lambda facts, arrays: arrays.update({"x" * 10**4: np.array(3.5)}), "holds float64, whole numbers are wanted"),
)


@pytest.mark.parametrize(("change", "words"), RECORDINGS)
def test_a_recording_with_another_form_is_one_short_line(refused, recorded, tmp_path, change, words):
    folder, path = recorded("hard")
    rewritten(path, tmp_path / "other.npz", change)
    code, line = refused("diff-golden", folder, tmp_path / "other.npz")
    assert (code, words in line, len(line) < 600) == (2, True, True), line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts, arrays: arrays.pop("hidden1.v") is None, "hidden1.v was taken out"),
        (lambda facts, arrays: arrays.update({"hidden9.v": np.zeros(3, int)}), "hidden9.v was taken out or added"),
        (lambda facts, arrays: facts["arrays"]["hidden1.v"].update(axes=["sample"]), "hidden1.v of shape"),
        (lambda facts, arrays: facts["arrays"]["hidden1.v"].pop("sha256") and None, "hidden1.v was changed"),
        (lambda facts, arrays: (arrays.clear(), facts["arrays"].clear())[0], "every array was taken out"),
    ],
)
def test_golden_vectors_of_another_form_are_one_short_line(refused, recorded, tmp_path, change, words):
    folder, path = recorded("hard")
    rewritten(folder / "golden.npz", tmp_path / "golden.npz", change)
    code, line = refused("diff-golden", tmp_path, path)
    assert (code, words in line) == (2, True), line


def test_arrays_that_the_file_cannot_hold_are_refused_before_they_are_made(refused, recorded, tmp_path):
    folder, path = recorded("hard")
    bytes_of = io.BytesIO()
    np.lib.format.write_array_header_1_0(bytes_of, {"descr": "<i4", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "a") as box:
        box.writestr("huge.npy", bytes_of.getvalue())
    code, line = refused("diff-golden", folder, path)
    assert (code, "not an array, or a damaged one" in line) == (2, True)


def test_golden_vectors_that_were_changed_are_refused(refused, recorded, tmp_path):
    folder, path = recorded("hard")
    with np.load(folder / "golden.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["hidden1.v"][0, 0, 0, 0] += 1
    np.savez(tmp_path / "golden.npz", **arrays)
    code, line = refused("diff-golden", tmp_path, path)
    assert code == 2
    assert "hidden1.v was changed" in line

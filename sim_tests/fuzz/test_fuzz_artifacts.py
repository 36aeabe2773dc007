"""Artifacts, states of runs and golden vectors, hostile, with hashes that hold: what is read is run, or compared."""

import io
import json

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import load, save

from ff2loihi import api, state_file
from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers import artifact
from ff2loihi.learning.run import Hooks, Run, identity
from ff2loihi.verification import golden


def of_each(bases: dict, change, tree, names, values):
    """An example names a base and changes its JSON, its arrays, both, or the file's bytes."""

    def changes(name):
        json_of, arrays_of = change.tree(tree(bases[name]), values), change.arrays(names(bases[name]))
        none = st.just([])
        kinds = change.weighted(
            (4, st.tuples(json_of, none, none)), (2, st.tuples(none, arrays_of, none)),
            (1, st.tuples(json_of, arrays_of, none)), (1, st.tuples(none, none, change.bytes())),
        )  # fmt: skip
        return st.tuples(st.just(name), kinds)

    return st.sampled_from(list(bases)).flatmap(changes)


def test_a_hostile_artifact_is_run_and_learned_or_refused(fuzz, change, programs, used, hashed):
    bases = {name: artifact.pack(program) for name, program in programs.items()}

    def attempt(example, folder):
        name, (json_of, arrays_of, bytes_of) = example
        manifest, tensors = bases[name]
        tensors = change.in_arrays(tensors, arrays_of)
        text = json.dumps(hashed(change.in_tree(manifest, json_of), tensors))
        data = save(tensors, metadata={"manifest": text})
        (folder / "m.ffl").write_bytes(change.in_bytes(data, bytes_of))
        used(api.load(folder / "m.ffl"))

    fuzz(of_each(bases, change, lambda base: base[0], lambda base: list(base[1]), change.hostile), attempt)


class Stop(Exception):
    """Ends a run after its first epoch."""


def test_a_hostile_state_of_a_run_goes_on_or_is_refused(fuzz, change, programs, samples, tmp_path):
    plan, bases = api.Schedule(epochs=2), {}

    def run_of(name, path, hooks=Hooks()):  # noqa: B008 (frozen)
        program, shown = programs[name], samples(programs[name].network.pixels, 3)
        facts = identity(program, shown, plan, "lava", "emulator", None)
        return Run(program, shown, plan, emulator_learner(program.network), hooks, path, facts)

    def stop(entry):
        raise Stop

    for name in ("rule", "tag", "library", "spiking"):
        run = run_of(name, tmp_path / "state", Hooks(epoch=stop))
        try:
            run.go()
        except Stop:
            if name in ("tag", "library"):  # within the second epoch, where the others begin it
                run.position = run.controller.seen = run.controller.learned = 1
                run.controller.right = 0
            run.save()
        data = (tmp_path / "state").read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        bases[name] = json.loads(header["__metadata__"]["run"]), load(data)

    def attempt(example, folder):
        name, (json_of, arrays_of, bytes_of) = example
        facts, tensors = bases[name]
        tensors = change.in_arrays(tensors, arrays_of)
        text = json.dumps(change.in_tree(facts, json_of))
        data = save(tensors, metadata={"run": text, "sha256": state_file.digest(text, tensors)})
        (folder / "state").write_bytes(change.in_bytes(data, bytes_of))
        run = run_of(name, folder / "state")
        run.resume()
        artifact.to_bytes(run.go())

    fuzz(of_each(bases, change, lambda base: base[0], lambda base: list(base[1]), change.hostile), attempt)


def test_hostile_golden_vectors_and_recordings_are_compared_or_refused(fuzz, change, programs, samples, tmp_path):
    bases, good = {}, {}
    for name in ("graded", "soft", "rule", "library"):
        shown = samples(programs[name].network.pixels, 2)
        good[name] = golden.golden(programs[name], "0" * 64, shown)
        for kind in (golden.GOLDEN, golden.RECORDING):
            golden.write(good[name], tmp_path / "x.npz", kind)
            with np.load(tmp_path / "x.npz") as file:
                arrays = {key: file[key] for key in file.files}
            bases[name, kind] = json.loads(str(arrays.pop("manifest"))), arrays

    def attempt(example, folder):
        (name, kind), (json_of, arrays_of, bytes_of) = example
        facts, arrays = bases[name, kind]
        arrays = change.in_arrays(arrays, arrays_of)
        facts = {**facts, "arrays": {
            key: {"axes": facts["arrays"].get(key, {}).get("axes", []), "sha256": golden._digest(array)}
            for key, array in arrays.items()
        }}  # fmt: skip
        target = io.BytesIO()
        np.savez_compressed(target, manifest=np.array(json.dumps(change.in_tree(facts, json_of))), **arrays)
        (folder / "x.npz").write_bytes(change.in_bytes(target.getvalue(), bytes_of))
        read = golden.read(folder / "x.npz", kind)
        wanted, found = (read, good[name]) if kind == golden.GOLDEN else (good[name], read)
        golden.compare(wanted, found, "x.npz")

    fuzz(of_each(bases, change, lambda base: base[0], lambda base: list(base[1]), change.hostile), attempt)

"""Samples that several processes share, each with a Lava of its own: the bits of one, whatever happens to a process."""

import dataclasses
import json
import threading
import time

import numpy as np
import psutil
import pytest

from ff2loihi import api
from ff2loihi.backends.base import Trace
from ff2loihi.backends.lava.inference import LavaCpu
from ff2loihi.compilers.errors import BackendError
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.ir import AnyProgram
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train

FORMS = {
    "graded": Options(),
    "lif": Options(neuron="lif", steps=4, reset="hard"),
    "learns": LearningOptions(),
    "library": LearningOptions(library=True),
}
SAMPLES = 3


@pytest.fixture(scope="module")
def programs() -> dict[str, AnyProgram]:
    fit = load_data("digits", "train")
    trained = [train("ffa-symmetric", fit, quick=True, epochs=epochs, widths=(12,)) for epochs in (3, 0)]
    return {
        name: api.compile(_checkpoint(trained[isinstance(options, LearningOptions)]), fit, options)
        for name, options in FORMS.items()
    }


def _checkpoint(model):
    written = model.checkpoint()
    made = api.pipeline.live_checkpoint(written["tensors"], written["spec"])
    return dataclasses.replace(made, training=written["training"], spec_apart=False)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return load_data("digits", "test", limit=SAMPLES).images


def assert_equal(found: Trace, wanted: Trace) -> None:
    """Every array, states too; and something spiked."""
    samples = len(wanted.predictions)
    assert np.count_nonzero(wanted.sums) > samples > 1
    assert len({row.tobytes() for row in wanted.sums}) == samples
    for field in dataclasses.fields(Trace):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        if field.name == "states":
            assert one.keys() == other.keys()
            for name in one:
                assert np.array_equal(one[name], other[name]), name
        elif field.name != "seconds":
            assert np.array_equal(one, other), field.name


@pytest.mark.needs_lava
@pytest.mark.parametrize(
    ("name", "library"), [("graded", False), ("lif", False), ("lif", True), ("learns", False), ("learns", True),
                          ("library", False)],
)  # fmt: skip
def test_shared_samples_give_the_bits_of_one_lava(programs, pixels, name, library):
    done, pixels = [], pixels[: 2 if name == "library" else SAMPLES]  # library neurons take a minute
    whole = LavaCpu(library=library).run(programs[name], pixels, states=True)
    shared = LavaCpu(library=library, workers=2).run(
        programs[name], pixels, states=True, progress=lambda *now: done.append(now)
    )
    assert_equal(shared, whole)
    assert done == [(1, len(pixels)), (len(pixels), len(pixels))]


@pytest.mark.needs_lava
def test_more_workers_than_samples_are_as_many_as_there_are(programs, pixels):
    assert_equal(LavaCpu(workers=64).run(programs["graded"], pixels), LavaCpu().run(programs["graded"], pixels))


@pytest.mark.needs_lava
@pytest.mark.parametrize("words", ["verify {} --samples 3", "verify {} --samples 3 --form library",
                                   "run {} --backend lava --limit 3"])  # fmt: skip
def test_a_command_reports_the_same_with_one_and_two_workers(programs, tmp_path, ff2loihi, words):
    api.save(programs["lif"], tmp_path / "m.ffl")
    reports = []
    for count in (1, 2):
        file = tmp_path / f"{count}.json"
        code, _, err = ff2loihi(*words.format(tmp_path / "m.ffl").split(), "--workers", count, "--json", file)
        assert code == 0, err
        report = json.loads(file.read_text())
        reports.append({key: value for key, value in report.items() if "second" not in key})
    assert reports[0] == reports[1]
    assert reports[0]["samples"] == SAMPLES
    if words.startswith("verify"):
        active = {one["name"]: one["active"] for one in reports[0]["variables"]}
        assert all(active[name] for name in ("sums", "spikes"))


@pytest.mark.needs_lava
def test_a_killed_workers_samples_are_run_by_another(programs, pixels):
    killed = []

    def kill_one() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for child in psutil.Process().children():
                if "workers.work" in " ".join(child.cmdline()) and child.children():  # it has a Lava
                    child.kill()
                    killed.append(child)
                    break
            time.sleep(0.01)

    whole = LavaCpu().run(programs["graded"], pixels, states=True)
    thread = threading.Thread(target=kill_one)
    thread.start()
    shared = LavaCpu(workers=2).run(programs["graded"], pixels, states=True)
    thread.join()
    assert len(killed) == 1
    assert_equal(shared, whole)
    assert [one for one in psutil.Process().children() if "workers.work" in " ".join(one.cmdline())] == []


@pytest.mark.needs_lava
def test_what_goes_wrong_in_a_worker_is_told_as_in_this_process(programs, pixels):
    said = []
    for workers in (1, 2):
        with pytest.raises(BackendError, match="^Lava finished no sample in 0 s and was ended") as raised:
            LavaCpu(patience=0, workers=workers).run(programs["graded"], pixels)
        said.append(str(raised.value))
    assert said[0] == said[1]


@pytest.mark.needs_lava
def test_what_one_process_alone_can_do_is_not_shared(programs, tmp_path, refused):
    for name in ("lif", "learns", "library"):
        api.save(programs[name], tmp_path / f"{name}.ffl")
    for words, said in (
        ("verify {}/learns.ffl --workers 2", "--workers 2: what a network learns of a sample changes what it does"),
        ("verify {}/library.ffl --workers 2 --form library", "--workers 2: what a network learns of a sample"),
        ("run {}/lif.ffl --workers 2", "--workers 2 is of --backend lava. Leave it out"),
        ("verify {}/lif.ffl --workers 0", "'--workers': Input should be greater than or equal to 1"),
    ):
        code, text = refused(*words.format(tmp_path).split())
        assert code == 2
        assert said in text

"""Weights that a run keeps while it goes on: those of its moments, small, and the same whatever interrupts it."""

import base64
import itertools
from dataclasses import replace

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.compilers.learning.weight_grid import to_even_grid
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.data.events import options
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Hooks
from ff2loihi.learning.snapshots import LARGEST, averaged, history, moments


@pytest.fixture(scope="module")
def program_for(tmp_path_factory):
    """program_for(data, options) -> an untrained network of 20 neurons that learns on the chip."""

    def make(data, choices=None):
        file = tmp_path_factory.mktemp("snapshots") / "u.pt"
        train("ffa-symmetric", data, epochs=0, widths=(20,)).save(file)
        return api.compile(file, data, choices or LearningOptions())

    return make


def pictures(run: dict) -> np.ndarray:
    kept = np.frombuffer(base64.b64decode(run["snapshots"]["weights"]), np.int8)
    return kept.reshape(len(run["snapshots"]["samples"]), len(run["snapshots"]["neurons"]), *run["snapshots"]["shape"])


@pytest.mark.parametrize(
    ("total", "wanted"),
    [
        (1, [0, 1]), (10, [0, 1, 2, 3, 5, 10]), (400, [0, 7, 13, 25, 50, 100, 200, 400]),
        (240_000, [0, 3750, 7500, 15_000, 30_000, 60_000, 120_000, 240_000]),
    ],
)  # fmt: skip
def test_moments_are_denser_where_more_is_learned(total, wanted):
    assert moments(total) == wanted


@pytest.mark.parametrize("library", [False, True])
def test_what_is_kept_are_the_weights_of_that_moment(program_for, library):
    data, seen = load_data("digits", "train", limit=200), {}
    program = program_for(data, LearningOptions(library=library, field=(5,)))

    def look(done, of_epoch, right, weights):
        seen[done] = weights()[0]

    learned = api.learn(program, data, Schedule(epochs=2), hooks=Hooks(look=look))
    [run] = learned.provenance["learned"]
    assert run["snapshots"]["samples"] == moments(400)
    neurons, kept = run["snapshots"]["neurons"], 2 * pictures(run).astype(int)
    assert (len(neurons), neurons[0], neurons[-1]) == (8, 0, 19)
    for place, done in enumerate(moments(400)):
        weights = seen[done] if done else program.network.layers[0].weight
        wanted = to_even_grid(weights)[neurons, :64].reshape(8, 8, 8)
        mask = program.network.layers[0].mask[neurons, :64].reshape(8, 8, 8)
        if library:  # of these a synapse that exists is never 0
            wanted[mask & (wanted == 0)] = 2
        np.testing.assert_array_equal(kept[place], wanted)
        assert not kept[place][~mask].any()
    assert (kept[-1] == learned.network.layers[0].weight[neurons, :64].reshape(8, 8, 8)).all()
    changed = [(one != other).mean() for one, other in itertools.pairwise(kept)]
    assert sum(change > 0.01 for change in changed) > 4


def test_an_averaged_picture_has_the_means_of_its_pixels():
    values = np.random.default_rng(1).random((3, 7, 5))
    found = averaged(values, 3, 2)
    assert found.shape == (3, 3, 3)
    for y, x in np.ndindex(3, 3):
        for k in range(3):
            assert found[k, y, x] == pytest.approx(values[k, 3 * y : 3 * y + 3, 2 * x : 2 * x + 2].mean())
    assert (averaged(values, 1, 1) == values).all()


def test_large_images_are_averaged(program_for):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 28 * 20 * 3)).astype(np.uint8)
    data = Dataset("wide", "train", images, np.arange(30) % 3, 3, channels=3, sides=(28, 20))
    program = program_for(data)
    [run] = api.learn(program, data, Schedule(epochs=1)).provenance["learned"]
    kept, weight = pictures(run), program.network.layers[0].weight
    assert kept.shape == (7, 8, 14, 10)
    assert kept[0].size / 8 <= LARGEST
    place = run["snapshots"]["neurons"].index(0)
    image = weight[0, : 28 * 20 * 3].reshape(28, 20, 3)
    for row, column in ((0, 0), (5, 7), (13, 9)):
        part = image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert kept[0, place, row, column] == np.rint(part.mean() / 2)
    assert kept[0].std() > 1


@pytest.mark.parametrize(
    ("name", "events", "shape"), [("digits", "saccades,steps=12", (8, 8)), ("yin-yang", "steps=16,parts=8", (8, 5))]
)
def test_events_have_a_mean_of_channels_or_a_row_for_each(program_for, name, events, shape):
    data = load_data(name, "train", limit=40, events=options.parse(events))
    program = program_for(data)
    learned = api.learn(program, data, Schedule(epochs=1))
    kept = 2 * pictures(learned.provenance["learned"][0])[-1].astype(float)
    assert kept.shape[1:] == shape
    weight = learned.network.layers[0].weight[0, : data.inputs].reshape(data.shape)
    wanted = weight[0].T if shape == (8, 5) else weight.mean(2)
    assert np.abs(kept[0] - wanted).max() <= 1
    assert np.abs(wanted).max() > 10


def test_many_inputs_in_a_row_are_averaged_and_their_channels_are_not(program_for):
    events = options.parse("steps=16,parts=8")
    few = load_data("yin-yang", "train", limit=30, events=events)
    binning = few.events.model_copy(update={"sensor": (1, 100, 1)})
    rows = np.random.default_rng(2).integers(0, 256, (30, 16, 100)).astype(np.uint8)
    data = replace(few, images=rows.reshape(30, -1), events=binning)
    assert (data.shape, data.inputs) == ((1, 100, 8), 800)
    program = program_for(data)
    [run] = api.learn(program, data, Schedule(epochs=1)).provenance["learned"]
    kept, weight = pictures(run), program.network.layers[0].weight
    assert kept.shape[1:] == (8, 8, 34)
    wanted = weight[0, :800].reshape(100, 8).T
    assert np.abs(2 * kept[0, 0, :, :33] - wanted[:, :99].reshape(8, 33, 3).mean(2)).max() <= 1
    assert (2 * kept[0, 0, :, 33] == wanted[:, 99]).all()
    assert kept[0].std() > 1


def test_pixels_in_no_known_order_are_a_row(program_for):
    data = load_data("digits", "train", limit=30)
    program = program_for(replace(data, images=data.images[:, :60], sides=(6, 10)))
    odd = replace(data, images=data.images[:, :60])  # 60 pixels are no square
    [run] = api.learn(program, odd, Schedule(epochs=1)).provenance["learned"]
    assert run["snapshots"]["shape"] == [1, 60]


def test_the_history_of_several_runs_begins_at_the_first_and_ends_at_the_last(program_for):
    data = load_data("digits", "train", limit=100)
    program = program_for(data)
    once = api.learn(program, data, Schedule(epochs=1))
    twice = api.learn(once, data, Schedule(epochs=2))
    runs = twice.provenance["learned"]
    found = history(runs)
    assert (found.samples[0], found.samples[-1], len(found.samples)) == (0, 300, 8)
    assert list(found.samples) == sorted(set(found.samples))
    known = {0: pictures(runs[0])[0], 300: pictures(runs[1])[-1], 100: pictures(runs[1])[0]}
    np.testing.assert_array_equal(pictures(runs[0])[-1], known[100])
    for place, count in enumerate(found.samples):
        if count in known:
            np.testing.assert_array_equal(found.weights[place], 2 * known[count].astype(int))
    first = {key: value for key, value in runs[0].items() if key != "snapshots"}
    assert history([first, runs[1]]).samples == tuple(100 + count for count in moments(200))
    assert history([runs[1], first]) is None
    assert history([]) is None

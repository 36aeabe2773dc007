"""Events: each form is read event by event and binned as it says; what cannot be used is refused in one line."""

import errno
import os
import struct
import tracemalloc
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.ndimage import shift

from ff2loihi import api
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.formats import hdf5_file
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events import nmnist, saccades, yin_yang
from ff2loihi.data.events.options import EventOptions, events_of, parse
from ff2loihi.ff.recipes import train
from ff2loihi.learning import run
from ff2loihi.learning.controller import Schedule

SENSOR = (6, 5, 2)  # height, width, polarities


def recorded(seed, count=40, last=50):
    """Rows (t, x, y, p) of a sample, in the order of time."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, last, count))
    return np.stack([t, *(rng.integers(0, side, count) for side in (SENSOR[1], SENSOR[0], SENSOR[2]))], axis=1)


def binned(rows, binning):
    """(steps, height, width, channels) of 0 and 1, event by event."""
    found = np.zeros((binning.steps, *binning.shape), int)
    for t, x, y, p in supported(rows, binning.denoise) if binning.denoise else rows:
        if t < binning.window:
            step = int(t * binning.steps / binning.window)
            channel = (0 if binning.merged else int(p)) * binning.parts + int(step * binning.parts / binning.steps)
            place = (int(y) // binning.downsample, int(x) // binning.downsample, channel)
            if binning.most is None or found[(slice(None), *place)].sum() < binning.most or found[(step, *place)]:
                found[(step, *place)] = 1
    return found


def supported(rows, within):
    """The rows with an earlier one near them, in place and in time."""
    return [
        (t, x, y, p)
        for k, (t, x, y, p) in enumerate(rows)
        if any(abs(x - i) <= 1 and abs(y - j) <= 1 and t - before <= within for before, i, j, _ in rows[:k])
    ]


def unpacked(data):
    """The same of a Dataset: (samples, steps, height, width, channels)."""
    rows = data.images.reshape(len(data.images), data.events.steps, -1)
    bits = np.unpackbits(rows, axis=2, count=data.events.inputs)
    return bits.reshape(len(rows), data.events.steps, *data.events.shape)


def bytes_of(rows):
    """N-MNIST's format; a time beyond the timer's round is told by a row of 240."""
    found, passed = b"", 0
    for t, x, y, p in rows.tolist():
        while t - passed >= 1 << 23:
            found, passed = found + bytes([0, 240, 0, 0, 0]), passed + (1 << 13)
        found += bytes([x, y]) + struct.pack(">I", (p << 23) | (t - passed))[1:]
    return found


@pytest.fixture
def rows_npz(tmp_path):
    """rows_npz(samples, **changes) -> the name of a file of those rows."""

    def write(samples, **changes):
        arrays = {
            "events": np.concatenate(samples), "offsets": np.cumsum([0, *map(len, samples)]), "sensor": SENSOR,
            "labels": np.arange(len(samples)) % 2,
        } | changes  # fmt: skip
        np.savez(tmp_path / "rows.npz", **{name: value for name, value in arrays.items() if value is not None})
        return str(tmp_path / "rows.npz")

    return write


SAMPLES = [recorded(seed) for seed in range(10)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "steps=7",
        "merged",
        "downsample=2",
        "most=1,steps=9,rounds=1",
        "parts=5",
        "window=45",
        "merged,downsample=4,steps=12,most=2",
        "denoise=2",
        "denoise=4.5,downsample=2,window=40",
    ],
)
def test_rows_are_binned_event_by_event(rows_npz, text):
    name = rows_npz(SAMPLES, test_events=SAMPLES[0], test_offsets=[0, 20, 40], test_labels=[0, 1])
    data = load_data(name, "train", events=parse(text))
    for rows, found, label in zip(SAMPLES, unpacked(data), data.labels, strict=True):
        assert (found == binned(rows, data.events)).all()
        assert found.any()
        assert label in (0, 1)
    tested = load_data(name, "test", events=events_of(data.events))
    assert (unpacked(tested) == [binned(SAMPLES[0][:20], data.events), binned(SAMPLES[0][20:], data.events)]).all()


def test_noise_goes_and_what_a_neighbour_supports_stays(rows_npz):
    """In seconds; at a corner of the sensor, across polarities, and with what is dropped as support."""
    lone, late = [(0.1, 0, 0, 0)], [(0.5, 4, 5, 1)]
    pair = [(0.2, 3, 3, 0), (0.25, 4, 4, 1)]
    far = [(0.3, 0, 5, 0), (0.31, 2, 5, 0)]  # two pixels apart
    again = [(0.7, 4, 5, 0)]  # 0.2 after `late`, at its pixel
    name = rows_npz([np.array(lone + pair + far + late + again)] * 10)
    whole, kept, more = (
        unpacked(load_data(name, "train", events=parse(f"window=1,steps=20,parts=1{asked}")))[0]
        for asked in ("", ",denoise=0.1", ",denoise=0.21")
    )
    assert whole.sum() == 7
    assert np.argwhere(kept).tolist() == [[5, 4, 4, 1]]
    assert np.argwhere(more).tolist() == [[5, 4, 4, 1], [14, 5, 4, 0]]


def test_an_artifact_says_how_noise_was_dropped(rows_npz, tmp_path):
    data = load_data(rows_npz(SAMPLES), "train", events=parse("denoise=3,steps=6"))
    train("ffa-symmetric", data, epochs=0, widths=(10,)).save(tmp_path / "u.pt")
    api.save(api.compile(tmp_path / "u.pt", data, LearningOptions()), tmp_path / "u.ffl")
    binning = api.load(tmp_path / "u.ffl").network.events
    assert (binning, binning.denoise) == (data.events, 3)
    again = load_data(data.name, "train", events=events_of(binning))
    assert (again.images == data.images).all()
    assert (again.images != load_data(data.name, "train", events=parse("steps=6")).images).any()


@pytest.mark.parametrize("kind", ["npz", "h5"])
@pytest.mark.parametrize("shape", [(8, 6, 5), (8, 6, 2, 3, 4)])
def test_frames_are_taken_as_they_are_whatever_their_counts(tmp_path, kind, shape):
    events, labels = np.random.default_rng(0).integers(0, 4, shape), np.arange(8) % 2
    path = tmp_path / f"frames.{kind}"
    if kind == "npz":
        np.savez(path, events=events, labels=labels)
    else:
        with h5py.File(path, "w") as file:
            file["events"], file["labels"] = events, labels
    train, test = (load_data(str(path), split) for split in ("train", "test"))
    frames = events[:, :, None, None] if len(shape) == 3 else events
    wanted = frames.transpose(0, 1, 3, 4, 2) > 0
    for data in (train, test):
        assert (unpacked(data) == wanted[data.places]).all()
        assert (data.labels == labels[data.places]).all()
        assert isinstance(data.images, np.memmap)  # no sample stays in memory
    assert sorted([*train.places, *test.places]) == list(range(8))


def test_heidelberg_spike_trains_are_binned_in_seconds(tmp_path):
    rng = np.random.default_rng(3)
    trains = [(np.sort(rng.random(30)), rng.integers(0, 700, 30)) for _ in range(4)]
    for part, some in (("train", trains[:3]), ("test", trains[3:])):
        with h5py.File(tmp_path / f"shd_{part}.h5", "w") as file:
            for place, name, kind in ((0, "times", np.float64), (1, "units", np.int64)):
                held = file.create_dataset(f"spikes/{name}", (len(some),), h5py.vlen_dtype(kind))
                for k, train in enumerate(some):
                    held[k] = train[place]
            file["labels"] = np.arange(len(some)) % 2 if len(some) > 1 else [1]
    for split, some in (("train", trains[:3]), ("test", trains[3:])):
        data = load_data(str(tmp_path), split)
        assert data.events.sensor == (1, 700, 1)
        for (t, units), found in zip(some, unpacked(data), strict=True):
            rows = np.stack([t, units, np.zeros(30), np.zeros(30)], axis=1)
            assert (found == binned(rows, data.events)).all()
            assert found.sum() > 20


def nmnist_folder(folder, samples):
    for split in ("Train", "Test"):
        for label in "35":
            (folder / split / label).mkdir(parents=True)
            for k, rows in enumerate(samples):
                (folder / split / label / f"{k}.bin").write_bytes(bytes_of(rows))
    return str(folder)


def test_recordings_of_nmnist_are_read_and_binned_event_by_event(tmp_path):
    samples = [recorded(seed, count=200, last=320_000) for seed in range(3)]
    data = load_data(nmnist_folder(tmp_path / "set", samples), "train")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (data.events.sensor, data.events.window) == ((34, 34, 2), 300_000)
    for rows, found in zip(samples * 2, unpacked(data), strict=True):
        assert (found == binned(rows, data.events)).all()
        assert found.any()


def test_times_go_on_beyond_the_timers_round():
    rows = recorded(4, last=5)
    rows[20:, 0] += (1 << 23) + (1 << 12)  # the timer counts 23 bits
    found = nmnist.events(bytes_of(rows), "here")
    assert (np.stack(found, axis=1) == rows).all()
    assert rows[-1, 0] >= 1 << 23


def test_the_real_recording_has_its_events():
    path = Path(os.environ.get("FF2LOIHI_DATA", "nowhere")) / "events" / "sample_nmnist.bin"
    if not path.is_file():
        pytest.skip("events/sample_nmnist.bin is not in $FF2LOIHI_DATA")
    found = nmnist.events(path.read_bytes(), str(path))
    assert (len(found.t), found.p.sum(), (1 - found.p).sum()) == (4325, 2145, 2180)
    assert (found.t[0], found.t[-1]) == (654, 311175)


def changed(at, column, value):
    rows = SAMPLES[0].astype(type(value))
    rows[at, column] = value
    return [rows, *SAMPLES[1:]]


@pytest.mark.parametrize(
    ("samples", "changes", "text", "said"),
    [
        (changed(3, 1, 5), {}, "", r"sample 0: an event at x = 5, the sensor has 0\.\.4"),
        (changed(3, 2, -1), {}, "", r"an event at y = -1, the sensor has 0\.\.5"),
        (changed(3, 3, 2), {}, "", r"an event at p = 2, the sensor has 0\.\.1"),
        (changed(7, 0, 99), {}, "", "times run backwards, from 99 to"),
        ([rows.astype(np.uint32) for rows in changed(7, 0, 99)], {}, "", "times run backwards, from 99 to"),
        (changed(0, 0, -2), {}, "", "an event at the time -2"),
        (changed(3, 1, np.nan), {}, "", "an event at x = nan, the sensor has"),
        (changed(3, 3, np.inf), {}, "", "an event at p = inf, the sensor has"),
        (SAMPLES, {"sensor": [(1 << 16) - 1] * 3}, "", "bytes have no room in .*. Use --events downsample=K"),
        ([SAMPLES[0], SAMPLES[1][:0], *SAMPLES[2:]], {}, "", "sample 1: no events"),
        (SAMPLES, {}, "window=1e-9", "no event before 1e-09"),
        (SAMPLES, {}, "denoise=1e-9,window=2", r"no event before 2 that denoise=1e-09 keeps\. Use .* denoise=T"),
        (SAMPLES, {}, "steps=128", r"128 steps in 2 rounds, a trace counts 4\.\.127 in all"),
        (SAMPLES, {}, "saccades", "events already"),
        (SAMPLES, {}, "steps=6,parts=7", "7 parts of 6 steps"),
        (SAMPLES, {}, "downsample=7", "more than the sensor's sides"),
        (SAMPLES, {"sensor": None}, "", "one of offsets and sensor alone"),
        (SAMPLES, {"sensor": (0, 1, 2)}, "", "sensor must be three whole numbers"),
        (SAMPLES, {"offsets": [0, 30, 20, 400]}, "", "offsets must rise from 0 to the 400 events"),
        (SAMPLES, {"labels": None}, "", "events: without labels"),
        (SAMPLES, {"labels": [0, 1, 0]}, "", "10 samples and 3 labels"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_rows_is_one_line(rows_npz, samples, changes, text, said):
    with pytest.raises(DataError, match=said) as failure:
        load_data(rows_npz(samples, **changes, test_events=None), "train", events=parse(text))
        load_data(rows_npz(samples, **changes, test_events=None), "test", events=parse(text))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (np.full((4, 6, 5), 256), r"sample .: a count of 256, a message carries 0\.\.255"),
        (np.full((4, 6, 5), -1), "a count of -1"),
        (np.zeros((4, 6, 5), int), "sample .: no events"),
        (np.ones((4, 6, 5)), r"an array \(4, 6, 5\) of float64"),
        (np.ones((4, 6), int), r"an array \(4, 6\) of int64"),
        (np.ones((4, 200, 5), int), r"200 steps in 2 rounds, a trace counts 4\.\.127 in all\. Use --events steps=N"),
    ],
)
def test_what_is_wrong_with_frames_is_one_line(tmp_path, events, said):
    np.savez(tmp_path / "x.npz", events=events, labels=np.arange(4) % 2)
    with pytest.raises(DataError, match=said) as failure:
        load_data(str(tmp_path / "x.npz"), "train")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("suffix", ["aedat", "aedat4"])
def test_a_recording_in_aedat_is_refused_with_what_to_give(tmp_path, suffix):
    (tmp_path / f"x.{suffix}").write_bytes(b"#!AER-DAT4.0\r\n")
    with pytest.raises(DataError, match=rf"x\.{suffix}: AEDAT is not read\. Convert it.* rows of events"):
        load_data(str(tmp_path / f"x.{suffix}"), "train")


def test_frames_have_no_times_for_denoise(tmp_path):
    np.savez(tmp_path / "x.npz", events=np.ones((4, 6, 5), int), labels=np.arange(4) % 2)
    with pytest.raises(DataError, match="frames, whose events have no times for denoise=2. Leave it out"):
        load_data(str(tmp_path / "x.npz"), "train", events=parse("denoise=2"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bytes_of(SAMPLES[0])[:-1], "199 bytes, which are no whole events of 5"),
        (b"", "no events"),
        (bytes([40, 0, 0, 0, 1]), r"an event at x = 40, the sensor has 0\.\.33"),
        (bytes([0, 0, 0, 0, 9, 0, 0, 0, 0, 1]), "times run backwards, from 9 to 1"),
    ],
)
def test_a_damaged_recording_is_one_line(tmp_path, data, said):
    name = nmnist_folder(tmp_path / "set", SAMPLES[:1])
    (tmp_path / "set" / "Train" / "3" / "0.bin").write_bytes(data)
    with pytest.raises(DataError, match=said):
        load_data(name, "train")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "Test" / "7").mkdir(), "the class 7 is in one of train and test alone"),
        (lambda folder: (folder / "Train" / "3" / "a.txt").write_text(""), "a.txt is no recording"),
        (lambda folder: (folder / "Train" / "5" / "0.bin").unlink(), "a class without recordings"),
    ],
)
def test_a_folder_that_is_not_nmnists_is_one_line(tmp_path, change, said):
    name = nmnist_folder(tmp_path / "set", SAMPLES[:1])
    change(tmp_path / "set")
    with pytest.raises(DataError, match=said):
        load_data(name, "train")


def test_a_truncated_file_of_spike_trains_is_one_line(tmp_path):
    for part in ("train", "test"):
        with h5py.File(tmp_path / f"{part}.h5", "w") as file:
            file["spikes/units"] = np.zeros(3)
    with pytest.raises(DataError, match="without spikes/times"):
        load_data(str(tmp_path), "train")
    data = (tmp_path / "train.h5").read_bytes()
    (tmp_path / "train.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"truncated or damaged"):
        load_data(str(tmp_path), "train")


def test_another_sensor_than_the_models_is_refused(rows_npz):
    asked = EventOptions(steps=9, sensor=(34, 34, 2))
    with pytest.raises(DataError, match=r"a sensor of 6 x 5 x 2 .*, the model takes 34 x 34 x 2"):
        load_data(rows_npz(SAMPLES), "train", events=asked)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed=3", "--events speed=3: is none of"),
        ("merged=1", "--events merged=1: is none of"),
        ("steps", "--events steps: is none of"),
        ("steps=0", "steps=0: must be a whole number"),
        ("window=-1", "window=-1: must be a time above 0"),
        ("window=nan", "window=nan: must be a time above 0"),
        ("denoise=0", "denoise=0: must be a time above 0"),
        ("steps=4,merged,steps=5", "--events: steps twice"),
    ],
)
def test_what_no_option_says_is_refused(text, said):
    with pytest.raises(DataError, match=said):
        parse(text)


def test_images_are_no_events_unless_they_move():
    with pytest.raises(DataError, match="digits: images, no events. Use --events saccades"):
        load_data("digits", "train", events=EventOptions())


def test_the_points_of_yin_yang_lie_where_their_class_is():
    data = load_data("yin-yang", "test", events=parse("parts=1"))
    points, labels = yin_yang.points(1000, yin_yang.SEEDS["test"])
    assert (labels == data.labels).all()
    assert (np.bincount(labels) > 280).all()
    for (x, y), label, found in zip(points, labels, unpacked(data)[:, :, 0, :, 0], strict=True):
        x, y = x - 0.5, y - 0.5
        assert x * x + y * y <= 0.25
        near_dot = min((x - 0.25) ** 2, (x + 0.25) ** 2) + y * y < 0.01
        assert near_dot == (label == 2)
        if not near_dot:  # the upper half and the left dot's surroundings, less the right one's
            upper = (y > 0 or (x + 0.25) ** 2 + y * y <= 0.0625) and not (y > 0 and (x - 0.25) ** 2 + y * y <= 0.0625)
            assert upper == (label == 0)
        times = [0.9 * (0.5 + value) for value in (x, y, -x, -y)] + [0]
        assert (found.argmax(0) == [int(32 * t) for t in times]).all()
        assert (found.sum(0) == 1).all()


def test_a_moved_image_gives_an_event_where_the_logarithm_of_its_light_changes():
    image = np.random.default_rng(1).integers(0, 256, (7, 6), np.uint8)
    found = saccades.Saccades(image[None], np.zeros(1, np.int64)).recording(0)
    corners = [(-0.5, -0.5), (0, 0.5), (0.5, -0.5), (-0.5, -0.5)]  # times half a pixel
    corners = [(y / 2, x / 2) for y, x in corners]
    path = [corners[0]]
    for (y, x), (down, right) in pairwise(corners):
        path += [(y + (down - y) * k / 20, x + (right - x) * k / 20) for k in range(1, 21)]
    views = [np.log(0.1 + shift(image / 255, by, order=1, mode="grid-constant")) for by in path]
    wanted, level = [], np.zeros(image.shape)
    for move, view in enumerate(views[1:]):
        for y, x in np.ndindex(image.shape):
            change = (view[y, x] - views[0][y, x]) / 0.4 - level[y, x]
            if abs(change) >= 1:
                level[y, x] += np.trunc(change)
                wanted.append((5.0 * move, x, y, change > 0))
    assert np.stack(found, axis=1).tolist() == np.array(wanted, float).tolist()
    assert {p for *_, p in wanted} == {False, True}


def test_memory_does_not_grow_with_the_samples_that_are_binned_and_learned(tmp_path, monkeypatch):
    """Of all that is allocated, whose peak Python counts; rows of spikes lie in a mapped file, which is none of it."""
    monkeypatch.setattr(run, "HEALTH_EVERY", 50)  # samples that are learned in one call at most, in place of 1000
    path, frames, samples = tmp_path / "e.h5", (20, 2, 34, 34), 750
    with h5py.File(path, "w") as file:
        held = file.create_dataset("events", (samples, *frames), bool, chunks=(1, *frames))
        for sample in range(samples):
            held[sample] = np.random.default_rng(sample).random(frames) < 0.02
        file["labels"] = np.arange(samples) % 2
    options = EventOptions(parts=1)
    few = load_data(str(path), "train", limit=20, events=options)
    train("ffa-symmetric", few, epochs=0, widths=(10,)).save(tmp_path / "u.pt")
    program = api.compile(tmp_path / "u.pt", few, LearningOptions())

    def learned(count):
        """Bytes of the rows, and the peak as they are binned and learned."""
        tracemalloc.start()
        data = load_data(str(path), "train", limit=count, events=options)
        found = api.learn(program, data, Schedule(epochs=1)).provenance["learned"][0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found["samples"] == count == len(data.labels)
        return data.images.nbytes, peak

    learned(20)  # the first one imports, and loads its loops
    few, many = learned(100), learned(600)
    assert many[0] - few[0] > 2_500_000
    assert many[1] - few[1] < 0.2 * (many[0] - few[0])


@pytest.fixture
def frames_in_hdf5(tmp_path):
    """path, and what is in it: writes an .h5 of events beside other data sets."""

    def written(**others):
        path = tmp_path / "e.h5"
        with h5py.File(path, "w") as file:
            file["events"] = np.random.default_rng(0).random((20, 6, 8)) < 0.3
            file["labels"] = np.arange(20) % 2
            for name, values in others.items():
                file[name] = values
        return path

    return written


def test_a_large_file_of_events_is_read_a_part_at_a_time(frames_in_hdf5, monkeypatch):
    """Whatever a file of a network may hold at most; and every value of it is read before it is trusted."""
    monkeypatch.setattr(hdf5_file, "BYTES", 100)
    monkeypatch.setattr(hdf5_file, "BLOCK", 100)
    path, parts = frames_in_hdf5(), []
    read = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda item, key: parts.append(key) or read(item, key))
    hdf5_file.read_all(str(path), large=True)
    assert [part for part in parts if part != slice(0, 12)][:2] == [slice(0, 2), slice(2, 4)]
    assert slice(18, 20) in parts
    assert len(load_data(str(path), "train").labels) == 16


def test_events_in_chunks_larger_than_what_is_read_at_most_are_refused(tmp_path, monkeypatch):
    """However little of it is wanted, HDF5 unpacks a chunk as a whole."""
    for name, chunks in (("one", (20, 6, 8)), ("many", (4, 6, 8))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            frames = np.random.default_rng(0).random((20, 6, 8)) < 0.3
            file.create_dataset("events", data=frames, chunks=chunks, compression="gzip")
            file["labels"] = np.arange(20) % 2
    monkeypatch.setattr(hdf5_file, "BYTES", 500)
    with pytest.raises(DataError, match="'events' is stored in chunks of 960 bytes. Write it in chunks of at most 500"):
        load_data(str(tmp_path / "one.h5"), "train")
    assert len(load_data(str(tmp_path / "many.h5"), "train").labels) == 16


def test_what_stands_beside_the_events_may_be_anything(frames_in_hdf5):
    kept = np.zeros(3, [("a", np.int32), ("b", np.float32)])
    assert len(load_data(str(frames_in_hdf5(about=kept)), "train").labels) == 16


NOTHING = h5py.Empty("f8")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"events": NOTHING}, "holds labels without images"),
        ({"spikes/times": NOTHING, "spikes/units": np.zeros((4, 9), int)}, "without spikes/times"),
        ({"spikes/times": 1.0, "spikes/units": np.zeros((4, 9), int)}, r"\[0, 4\] samples, labels, and trains"),
        ({"spikes/times": np.ones((4, 9)), "spikes/units": np.full((4, 9), np.inf)}, "an event at x = -9.2"),
    ],
)
def test_data_sets_without_a_shape_or_a_number_are_one_line(tmp_path, held, said):
    with h5py.File(tmp_path / "e.h5", "w") as file:
        for name, values in {"labels": np.arange(4) % 2, **held}.items():
            file[name] = values
    with pytest.raises(DataError, match=said):
        load_data(str(tmp_path / "e.h5"), "train")


def test_a_full_disk_is_one_line_before_anything_is_written(rows_npz, monkeypatch):
    """What a map of a file writes beyond the disk's end is signal 7, which nobody catches."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(os, "posix_fallocate", full)
        with pytest.raises(DataError, match="8 samples of .* bytes have no room"):
            load_data(rows_npz(SAMPLES), "train")
    assert len(load_data(rows_npz(SAMPLES), "train").labels) == 8


def test_events_that_stand_in_another_file_are_refused(tmp_path):
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_dataset("events", (4, 6, 8), np.uint8, external=[(str(tmp_path / "raw"), 0, 4 * 6 * 8)])
        file["labels"] = np.arange(4) % 2
    (tmp_path / "raw").write_bytes(bytes(4 * 6 * 8))
    with pytest.raises(DataError, match="the values of 'events' stand in another file"):
        load_data(str(tmp_path / "e.h5"), "train")
